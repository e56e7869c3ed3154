"""The facts that rules go by, found in the view by their places: known, absent or not known.

A fact that no enabled source tells is not known, and says so; nothing is taken for zero.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Literal

from schema.components import Parts, Reported, put_together
from schema.needs import Area, Inputs, Place
from schema.rules.book import Book, Input
from schema.rules.facts import (
    Absent,
    Fact,
    HouseholdFacts,
    Known,
    Member,
    NotKnown,
    Origin,
    Value,
    born,
)
from schema.view import NotKnown as Missing
from schema.view import Person, State
from sources.declaration import Item

AREAS = ("income.", "assets.")
RELATION = "household.relationToHead"
DISTRICT = "identity.district"
BIRTH = "identity.birthDate"
ASSETS, BUILDING, VEHICLE = "assets.", "building", "vehicle"
USE, WHERE = "dwelling.use", "dwelling.district"
RELATIVE, HOME = "relation", "home"
AGES = ("age", "age_months")
DWELLINGS = (HOME, "buildings")
VEHICLES = ("vehicles", "vehicles_as_general", "dear_vehicles")
RELATIONS: Mapping[tuple[str, str], str] = {
    ("head", "spouse"): "spouse",
    ("head", "child"): "child",
    ("head", "parent"): "parent",
    ("head", "grandchild"): "other",
    ("head", "other"): "other",
    ("spouse", "head"): "spouse",
    ("spouse", "child"): "child",
    ("spouse", "parent"): "other",
    ("spouse", "grandchild"): "other",
    ("spouse", "other"): "other",
    ("child", "head"): "parent",
    ("child", "spouse"): "parent",
    ("child", "parent"): "other",
    ("child", "child"): "other",
    ("parent", "head"): "child",
    ("parent", "grandchild"): "other",
}
"""A member's relation to the applicant, from how the applicant and they stand to the head.

Where it could be either of several (two parents of the head) it is not known.
"""


def inputs_of(
    book: Book, wanted: Collection[str] | None = None
) -> tuple[tuple[Inputs, ...], tuple[Inputs, ...]]:
    """What these facts, or all, are found in: of the applicant, and of every other member."""
    own, members = set[str](), set[str]()
    for name, entry in book.inputs.items():
        if wanted is None or name in wanted:
            own.update(entry.places)
            members.update(entry.places if entry.of == "member" else ())
    if wanted is None or RELATIVE in wanted or not members:
        own.add(RELATION)
        members.add(RELATION)
    if WHERE in own:
        own.add(DISTRICT)
    return _marks(own), _marks(members)


def _marks(places: Iterable[str]) -> tuple[Inputs, ...]:
    """The items at these places; in areas, with the columns that say whether an entry counts."""
    return tuple(
        Area(place) if place.startswith(AREAS) else Place(place) for place in sorted(places)
    )


def places_of(book: Book) -> frozenset[str]:
    """The places at which the rules look for facts."""
    return frozenset(place for entry in book.inputs.values() for place in entry.places)


@dataclass(frozen=True, slots=True)
class _Looked:
    """Where facts are looked for: sums in areas by kind, others by their places."""

    kinds: Mapping[str, tuple[str, ...]]
    sums: tuple[tuple[str, str, str], ...]
    read: tuple[tuple[str, str, Callable[[Any], Value | None]], ...]
    household: tuple[tuple[str, str, Callable[[Any], Value | None]], ...]
    names: frozenset[str]


@lru_cache(maxsize=200)
def _looked(book: Book, wanted: frozenset[str] | None) -> _Looked:
    """Where these facts, or all, are looked for."""
    inputs = {
        name: entry for name, entry in book.inputs.items() if wanted is None or name in wanted
    }
    kinds: dict[str, set[str]] = {prefix: set() for prefix in AREAS}
    sums, read = [], []
    for name, entry in inputs.items():
        for place in entry.places:
            if place.startswith(AREAS):
                prefix = f"{place.partition('.')[0]}."
                kinds[prefix].add(place.removeprefix(prefix))
                if len(entry.places) == 1 and name not in VEHICLES:
                    sums.append((name, prefix, place.removeprefix(prefix)))
        if entry.of == "member" and len(entry.places) == 1 and entry.type in _MADE:
            read.append((name, entry.places[0], partial(_MADE[entry.type], entry)))
    return _Looked(
        kinds={prefix: tuple(sorted(found)) for prefix, found in kinds.items()},
        sums=tuple(sums),
        read=tuple(read),
        household=tuple(
            (name, entry.places[0], partial(_prefixed, entry))
            for name, entry in inputs.items()
            if entry.of == "household" and entry.prefixes
        ),
        names=frozenset(inputs),
    )


def facts_of(
    person: Person, book: Book, day: datetime.date, wanted: frozenset[str] | None = None
) -> HouseholdFacts:
    """The facts of a person, who applies, and of their household, read for a derived answer.

    Those `wanted`, or all that an agency may tell.
    """
    household, looked = person.household, _looked(book, wanted)
    members = [person, *(member for member in household or () if member.key != person.key)]
    told = (
        Member(member.key, dict(_of_member(member, person, book, day, looked)))
        for member in members
    )
    own = {name: _peek(person, place, made) for name, place, made in looked.household}
    return HouseholdFacts(tuple(told), own, complete=household is not None)


def _of_member(
    member: Person, applicant: Person, book: Book, day: datetime.date, looked: _Looked
) -> Iterator[tuple[str, Fact]]:
    parts = {prefix: put_together(member, prefix, looked.kinds[prefix]) for prefix in AREAS}
    for name, prefix, kind in looked.sums:
        yield name, _total(parts[prefix], prefix, kind)
    for name, place, made in looked.read:
        yield name, _peek(member, place, made)
    if not looked.names.isdisjoint(AGES):
        yield from _ages(member, day)
    if RELATIVE in looked.names:
        yield RELATIVE, _relation(member, applicant)
    if not looked.names.isdisjoint(DWELLINGS):
        yield from _dwellings(member, applicant, parts[ASSETS], book.inputs[HOME])
    if not looked.names.isdisjoint(VEHICLES):
        yield from _vehicles(parts[ASSETS], book.inputs["dear_vehicles"])


def _total(parts: Parts, prefix: str, kind: str) -> Fact:
    """The sum of a kind, of flows a year; where some is missing, at least what is known of it."""
    if not parts.person.view.catalogue.at(prefix + kind):
        return NotKnown()
    found = parts.of_kind(kind)
    if gaps := parts.gaps.get(kind, ()):
        # What is reported more than once is left out: a report that is missing may say less.
        surely = (part.per_year for part in found if part.first.item.reports is None)
        sources = tuple(dict.fromkeys(gap.item.source for gap in gaps))
        return NotKnown(_why(gaps[0].error), sources, least=max(0, sum(surely)))
    if not found:
        items = parts.person.view.catalogue.at(prefix + kind)
        return Absent(tuple(_origin(parts.person, item) for item in items))
    reports = [report for part in found for report in part.ranks[0]]
    return Known(sum([part.per_year for part in found]), _origins(reports))


def _peek(person: Person, place: str, made: Callable[[Any], Value | None]) -> Fact:
    """What stands at a place, made into a fact; not known where that cannot be made of it."""
    items = person.view.catalogue.at(place)
    if not items:
        return NotKnown()
    sources = tuple(dict.fromkeys(item.source for item in items))
    try:
        value = person.peek_at(place)
    except Missing as error:
        return NotKnown(_why(error), sources)
    origins = tuple(_origin(person, item) for item in items)
    if value is None:
        return Absent(origins)
    fact = made(value)
    return NotKnown("unavailable", sources) if fact is None else Known(fact, origins)


def _truth(entry: Input, value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    return value in entry.when if entry.when else None


def _option(entry: Input, value: Any) -> str | None:
    return value if value in entry.options else None


def _prefixed(entry: Input, value: Any) -> str | None:
    """The code of the longest prefix that the value begins with."""
    fits = [prefix for prefix in entry.prefixes if str(value).startswith(prefix)]
    return entry.prefixes[max(fits, key=len)] if fits else None


_MADE: Mapping[str, Callable[[Input, Any], Value | None]] = {"yes-no": _truth, "code": _option}


def _ages(member: Person, day: datetime.date) -> Iterator[tuple[str, Fact]]:
    fact = _peek(member, BIRTH, lambda value: value.toordinal())
    if isinstance(fact, Known) and isinstance(fact.value, int):
        yield from born(datetime.date.fromordinal(fact.value), day, fact.origins).items()
        return
    unknown = fact if isinstance(fact, NotKnown) else NotKnown("unavailable")
    yield from (("age", unknown), ("age_months", unknown))


def _relation(member: Person, applicant: Person) -> Fact:
    if member.key == applicant.key:
        return Known("self")
    theirs = _peek(member, RELATION, str)
    own = _peek(applicant, RELATION, str)
    if not isinstance(theirs, Known) or not isinstance(own, Known):
        return next(fact for fact in (theirs, own) if not isinstance(fact, Known))
    found = RELATIONS.get((str(own.value), str(theirs.value)))
    return NotKnown() if found is None else Known(found, (*own.origins, *theirs.origins))


def _dwellings(
    member: Person, applicant: Person, parts: Parts, home: Input
) -> Iterator[tuple[str, Fact]]:
    """The home and the other buildings: a dwelling in the district lived in is the home.

    Where there are several, or where buildings stand is not known, either is within bounds.
    """
    total = _total(parts, ASSETS, BUILDING)
    if not isinstance(total, Known):
        yield from (("home", total), ("buildings", total))
        return
    try:
        there = _there(member, applicant, home)
    except Missing as error:
        unknown = NotKnown(_why(error), _sources(total), most=int(total.value))
        yield from (("home", unknown), ("buildings", unknown))
        return
    if there is None or len(there) > 1:
        most = int(total.value) if there is None else sum(there)
        rest = int(total.value) - most
        yield "home", NotKnown(most=most)
        yield "buildings", NotKnown(least=rest, most=int(total.value))
        return
    lived_in = sum(there)
    yield "home", Known(lived_in, total.origins)
    yield "buildings", Known(int(total.value) - lived_in, total.origins)


def _there(member: Person, applicant: Person, home: Input) -> list[int] | None:
    """The values of the dwellings in the district lived in; None where that cannot be told.

    A household of the register lives at one address: the applicant's is looked at for all.
    """
    catalogue = member.view.catalogue
    district = applicant.peek_at(DISTRICT)
    found: list[int] = []
    for item in catalogue.at(ASSETS + BUILDING):
        use, where = (_beside(member, item, place) for place in (USE, WHERE))
        if district is None or use is None or where is None or len(item.path) != 2:
            return None
        conditions = catalogue.condition_items(item)
        for row in member.peek_rows((item, use, where, *conditions)) or []:
            value = row.peek(item)
            if row.counts(item) and value is not None and row.peek(use) in home.when:
                found += [value] * (row.peek(where) == district)
    return found


def _beside(person: Person, item: Item, place: str) -> Item | None:
    """The column at a place in the list that the item is a column of."""
    for other in person.view.catalogue.at(place):
        if other.source == item.source and other.path[:-1] == item.path[:-1]:
            return other
    return None


def _vehicles(parts: Parts, dear: Input) -> Iterator[tuple[str, Fact]]:
    total = _total(parts, ASSETS, VEHICLE)
    if not isinstance(total, Known):
        yield from (("vehicles", total), ("vehicles_as_general", total), ("dear_vehicles", total))
        return
    each = [part.per_year for part in parts.of_kind(VEHICLE)]
    yield "vehicles", total
    none = total.value == 0
    general: Fact = Known(0, total.origins) if none else NotKnown(most=int(total.value))
    yield "vehicles_as_general", general
    worth = sum(value for value in each if value >= (dear.each_from or 0))
    yield "dear_vehicles", Known(worth, total.origins)


def _why(error: Missing) -> Literal["withheld", "unavailable"]:
    return "withheld" if error.state is State.WITHHELD else "unavailable"


def _sources(fact: Known) -> tuple[str, ...]:
    return tuple(dict.fromkeys(origin.source for origin in fact.origins))


def _origin(person: Person, item: Item) -> Origin:
    return _from(item.source, item.name, person.answer(item).as_of)


def _origins(reports: Sequence[Reported]) -> tuple[Origin, ...]:
    told = {(report.item.source, report.item.name, report.answer.as_of): None for report in reports}
    return tuple([_from(*each) for each in told])


@lru_cache(maxsize=1000)
def _from(source: str, item: str, as_of: datetime.date | None) -> Origin:
    """An origin, the same for everybody of whom it was told on a day."""
    return Origin(source, (item,), as_of)
