"""Before a review: the newest deliveries found and examined, and whether it may read them."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from hub.population import quality
from hub.population.deliveries import KEY, Delivery, DeliveryRefused, delivering, newest, table
from hub.population.facts import Facts
from hub.population.reviewed import DATES, RECEIPT, NotReviewable, Reviewed
from hub.population.wanted import Place, Refused, Wanted
from sources.declaration import Catalogue, Item

_ITEMS = ("programme", "office", "month", "amount", "state")
"""The columns of receipts that a review reads."""


def examine(place: Place, wanted: Wanted) -> tuple[tuple[quality.Report, ...], tuple[str, ...]]:
    """The quality of every newest delivery, kept, and every reason why one is not used."""
    deliveries, lacking = deliveries_of(place, wanted)
    reports, reasons = examined(place, wanted, deliveries)
    return reports, (*lacking, *reasons)


def deliveries_of(place: Place, wanted: Wanted) -> tuple[dict[str, Delivery], list[str]]:
    """The newest delivery of each source, the register of identity first; and those that lack."""
    found, reasons = {}, []
    sources = delivering(place.catalogue)
    for source in sorted(sources, key=lambda one: one.name != place.catalogue.identity):
        try:
            found[source.name] = newest(source, wanted.day, wanted.folder / "drawn")
        except DeliveryRefused as refusal:
            reasons.append(str(refusal))
    reasons += [
        f"{name}: it declares no `[bulk]`; no review goes without it"
        for name in (place.catalogue.identity, *_receipt_sources(place.catalogue))
        if name not in {source.name for source in sources}
    ]
    return found, reasons


def _receipt_sources(catalogue: Catalogue) -> list[str]:
    items = catalogue.at(f"{RECEIPT}programme")
    return list(dict.fromkeys(item.source for item in items)) or [catalogue.cases]


def items_allowed(place: Place, facts: Facts) -> tuple[Item, ...]:
    """The items that the review reads, every one of which the purpose allows. Raises Refused."""
    catalogue, purpose = place.catalogue, place.purpose
    of_tests = facts.items()
    of_receipts = [
        *(item for name in _ITEMS for item in catalogue.at(RECEIPT + name)),
        *(item for at in DATES.values() for item in catalogue.at(at)),
    ]
    refusals = []
    for derivation, items in (("meansTest.result", of_tests), ("duplicateReceipts", of_receipts)):
        decision = purpose.derivations.get(derivation)
        derived = decision is not None and decision.allowed
        refusals += [
            f"{item.name}: `{purpose.code}` does not allow it; allow it or `{derivation}`"
            for item in items
            if item.name in purpose.prohibited
            or not (derived or purpose.decisions[item.name].allowed)
        ]
    if refusals:
        raise Refused(sorted(set(refusals)))
    return tuple({item.name: item for item in (*of_tests, *of_receipts)}.values())


def examined(
    place: Place, wanted: Wanted, deliveries: Mapping[str, Delivery]
) -> tuple[tuple[quality.Report, ...], tuple[str, ...]]:
    """The quality of every delivery, kept; and why some are not used."""
    folder = wanted.folder / quality.FOLDER
    reports, faults = quality.examine(
        place.engine.backend, deliveries, place.catalogue.identity, folder
    )
    for report in reports:
        quality.keep_report(folder, report)
    return tuple(reports), tuple(str(fault) for fault in faults)


def receipts_of(place: Place, deliveries: Mapping[str, Delivery]) -> Any:
    """Every receipt delivered, whatever the sources."""
    found = None
    for name in _receipt_sources(place.catalogue):
        columns = {}
        for column in _ITEMS:
            [item] = [item for item in place.catalogue.at(RECEIPT + column) if item.source == name]
            columns[column] = item.path[-1]
        rows = table(place.engine.backend, deliveries[name], item.path[0])
        rows = rows.select(KEY, **{column: rows[path] for column, path in columns.items()})
        found = rows if found is None else found.union(rows)
    return found


def month_of(
    place: Place, deliveries: Mapping[str, Delivery], reviewed: Reviewed, day: datetime.date
) -> str:
    """The month that is reviewed: the last of which anything is paid, up to the day's."""
    rows = receipts_of(place, deliveries)
    paid = rows.filter(
        rows.programme.isin(reviewed.programmes)
        & (rows.state == "paid")
        & (rows.month <= f"{day:%Y-%m}")
    )
    month = place.engine.backend.to_pyarrow(paid.month.max()).as_py()
    if month is None:
        named = ", ".join(f"`{key}`" for key in reviewed.programmes)
        raise NotReviewable(f"nobody is paid {named} until {day}: there is nothing to review")
    return str(month)
