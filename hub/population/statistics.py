"""A question about a population, from the decision to what is released, top to bottom.

It is decided by the register and logged like any operation: what may be counted before anything
is read, and what was released before it is. It is about nobody in particular.
"""

from __future__ import annotations

import asyncio
import base64
import datetime
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from authz.decide import Verdict
from authz.purpose import Purpose
from hub.acting import Acting
from hub.admission import Denied
from hub.errors import refused
from hub.population.asked import Asked, asked_of
from hub.population.deliveries import Delivery, DeliveryRefused
from hub.population.engine import Engine, Found, Group
from hub.population.files import MEDIA_TYPES, file_of
from hub.population.jobs import JOBS, Jobs
from hub.population.question import Breakdown, Past, Question, written
from hub.population.release import (
    Control,
    Row,
    is_near,
    released_count,
    released_table,
)
from hub.population.teams import Kept, Teams
from hub.population.watch import WATCH, Watch
from schema import statistics as shown
from schema.selecting import COUNT, FILTER
from sources.declaration import Catalogue, Item

CAVEATS = (
    "Counts are moved up or down by a few, the same people always alike; they do not add up.",
    "Groups of too few people, or of nobody, are left out, and some others with them.",
    "Totals and means are moved by part of the largest amount; all figures are rounded.",
    "Deliveries are of different days: what happened in between is in some of them only.",
)


@dataclass(frozen=True, slots=True)
class Statistics:
    """What questions are answered with."""

    engine: Engine
    teams: Teams
    control: Control
    jobs: Jobs | None = None
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


async def _population(acting: Acting) -> Any:
    statistics, catalogue = _statistics(acting), acting.hub.schema.catalogue
    asked = asked_of(acting)
    question = asked.question
    _decide(acting.purpose, question)
    acting.entry.facts["population"] = _told(asked)
    uses = {FILTER: question.filtered, COUNT: question.counted}
    await acting.entry.intend([], [], Verdict(frozenset(), (), derivable=uses), ())
    noted, past = await statistics.teams.begin(acting.about.caller, question)
    until = question.as_of or datetime.datetime.now(datetime.UTC).date()
    engine, control = statistics.engine, statistics.control
    watch = WATCH.get() or Watch()

    def count() -> Any:
        deliveries = engine.deliveries(engine.sources(question, past), until)
        true = engine.count(question, past, deliveries, watch)
        if is_near(control, catalogue, question.where, past, true):
            return None
        rows = _rows(control, catalogue, question, past, true)
        return deliveries, released_count(control, true.whole), rows

    try:
        seconds = None if watch.waits else acting.hub.limits.seconds
        async with asyncio.timeout(seconds), statistics.turn:
            found = await _watched(engine, watch, count)
    except TimeoutError as slow:
        await statistics.teams.forget(noted)
        message = f"it takes longer than {seconds:g} s: start it by `startPopulation`"
        raise refused("TOO_COSTLY", message) from slow
    except DeliveryRefused as fault:
        await statistics.teams.forget(noted)
        raise refused("NO_DELIVERIES", f"{fault.source}: {fault.reason}") from fault
    if found is None:
        await statistics.teams.forget(noted)
        raise refused(
            "QUESTION_TOO_NEAR",
            "a question that your team asked before, or one about everybody, is about nearly the"
            " same people: the two together would tell of few",
        )
    deliveries, people, rows = found
    if people is None:
        await statistics.teams.forget(noted)
    acting.entry.facts["deliveries"] = {name: str(each.day) for name, each in deliveries.items()}
    return _shown(acting.hub.schema, asked, deliveries, people, rows)


async def _watched(engine: Engine, watch: Watch, count: Callable[[], Any]) -> Any:
    """Count in a thread of its own, which ends when nobody waits any more."""
    counting = asyncio.ensure_future(asyncio.to_thread(count))
    try:
        return await asyncio.shield(counting)
    except asyncio.CancelledError:
        watch.stopped.set()
        engine.interrupt()
        await asyncio.wait([counting])
        counting.exception()
        raise


def _statistics(acting: Acting) -> Statistics:
    statistics = acting.hub.statistics
    if statistics is None:
        raise refused("NO_DELIVERIES", "this hub reads no deliveries in bulk")
    return statistics


def _decide(purpose: Purpose, question: Question) -> None:
    """Decide each item by the use that is made of it. Raises Denied."""
    decisions = [purpose.uses[FILTER][item] for item in sorted(question.filtered)]
    decisions += [purpose.uses[COUNT][item] for item in sorted(question.counted)]
    denied = tuple(decision for decision in decisions if not decision.allowed)
    if denied:
        raise Denied(denied)


def _told(asked: Asked) -> dict[str, object]:
    """The question as records say it: by groups, and so of nobody."""
    return {
        "where": written(asked.question.where),
        "tables": [
            {
                "by": list(table.dimensions),
                "measures": [f"{each.of} {each.item}" for each in table.measures],
            }
            for table in asked.question.tables.values()
        ],
        "files": [
            {"format": taken.format, "reason": taken.reason}
            for table in asked.files.values()
            for taken in table.values()
        ],
    }


@dataclass(frozen=True, slots=True)
class _Table:
    asked: Breakdown
    edges: tuple[tuple[float, ...], ...]
    rows: Sequence[Row]


def _rows(
    control: Control, catalogue: Catalogue, question: Question, past: Sequence[Past], true: Found
) -> dict[str, _Table]:
    return {
        key: _Table(
            question.tables[key],
            made.edges,
            released_table(control, catalogue, question, key, past, true),
        )
        for key, made in true.tables.items()
    }


def _shown(
    schema: Any,
    asked: Asked,
    deliveries: Mapping[str, Delivery],
    people: int | None,
    tables: Mapping[str, _Table],
) -> Any:
    catalogue: Catalogue = schema.catalogue
    identity = deliveries[catalogue.identity].day
    return shown.Answer(
        count=people,
        as_of=identity,
        deliveries=[
            shown.PopulationDelivery(
                source=name, agency=catalogue.sources[name].agency, day=delivery.day
            )
            for name, delivery in deliveries.items()
        ],
        caveats=list(CAVEATS),
        tables={
            key: _table(catalogue, table, asked.files.get(key, {}), identity)
            for key, table in tables.items()
        },
    )


def _table(
    catalogue: Catalogue, table: _Table, files: Mapping[str, Any], day: datetime.date
) -> shown.PopulationTable:
    items = [catalogue.items[name] for name in table.asked.dimensions]
    rows = [
        shown.PopulationRow(
            groups=[
                group_of(item, edges, group)
                for item, edges, group in zip(items, table.edges, row.groups, strict=True)
            ],
            count=row.count,
            figures=[
                shown.PopulationFigure(
                    item=measure.item, of=shown.Statistic(measure.of), value=figure
                )
                for measure, figure in zip(table.asked.measures, row.figures, strict=True)
            ],
        )
        for row in table.rows
    ]
    made = {
        key: shown.PopulationFile(
            name=f"population-{day}.{taken.format}",
            media_type=MEDIA_TYPES[taken.format],
            base64=base64.b64encode(file_of(rows, table.asked, taken.format)).decode(),
        )
        for key, taken in files.items()
    }
    return shown.PopulationTable(rows=rows, files=made)


def group_of(item: Item, edges: Sequence[float], group: Group) -> shown.PopulationGroup:
    """A group as it is shown."""
    low = high = value = None
    if group is None:
        label = "not known"
    elif isinstance(group, str):
        label = value = group
    else:
        low = edges[group - 1] if group > 0 else None
        high = edges[group] if group < len(edges) else None
        label = _band(low, high, years=item.type == "Date")
    return shown.PopulationGroup(
        item=item.name, label=label, value=value, known=group is not None, from_=low, until=high
    )


def _band(low: float | None, high: float | None, *, years: bool) -> str:
    if low is None:
        return f"below {high:,.0f}"
    if high is None:
        return f"{low:,.0f} and more"
    return f"{low:.0f} to {high - 1:.0f}" if years else f"{low:,.0f} to {high:,.0f}"


async def _items(acting: Acting) -> list[shown.PopulationItem]:
    """What the purpose may make statistics of, and nothing of what it may not."""
    catalogue, uses = acting.hub.schema.catalogue, acting.purpose.uses
    found = []
    for name, item in shown.statistical(catalogue).items():
        filters, counts = uses[FILTER][name].allowed, uses[COUNT][name].allowed
        if item.group is None or not (filters or counts):
            continue
        apart = shown.is_apart(item)
        found.append(
            shown.PopulationItem(
                name=name,
                field=item.path[-1] if apart else shown.field_name(item),
                description=item.description,
                description_ko=item.description_ko,
                source=item.source,
                type=item.type,
                kind=item.group.kind,
                edges=list(item.group.edges),
                listed=f"{item.source}_{item.path[0]}" if apart else None,
                filters=filters,
                dimension=counts and not apart,
                amount=counts and shown.is_amount(item),
            )
        )
    return found


def _kept(found: Kept) -> shown.SavedQuestion:
    return shown.SavedQuestion(name=found.name, query=found.query, person=found.person, at=found.at)


async def _save(acting: Acting) -> shown.SavedQuestion:
    given, teams = acting.arguments, _statistics(acting).teams
    return _kept(await teams.save(acting.about.caller, given["name"].strip(), given["query"]))


async def _saved(acting: Acting) -> list[shown.SavedQuestion]:
    return [_kept(each) for each in await _statistics(acting).teams.saved(acting.about.caller)]


POPULATION: Mapping[str, Callable[[Acting], Awaitable[Any]]] = {
    "population": _population,
    "populationItems": _items,
    "savedQuestions": _saved,
    "saveQuestion": _save,
    **JOBS,
}
"""What is done by each field."""
