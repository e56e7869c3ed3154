"""The facts that rules go by, of everyone: one row a person, from the deliveries, by places.

The same as `schema/household_facts.py` finds for one household in the view, column by column: null
where it is not known, none where the agency that would know has no record. Where it is known in
part, `NAME_least` and `NAME_most` are what it must lie within. What no rule asks for is not read.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any

from hub.population.deliveries import KEY, Delivery, table
from hub.population.fact_columns import (
    HEAD,
    HOUSEHOLD,
    RESIDENCE,
    TOLD,
    Column,
    as_fact,
    counts,
    homes,
    not_below_zero,
    ranked,
    summed,
    typed,
    unknown,
    where_told,
)
from schema.household_facts import (
    AREAS,
    ASSETS,
    BIRTH,
    BUILDING,
    DISTRICT,
    RELATION,
    USE,
    VEHICLE,
    WHERE,
)
from schema.rules.book import Book, Input
from sources.bulk import PEOPLE
from sources.declaration import Catalogue, Item

PROTECTED = "protected"
"""A column: whether somebody's whereabouts are protected, or not known to be not."""
_HOUSEHOLD_ID = "household.id"
_VEHICLES = ("vehicles", "vehicles_as_general", "dear_vehicles")
_DWELLINGS = ("home", "buildings")
_MADE = ("applicant", "relation")
"""Facts that hang on who of a household applies."""


def everybody(rows: Any) -> Any:
    """The share of the rows of a table that is all of them."""
    return rows


@dataclass
class _Read:
    """What is read of the parts of deliveries, each a column a person, to be joined."""

    backend: Any
    deliveries: Mapping[str, Delivery]
    share: Column
    columns: dict[tuple[str, str], dict[str, Column]] = field(default_factory=dict)
    beside: set[tuple[str, str]] = field(default_factory=set)

    def has(self, *items: Item) -> bool:
        """Whether all of these are delivered."""
        return all(
            item.source in self.deliveries and self.deliveries[item.source].bulk.delivers(item.path)
            for item in items
        )

    def column(self, item: Item, name: str, made: Column) -> str:
        """Have a column made of a part, as a value of the person's row or over a list's rows."""
        part = item.path[0] if len(item.path) == 2 else PEOPLE
        self.columns.setdefault((item.source, part), {})[name] = made
        return name

    def told(self, source: str) -> str:
        """Have a column of whether a source that was asked told of a person."""
        self.columns.setdefault((source, PEOPLE), {})[name := TOLD + source] = lambda rows: rows[
            TOLD
        ]
        return name

    def joined(self, people: Any) -> Any:
        """The people with every column read."""
        lived_in = people.select(people[KEY].name("owner"), RESIDENCE)
        for number, ((source, part), columns) in enumerate(sorted(self.columns.items())):
            rows = self.share(table(self.backend, self.deliveries[source], part))
            if (source, part) in self.beside:
                rows = rows.left_join(lived_in, [(KEY, "owner")])
            made = {name: column(rows) for name, column in columns.items()}
            other = f"key_{number}"
            if part == PEOPLE:
                found = rows.select(rows[KEY].name(other), **made)
            else:
                found = rows.group_by(rows[KEY].name(other)).aggregate(**made)
            people = people.left_join(found, [(KEY, other)]).drop(other)
        return people


@dataclass(frozen=True)
class Facts:
    """Makes the table of everyone's facts; `names` are the inputs that the rules rest on.

    `asked` are the sources among the deliveries that were asked live, and about some people only.
    """

    backend: Any
    catalogue: Catalogue
    deliveries: Mapping[str, Delivery]
    book: Book
    names: tuple[str, ...]
    day: datetime.date
    asked: frozenset[str] = frozenset()

    def items(self) -> tuple[Item, ...]:
        """Every item that is read for them, or would be, were it delivered."""
        entries = [self.book.inputs[name] for name in self.names]
        places = {place for entry in entries for place in entry.places}
        places |= {_HOUSEHOLD_ID, RELATION, DISTRICT, BIRTH}
        found = [item for place in sorted(places) for item in self.catalogue.at(place)]
        conditions = [
            one
            for item in found
            if item.counts_when
            for one in self.catalogue.condition_items(item)
        ]
        return tuple({item.name: item for item in (*found, *conditions)}.values())

    def people(self, more: Mapping[str, str], share: Column) -> Any:
        """Everyone in the register of identity with their facts, and further columns by place.

        `share` takes those rows of a table, by their key, that are to be looked at.
        """
        read = _Read(self.backend, self.deliveries, share)
        columns = self._facts(read)
        if self.asked:
            delivered = {
                name: one for name, one in self.deliveries.items() if name not in self.asked
            }
            without = self._facts(replace(read, deliveries=delivered))
            columns = self._where_told(read, columns, without)
        for name, place in more.items():
            columns[name] = self._dated(read, place)
        columns[PROTECTED] = self._protected(read)
        whole = read.joined(share(self.register()))
        made = {name: column(whole) for name, column in columns.items()}
        return whole.select(KEY, HOUSEHOLD, HEAD, RESIDENCE, **typed(made))

    def _facts(self, read: _Read) -> dict[str, Column]:
        columns: dict[str, Column] = {}
        for name in self.names:
            entry = self.book.inputs[name]
            if entry.of == "member" and name not in (*_MADE, *_VEHICLES, *_DWELLINGS):
                columns |= self._of(read, name, entry)
        if set(_VEHICLES) & set(self.names):
            columns |= self._vehicles(read)
        if set(_DWELLINGS) & set(self.names):
            columns |= self._dwellings(read)
        return columns

    def _where_told(
        self, read: _Read, known: Mapping[str, Column], without: Mapping[str, Column]
    ) -> dict[str, Column]:
        """Each fact of whoever was told of, and what is known without that of whoever was not."""
        found = {}
        for name in dict.fromkeys((*known, *without)):
            fact = name.removesuffix("_least").removesuffix("_most")
            items = [item for at in self.book.inputs[fact].places for item in self.catalogue.at(at)]
            sources = dict.fromkeys(item.source for item in items if item.source in self.asked)
            told = [read.told(source) for source in sources]
            one, other = known.get(name), without.get(name)
            found[name] = known[name] if not told else where_told(told, one, other)
        return found

    def register(self) -> Any:
        """Everyone registered: a household of their own where the register knows of none."""
        found = [
            next(iter(self.catalogue.at(place))) for place in (_HOUSEHOLD_ID, RELATION, DISTRICT)
        ]
        rows = table(self.backend, self.deliveries[self.catalogue.identity])
        household, head, district = (rows[item.path[-1]] for item in found)
        others = [column for column in rows.columns if column != KEY]
        return rows.mutate(
            **{
                HOUSEHOLD: household.coalesce(rows[KEY]),
                HEAD: head,
                RESIDENCE: district,
            }
        ).select(KEY, HOUSEHOLD, HEAD, RESIDENCE, *others)

    def _of(self, read: _Read, name: str, entry: Input) -> dict[str, Column]:
        if name in ("age", "age_months"):
            return {name: self._age(read, name)}
        if len(entry.places) != 1:
            return {name: unknown(entry)}
        [place] = entry.places
        if place.startswith(AREAS):
            return self._total(read, name, place)
        first = self._first(read, place)
        if not self.catalogue.at(place):
            return {name: unknown(entry)}
        return {name: as_fact(entry, first, known=read.has(*self.catalogue.at(place)))}

    def _first(self, read: _Read, place: str) -> Column:
        """The value at a place: of the items there the first, up to one that is not delivered."""
        columns = []
        for item in self.catalogue.at(place):
            if not read.has(item) or len(item.path) != 1:
                break
            columns.append(self._value(read, item))
        if not columns:
            return lambda _: None
        return lambda whole: reduce(
            lambda one, other: one.coalesce(other), (whole[name] for name in columns)
        )

    def _dated(self, read: _Read, place: str) -> Column:
        first = self._first(read, place)

        def day(whole: Any) -> Any:
            import ibis  # noqa: PLC0415 - heavy, and needed only where populations are read

            found = first(whole)
            return ibis.null("date") if found is None else found

        return day

    def _protected(self, read: _Read) -> Column:
        first = self._first(read, "identity.protected")

        def flag(whole: Any) -> Any:
            import ibis  # noqa: PLC0415 - heavy, and needed only where populations are read

            found = first(whole)
            return ibis.literal(True) if found is None else found.fill_null(True)

        return flag

    def _value(self, read: _Read, item: Item) -> str:
        if item.source == self.catalogue.identity:
            return item.path[-1]
        return read.column(item, _name(item), lambda rows: rows[item.path[-1]])

    def _age(self, read: _Read, name: str) -> Column:
        """Full months or years at the day (Civil Act, Article 158)."""
        birth = self._first(read, BIRTH)

        def months(whole: Any) -> Any:
            born = birth(whole)
            passed = (self.day.year - born.year()) * 12 + self.day.month - born.month()
            early = (born.day() > self.day.day).cast("int64")
            full = passed - early
            full = (full > 0).ifelse(full, 0)
            return (full - full % 12) / 12 if name == "age" else full

        return lambda whole: months(whole).cast("int64")

    def _total(self, read: _Read, name: str, place: str) -> dict[str, Column]:
        """The sum of a kind, as `schema/components.py` puts it together; of flows a year."""
        items = self.catalogue.at(place)
        delivered = [
            item for item in items if read.has(item, *self.catalogue.condition_items(item))
        ]
        sums = {item.name: self._amount(read, item) for item in delivered}
        plain = [sums[item.name] for item in delivered if item.reports is None]
        if len(delivered) < len(items) or not items:
            least = summed(plain)
            return {
                name: lambda _: None,
                f"{name}_least": lambda whole: not_below_zero(least(whole)),
            }
        things: dict[str, dict[int, list[Column]]] = {}
        for item in items:
            if item.reports is not None:
                ranks = things.setdefault(item.reports, {})
                ranks.setdefault(item.rank, []).append(sums[item.name])
        once = [ranked([ranks[rank] for rank in sorted(ranks)]) for ranks in things.values()]
        return {name: summed([*plain, *once])}

    def _amount(self, read: _Read, item: Item) -> Column:
        """What an item comes to of a person, a year; null where it says nothing."""
        per_year = 12 if item.per == "month" else 1
        column = self._column(read, item)
        return lambda whole: whole[column] * per_year

    def _column(self, read: _Read, item: Item) -> str:
        if len(item.path) == 1:
            return self._value(read, item)
        return read.column(
            item, _name(item), lambda rows: rows[item.path[1]].sum(where=counts(rows, item))
        )

    def _vehicles(self, read: _Read) -> dict[str, Column]:
        place = ASSETS + VEHICLE
        total = self._total(read, "vehicles", place)
        if "vehicles_least" in total or not self.catalogue.at(place):
            least = total.get("vehicles_least", lambda _: 0)
            nothing: dict[str, Column] = {name: lambda _: None for name in _VEHICLES}
            return nothing | {f"{name}_least": least for name in _VEHICLES}
        from_ = self.book.inputs["dear_vehicles"].each_from or 0
        dear = [self._each_from(read, item, from_) for item in self.catalogue.at(place)]
        worth = total["vehicles"]
        return total | {
            "dear_vehicles": summed(dear),
            "vehicles_as_general": lambda whole: (worth(whole) == 0).ifelse(0, None),
            "vehicles_as_general_most": worth,
        }

    def _each_from(self, read: _Read, item: Item, least: int) -> Column:
        def each(rows: Any) -> Any:
            value = rows[item.path[-1]]
            if len(item.path) == 1:
                return (value >= least).ifelse(value, 0)
            counting = counts(rows, item)
            dear = value >= least
            return value.sum(where=dear if counting is None else counting & dear)

        column = read.column(item, f"{_name(item)}_dear", each)
        return lambda whole: whole[column]

    def _dwellings(self, read: _Read) -> dict[str, Column]:
        """The home and the other buildings: the one dwelling in the district lived in is it."""
        total = self._total(read, "buildings", ASSETS + BUILDING)
        if "buildings_least" in total or not self.catalogue.at(ASSETS + BUILDING):
            least = total.get("buildings_least", lambda _: 0)
            return {
                "home": lambda _: None,
                "buildings": lambda _: None,
                "home_least": least,
                "buildings_least": least,
            }
        worth = total["buildings"]
        owned = [(item, *self._beside(item)) for item in self.catalogue.at(ASSETS + BUILDING)]
        told = [
            (item, use, where)
            for item, use, where in owned
            if use is not None and where is not None and read.has(item, use, where)
        ]
        if len(told) < len(owned):
            return {
                "home": lambda whole: (worth(whole) == 0).ifelse(0, None),
                "buildings": lambda whole: (worth(whole) == 0).ifelse(0, None),
                "home_most": worth,
                "buildings_most": worth,
            }
        [(item, use, where)] = told
        self._lived_in(read, item, use, where)
        return homes(worth)

    def _beside(self, item: Item) -> tuple[Item | None, Item | None]:
        found = []
        for place in (USE, WHERE):
            beside = (
                other
                for other in self.catalogue.at(place)
                if other.source == item.source and other.path[:-1] == item.path[:-1]
            )
            found.append(next(beside, None))
        return found[0], found[1]

    def _lived_in(self, read: _Read, item: Item, use: Item, where: Item) -> None:
        """Read how many dwellings stand in the district lived in, and what they are worth."""
        dwellings = self.book.inputs["home"].when

        def in_district(rows: Any, of: Callable[[Any, Any], Any]) -> Any:
            value = rows[item.path[1]]
            lived = rows[use.path[1]].isin(dwellings) & value.notnull()
            counting = counts(rows, item)
            lived = lived if counting is None else lived & counting
            return of(value, lived & (rows[where.path[1]] == rows[RESIDENCE]))

        def worth(value: Any, lived: Any) -> Any:
            return value.sum(where=lived)

        read.beside.add((item.source, item.path[0]))
        read.column(item, "homes", lambda rows: in_district(rows, lambda _, lived: lived.sum()))
        read.column(item, "homes_worth", lambda rows: in_district(rows, worth))


def _name(item: Item) -> str:
    return "__".join((item.source, *item.path))
