"""The trace of a test: each step in order, with formula, inputs, figures, rounding and value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import Any

from schema.rules.assess import Bounds, MeansTest
from schema.rules.book import Figure, Parameter, Step
from schema.rules.expression import Cell, Expression, Name, Over, Round, nodes
from schema.rules.facts import Fact, Known, NotKnown, Origin, bounded, exact
from schema.rules.points import NoFigure
from schema.rules.reference import Reading, Rounded, cell

Shown = bool | str | Bounds | None
"""A truth, a code, an amount within bounds, or None for what is not known."""


@dataclass(frozen=True, slots=True)
class Used:
    """A value that a step used: a fact with where it came from, or a step before."""

    name: str
    en: str
    ko: str
    member: str | None
    value: Shown
    origins: tuple[Origin, ...] = ()
    hypothetical: bool = False
    missing: str | None = None


@dataclass(frozen=True, slots=True)
class Applied:
    """A figure that a step used; `key` is set of a table's."""

    name: str
    en: str
    ko: str
    key: str | None
    value: int | Fraction | None
    figure: Figure


@dataclass(frozen=True, slots=True)
class Line:
    """One step for the household, or for one member."""

    name: str
    step: Step
    member: str | None
    value: Shown
    used: tuple[Used, ...]
    applied: tuple[Applied, ...]
    rounded: tuple[Rounded, ...]
    rounds: bool


def trace(test: MeansTest) -> tuple[Line, ...]:
    """The steps of a test in the order in which they are taken."""
    return tuple(_Tracer(test).lines())


class _Tracer:
    def __init__(self, test: MeansTest) -> None:
        self._test = test
        self._book = test.rules.book
        self._own, self._members = test.values.given.household, test.values.given.members
        self._keys = [member.key for member in test.facts.members]

    def lines(self) -> Iterator[Line]:
        """Every line."""
        for name in self._book.reached(self._test.programme.needs):
            step = self._book.steps.get(name)
            if step is None or name in self._test.rules.gaps:
                continue
            if step.of == "household":
                yield self._line(name, step, None)
            else:
                for number in range(len(self._keys)):
                    yield self._line(name, step, number)

    def _line(self, name: str, step: Step, number: int | None) -> Line:
        formula = self._book.formulas[name]
        values = self._test.values
        row = values.household if number is None else values.members[number]
        return Line(
            name=name,
            step=step,
            member=None if number is None else self._keys[number],
            value=_shown(row.get(name)),
            used=tuple(self._used(name, number)),
            applied=tuple(self._applied(formula, number)),
            rounded=self._rounded(formula, number),
            rounds=any(isinstance(node, Round) for node in nodes(formula)),
        )

    def _used(self, above: str, number: int | None) -> Iterator[Used]:
        for name in self._book.direct[above]:
            step, entry = self._book.steps.get(name), self._book.inputs.get(name)
            of = step.of if step else entry.of if entry else None
            if of is None:
                continue
            everyone = range(len(self._keys)) if number is None else (number,)
            for place in (None,) if of == "household" else everyone:
                if step is not None:
                    row = self._row(place)
                    key = None if place is None else self._keys[place]
                    yield Used(name, step.en, step.ko, key, _shown(row.get(name)))
                else:
                    yield self._fact(name, place)

    def _row(self, place: int | None) -> Mapping[str, Any]:
        values = self._test.values
        return values.household if place is None else values.members[place]

    def _fact(self, name: str, place: int | None) -> Used:
        entry = self._book.inputs[name]
        fact: Fact = self._own[name] if place is None else self._members[place][name]
        value = exact(entry, fact)
        return Used(
            name=name,
            en=entry.en,
            ko=entry.ko,
            member=None if place is None else self._keys[place],
            value=_shown(bounded(entry, fact) if value is None else value),
            origins=() if isinstance(fact, NotKnown) else fact.origins,
            hypothetical=isinstance(fact, Known) and fact.hypothetical,
            missing=fact.why if isinstance(fact, NotKnown) else None,
        )

    def _applied(self, formula: Expression, number: int | None) -> Iterator[Applied]:
        figures = self._test.rules.lowering.figures
        seen: set[str] = set()
        for node in nodes(formula):
            if not isinstance(node, Cell | Name):
                continue
            name = node.table if isinstance(node, Cell) else node.name
            if name not in figures or name in seen:
                continue
            seen.add(name)
            entry, figure = self._book.parameters[name], figures[name]
            key, value = None, None
            if isinstance(node, Cell):
                key, value = self._cell(node, entry, figure, number)
            elif isinstance(figure.value, int | Fraction):
                value = figure.value
            yield Applied(name, entry.en, entry.ko, key, value, figure)

    def _cell(
        self, node: Cell, entry: Parameter, figure: Figure, number: int | None
    ) -> tuple[str | None, int | Fraction | None]:
        """The key and the figure looked up, where the key is settled."""
        try:
            key = self._reading(number).value(node.key)
            found = cell(entry, figure, key)
        except (NoFigure, _Open):
            return None, None
        return str(key), found

    def _rounded(self, formula: Expression, number: int | None) -> tuple[Rounded, ...]:
        """The roundings made, where all that goes into them is settled."""
        if any(isinstance(node, Over) for node in nodes(formula)) and not self._test.facts.complete:
            return ()
        reading = self._reading(number)
        try:
            reading.value(formula)
        except (NoFigure, _Open):
            return ()
        return tuple(reading.rounded)

    def _reading(self, number: int | None) -> Reading:
        rules = self._test.rules
        return Reading(
            year=rules.year,
            figures=rules.lowering.figures,
            parameters=self._book.parameters,
            names=self._settled_own if number is None else self._settled_members[number],
            members=self._settled_members if number is None else (),
        )

    @cached_property
    def _settled_own(self) -> Mapping[str, Any]:
        return self._settled(self._own, self._test.values.household)

    @cached_property
    def _settled_members(self) -> Sequence[Mapping[str, Any]]:
        rows = zip(self._members, self._test.values.members, strict=False)
        return [self._settled(facts, row) for facts, row in rows]

    def _settled(self, facts: Mapping[str, Fact], row: Mapping[str, Any]) -> Mapping[str, Any]:
        """Facts and steps by name; to read one that is not settled raises `_Open`."""
        inputs = self._book.inputs
        known = {name: exact(inputs[name], fact) for name, fact in facts.items()}
        return _Settled({**known, **{name: _one(value) for name, value in row.items()}})


class _Open(Exception):
    """A value that is not settled is needed."""


class _Settled(dict[str, Any]):
    def __getitem__(self, name: str) -> Any:
        value = super().__getitem__(name)
        if value is None:
            raise _Open
        return value


def _one(value: Any) -> Any:
    """The value that bounds leave, None where they leave several."""
    if isinstance(value, tuple):
        return value[0] if value[0] == value[1] else None
    if isinstance(value, frozenset):
        return next(iter(value)) if len(value) == 1 else None
    return value


def _shown(value: Any) -> Shown:
    if isinstance(value, frozenset):
        return " | ".join(sorted(value))
    if isinstance(value, bool | str | tuple) or value is None:
        return value
    return (value, value)


def readable(value: Shown) -> str:
    """A value as people read it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        low, high = value
        if low is not None and low == high:
            return f"{low:,}"
        least = "no limit" if low is None else f"{low:,}"
        return f"{least} to {'no limit' if high is None else f'{high:,}'}"
    return "not known" if value is None else value


def figure_text(value: int | Fraction) -> str:
    """A figure as people read it: a whole amount, a rate in per cent, or a fraction."""
    if isinstance(value, int):
        return f"{value:,}"
    percent = value * 100
    if 10_000 % percent.denominator:
        return str(value)
    exactly = Decimal(percent.numerator) / Decimal(percent.denominator)
    return f"{exactly.normalize():f} %"
