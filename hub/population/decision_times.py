"""How long decisions take at an office or in a district: counted in deliveries, by programme.

It is about nobody in particular: by whole years, and never of fewer than ten decisions.
"""

from __future__ import annotations

import asyncio
import datetime
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hub.acting import Acting
from hub.admission import Denied
from hub.errors import RequestRefused, error, refused
from hub.population.deliveries import KEY, Delivery, DeliveryRefused, newest, table
from schema.decision_times import DecisionTime, DecisionTimes
from schema.selecting import COUNT
from sources.declaration import Catalogue, Item, Source

LEAST = 10
"""Decisions of which figures are given; their number is rounded down to a multiple of it."""
_COLUMNS = ("programme", "office", "applied", "decided")
_PLACES = tuple(f"applications.{name}" for name in _COLUMNS)
_DISTRICT = "identity.district"
_MEMORY = "256MB"


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose decisions are counted: an office's, or those on who lives in a district; of a year."""

    year: int
    office: str | None
    district: str | None


async def _decision_times(acting: Acting) -> DecisionTimes:
    catalogue = acting.hub.schema.catalogue
    today = datetime.datetime.now(datetime.UTC).date()
    scope = _scope(acting, today)
    source, items = catalogue.sources[catalogue.cases], _items(catalogue)
    lived_in = _district(catalogue) if scope.district else None
    uses = acting.purpose.uses[COUNT]
    counted_by = (*items, *([lived_in] if lived_in else []))
    denied = tuple(uses[item.name] for item in counted_by if not uses[item.name].allowed)
    if denied:
        raise Denied(denied)

    def count() -> tuple[tuple[Delivery, ...], dict[str, dict[int, int]]]:
        with tempfile.TemporaryDirectory() as drawn:
            wanted = [_alone(source, items)]
            if lived_in is not None:
                wanted.append(_people(catalogue.sources[catalogue.identity], lived_in))
            found = tuple(newest(one, today, Path(drawn, one.name)) for one in wanted)
            return found, counted(scope, *found)

    try:
        deliveries, found = await asyncio.to_thread(count)
    except DeliveryRefused as fault:
        raise refused("NO_DELIVERIES", f"{fault.source}: {fault.reason}") from fault
    acting.entry.facts["deliveries"] = {one.source.name: str(one.day) for one in deliveries}
    told = {"office": scope.office, "district": scope.district, "year": scope.year}
    acting.entry.facts["decisionTimes"] = {key: value for key, value in told.items() if value}
    return DecisionTimes(
        office=scope.office,
        district=scope.district,
        year=scope.year,
        as_of=deliveries[0].day,
        agency=source.agency,
        programmes=sorted(times(found), key=lambda one: (-one.median_days, one.programme)),
    )


def _scope(acting: Acting, today: datetime.date) -> Scope:
    """What the caller may ask about: who oversees, their own office or district.

    Policy teams, any district. Raises RequestRefused.
    """
    caller, district = acting.about.caller, acting.arguments.get("district")
    year = int(acting.arguments["year"])
    if not today.year - 10 <= year <= today.year:
        raise refused("BAD_VARIABLES", "`year` is one of the last ten, or this one")
    if acting.purpose.relation == "population":
        if district is None:
            raise refused("BAD_VARIABLES", "name a `district`: this purpose is of no office")
        return Scope(year, None, district)
    if district is not None:
        if district != caller.district:
            raise RequestRefused(
                [
                    error(
                        "PURPOSE_DENIED",
                        "of another district than the caller's own",
                        remedy="leave `district` out, for the own office, or name the own district",
                    )
                ]
            )
        return Scope(year, None, district)
    if caller.office is None:
        raise refused("PURPOSE_DENIED", "the token does not say the caller's office")
    return Scope(year, caller.office, None)


def _items(catalogue: Catalogue) -> tuple[Item, ...]:
    """The columns of the register of cases that applications are told by. Raises RequestRefused."""
    held = (catalogue.held_by(catalogue.cases, place) for place in _PLACES)
    found = tuple(item for item in held if item is not None and len(item.path) == 2)
    if len(found) < len(_PLACES) or len({item.path[0] for item in found}) > 1:
        raise refused("NO_DELIVERIES", "no list of the register of cases tells of applications")
    return found


def _district(catalogue: Catalogue) -> Item:
    """The item of the register of identity that tells where people live. Raises RequestRefused."""
    found = catalogue.held_by(catalogue.identity, _DISTRICT)
    if found is None or len(found.path) != 1:
        raise refused("NO_DELIVERIES", "the register of identity does not tell of districts")
    return found


def _people(source: Source, item: Item) -> Source:
    """The source as if it delivered this item of everyone, and nothing else."""
    if source.bulk is None:
        return source
    bulk = source.bulk.model_copy(update={"lists": {}, "apart": {}, "items": item.path})
    return replace(source, bulk=bulk, items=(item,))


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


def counted(
    scope: Scope, delivery: Delivery, people: Delivery | None = None
) -> dict[str, dict[int, int]]:
    """How many decisions took how many days, by programme. Raises DeliveryRefused.

    `people` tells who lives where; it is there where a district is asked about.
    """
    import ibis  # noqa: PLC0415 - heavy, and needed only where populations are read

    backend: Any = ibis.duckdb.connect(threads=1, memory_limit=_MEMORY)
    try:
        rows = table(backend, delivery)
        in_time = (rows.decided.year() == scope.year) & (rows.decided >= rows.applied)
        decided = rows.filter(in_time & rows.programme.notnull())
        if people is None:
            decided = decided.filter(decided.office == scope.office)
        else:
            everyone = table(backend, people)
            there = everyone.filter(everyone[people.items()[0].path[-1]] == scope.district)
            decided = decided.semi_join(there, KEY)
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
