"""A means test on what was asked before, for conditions that rest on it; it is shown to nobody."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from schema.household_facts import facts_of, inputs_of
from schema.needs import Derived
from schema.rules.assess import means_test
from schema.rules.book import Book
from schema.rules.year import facts_behind
from schema.view import Person

SO_FAR = "meansTest.soFar"
"""What its inputs are asked for, in the log; no register names it."""


@dataclass(frozen=True, slots=True)
class SoFar:
    """The least that recognised income and converted financial assets can be, and the threshold.

    Won a month; None where there is no least.
    """

    recognised_income: int | None
    financial_assets: int | None
    threshold: int


def so_far_needs(book: Book) -> Derived:
    """What the test is worked out from."""
    own, members = inputs_of(book)
    return Derived(SO_FAR, own, members)


def so_far(person: Person, book: Book, programme: str, day: datetime.date) -> SoFar | None:
    """The test of a person's household for a programme; None where no rule has amounts."""
    code = book.by_key.get(programme)
    if code is None or book.programmes[code].measure is None:
        return None
    facts = facts_of(person.deriving(SO_FAR), book, day, facts_behind(book, code))
    test = means_test(book, code, facts, day)
    if test.recognised is None or test.threshold is None:
        return None
    least, most = test.threshold
    if least is None or least != most:
        return None
    financial = book.programmes[code].financial
    converted = test.values.bounds(financial)[0] if financial is not None else None
    return SoFar(test.recognised[0], converted, least)
