"""What is reviewed: programmes as of a day, their rules and facts, and what may be found."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any

from schema.double_receipt import Kind as Receipt
from schema.law import ReceiptLaw
from schema.rules.assess import standing
from schema.rules.book import Book, Programme
from schema.rules.year import Year, year_of

INELIGIBLE, OVERPAID, UNDERPAID = "ineligible", "overpaid", "underpaid"
UNDECIDED, BLIND_SPOT, NOT_REGISTERED = "undecided", "blind-spot", "not-registered"
KINDS = (
    INELIGIBLE,
    OVERPAID,
    UNDERPAID,
    UNDECIDED,
    BLIND_SPOT,
    NOT_REGISTERED,
    *(kind.value for kind in Receipt),
)
"""What a review finds, the checks of receipts among it."""
DATES: Mapping[str, str] = {
    "death": "identity.deathDate",
    "abroad_since": "stay.abroadSince",
    "abroad_until": "stay.abroadUntil",
    "custody_since": "custody.since",
    "custody_until": "custody.until",
    "household_since": "household.since",
}
"""The days that the checks of receipts rest on, by their places in the view."""
RECEIPT = "benefits.receipts."


class NotReviewable(Exception):
    """A programme that cannot be reviewed on a day, and why."""


@dataclass(frozen=True)
class Reviewed:
    """What is reviewed: programmes by key, as of a day, for a month (`YYYY-MM`) of receipts."""

    book: Book
    law: ReceiptLaw
    programmes: tuple[str, ...]
    day: datetime.date
    month: str

    @cached_property
    def rules(self) -> Year:
        """The rules of the day's year."""
        return year_of(self.book, self.day.year)

    def programme(self, key: str) -> Programme:
        """A programme by its key. Raises NotReviewable."""
        code = self.book.by_key.get(key)
        programme = None if code is None else self.book.programmes[code]
        if programme is None:
            raise NotReviewable(f"there is no programme `{key}`: `hub programmes` lists them")
        if not programme.decidable:
            raise NotReviewable(f"no rule decides `{key}`: review one that is decided by rule")
        if not standing(programme, self.day.year):
            raise NotReviewable(f"there is no `{key}` in {self.day.year}: give another day")
        gaps = sorted({gap for name in programme.needs for gap in self.rules.gaps.get(name, ())})
        if gaps:
            raise NotReviewable(f"`{key}` lacks figures of {self.day.year}: {', '.join(gaps)}")
        return programme

    @cached_property
    def steps(self) -> tuple[str, ...]:
        """The steps of the households that the programmes rest on: the trace of each finding."""
        needs = [name for key in self.programmes for name in self.programme(key).needs]
        return tuple(
            name
            for name in self.book.reached(needs)
            if name in self.book.steps and self.book.steps[name].of == "household"
        )

    @cached_property
    def facts(self) -> tuple[str, ...]:
        """The facts that they rest on."""
        reached = self.book.reached(self.steps)
        return tuple(name for name in reached if name in self.book.inputs)


@dataclass(frozen=True)
class Tables:
    """The people of a batch, whole households, with their facts; and their receipts."""

    people: Any
    receipts: Any


def text(value: str) -> Any:
    """A text as an expression."""
    import ibis  # noqa: PLC0415 - heavy, and needed only where populations are read

    return ibis.literal(value, "string")


def every(found: Any) -> Any:
    """Whether all of these hold."""
    return reduce(lambda one, other: one & other, found)


def some(found: Any) -> Any:
    """Whether any of these holds."""
    return reduce(lambda one, other: one | other, found)


def together(tables: Any) -> Any:
    """The rows of all these tables."""
    return reduce(lambda one, other: one.union(other), tables)
