"""The facts of a household that rules go by: plain data, each known, absent or not known."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from schema.rules.book import Book, Input

Value = int | bool | str


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from: the source, the data items, the date it is of."""

    source: str
    items: tuple[str, ...] = ()
    as_of: datetime.date | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """A value that is known. `hypothetical`: the caller put it in place of what is known."""

    value: Value
    origins: tuple[Origin, ...] = ()
    hypothetical: bool = False


@dataclass(frozen=True, slots=True)
class Absent:
    """The agency says there is none: no won, or no."""

    origins: tuple[Origin, ...] = ()


@dataclass(frozen=True, slots=True)
class NotKnown:
    """A value that is not known: why, what sources would settle it, and what it may be.

    `least` and `most` narrow what the book says that it may be.
    """

    why: Literal["withheld", "unavailable", "no source"] = "no source"
    settled_by: tuple[str, ...] = ()
    least: int | None = None
    most: int | None = None


Fact = Known | Absent | NotKnown
NO_SOURCE = NotKnown()


@dataclass(frozen=True, slots=True)
class Member:
    """A person of the household. `relation` is to the applicant, None where it is not known."""

    key: str
    facts: Mapping[str, Fact] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HouseholdFacts:
    """The applicant first, then the other members.

    `complete`: whether there are no other members. What is not in `facts` is not known, or is taken
    as the book says of what the household must declare.
    """

    members: tuple[Member, ...]
    facts: Mapping[str, Fact] = field(default_factory=dict)
    complete: bool = True

    @property
    def hypothetical(self) -> bool:
        """Whether the caller put in anything."""
        tables = (self.facts, *(member.facts for member in self.members))
        return any(
            isinstance(fact, Known) and fact.hypothetical
            for table in tables
            for fact in table.values()
        )


def born(
    birth: datetime.date, day: datetime.date, origins: tuple[Origin, ...] = ()
) -> dict[str, Fact]:
    """The ages of somebody born on a day: full months and years (Civil Act, Article 158)."""
    months = (day.year - birth.year) * 12 + day.month - birth.month - (day.day < birth.day)
    months = max(0, months)
    return {"age": Known(months // 12, origins), "age_months": Known(months, origins)}


def fact_of(book: Book, name: str, table: Mapping[str, Fact]) -> Fact:
    """The fact of a name: as given, as declared by the book, or not known."""
    found = table.get(name)
    entry = book.inputs[name]
    if entry.declared is not None and (found is None or found == NO_SOURCE):
        return Known(entry.declared)
    return NO_SOURCE if found is None else found


def exact(entry: Input, fact: Fact) -> Value | None:
    """The value of a fact; None where it is not known."""
    if isinstance(fact, Known):
        return fact.value
    if isinstance(fact, Absent) and entry.type in ("won", "number"):
        return 0
    return False if isinstance(fact, Absent) and entry.type == "yes-no" else None


def bounded(entry: Input, fact: Fact) -> Any:
    """What a fact must lie within, as `schema/rules/bounds.py` has it."""
    value = exact(entry, fact)
    if entry.type == "code":
        return frozenset(entry.options if value is None else (str(value),))
    if entry.type == "yes-no":
        return value
    if value is not None:
        return (value, value)
    if isinstance(fact, NotKnown):
        low = entry.least if fact.least is None else fact.least
        return (low, entry.most if fact.most is None else fact.most)
    return (entry.least, entry.most)


def adjusted(facts: HouseholdFacts, changes: Mapping[str, Value], book: Book) -> HouseholdFacts:
    """The facts with some of the household's or of the applicant's changed by the caller.

    What is changed of the applicant, and not known of another member, is none of that member.
    """
    put_in = {name: Known(value, hypothetical=True) for name, value in changes.items()}
    own = {name: fact for name, fact in put_in.items() if book.inputs[name].of == "member"}
    household = {name: fact for name, fact in put_in.items() if name not in own}
    first, *rest = facts.members
    members = [replace(first, facts={**first.facts, **own})]
    for member in rest:
        none = {
            name: Known(_NONE[book.inputs[name].type], hypothetical=True)
            for name in own
            if book.inputs[name].type in _NONE
            and isinstance(member.facts.get(name, NO_SOURCE), NotKnown)
        }
        members.append(replace(member, facts={**member.facts, **none}))
    return replace(facts, members=tuple(members), facts={**facts.facts, **household})


_NONE: Mapping[str, Value] = {"won": 0, "yes-no": False}


def is_applicant(number: int) -> Known:
    """Whether the member of this place in the household is the applicant: the first is."""
    return Known(number == 0)
