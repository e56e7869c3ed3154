"""The rules of a year over columns: tables of millions of households, as one Ibis expression.

What is not known is null, and what rests on it is null too, unless the rest decides. Whole numbers
throughout: division is the engine's own of whole numbers, never `/`, which goes by floats and is
wrong beyond 2**53. Amounts are 64 bits wide; DuckDB refuses what does not fit, it never wraps.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ibis

from schema.rules.expression import (
    Arithmetic,
    Cell,
    Choose,
    Compare,
    Constant,
    Expression,
    Extreme,
    Level,
    Logic,
    Name,
    Not,
    Over,
    Quotient,
    children,
    nodes,
)
from schema.rules.lowering import Table
from schema.rules.year import Year

KEY = "household"
"""The column of both tables that says whose a row is."""
_NUMBERS = itertools.count(1)


@ibis.udf.scalar.builtin(name="divide")  # type: ignore[untyped-decorator]
def _divide(amount: int, by: int) -> int:  # type: ignore[empty-body]
    """DuckDB's division of whole numbers, towards 0."""


def assess(
    rules: Year, wanted: Sequence[str], members: ibis.Table, households: ibis.Table
) -> ibis.Table:
    """The wanted steps of every household, a row each, by the column `household`.

    Both tables have a column for each fact that the steps rest on, null where it is not known; what
    a household must declare may be left out. Raises LookupError for steps that the year lacks
    figures for, and for columns that lack.
    """
    if lacking := sorted(set(wanted) & rules.gaps.keys()):
        raise LookupError(f"no figures of {rules.year} for {', '.join(lacking)}")
    reached = rules.book.reached(wanted)
    each = _declared(rules, members, "member", reached)
    own = _declared(rules, households, "household", reached)
    steps = [name for name in reached if name in rules.formulas]
    of_members = [name for name in steps if rules.book.steps[name].of == "member"]
    of_households = [name for name in steps if rules.book.steps[name].of == "household"]
    each = _stepwise(rules, each, of_members, {})
    over = dict.fromkeys(
        node
        for name in of_households
        for node in nodes(rules.formulas[name])
        if isinstance(node, Over)
    )
    places: dict[Expression, str] = {node: f"over_{number}" for number, node in enumerate(over)}
    if over:
        reader = _apart(rules, each, over, {})
        sums = {places[node]: reader.gathered(node) for node in over}
        gathered = reader.table.group_by(KEY).aggregate(**sums)
        own = own.join(gathered, KEY, how="left")
    done = _stepwise(rules, own, of_households, places)
    return done.select(KEY, *wanted)


def _declared(rules: Year, table: ibis.Table, of: Level, reached: Iterable[str]) -> ibis.Table:
    """The table with the facts the steps rest on; those that none declares as the book says."""
    inputs = {name: rules.book.inputs[name] for name in reached if name in rules.book.inputs}
    wanted = [name for name, entry in inputs.items() if entry.of == of]
    if of == "member" and "applicant" not in wanted:
        wanted.append("applicant")
    added = {
        name: ibis.literal(inputs[name].declared)
        for name in wanted
        if name not in table.columns and name in inputs and inputs[name].declared is not None
    }
    lacking = [name for name in (KEY, *wanted) if name not in table.columns and name not in added]
    if lacking:
        raise LookupError(f"the table of {of}s lacks {', '.join(lacking)}")
    return table.select(KEY, *(name for name in wanted if name not in added)).mutate(**added)


def _stepwise(
    rules: Year, table: ibis.Table, steps: Sequence[str], places: Mapping[Expression, str]
) -> ibis.Table:
    """The table with the steps, those that rest on none of the others first."""
    left = list(steps)
    while left:
        ready = [name for name in left if not set(rules.book.reached((name,))[:-1]) & set(left)]
        reader = _apart(rules, table, [rules.formulas[name] for name in ready], places)
        table = _kept(reader.table, {name: reader.read(rules.formulas[name]) for name in ready})
        left = [name for name in left if name not in ready]
    return table


def _apart(
    rules: Year, table: ibis.Table, formulas: Iterable[Expression], places: Mapping[Expression, str]
) -> _Reader:
    """A reader of the table with a column for each part of the formulas that is read repeatedly.

    Written out wherever it is read, a part within a part within a part grows without bounds.
    """
    parts = dict.fromkeys(part for formula in formulas for part in _repeated(formula, places))
    left, known = list(parts), dict(places)
    while left:
        ready = [part for part in left if not set(nodes(part)) & set(left) - {part}]
        reader, numbers = _Reader(table, rules, known), iter(_NUMBERS)
        named = {part: f"part_{next(numbers)}" for part in ready}
        table = _kept(table, {name: reader.read(part) for part, name in named.items()})
        known |= named
        left = [part for part in left if part not in named]
    return _Reader(table, rules, known)


def _repeated(node: Expression, places: Mapping[Expression, str]) -> Iterator[Expression]:
    """The parts of a formula that the reader reads more than once; not within those of `places`."""
    if node in places:
        return
    again: tuple[Expression | None, ...] = ()
    match node:
        case Extreme(parts=parts):
            again = parts
        case Choose(condition=condition):
            again = (condition,)
        case Quotient(part=part):
            again = tuple(term for term, _ in _linear(part, 1)[0])
        case Over(part=part, where=where):
            again = (part, where)
    for one in again:
        if one is not None and one not in places and not isinstance(one, Constant | Name):
            yield one
    for child in children(node):
        yield from _repeated(child, places)


def _kept(table: ibis.Table, columns: Mapping[str, Any]) -> ibis.Table:
    """The table with these columns, each worked out once: Ibis would write them out anew."""
    return table.mutate(**columns).alias(f"worked_{next(_NUMBERS)}")


@dataclass(frozen=True)
class _Reader:
    table: ibis.Table
    rules: Year
    places: Mapping[Expression, str]

    def read(self, node: Expression) -> Any:  # noqa: C901, PLR0911, PLR0912 - a case for each node
        """A formula over the table's columns."""
        if node in self.places:
            return self.table[self.places[node]]
        match node:
            case Constant(value=bool() | str() as value):
                return ibis.literal(value)
            case Constant(value=value):
                return _whole(int(value))
            case Name(name=name):
                return self.table[name]
            case Cell(table=table, key=key):
                return _cell(self.rules.lowering.tables[table][0], self.read(key))
            case Arithmetic(operator="+", left=left, right=right):
                return self.read(left) + self.read(right)
            case Arithmetic(operator="-", left=left, right=right):
                return self.read(left) - self.read(right)
            case Arithmetic(left=left, right=right):
                return self.read(left) * self.read(right)
            case Quotient():
                return self._quotient(node)
            case Extreme(which=which, parts=parts):
                found = [self.read(part) for part in parts]
                pairs = zip(parts, found, strict=True)
                return _extreme(which, found, [one for part, one in pairs if _varies(part)])
            case Compare(operator=operator, left=left, right=right):
                one, other = self.read(left), self.read(right)
                return _COMPARED[operator](one, other)
            case Logic(operator=operator, parts=parts):
                found = self.read(parts[0])
                for part in parts[1:]:
                    more = self.read(part)
                    found = found & more if operator == "and" else found | more
                return found
            case Not(part=part):
                return ~self.read(part)
            case Choose(condition=condition, then=then, otherwise=otherwise):
                holds = self.read(condition)
                return ibis.cases((holds, self.read(then)), (~holds, self.read(otherwise)))
        raise TypeError(f"not lowered: {node}")

    def _quotient(self, node: Quotient) -> Any:
        """A quotient, each amount in it split by the divisor first, so that no product overflows.

        With `x = by * whole + rest`, `(x * factor + more) // by` is `whole * factor` and
        `(rest * factor + more) // by`.
        """
        terms, more = _linear(node.part, 1)
        above: Any = _whole(0)
        left: Any = _whole(more)
        for part, factor in terms:
            whole, rest = _floored(self.read(part), node.by)
            above, left = above + whole * factor, left + rest * factor
        if more >= 0 and all(factor >= 0 for _, factor in terms):
            return above + _divide(left, _whole(node.by))  # what is left over is never below 0
        return above + _floored(left, node.by)[0]

    def gathered(self, node: Over) -> Any:
        """A sum or the like over the members of each household."""
        part = self.read(node.part)
        if isinstance(node.part, Constant):
            part = ibis.ifelse(self.table["applicant"], part, part)  # a column, to count the rows
        where = None if node.where is None else self.read(node.where)
        match node.how:
            case "sum":
                amount = part if where is None else ibis.cases((where, part), (~where, _whole(0)))
                return ibis.cases((amount.isnull().any(), ibis.null("int64")), else_=amount.sum())
            case "count":
                counted = ibis.cases((part, _whole(1)), (~part, _whole(0)))
                return ibis.cases((counted.isnull().any(), ibis.null("int64")), else_=counted.sum())
            case "any":
                found = part if where is None else where & part
                return ibis.cases((found.any(), True), (~found.isnull().any(), False))
            case "all":
                found = part if where is None else ~where | part
                return ibis.cases((~found.all(), False), (~found.isnull().any(), True))
        return part.arbitrary(where=self.table["applicant"])


def _linear(node: Expression, by: int) -> tuple[list[tuple[Expression, int]], int]:
    """A formula, times a constant, as amounts with a factor each, and what is added to them."""
    match node:
        case Constant(value=value):
            return [], int(value) * by
        case Arithmetic(operator="*", left=left, right=Constant(value=value)):
            return _linear(left, by * int(value))
        case Arithmetic(operator="*", left=Constant(value=value), right=right):
            return _linear(right, by * int(value))
        case Arithmetic(operator="+" | "-" as operator, left=left, right=right):
            one, other = _linear(left, by), _linear(right, by if operator == "+" else -by)
            return one[0] + other[0], one[1] + other[1]
    return [(node, by)], 0


def _floored(amount: Any, by: int) -> tuple[Any, Any]:
    """An amount divided by a constant, rounded down also when negative, and what is left over."""
    rest = ((amount % by) + by) % by
    return _divide(amount - rest, _whole(by)), rest


def _whole(value: int) -> Any:
    return ibis.literal(value, "int64")


def _cell(table: Table, key: Any) -> Any:
    if isinstance(table.cells, Mapping):
        return ibis.cases(*((key == code, _whole(cell)) for code, cell in table.cells.items()))
    cells = [(key == size, _whole(cell)) for size, cell in enumerate(table.cells, start=1)]
    if table.step is not None:
        last = len(table.cells)
        cells.append((key > last, table.cells[-1] + (key - last) * table.step))
    return ibis.cases(*cells)


def _varies(part: Expression) -> bool:
    return not isinstance(part, Constant)


def _extreme(which: str, parts: Sequence[Any], may_lack: Sequence[Any]) -> Any:
    """The least or most; null where one is, which an engine's own `least` would pass over."""
    found = ibis.least(*parts) if which == "min" else ibis.greatest(*parts)
    if not may_lack:
        return found
    missing = may_lack[0].isnull()
    for part in may_lack[1:]:
        missing |= part.isnull()
    return ibis.cases((missing, ibis.null("int64")), else_=found)


_COMPARED: Mapping[str, Any] = {
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    "==": lambda one, other: one == other,
    "!=": lambda one, other: one != other,
    ">=": lambda one, other: one >= other,
    ">": lambda one, other: one > other,
}
