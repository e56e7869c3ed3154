"""Households made for the tests of rules: of nothing but what a test gives them, or at random."""

from __future__ import annotations

import datetime
import random
from collections.abc import Mapping
from typing import Any

from schema.rules.book import Book, Input, the_book
from schema.rules.facts import Absent, Fact, HouseholdFacts, Known, Member

BOOK = the_book()


def person(key: str = "a", relation: str = "self", **values: Any) -> Member:
    """A person who has nothing and is nothing but what is given."""
    facts: dict[str, Fact] = {
        name: Absent() if entry.type != "code" else Known(entry.options[0])
        for name, entry in BOOK.inputs.items()
        if entry.of == "member"
    }
    facts["relation"] = Known(relation)
    facts |= {"age": Known(40), "age_months": Known(480)}
    if "age" in values:
        facts["age_months"] = Known(12 * values["age"])
    return Member(key, facts | {name: Known(value) for name, value in values.items()})


def household(*members: Member, **values: Any) -> HouseholdFacts:
    """A household of which all is known; in Seoul unless it is said otherwise."""
    facts: dict[str, Fact] = {
        name: Absent() if entry.type != "code" else Known(entry.options[0])
        for name, entry in BOOK.inputs.items()
        if entry.of == "household"
    }
    return HouseholdFacts(members, facts | {name: Known(value) for name, value in values.items()})


def day(year: int) -> datetime.date:
    """A day of a year."""
    return datetime.date(year, 6, 1)


def drawn(entry: Input, dice: random.Random) -> Any:
    """A value that a fact may have: often none, sometimes beyond 2**53."""
    if entry.type == "yes-no":
        return dice.random() < 0.3
    if entry.type == "code":
        return dice.choice(entry.options)
    if entry.type == "number":
        return dice.randrange(100)
    size = dice.random()
    if size < 0.5:
        return 0
    if size < 0.97:
        return dice.randrange(10 ** dice.randrange(5, 10))
    return 2**53 + dice.randrange(10**9)


def rows(book: Book, dice: random.Random, members: int) -> list[dict[str, Any]]:
    """Members at random; the first applies, and one at most is the spouse."""
    inputs = {name: entry for name, entry in book.inputs.items() if entry.of == "member"}
    found = []
    for number in range(members):
        row = {name: drawn(entry, dice) for name, entry in inputs.items()}
        others = ("spouse", "child", "parent", "other") if number == 1 else ("child", "other")
        relation = "self" if number == 0 else dice.choice(others)
        found.append(row | {"applicant": number == 0, "relation": relation})
    return found


def known(values: Mapping[str, Any]) -> dict[str, Fact]:
    """Facts that are known."""
    return {name: Known(value) for name, value in values.items()}
