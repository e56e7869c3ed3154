"""A formula of one year in whole numbers only: figures put in, fractions held over one denominator.

Invariant: no rounding but where the formula says so. An amount is a whole numerator over a constant
denominator until it is rounded, so that every interpreter needs whole numbers and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from schema.rules.book import Figure
from schema.rules.expression import (
    YES_NO,
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
    Quotient,
    Round,
    Type,
    constant,
)

WHOLE = Type("number")


@dataclass(frozen=True, slots=True)
class Table:
    """The figures of a table, whole. A list goes from 1 on; `step` is added for each beyond it."""

    cells: tuple[int, ...] | Mapping[str, int]
    step: int | None = None

    def at(self, key: int | str) -> int | None:
        """The figure for a key; None where there is none."""
        if isinstance(self.cells, Mapping):
            return self.cells.get(str(key))
        size = int(key)
        if 1 <= size <= len(self.cells):
            return self.cells[size - 1]
        if size < 1 or self.step is None:
            return None
        return self.cells[-1] + self.step * (size - len(self.cells))


@dataclass(frozen=True, slots=True)
class Lowered:
    """A formula in whole numbers, over a denominator; what is rounded has the denominator 1."""

    node: Expression
    over: int = 1


def table_of(figure: Figure, beyond: str | None) -> tuple[Table, int]:
    """A figure's table in whole numbers, with the denominator of its cells."""
    value = figure.value
    if isinstance(value, Mapping):
        over = math.lcm(*(Fraction(cell).denominator for cell in value.values()))
        return Table({key: int(cell * over) for key, cell in value.items()}), over
    assert isinstance(value, tuple)  # noqa: S101 - the book is checked
    over = math.lcm(*(Fraction(cell).denominator for cell in value))
    cells = tuple(int(cell * over) for cell in value)
    goes_on = beyond is not None and figure.whole
    return Table(cells, cells[-1] - cells[-2] if goes_on else None), over


@dataclass(frozen=True)
class Lowering:
    """Lowers the formulas of one year."""

    year: int
    figures: Mapping[str, Figure]
    tables: Mapping[str, tuple[Table, int]]

    def lower(self, node: Expression) -> Lowered:  # noqa: PLR0911 - a case for each node
        """The formula in whole numbers."""
        match node:
            case Constant(value=value):
                if isinstance(value, bool | str):
                    return Lowered(node)
                return _number(Fraction(value))
            case Name(name="year"):
                return Lowered(Constant(WHOLE, self.year))
            case Name(of=None, name=name):
                figure = self.figures[name].value
                assert isinstance(figure, int | Fraction)  # noqa: S101 - the book is checked
                return _number(Fraction(figure))
            case Name():
                return Lowered(node)
            case Cell(table=table, key=key):
                return Lowered(replace(node, key=self.lower(key).node), self.tables[table][1])
            case Arithmetic():
                return self._arithmetic(node)
            case Round():
                return self._round(node)
            case Extreme(parts=parts):
                found, over = self._alike(*parts)
                return Lowered(replace(node, parts=found), over)
            case Over(part=part, where=where):
                inner = self.lower(part)
                condition = None if where is None else self.lower(where).node
                return Lowered(replace(node, part=inner.node, where=condition), inner.over)
            case Choose():
                return self._choose(node)
            case _:
                return Lowered(self._truth(node))

    def _arithmetic(self, node: Arithmetic) -> Lowered:
        if node.operator in "+-":
            (left, right), over = self._alike(node.left, node.right)
            return Lowered(_combined(node, left, right), over)
        one, other = self.lower(node.left), self.lower(node.right)
        if node.operator == "/":
            assert constant(node.right)  # noqa: S101 - the parser demands it
            by = self.value(node.right)
            other = _number(1 / by)
        product = _combined(replace(node, operator="*"), one.node, other.node)
        return _reduced(Lowered(product, one.over * other.over))

    def _round(self, node: Round) -> Lowered:
        inner = self.lower(node.part)
        over = inner.over
        if over == 1:
            return inner
        if node.how == "half up":
            doubled = _combined(_times(), inner.node, Constant(WHOLE, 2))
            return Lowered(Quotient(node.type, _plus(doubled, over), 2 * over))
        above = _plus(inner.node, over - 1) if node.how == "up" else inner.node
        return Lowered(Quotient(node.type, above, over))

    def _choose(self, node: Choose) -> Lowered:
        condition = self.lower(node.condition).node
        if isinstance(condition, Constant):
            return self.lower(node.then if condition.value else node.otherwise)
        if node.type.unit in ("yes-no", "code"):
            then, otherwise = self.lower(node.then).node, self.lower(node.otherwise).node
            return Lowered(Choose(node.type, condition, then, otherwise))
        (then, otherwise), over = self._alike(node.then, node.otherwise)
        return Lowered(Choose(node.type, condition, then, otherwise), over)

    def _truth(self, node: Expression) -> Expression:
        match node:
            case Compare(operator=operator, left=left, right=right):
                if left.type.unit == "code":
                    return replace(node, left=self.lower(left).node)
                (one, other), _ = self._alike(left, right)
                if isinstance(one, Constant) and isinstance(other, Constant):
                    return Constant(YES_NO, _compared(operator, int(one.value), int(other.value)))
                return replace(node, left=one, right=other)
            case Not(part=part):
                inner = self.lower(part).node
                if isinstance(inner, Constant):
                    return Constant(YES_NO, not inner.value)
                return replace(node, part=inner)
            case Logic(operator=operator, parts=parts):
                decides = operator == "or"
                found = tuple(self.lower(part).node for part in parts)
                if any(isinstance(part, Constant) and part.value is decides for part in found):
                    return Constant(YES_NO, decides)
                left_over = tuple(part for part in found if not isinstance(part, Constant))
                if len(left_over) <= 1:
                    return left_over[0] if left_over else Constant(YES_NO, not decides)
                return replace(node, parts=left_over)
        raise TypeError(f"no truth: {node}")

    def _alike(self, *parts: Expression) -> tuple[tuple[Expression, ...], int]:
        """Amounts over one denominator."""
        found = [self.lower(part) for part in parts]
        over = math.lcm(*(part.over for part in found))
        return tuple(
            _combined(_times(), part.node, Constant(WHOLE, over // part.over)) for part in found
        ), over

    def value(self, node: Expression) -> Fraction:
        """The value of a formula that is the same for everyone. Raises ZeroDivisionError."""
        lowered = self.lower(node)
        assert isinstance(lowered.node, Constant)  # noqa: S101 - constants are folded
        return Fraction(int(lowered.node.value), lowered.over)


def _number(value: Fraction) -> Lowered:
    return Lowered(Constant(WHOLE, value.numerator), value.denominator)


def _times() -> Arithmetic:
    one = Constant(WHOLE, 1)
    return Arithmetic(WHOLE, "*", one, one)


def _plus(node: Expression, amount: int) -> Expression:
    return _combined(replace(_times(), operator="+"), node, Constant(WHOLE, amount))


def _combined(node: Arithmetic, left: Expression, right: Expression) -> Expression:
    """The sum, difference or product, worked out where both are constant."""
    if isinstance(left, Constant) and isinstance(right, Constant):
        one, other = int(left.value), int(right.value)
        results = {"+": one + other, "-": one - other, "*": one * other}
        return Constant(WHOLE, results[node.operator])
    if node.operator == "*":
        for part, factor in ((left, right), (right, left)):
            if not isinstance(factor, Constant):
                continue
            if factor.value == 1:
                return part
            if isinstance(part, Arithmetic) and part.operator == "*":
                for inner, rest in ((part.left, part.right), (part.right, part.left)):
                    if isinstance(inner, Constant):
                        by = Constant(WHOLE, int(inner.value) * int(factor.value))
                        return replace(node, left=rest, right=by)
            return replace(node, left=part, right=factor)
    return replace(node, left=left, right=right)


def _reduced(lowered: Lowered) -> Lowered:
    """With the factor that a constant times something shares with the denominator taken out."""
    node, over = lowered.node, lowered.over
    if isinstance(node, Constant):
        return _number(Fraction(int(node.value), over))
    if isinstance(node, Arithmetic) and node.operator == "*" and over > 1:
        for factor, part in ((node.left, node.right), (node.right, node.left)):
            if isinstance(factor, Constant) and factor.value:
                shared = math.gcd(int(factor.value), over)
                less = Constant(WHOLE, int(factor.value) // shared)
                return Lowered(_combined(_times(), less, part), over // shared)
    return lowered


def _compared(operator: str, one: int, other: int) -> bool:
    return {
        "<": one < other,
        "<=": one <= other,
        "==": one == other,
        "!=": one != other,
        ">=": one >= other,
        ">": one > other,
    }[operator]
