"""Counts what a question asks for in the agencies' deliveries: true figures, to be controlled.

Invariant: what stands here leaves the hub by way of `hub/population/release.py` alone.
"""

from __future__ import annotations

import datetime
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hub.population.deliveries import KEY, Delivery, DeliveryRefused, delivering, newest, table
from hub.population.people import (
    PROTECTED,
    RECORD,
    chosen,
    grouped,
    joined,
    value_of,
)
from hub.population.perturbation import KEYS
from hub.population.quality import delivered, examine, kept_of, refused
from hub.population.question import Breakdown, Measure, Past, Question, Spec, items_of
from hub.population.watch import Watch
from sources.declaration import Catalogue, Item

Group = str | int | None
"""A value, the number of edges that an amount is not below, or None where there is no value."""
_PEOPLE = "people_asked_about"
_CHOSEN, _COUNT, _KEY = "chosen", "people", "cell_key"


@dataclass(frozen=True, slots=True)
class Counted:
    """A cell: how many people, and the sum of their record keys."""

    people: int
    key: int


@dataclass(frozen=True, slots=True)
class Amounts:
    """What a measure is made of, over the people of a cell of whom the amount is known."""

    people: int
    key: int
    total: float
    largest: float
    second: float
    quantiles: tuple[float, ...]


QUANTILES = (0.45, 0.5, 0.55)


@dataclass(frozen=True)
class Answered:
    """True figures of a table: cells by their groups, amounts by measure and groups."""

    edges: tuple[tuple[float, ...], ...]
    cells: Mapping[tuple[Group, ...], Counted]
    amounts: Mapping[Measure, Mapping[tuple[Group, ...], Amounts]]


@dataclass(frozen=True)
class Overlap:
    """The cells of tables that past questions were answered by, those numbered in `past`.

    For each cell and past question: how many people it chose there, and how many of these the
    new question chooses too.
    """

    dimensions: tuple[str, ...]
    edges: tuple[tuple[float, ...], ...]
    past: tuple[int, ...]
    cells: Mapping[tuple[Group, ...], tuple[tuple[int, int], ...]]


@dataclass(frozen=True)
class Found:
    """All that is counted for a question: the whole, its tables, and where past ones overlap."""

    whole: Counted
    tables: Mapping[str, Answered]
    overlaps: tuple[Overlap, ...]


@dataclass(frozen=True)
class Data:
    """The deliveries that a question is answered from, opened: one at a time uses it."""

    catalogue: Catalogue
    deliveries: Mapping[str, Delivery]
    backend: Any
    opened: dict[tuple[str, str], Any] = field(default_factory=dict)

    def table(self, source: str, part: str) -> Any:
        """A part of a source's delivery. Raises DeliveryRefused."""
        if (source, part) not in self.opened:
            delivery = self.deliveries.get(source)
            if delivery is None:
                raise DeliveryRefused(source, "it delivers nothing", "declare how it delivers")
            self.opened[source, part] = table(self.backend, delivery, part)
        return self.opened[source, part]


class Engine:
    """Opens deliveries, and counts in them, on DuckDB by way of Ibis."""

    def __init__(self, catalogue: Catalogue, drawn: Path, reports: Path, secret: str) -> None:
        self._catalogue = catalogue
        self._drawn = drawn
        self._reports = reports
        self._secret = secret
        self._good = set[tuple[str, int]]()
        self._lock = threading.Lock()
        self._kept: tuple[tuple[tuple[str, datetime.date], ...], Data] | None = None

    def deliveries(self, sources: Sequence[str], until: datetime.date) -> dict[str, Delivery]:
        """The newest deliveries of these sources. Raises DeliveryRefused."""
        known = {source.name: source for source in delivering(self._catalogue)}
        found = {}
        for name in sources:
            if name not in known:
                raise DeliveryRefused(name, "it delivers nothing", "declare how it delivers")
            found[name] = newest(known[name], until, self._drawn)
        return found

    def sources(self, question: Question, past: Sequence[Past]) -> tuple[str, ...]:
        """The sources that a question is answered from, and compared with past ones by."""
        items = {*question.filtered, *question.counted, *_items(past)}
        items |= {item for each in past for item in items_of(each.where)}
        named = {self._catalogue.items[name].source for name in items} | {self._catalogue.identity}
        if any(self._catalogue.items[name].whereabouts for name in items):
            named |= {item.source for item in self._catalogue.at(PROTECTED)}
        return tuple(sorted(named))

    def count(
        self,
        question: Question,
        past: Sequence[Past],
        deliveries: Mapping[str, Delivery],
        watch: Watch,
    ) -> Found:
        """The whole population of a question, and each of its tables.

        Raises DeliveryRefused, and GivenUp when nobody waits any more.
        """
        specs = dict.fromkeys(spec for each in past for spec in each.tables)
        watch.parts = len(question.tables) + len(specs) + 2
        with self._lock:
            data = self._open(deliveries)
            # Ages are of the delivery's own day: a day to choose would tell days of birth.
            day = deliveries[self._catalogue.identity].day
            data.backend.raw_sql(f"DROP TABLE IF EXISTS {_PEOPLE}")
            people = self._people(question, past, data, day)
            watch.step()
            whole = self._cells(people, []).get((), Counted(0, 0))
            watch.step()
            tables = {}
            for key, asked in question.tables.items():
                tables[key] = self._answer(people, asked, day)
                watch.step()
            overlaps = []
            for spec in specs:
                overlaps.append(self._overlap(people, spec, past, day))
                watch.step()
        return Found(whole, tables, tuple(overlaps))

    def interrupt(self) -> None:
        """Break off what is counted right now."""
        if self._kept is not None:
            self._kept[1].backend.con.interrupt()

    def _open(self, deliveries: Mapping[str, Delivery]) -> Data:
        """Keep what is open while the deliveries are the same ones."""
        version = tuple(sorted((name, each.day) for name, each in deliveries.items()))
        if self._kept is None or not set(version) <= set(self._kept[0]):
            import ibis  # noqa: PLC0415 - heavy, and needed only where populations are read

            data = Data(self._catalogue, deliveries, ibis.duckdb.connect())
            self._check(data)
            self._kept = version, data
        return self._kept[1]

    def _check(self, data: Data) -> None:
        """Examine what was not examined since it was delivered. Raises DeliveryRefused."""
        identity, left = self._catalogue.identity, dict[str, Delivery]()
        for name, delivery in data.deliveries.items():
            kept = kept_of(self._reports, delivery)
            for fault in () if kept is None else refused(kept):
                raise fault
            if kept is None and (name, delivered(delivery)) not in self._good:
                left[name] = delivery
        if left:
            wanted = {identity: data.deliveries[identity], **left}
            for fault in examine(data.backend, wanted, identity, self._reports)[1]:
                raise fault
        self._good |= {(name, delivered(each)) for name, each in left.items()}

    def _people(
        self, question: Question, past: Sequence[Past], data: Data, day: datetime.date
    ) -> Any:
        """Everybody, with whether the question and each past one is about them."""
        looks = (question.where, *(each.where for each in past))
        items = (*question.counted, *_items(past))
        people = joined(self._catalogue, data.table, looks, items, self._secret)
        marks = {
            name: chosen(self._catalogue, people, where, day)
            for name, where in zip(
                (_CHOSEN, *(f"past_{at}" for at in range(len(past)))), looks, strict=True
            )
        }
        return data.backend.create_table(_PEOPLE, people.mutate(**marks), temp=True)

    def _divided(
        self, people: Any, dimensions: Sequence[str], steps: int | None, day: datetime.date
    ) -> tuple[Any, list[str], tuple[tuple[float, ...], ...]]:
        """The people with a column of each dimension's groups, the columns, and the edges."""
        items = [self._catalogue.items[name] for name in dimensions]
        edges = tuple(chosen_edges(item, steps) for item in items)
        names = [f"group_{at}" for at in range(len(items))]
        columns = {
            name: grouped(item, people, day, each)
            for name, item, each in zip(names, items, edges, strict=True)
        }
        return people.mutate(**columns) if columns else people, names, edges

    def _overlap(
        self, people: Any, spec: Spec, past: Sequence[Past], day: datetime.date
    ) -> Overlap:
        divided, names, edges = self._divided(people, *spec, day)
        numbers = tuple(at for at, each in enumerate(past) if spec in each.tables)
        figures = {}
        for at in numbers:
            figures[f"chose_{at}"] = divided[f"past_{at}"].sum()
            figures[f"both_{at}"] = (divided[f"past_{at}"] & divided[_CHOSEN]).sum()
        summed = divided.group_by(names).agg(**figures) if names else divided.agg(**figures)
        cells = {
            tuple(row[name] for name in names): tuple(
                (row[f"chose_{at}"] or 0, row[f"both_{at}"] or 0) for at in numbers
            )
            for row in summed.to_pyarrow().to_pylist()
        }
        return Overlap(spec[0], edges, numbers, cells)

    def _answer(self, people: Any, asked: Breakdown, day: datetime.date) -> Answered:
        divided, names, edges = self._divided(people, asked.dimensions, asked.steps, day)
        cells = self._cells(divided, names)
        amounts = {
            measure: self._amounts(divided, names, self._catalogue.items[measure.item], day)
            for measure in asked.measures
        }
        return Answered(edges, cells, amounts)

    def _cells(self, people: Any, names: Sequence[str]) -> dict[tuple[Group, ...], Counted]:
        mine = people[_CHOSEN]
        figures = {_COUNT: mine.sum(), _KEY: mine.ifelse(people[RECORD], 0).sum()}
        summed = people.group_by(list(names)).agg(**figures) if names else people.agg(**figures)
        return {
            tuple(row[name] for name in names): Counted(row[_COUNT] or 0, (row[_KEY] or 0) % KEYS)
            for row in summed.to_pyarrow().to_pylist()
        }

    def _amounts(
        self, people: Any, names: Sequence[str], item: Item, day: datetime.date
    ) -> dict[tuple[Group, ...], Amounts]:
        import ibis  # noqa: PLC0415 - as above

        amount = value_of(item, people, day).cast("float64")
        known = people.mutate(amount=amount)
        known = known.filter(known[_CHOSEN] & known.amount.notnull())
        window = ibis.window(group_by=list(names), order_by=[known.amount.abs().desc(), known[KEY]])
        known = known.mutate(place=ibis.row_number().over(window))
        size = known.amount.abs()
        figures = {
            _COUNT: known.count(),
            _KEY: known[RECORD].sum(),
            "total": known.amount.sum(),
            "largest": (known.place == 0).ifelse(size, 0.0).max(),
            "second": (known.place == 1).ifelse(size, 0.0).max(),
            **{f"quantile_{at}": known.amount.quantile(q) for at, q in enumerate(QUANTILES)},
        }
        summed = known.group_by(list(names)).agg(**figures) if names else known.agg(**figures)
        return {
            tuple(row[name] for name in names): Amounts(
                people=row[_COUNT],
                key=(row[_KEY] or 0) % KEYS,
                total=row["total"] or 0.0,
                largest=row["largest"] or 0.0,
                second=row["second"] or 0.0,
                quantiles=tuple(row[f"quantile_{at}"] or 0.0 for at in range(len(QUANTILES))),
            )
            for row in summed.to_pyarrow().to_pylist()
        }


def chosen_edges(item: Item, steps: int | None) -> tuple[float, ...]:
    """The edges of an item's groups; of a distribution, so many of them that it has `steps`."""
    edges = item.group.edges if item.group is not None else ()
    if steps is None or len(edges) < steps:
        return edges
    wanted = max(1, steps - 1)
    places = sorted({round(at * (len(edges) - 1) / max(1, wanted - 1)) for at in range(wanted)})
    return tuple(edges[at] for at in places)


def _items(past: Sequence[Past]) -> set[str]:
    """The items by which tables of past questions were divided."""
    return {item for each in past for spec in each.tables for item in spec[0]}
