"""A household's facts through the rules of a year: every step's value, or what it lies within."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from schema.rules.facts import Fact, HouseholdFacts, bounded, exact, fact_of, is_applicant
from schema.rules.points import NoFigure
from schema.rules.year import Year


@dataclass(frozen=True, slots=True)
class Values:
    """What every step came to, of the household and of each member.

    `exact`: amounts are whole numbers, truths are yes or no, and codes are text. Otherwise they are
    bounds, as `schema/rules/bounds.py` has them.
    """

    exact: bool
    household: Mapping[str, Any]
    members: tuple[Mapping[str, Any], ...]

    def bounds(self, name: str) -> tuple[int | None, int | None]:
        """The bounds of an amount of the household."""
        found = self.household[name]
        if self.exact:
            return (found, found)
        low, high = found
        return (low, high)


def work_out(rules: Year, facts: HouseholdFacts) -> Values:
    """Every step of a year for a household: exactly where all is known, or within bounds."""
    own, members = given(rules, facts)
    if facts.complete:
        try:
            found = _exactly(rules, own, members)
        except NoFigure:
            found = None
        if found is not None:
            return found
    return _within(rules, facts, own, members)


def given(
    rules: Year, facts: HouseholdFacts
) -> tuple[Mapping[str, Fact], tuple[Mapping[str, Fact], ...]]:
    """Every fact of the household and of each member, by name."""
    book, layout = rules.book, rules.layout
    own = {name: fact_of(book, name, facts.facts) for name in layout.household}
    members = []
    for number, member in enumerate(facts.members):
        table = {name: fact_of(book, name, member.facts) for name in layout.member}
        if "applicant" in table:
            table["applicant"] = is_applicant(number)
        members.append(table)
    return own, tuple(members)


def _exactly(
    rules: Year, own: Mapping[str, Fact], members: tuple[Mapping[str, Fact], ...]
) -> Values | None:
    inputs = rules.book.inputs
    first = [exact(inputs[name], fact) for name, fact in own.items()]
    rows = [[exact(inputs[name], fact) for name, fact in table.items()] for table in members]
    if None in first or any(None in row for row in rows):
        return None
    return _named(rules, True, rules.exactly(first, rows))


def _within(
    rules: Year,
    facts: HouseholdFacts,
    own: Mapping[str, Fact],
    members: tuple[Mapping[str, Fact], ...],
) -> Values:
    inputs = rules.book.inputs
    first = [bounded(inputs[name], fact) for name, fact in own.items()]
    rows = [
        [*(bounded(inputs[name], fact) for name, fact in table.items()), False] for table in members
    ]
    if not facts.complete:
        others = {name: fact_of(rules.book, name, {}) for name in rules.layout.member}
        others["applicant"] = is_applicant(-1)
        rows.append([*(bounded(inputs[name], fact) for name, fact in others.items()), True])
    # `applicant` is never in doubt: it is a plain yes or no in the generated functions.
    return _named(rules, False, rules.within(first, rows))


def _named(rules: Year, whole: bool, found: tuple[tuple[Any, ...], list[Any]]) -> Values:
    household, rows = found
    layout = rules.layout
    return Values(
        exact=whole,
        household=dict(zip(layout.household_steps, household, strict=True)),
        members=tuple(dict(zip(layout.member_steps, row, strict=True)) for row in rows),
    )
