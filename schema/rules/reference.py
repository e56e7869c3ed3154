"""Formulas read one node at a time over exact fractions: slow, plain, and with every rounding told.

It knows nothing of how formulas are lowered or generated; the traces are made by it, and the tests
hold every other interpreter to it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from schema.rules.book import Figure, Parameter
from schema.rules.expression import (
    Arithmetic,
    Cell,
    Choose,
    Compare,
    Constant,
    Expression,
    Extreme,
    Logic,
    Name,
    Not,
    Over,
    Round,
    Rounding,
)
from schema.rules.points import NoFigure


@dataclass(frozen=True, slots=True)
class Rounded:
    """A rounding that was made, with the exact amount before it."""

    how: Rounding
    before: Fraction
    after: int


@dataclass(frozen=True)
class Reading:
    """What formulas are read with. `members` holds the names of each member; the first applies."""

    year: int
    figures: Mapping[str, Figure]
    parameters: Mapping[str, Parameter]
    names: Mapping[str, Any]
    members: Sequence[Mapping[str, Any]] = ()
    rounded: list[Rounded] = field(default_factory=list)

    def value(self, node: Expression) -> Any:  # noqa: PLR0911, PLR0912, C901 - a case for each node
        """The value of a formula: a fraction, a truth or a code. Raises NoFigure."""
        match node:
            case Constant(value=value):
                return value if isinstance(value, bool | str) else Fraction(value)
            case Name(name="year"):
                return Fraction(self.year)
            case Name(name=name, of=None):
                return Fraction(self.figures[name].value)  # type: ignore[arg-type]
            case Name(name=name):
                found = self.names[name]
                return found if isinstance(found, bool | str) else Fraction(found)
            case Cell(table=table, key=key):
                found = self.value(key)
                return Fraction(cell(self.parameters[table], self.figures[table], found))
            case Arithmetic(operator=operator, left=left, right=right):
                return _ARITHMETIC[operator](self.value(left), self.value(right))
            case Extreme(which=which, parts=parts):
                values = [self.value(part) for part in parts]
                return min(values) if which == "min" else max(values)
            case Round(how=how, part=part):
                before = self.value(part)
                after = _ROUND[how](before)
                self.rounded.append(Rounded(how, before, after))
                return Fraction(after)
            case Compare(operator=operator, left=left, right=right):
                return _COMPARE[operator](self.value(left), self.value(right))
            case Logic(operator="and", parts=parts):
                return all(self.value(part) for part in parts)
            case Logic(parts=parts):
                return any(self.value(part) for part in parts)
            case Not(part=part):
                return not self.value(part)
            case Choose(condition=condition, then=then, otherwise=otherwise):
                return self.value(then if self.value(condition) else otherwise)
            case Over():
                return self._over(node)
        raise TypeError(f"no formula: {node}")

    def _over(self, node: Over) -> Any:
        each = [replace(self, names=names, members=()) for names in self.members]
        if node.how == "applicant":
            return each[0].value(node.part)
        chosen = [one for one in each if node.where is None or one.value(node.where)]
        values = [one.value(node.part) for one in chosen]
        match node.how:
            case "sum":
                return sum(values, Fraction(0))
            case "count":
                return Fraction(sum(values))
            case "any":
                return any(values)
        return all(values)


def cell(parameter: Parameter, figure: Figure, key: Any) -> int | Fraction:
    """A figure of a table. Raises NoFigure."""
    value = figure.value
    if isinstance(value, Mapping):
        return value[key]
    assert isinstance(value, tuple)  # noqa: S101 - the book is checked
    if key < 1:
        raise NoFigure
    if key <= len(value):
        return value[int(key) - 1]
    if parameter.beyond is None or not figure.whole:
        raise NoFigure
    return value[-1] + (value[-1] - value[-2]) * int(key - len(value))


_ARITHMETIC: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
}
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    ">=": lambda a, b: a >= b,
    ">": lambda a, b: a > b,
}
_ROUND: Mapping[str, Callable[[Fraction], int]] = {
    "half up": lambda amount: math.floor(amount + Fraction(1, 2)),
    "down": math.floor,
    "up": math.ceil,
}
