"""What a programme's rule comes to for a household: decided, or undecided and what would settle it.

Pure: facts and a day in, a result out. Nothing that is not known is taken for zero.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

from schema.rules.book import Book, Programme, Step
from schema.rules.bounds import add, both, subtract, within
from schema.rules.facts import Fact, HouseholdFacts, Known, NotKnown
from schema.rules.run import Values, work_out
from schema.rules.year import Year, rules_of

Bounds = tuple[int | None, int | None]
"""The least and the most, both included, None for no limit; the same where it is exact."""


class Result(Enum):
    """What a test comes to."""

    ELIGIBLE = "ELIGIBLE"
    NOT_ELIGIBLE = "NOT_ELIGIBLE"
    INDETERMINATE = "INDETERMINATE"


RESULTS: Mapping[bool | None, Result] = {
    True: Result.ELIGIBLE,
    False: Result.NOT_ELIGIBLE,
    None: Result.INDETERMINATE,
}


class Lacking(NamedTuple):
    """A fact that is not known and on which the result hangs; no `member`: of the household."""

    fact: str
    en: str
    ko: str
    member: str | None
    why: str
    settled_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition: met, not met, or None for not known."""

    name: str
    step: Step
    met: bool | None


@dataclass(frozen=True, slots=True)
class Assumption:
    """What only the household can tell, was not told, and so counts as the rule says."""

    fact: str
    en: str
    ko: str
    value: bool | int


@dataclass(frozen=True)
class MeansTest:
    """The test of one programme for one household on one day.

    `recognised`, `threshold`, `margin` (threshold less recognised) are None where the rule compares
    no amounts; `payable` where it gives none, or the result is that nothing is due. `by_bounds`:
    decided although some facts are not known, as the result is the same whatever they are.
    `no_figures`: parameters that lack for the year.
    """

    code: str
    programme: Programme
    day: datetime.date
    rules: Year
    facts: HouseholdFacts
    values: Values
    assessed: tuple[str, ...]
    result: Result
    by_bounds: bool
    recognised: Bounds | None
    threshold: Bounds | None
    margin: Bounds | None
    payable: Bounds | None
    conditions: tuple[Condition, ...]
    lacking: tuple[Lacking, ...]
    assumptions: tuple[Assumption, ...]
    no_figures: tuple[str, ...]
    hypothetical: tuple[str, ...]

    @property
    def decided(self) -> bool:
        """Whether it is decided."""
        return self.result is not Result.INDETERMINATE

    @property
    def settled_by(self) -> tuple[str, ...]:
        """The sources that would settle it."""
        found = (source for entry in self.lacking for source in entry.settled_by)
        return tuple(dict.fromkeys(found))


def means_test(book: Book, code: str, facts: HouseholdFacts, day: datetime.date) -> MeansTest:
    """Test a household for a programme by the rules of the day's year.

    Raises LookupError for a programme that no rule decides.
    """
    programme = book.programmes[code]
    if not programme.decidable:
        raise LookupError(f"no rule decides `{code}`")
    rules = rules_of(book, day.year, code)
    values = work_out(rules, facts)
    met = verdict(rules, programme, values)
    inquiry = Inquiry(rules, facts, values)
    reached = tuple(book.reached(programme.needs))
    recognised = amount(values, programme.measure)
    threshold = amount(values, programme.threshold)
    return MeansTest(
        code=code,
        programme=programme,
        day=day,
        rules=rules,
        facts=facts,
        values=values,
        assessed=_assessed(programme, facts, values),
        result=RESULTS[met],
        by_bounds=met is not None and inquiry.unsure(reached),
        recognised=recognised,
        threshold=threshold,
        margin=None if not recognised or not threshold else subtract(threshold, recognised),
        payable=_payable(programme, values, met),
        conditions=tuple(
            Condition(name, book.steps[name], values.household.get(name))
            for name in programme.conditions
        ),
        lacking=inquiry.lacking(programme) if met is None else (),
        assumptions=inquiry.assumptions(reached),
        no_figures=tuple(
            dict.fromkeys(gap for name in programme.needs for gap in rules.gaps.get(name, ()))
        ),
        hypothetical=inquiry.hypothetical(reached),
    )


def verdict(rules: Year, programme: Programme, values: Values) -> bool | None:
    """Whether a rule is met; None where that is not known, or the year lacks a figure."""
    if not standing(programme, rules.year):
        return False
    parts = [values.household.get(name) for name in programme.conditions]
    if programme.measure and programme.threshold:
        measure, threshold = (
            amount(values, name) for name in (programme.measure, programme.threshold)
        )
        parts.append(comparison(measure, threshold) if measure and threshold else None)
    return both(*parts)


def standing(programme: Programme, year: int) -> bool:
    """Whether there is such a programme in a year."""
    return (programme.since or year) <= year <= (programme.until or year)


def comparison(measure: Bounds, threshold: Bounds) -> bool | None:
    """Whether an amount is not above its threshold; None where that hangs on what is not known."""
    return within(measure, threshold)


def amount(values: Values, name: str | None) -> Bounds | None:
    """The bounds of a step of the household, None where there is no such step in the year."""
    return None if name is None or name not in values.household else values.bounds(name)


def parts(test: MeansTest, part: str) -> Iterator[tuple[str, Bounds]]:
    """The steps of a part of a test with their amounts; of several members, the sum of theirs."""
    for name in test.rules.book.reached(test.programme.needs):
        step = test.rules.book.steps.get(name)
        if step is None or step.part != part or name in test.rules.gaps or step.type != "won":
            continue
        if step.of == "household":
            yield name, test.values.bounds(name)
            continue
        found = [row[name] for row in test.values.members]
        each = [(value, value) if test.values.exact else value for value in found]
        whole: Bounds = (0, 0)
        for one in each:
            whole = add(whole, one)
        # Members who are not known are the last row; there may be any number of them.
        yield name, whole if test.facts.complete else (whole[0], None)


def _payable(programme: Programme, values: Values, met: bool | None) -> Bounds | None:
    if programme.pays is None or met is False:
        return None
    found = amount(values, programme.pays.step)
    return found if met or found is None else (0, found[1])


def _assessed(programme: Programme, facts: HouseholdFacts, values: Values) -> tuple[str, ...]:
    """The keys of those who are assessed, or may be."""
    rows = zip(facts.members, values.members, strict=False)
    name = programme.assessed
    return tuple(member.key for member, row in rows if not name or row.get(name) is not False)


@dataclass
class Inquiry:
    """Looks for what is not known, and what was taken or put in, behind the steps of one run."""

    rules: Year
    facts: HouseholdFacts
    values: Values

    def __post_init__(self) -> None:
        self._inputs = self.rules.book.inputs
        self._behind: dict[str, dict[str, None]] = {}
        self._of_facts: dict[str, tuple[Lacking, ...]] = {}
        self._lacking: dict[tuple[str, ...], tuple[Lacking, ...]] = {}

    def lacking(self, programme: Programme) -> tuple[Lacking, ...]:
        """The facts that are not known and keep a programme from being decided."""
        open_steps = [
            name for name in programme.conditions if self.values.household.get(name) is None
        ]
        measure, threshold = programme.measure, programme.threshold
        if measure and threshold:
            one, other = amount(self.values, measure), amount(self.values, threshold)
            if not one or not other or comparison(one, other) is None:
                open_steps += [measure, threshold]
        return self.keeping_open(tuple(open_steps))

    def keeping_open(self, steps: tuple[str, ...]) -> tuple[Lacking, ...]:
        """The facts that are not known and keep these steps open.

        The very same where the same facts do: of many programmes, some few are looked for.
        """
        found: dict[str, None] = {}
        for name in steps:
            found |= self._behind_step(name)
        names = tuple(found)
        if names not in self._lacking:
            lacking = [one for name in names for one in self._of_fact(name)]
            if not self.facts.complete:
                en, ko = "the other members of the household", "다른 가구원"
                lacking.append(Lacking("members", en, ko, None, "unavailable", ()))
            self._lacking[names] = tuple(lacking)
        return self._lacking[names] if steps else ()

    def _behind_step(self, name: str) -> Mapping[str, None]:
        """The facts not known, by name, that keep a step from being settled."""
        found = self._behind.get(name)
        if found is None:
            found = self._behind[name] = {}
            if not self._settled(name):
                for below, is_fact in self.rules.book.below[name]:
                    if not is_fact:
                        found |= self._behind_step(below)
                    elif self._of_fact(below):
                        found[below] = None
        return found

    def _settled(self, name: str) -> bool:
        if self.values.exact:
            return True
        if name in self.values.household:
            return _point(self.values.household[name])
        return all(_point(row.get(name)) for row in self.values.members)

    def _of_fact(self, name: str) -> tuple[Lacking, ...]:
        """Of whom a fact is not known."""
        found = self._of_facts.get(name)
        if found is None:
            found = self._of_facts[name] = tuple(self._not_known(name))
        return found

    def _not_known(self, name: str) -> Iterator[Lacking]:
        entry, given = self._inputs[name], self.values.given
        told: Iterable[tuple[str | None, Fact]]
        if entry.of == "member":
            members = zip(self.facts.members, given.members, strict=True)
            told = ((member.key, row[name]) for member, row in members)
        else:
            told = ((None, given.household[name]),)
        for key, fact in told:
            if isinstance(fact, NotKnown):
                yield Lacking(name, entry.en, entry.ko, key, fact.why, fact.settled_by)

    def unsure(self, reached: Iterable[str]) -> bool:
        """Whether any fact behind the steps is not known."""
        if self.values.exact:
            return False
        facts = (name for name in reached if name in self._inputs)
        return not self.facts.complete or any(self._of_fact(name) for name in facts)

    def assumptions(self, reached: Iterable[str]) -> tuple[Assumption, ...]:
        """What a household did not tell, of what only it can."""
        found = []
        for name in reached:
            entry = self._inputs.get(name)
            if entry is None or entry.declared is None or name in self.facts.facts:
                continue
            if any(name in member.facts for member in self.facts.members):
                continue
            found.append(Assumption(name, entry.en, entry.ko, entry.declared))
        return tuple(found)

    def hypothetical(self, reached: Iterable[str]) -> tuple[str, ...]:
        """The facts that the caller put in."""
        tables = (self.facts.facts, *(member.facts for member in self.facts.members))
        return tuple(
            name
            for name in reached
            if any(
                isinstance(fact := table.get(name), Known) and fact.hypothetical for table in tables
            )
        )


def _point(value: Any) -> bool:
    """Whether a value is settled: no bounds that are apart, no truth or code left open."""
    if isinstance(value, tuple):
        return value[0] is not None and value[0] == value[1]
    if isinstance(value, frozenset):
        return len(value) == 1
    return value is not None
