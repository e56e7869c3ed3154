"""Formulas over facts within bounds: what every step must lie within.

An amount is `(least, most)`, None for no limit; a truth is True, False or None for not known; a
code is the set of those it may be. Invariant: whatever the facts are within their bounds, the exact
value lies within the bounds given. They may be wider than need be: a fact that stands twice in a
formula counts as two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from schema.rules.expression import (
    Arithmetic,
    Cell,
    Choose,
    Compare,
    Constant,
    Expression,
    Extreme,
    Logic,
    Not,
    Over,
    Quotient,
)
from schema.rules.generated import Emit
from schema.rules.lowering import Table

Amount = tuple[int | None, int | None]
Truth = bool | None
NOTHING: Amount = (0, 0)
ONE: Amount = (1, 1)


def add(one: Amount, other: Amount) -> Amount:
    """The sum."""
    (a, b), (c, d) = one, other
    return (
        None if a is None or c is None else a + c,
        None if b is None or d is None else b + d,
    )


def subtract(one: Amount, other: Amount) -> Amount:
    """The difference."""
    (a, b), (c, d) = one, other
    return (
        None if a is None or d is None else a - d,
        None if b is None or c is None else b - c,
    )


def scale(one: Amount, by: int) -> Amount:
    """The product with a constant."""
    a, b = one
    low = None if a is None else a * by
    high = None if b is None else b * by
    if by == 0:
        return NOTHING
    return (low, high) if by > 0 else (high, low)


def multiply(one: Amount, other: Amount) -> Amount:
    """The product."""
    if NOTHING in (one, other):
        return NOTHING
    (a, b), (c, d) = one, other
    if a is None or b is None or c is None or d is None:
        if a is not None and c is not None and a >= 0 and c >= 0:
            return (a * c, None)
        return (None, None)
    products = (a * c, a * d, b * c, b * d)
    return (min(products), max(products))


def quotient(one: Amount, by: int) -> Amount:
    """The quotient with a constant above 0, rounded down."""
    a, b = one
    return (None if a is None else a // by, None if b is None else b // by)


def least(*parts: Amount) -> Amount:
    """The least of several."""
    lows = [part[0] for part in parts if part[0] is not None]
    highs = [part[1] for part in parts if part[1] is not None]
    return (
        min(lows) if len(lows) == len(parts) else None,
        min(highs) if highs else None,
    )


def most(*parts: Amount) -> Amount:
    """The most of several."""
    lows = [part[0] for part in parts if part[0] is not None]
    highs = [part[1] for part in parts if part[1] is not None]
    return (
        max(lows) if lows else None,
        max(highs) if len(highs) == len(parts) else None,
    )


def hull(one: Amount, other: Amount) -> Amount:
    """What holds both."""
    (a, b), (c, d) = one, other
    return (
        None if a is None or c is None else min(a, c),
        None if b is None or d is None else max(b, d),
    )


def under(one: Amount, other: Amount) -> Truth:
    """Whether the first is below the second."""
    (a, b), (c, d) = one, other
    if b is not None and c is not None and b < c:
        return True
    if a is not None and d is not None and a >= d:
        return False
    return None


def within(one: Amount, other: Amount) -> Truth:
    """Whether the first is not above the second."""
    (a, b), (c, d) = one, other
    if b is not None and c is not None and b <= c:
        return True
    if a is not None and d is not None and a > d:
        return False
    return None


def equal(one: Amount, other: Amount) -> Truth:
    """Whether both are the same."""
    if None not in one and one[0] == one[1] and one == other:
        return True
    if under(one, other) or under(other, one):
        return False
    return None


def coded(codes: frozenset[str], code: str) -> Truth:
    """Whether a code is this one."""
    if code not in codes:
        return False
    return True if len(codes) == 1 else None


def contrary(truth: Truth) -> Truth:
    """The contrary."""
    return None if truth is None else not truth


def both(*parts: Truth) -> Truth:
    """Whether all hold (Kleene)."""
    if False in parts:
        return False
    return None if None in parts else True


def either(*parts: Truth) -> Truth:
    """Whether one holds (Kleene)."""
    if True in parts:
        return True
    return None if None in parts else False


def choose_amount(condition: Truth, then: Amount, otherwise: Amount) -> Amount:
    """One amount or the other, or what holds both."""
    if condition is None:
        return hull(then, otherwise)
    return then if condition else otherwise


def choose_truth(condition: Truth, then: Truth, otherwise: Truth) -> Truth:
    """One truth or the other."""
    if condition is None:
        return then if then is otherwise else None
    return then if condition else otherwise


def choose_code(
    condition: Truth, then: frozenset[str], otherwise: frozenset[str]
) -> frozenset[str]:
    """One code or the other."""
    if condition is None:
        return then | otherwise
    return then if condition else otherwise


def counted(condition: Truth, part: Amount, several: bool) -> Amount:
    """What a member adds to a sum; `several` stands for any number of members, none included."""
    if condition is False:
        return NOTHING
    added = part if condition else hull(NOTHING, part)
    if not several:
        return added
    low, high = added
    return (
        0 if low is not None and low >= 0 else None,
        0 if high is not None and high <= 0 else None,
    )


def any_of(before: Truth, condition: Truth, part: Truth, several: bool) -> Truth:
    """Whether one member, or one before, is such."""
    found = both(condition, part)
    return either(before, None if several and found is True else found)


def all_of(before: Truth, condition: Truth, part: Truth, several: bool) -> Truth:
    """Whether the member, and all before, are such, where it matters."""
    found = either(contrary(condition), part)
    return both(before, None if several and found is False else found)


def _by_code(table: Table) -> Callable[[frozenset[str]], Amount]:
    def at(codes: frozenset[str]) -> Amount:
        cells = [table.at(code) for code in codes]
        found = [cell for cell in cells if cell is not None]
        return (min(found), max(found))

    return at


def _by_size(table: Table) -> Callable[[Amount], Amount]:
    assert isinstance(table.cells, tuple)  # noqa: S101 - as it is called
    last = table.cells[-1]

    def at(sizes: Amount) -> Amount:
        low, high = sizes
        first = max(1, low or 1)
        lowest = table.at(first)
        highest = None if high is None else table.at(max(1, high))
        # Beyond a list that does not go on it is not known, but the list grows.
        return (last if lowest is None else lowest, highest)

    return at


_COMPARED = {"<": "under({0}, {1})", ">": "under({1}, {0})", "<=": "within({0}, {1})"}
_COMPARED |= {">=": "within({1}, {0})", "==": "equal({0}, {1})"}
_COMPARED |= {"!=": "contrary(equal({0}, {1}))"}


class _Bounds:
    known: Mapping[str, Any] = {
        function.__name__: function
        for function in (
            *(add, subtract, scale, multiply, quotient, least, most, under, within, equal, coded),
            *(contrary, both, either, choose_amount, choose_truth, choose_code, counted),
            *(any_of, all_of, frozenset),
        )
    }
    extra: tuple[str, ...] = ("_several",)

    def table(self, table: Table) -> Callable[[Any], Amount]:
        return _by_size(table) if isinstance(table.cells, tuple) else _by_code(table)

    def formula(self, node: Expression, emit: Emit) -> str:  # noqa: PLR0911, PLR0912 - a case for each node
        match node:
            case Constant(value=bool() as value):
                return repr(value)
            case Constant(value=str() as value):
                return f"frozenset(({value!r},))"
            case Constant(value=value):
                return f"({value}, {value})"
            case Cell(table=table, key=key):
                return f"t_{table}({emit(key)})"
            case Arithmetic(operator="*", left=left, right=Constant(value=by)):
                return f"scale({emit(left)}, {by})"
            case Arithmetic(operator="*", left=Constant(value=by), right=right):
                return f"scale({emit(right)}, {by})"
            case Arithmetic(operator=operator, left=left, right=right):
                function = {"+": "add", "-": "subtract", "*": "multiply"}[operator]
                return f"{function}({emit(left)}, {emit(right)})"
            case Quotient(part=part, by=by):
                return f"quotient({emit(part)}, {by})"
            case Extreme(which=which, parts=parts):
                function = "least" if which == "min" else "most"
                return f"{function}({', '.join(map(emit, parts))})"
            case Compare():
                return self._compare(node, emit)
            case Logic(operator=operator, parts=parts):
                function = "both" if operator == "and" else "either"
                return f"{function}({', '.join(map(emit, parts))})"
            case Not(part=part):
                return f"contrary({emit(part)})"
            case Choose(condition=condition, then=then, otherwise=otherwise):
                kind = {"yes-no": "truth", "code": "code"}.get(node.type.unit, "amount")
                parts = (condition, then, otherwise)
                return f"choose_{kind}({', '.join(map(emit, parts))})"
        raise TypeError(f"not lowered: {node}")

    def _compare(self, node: Compare, emit: Emit) -> str:
        if node.left.type.unit == "code":
            assert isinstance(node.right, Constant)  # noqa: S101 - the parser demands it
            found = f"coded({emit(node.left)}, {node.right.value!r})"
            return found if node.operator == "==" else f"contrary({found})"
        return _COMPARED[node.operator].format(emit(node.left), emit(node.right))

    def start(self, over: Over) -> str:
        if over.how == "applicant":
            return "None"
        return {"any": "False", "all": "True"}.get(over.how, "(0, 0)")

    def gather(self, name: str, over: Over, emit: Emit) -> str:
        part = emit(over.part)
        where = "True" if over.where is None else emit(over.where)
        return {
            "sum": f"{name} = add({name}, counted({where}, {part}, m__several))",
            "count": f"{name} = add({name}, counted({part}, (1, 1), m__several))",
            "any": f"if (p := {part}) is not False and {name} is not True:"
            f" {name} = any_of({name}, {where}, p, m__several)",
            "all": f"if (p := {part}) is not True and {name} is not False:"
            f" {name} = all_of({name}, {where}, p, m__several)",
            "applicant": f"{name} = {part} if m_applicant else {name}",
        }[over.how]


SPELLING = _Bounds()
