"""How long decisions take at an office: counted in the delivery of applications, by programme.

It is about nobody in particular: by whole years of the caller's own office, and never of fewer
than ten decisions.
"""

from __future__ import annotations

import asyncio
import datetime
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from hub.acting import Acting
from hub.admission import Denied
from hub.errors import refused
from hub.population.deliveries import Delivery, DeliveryRefused, newest, table
from schema.decision_times import DecisionTime, DecisionTimes
from schema.selecting import COUNT
from sources.declaration import Catalogue, Item, Source

LEAST = 10
"""Decisions of which figures are given; their number is rounded down to a multiple of it."""
_COLUMNS = ("programme", "office", "applied", "decided")
_PLACES = tuple(f"applications.{name}" for name in _COLUMNS)
_MEMORY = "256MB"


async def _decision_times(acting: Acting) -> DecisionTimes:
    catalogue, office = acting.hub.schema.catalogue, acting.about.caller.office
    year, today = int(acting.arguments["year"]), datetime.datetime.now(datetime.UTC).date()
    if office is None:
        raise refused("PURPOSE_DENIED", "the token does not say the caller's office")
    if not today.year - 10 <= year <= today.year:
        raise refused("BAD_VARIABLES", "`year` is one of the last ten, or this one")
    items = _items(catalogue)
    uses = acting.purpose.uses[COUNT]
    denied = tuple(uses[item.name] for item in items if not uses[item.name].allowed)
    if denied:
        raise Denied(denied)
    source = catalogue.sources[catalogue.cases]

    def count() -> tuple[Delivery, dict[str, dict[int, int]]]:
        with tempfile.TemporaryDirectory() as drawn:
            delivery = newest(_alone(source, items), today, Path(drawn))
            return delivery, counted(delivery, office, year)

    try:
        delivery, found = await asyncio.to_thread(count)
    except DeliveryRefused as fault:
        raise refused("NO_DELIVERIES", f"{fault.source}: {fault.reason}") from fault
    acting.entry.facts["deliveries"] = {source.name: str(delivery.day)}
    acting.entry.facts["decisionTimes"] = {"office": office, "year": year}
    slowest = sorted(times(found), key=lambda one: (-one.median_days, one.programme))
    return DecisionTimes(
        office=office, year=year, as_of=delivery.day, agency=source.agency, programmes=slowest
    )


def _items(catalogue: Catalogue) -> tuple[Item, ...]:
    """The columns of the register of cases that applications are told by. Raises RequestRefused."""
    held = (catalogue.held_by(catalogue.cases, place) for place in _PLACES)
    found = tuple(item for item in held if item is not None and len(item.path) == 2)
    if len(found) < len(_PLACES) or len({item.path[0] for item in found}) > 1:
        raise refused("NO_DELIVERIES", "no list of the register of cases tells of applications")
    return found


def _alone(source: Source, items: tuple[Item, ...]) -> Source:
    """The source as if it delivered the list of these columns and nothing else.

    Raises DeliveryRefused.
    """
    name = items[0].path[0]
    part = None if source.bulk is None else {**source.bulk.lists, **source.bulk.apart}.get(name)
    if source.bulk is None or part is None:
        remedy = f"declare `apart.{name}` in its `[bulk]`"
        raise DeliveryRefused(source.name, f"it does not deliver its `{name}`", remedy)
    bulk = source.bulk.model_copy(update={"person": part, "lists": {}, "apart": {}, "items": ()})
    columns = tuple(
        replace(item, path=(name,), wire=item.wire[-1:])
        for name, item in zip(_COLUMNS, items, strict=True)
    )
    return replace(source, bulk=bulk, items=columns)


def counted(delivery: Delivery, office: str, year: int) -> dict[str, dict[int, int]]:
    """How many decisions took how many days, by programme. Raises DeliveryRefused."""
    import ibis  # noqa: PLC0415 - heavy, and needed only where populations are read

    backend: Any = ibis.duckdb.connect(threads=1, memory_limit=_MEMORY)
    try:
        rows = table(backend, delivery)
        in_time = (rows.office == office) & (rows.decided.year() == year)
        decided = rows.filter(in_time & (rows.decided >= rows.applied) & rows.programme.notnull())
        days = decided.decided.delta(decided.applied, unit="day")
        numbers = decided.group_by([decided.programme, days.name("days")]).aggregate(
            number=decided.count()
        )
        found: dict[str, dict[int, int]] = {}
        for row in numbers.to_pyarrow().to_pylist():
            found.setdefault(row["programme"], {})[row["days"]] = row["number"]
    finally:
        backend.disconnect()
    return found


def times(found: Mapping[str, Mapping[int, int]]) -> Iterator[DecisionTime]:
    """What is released of the counts; what fewer than ten decisions were made on is left out."""
    for programme, days in found.items():
        number = sum(days.values())
        if number >= LEAST:
            yield DecisionTime(
                programme=programme,
                decisions=number - number % LEAST,
                median_days=at_percentile(days, 50),
                ninetieth_percentile_days=at_percentile(days, 90),
            )


def at_percentile(numbers: Mapping[int, int], per_cent: int) -> int:
    """The least of the values that so many per cent are not above (nearest rank)."""
    rank = -(-sum(numbers.values()) * per_cent // 100)
    for value in sorted(numbers):
        rank -= numbers[value]
        if rank <= 0:
            return value
    raise ValueError("of no values there is no percentile")


DECISION_TIMES: Mapping[str, Callable[[Acting], Awaitable[Any]]] = {
    "decisionTimes": _decision_times,
}
"""What is done by each field."""
