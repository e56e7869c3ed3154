"""A household's facts through the rules of a year: every step's value, or what it lies within."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from schema.rules.facts import Fact, HouseholdFacts, bounded, exact, fact_of, is_applicant
from schema.rules.points import NoFigure
from schema.rules.year import Year


@dataclass(frozen=True, slots=True)
class Given:
    """Every fact of the household and of each member, by name."""

    household: Mapping[str, Fact]
    members: tuple[Mapping[str, Fact], ...]


@dataclass(frozen=True, slots=True)
class Values:
    """What every step came to, of the household and of each member.

    `exact`: amounts are whole numbers, truths are yes or no, and codes are text. Otherwise they are
    bounds, as `schema/rules/bounds.py` has them. `given` are the facts they were worked out from.
    """

    exact: bool
    household: Mapping[str, Any]
    members: tuple[Mapping[str, Any], ...]
    given: Given

    def bounds(self, name: str) -> tuple[int | None, int | None]:
        """The bounds of an amount of the household."""
        found = self.household[name]
        if self.exact:
            return (found, found)
        low, high = found
        return (low, high)


def work_out(rules: Year, facts: HouseholdFacts) -> Values:
    """Every step of a year for a household: exactly where all is known, or within bounds."""
    found = _given(rules, facts)
    if facts.complete:
        try:
            values = _exactly(rules, found)
        except NoFigure:
            values = None
        if values is not None:
            return values
    return _within(rules, facts, found)


def _given(rules: Year, facts: HouseholdFacts) -> Given:
    """Every fact of the household and of each member, by name."""
    book, layout = rules.book, rules.layout
    own = {name: fact_of(book, name, facts.facts) for name in layout.household}
    members = []
    for number, member in enumerate(facts.members):
        table = {name: fact_of(book, name, member.facts) for name in layout.member}
        if "applicant" in table:
            table["applicant"] = is_applicant(number)
        members.append(table)
    return Given(own, tuple(members))


def _exactly(rules: Year, facts: Given) -> Values | None:
    inputs = rules.book.inputs
    own = [exact(inputs[name], fact) for name, fact in facts.household.items()]
    rows = [[exact(inputs[name], fact) for name, fact in table.items()] for table in facts.members]
    if None in own or any(None in row for row in rows):
        return None
    household, each = rules.exactly(own, rows)
    return _named(rules, facts, household, each)


def _within(rules: Year, facts: HouseholdFacts, found: Given) -> Values:
    inputs = rules.book.inputs
    own = [bounded(inputs[name], fact) for name, fact in found.household.items()]
    rows = [
        [*(bounded(inputs[name], fact) for name, fact in table.items()), False]
        for table in found.members
    ]
    if not facts.complete:
        others = {name: fact_of(rules.book, name, {}) for name in rules.layout.member}
        others["applicant"] = is_applicant(-1)
        rows.append([*(bounded(inputs[name], fact) for name, fact in others.items()), True])
    household, each = rules.within(own, rows)
    return replace(_named(rules, found, household, each), exact=False)


def _named(rules: Year, facts: Given, household: Sequence[Any], rows: Sequence[Any]) -> Values:
    layout = rules.layout
    return Values(
        exact=True,
        household=dict(zip(layout.household_steps, household, strict=True)),
        members=tuple(dict(zip(layout.member_steps, row, strict=True)) for row in rows),
        given=facts,
    )
