"""`entitlements` in GraphQL: every programme for a recipient, likely or not, and why."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import strawberry

from schema.household_facts import facts_of, inputs_of
from schema.means_test import bounds, conditions, may_try, missing_facts, release
from schema.means_test_types import Bounds, MissingFact, TestCondition
from schema.needs import Area, Covered, Derived, covered, needing
from schema.programme_types import ProgrammeOffered, offered
from schema.rules import entitlements as ruling
from schema.rules.assess import Lacking
from schema.rules.book import the_book, the_book_as_read
from schema.rules.entitlements import Likelihood
from schema.view import NotKnown, Person, lists_below
from schema.working_days import today

ENTITLEMENTS, WORTH = "entitlements", "entitlements.worth"
_RECEIPTS = "benefits.receipts."

strawberry.enum(
    Likelihood, name="Likelihood", description="Whether a programme is open, by what is known."
)


@dataclass
class Inquiry:
    """The programmes of one household, and what they are worth, where that is asked."""

    person: Person
    day: datetime.date
    found: Sequence[ruling.Entitlement]
    keys: Sequence[str]
    _facts: dict[int, MissingFact] = field(default_factory=dict)
    _lists: dict[int, list[MissingFact]] = field(default_factory=dict)
    _worth: dict[str, ruling.Entitlement] = field(default_factory=dict)

    def missing(self, found: ruling.Entitlement) -> list[MissingFact]:
        """What lacks to decide a programme; of many programmes the same facts do."""
        this, facts = id(found.lacking), self._facts
        if this not in self._lists:
            self._lists[this] = [
                facts.get(id(entry)) or self._missing(entry) for entry in found.lacking
            ]
        return self._lists[this]

    def _missing(self, entry: Lacking) -> MissingFact:
        [fact] = missing_facts([entry], self.keys)
        self._facts[id(entry)] = fact
        return fact

    def worth(self, code: str) -> Bounds | None:
        """What a programme is worth, from what that may be worked out from; it is released.

        From the same items the same comes out, and is not worked out again.
        """
        if not self._worth:
            found, derivable = self.found, self.person.view.derivable
            if derivable.get(WORTH) == derivable.get(ENTITLEMENTS):
                release(self.person.deriving(WORTH), hypothetical=False)
            else:
                found = _found(self.person, WORTH, self.day)
            self._worth = {one.code: one for one in found}
        return bounds(self._worth[code].worth)


def _deriving(name: str, resolver: Any, description: str) -> Any:
    own, members = inputs_of(the_book_as_read()[0])
    receipts = Area(_RECEIPTS)
    return needing(Derived(name, (*own, receipts), (*members, receipts)), resolver, description)


def _worth(self: Any) -> Bounds | None:
    found: Bounds | None = self.inquiry.worth(self.id)
    return found


@strawberry.type(name="Entitlement", description="A programme, for one household.")
class EntitlementFound:
    """What is to be said of one programme."""

    inquiry: strawberry.Private[Inquiry]
    found: strawberry.Private[ruling.Entitlement]
    id: strawberry.ID = covered("The programme's number.")
    programme: ProgrammeOffered = covered("The programme.")
    likelihood: Likelihood = covered(
        "LIKELY or UNLIKELY by its rule; UNDETERMINED where facts lack, or no rule decides it."
    )
    ruled: bool = covered("Whether a rule decides it in this year.")
    means_met: bool | None = covered(
        "Whether recognised income is within its threshold; null where not known or not compared."
    )
    why: list[TestCondition] = needing(
        Covered(), lambda self: conditions(self.found.conditions), "Its other conditions."
    )
    missing: list[MissingFact] = needing(
        Covered(),
        lambda self: self.inquiry.missing(self.found),
        "What lacks to decide it.",
    )
    received: bool | None = covered(
        "Whether the household received it last month or this; null where that is not known."
    )
    worth: Bounds | None = _deriving(
        WORTH, _worth, "Won a year, or once; null where no rule gives the amount."
    )


def _found(person: Person, derivation: str, day: datetime.date) -> tuple[ruling.Entitlement, ...]:
    reading = person.deriving(derivation)
    facts = facts_of(reading, the_book(), day)
    found = ruling.entitlements(the_book(), facts, day, _received(reading, day))
    release(reading, hypothetical=False)
    return found


def _received(person: Person, day: datetime.date) -> frozenset[str] | None:
    """What the household was paid for this month or the last; None where that is not known."""
    members = person.household
    if members is None:
        return None
    before = day.replace(day=1) - datetime.timedelta(days=1)
    months = {f"{day:%Y-%m}", f"{before:%Y-%m}"}
    keys: set[str] = set()
    lists = list(lists_below(person.view.catalogue, _RECEIPTS))
    if not lists:
        return None
    try:
        for member in members:
            for columns in lists:
                of = {place: item for item in columns for place in item.places}
                for row in member.peek_rows(columns) or []:
                    paid = row.peek(of[f"{_RECEIPTS}state"]) == "paid"
                    if paid and row.peek(of[f"{_RECEIPTS}month"]) in months:
                        keys.add(row.peek(of[f"{_RECEIPTS}programme"]))
    except (NotKnown, KeyError):
        return None
    return frozenset(keys)


def _entitlements(
    self: Any, info: strawberry.Info, as_of: datetime.date | None = None
) -> list[EntitlementFound]:
    if as_of is not None:
        may_try(info, WORTH)
    person: Person = self.person
    day = as_of or today()
    found = _found(person, ENTITLEMENTS, day)
    others = (member.key for member in person.household or () if member.key != person.key)
    inquiry, programmes = Inquiry(person, day, found, [person.key, *others]), offered(day.year)
    return [
        EntitlementFound(
            inquiry=inquiry,
            found=one,
            id=strawberry.ID(one.code),
            programme=programmes[one.code],
            likelihood=one.likelihood,
            ruled=one.ruled,
            means_met=None if one.comparison is None else one.comparison.met,
            received=one.received,
        )
        for one in found
    ]


def entitlements() -> Any:
    """The field `entitlements` of a type that has a `person`."""
    return _deriving(
        ENTITLEMENTS,
        _entitlements,
        "Every programme of the list for the household: the likely ones first, by their worth.",
    )
