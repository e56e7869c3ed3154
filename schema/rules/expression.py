"""Formulas as typed trees: money and numbers whole, rates exact, every rounding written out.

The notation is a small part of Python's expressions. Nothing of it is ever executed as Python: the
text is parsed and each of its parts must be one of the nodes below.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from sources.fault import nearest

Unit = Literal["won", "number", "rate", "yes-no", "code", "any"]
Level = Literal["member", "household"]
Rounding = Literal["half up", "down", "up"]


@dataclass(frozen=True, slots=True)
class Type:
    """What a formula gives. `exact`: perhaps a fraction, which a step must round.

    `any` is the unit of a bare number, which takes that of what it meets.
    """

    unit: Unit
    exact: bool = False
    options: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.unit}{' before rounding' if self.exact and self.unit != 'rate' else ''}"


@dataclass(frozen=True, slots=True)
class Constant:
    """A number, a truth or a code that stands in the formula, or a parameter put in its place."""

    type: Type
    value: int | bool | str | Fraction


@dataclass(frozen=True, slots=True)
class Name:
    """An input, a step or a parameter."""

    type: Type
    name: str
    of: Level | None


@dataclass(frozen=True, slots=True)
class Cell:
    """A parameter's figure for a size or a code."""

    type: Type
    table: str
    key: Expression


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """`+`, `-`, `*`, or `/` by a figure that is the same for everyone."""

    type: Type
    operator: Literal["+", "-", "*", "/"]
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Extreme:
    """The least or the most of several."""

    type: Type
    which: Literal["min", "max"]
    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Round:
    """A whole number from a fraction; half a won goes up, that of a negative amount too."""

    type: Type
    how: Rounding
    part: Expression


@dataclass(frozen=True, slots=True)
class Compare:
    """A comparison of two amounts, or of a code with one of its options."""

    type: Type
    operator: Literal["<", "<=", "==", "!=", ">=", ">"]
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Logic:
    """`and` or `or`; with what is not known, as Kleene has it."""

    type: Type
    operator: Literal["and", "or"]
    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The contrary."""

    type: Type
    part: Expression


@dataclass(frozen=True, slots=True)
class Choose:
    """One or the other."""

    type: Type
    condition: Expression
    then: Expression
    otherwise: Expression


@dataclass(frozen=True, slots=True)
class Over:
    """Over the members of the household, or those of them for whom `where` holds."""

    type: Type
    how: Literal["sum", "count", "any", "all", "applicant"]
    part: Expression
    where: Expression | None


@dataclass(frozen=True, slots=True)
class Quotient:
    """A whole amount divided by a whole constant above 0, rounded down; also when negative.

    No formula has it: rounding is lowered to it (schema/rules/lowering.py).
    """

    type: Type
    part: Expression
    by: int


Expression = (
    Constant
    | Name
    | Cell
    | Arithmetic
    | Extreme
    | Round
    | Compare
    | Logic
    | Not
    | Choose
    | Over
    | Quotient
)

YES_NO = Type("yes-no")
NUMBER = Type("number")
ROUNDINGS: Mapping[str, Rounding] = {"round": "half up", "floor": "down", "ceil": "up"}
OVER = ("sum", "count", "any", "all", "applicant")
FUNCTIONS = (*OVER, *ROUNDINGS, "min", "max")


@dataclass(frozen=True, slots=True)
class Symbol:
    """What a name stands for. `by` is set of a parameter that is a table: what its key is."""

    type: Type
    of: Level | None = None
    by: Type | None = None


class FaultyFormula(Exception):
    """A formula that cannot be used: what is wrong, and the remedy."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


def parse(text: str, scope: Mapping[str, Symbol], of: Level) -> Expression:
    """The tree of a formula for one member or for the household. Raises FaultyFormula."""
    try:
        tree = ast.parse(f"({text}\n)", mode="eval")
    except (SyntaxError, ValueError, RecursionError) as error:
        raise FaultyFormula("is no formula", "see docs/programmes.md for the notation") from error
    return _Parser(text, scope, of).read(tree.body)


def children(node: Expression) -> tuple[Expression, ...]:
    """The parts of a node."""
    match node:
        case Constant() | Name():
            return ()
        case Cell(key=key):
            return (key,)
        case Arithmetic(left=left, right=right) | Compare(left=left, right=right):
            return (left, right)
        case Extreme(parts=parts) | Logic(parts=parts):
            return parts
        case Round(part=part) | Not(part=part) | Quotient(part=part):
            return (part,)
        case Choose(condition=condition, then=then, otherwise=otherwise):
            return (condition, then, otherwise)
        case Over(part=part, where=where):
            return (part,) if where is None else (part, where)


def nodes(node: Expression) -> Iterator[Expression]:
    """The node and all below it."""
    yield node
    for child in children(node):
        yield from nodes(child)


def names(node: Expression) -> Iterator[str]:
    """Every name in a formula, tables included, as often as it stands there."""
    for found in nodes(node):
        if isinstance(found, Name):
            yield found.name
        elif isinstance(found, Cell):
            yield found.table


def constant(node: Expression) -> bool:
    """Whether a formula is the same for everyone: of parameters and numbers only."""
    return not any(
        isinstance(found, Cell | Over) or (isinstance(found, Name) and found.of is not None)
        for found in nodes(node)
    )


_COMPARISONS: Mapping[type[ast.cmpop], Literal["<", "<=", "==", "!=", ">=", ">"]] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.GtE: ">=",
    ast.Gt: ">",
}
_OPERATORS: Mapping[type[ast.operator], Literal["+", "-", "*", "/"]] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
}


class _Parser:
    def __init__(self, text: str, scope: Mapping[str, Symbol], of: Level) -> None:
        self._text = text
        self._scope = scope
        self._of: Level = of

    def read(self, node: ast.expr) -> Expression:
        """The tree of a part. Raises FaultyFormula."""
        match node:
            case ast.Constant():
                return self._constant(node)
            case ast.Name():
                return self._name(node)
            case ast.Subscript():
                return self._subscript(node)
            case ast.BinOp():
                return self._arithmetic(node)
            case ast.UnaryOp():
                return self._signed(node)
            case ast.BoolOp():
                return self._logic(node)
            case ast.Compare():
                return self._compare(node)
            case ast.IfExp():
                return self._choose(node)
            case ast.Call():
                return self._call(node)
        raise self._fault(node, "is not of the notation", "see docs/programmes.md")

    def _fault(self, node: ast.expr, message: str, remedy: str) -> FaultyFormula:
        return FaultyFormula(f"`{ast.unparse(node)}` {message}", remedy)

    def _constant(self, node: ast.Constant) -> Expression:
        if isinstance(node.value, bool):
            return Constant(YES_NO, node.value)
        if isinstance(node.value, int):
            return Constant(Type("any"), node.value)
        if isinstance(node.value, str):
            return Constant(Type("code", options=(node.value,)), node.value)
        raise self._fault(node, "is no whole number", "write a rate as a parameter, as `1.04 %`")

    def _name(self, node: ast.Name) -> Expression:
        symbol = self._symbol(node)
        if symbol.by is not None:
            raise self._fault(node, "is a table", f"say of whom: `{node.id}[…]`")
        if self._of == "member" and symbol.of == "household":
            message = "is of the household, and the formula of one member"
            raise self._fault(node, message, "use it in a step of the household")
        if self._of == "household" and symbol.of == "member":
            message = "is of a member, and the formula of the household"
            raise self._fault(node, message, f"say of whom: `sum({node.id})`, `any({node.id})`")
        return Name(symbol.type, node.id, symbol.of)

    def _symbol(self, node: ast.Name) -> Symbol:
        if node.id not in self._scope:
            raise FaultyFormula(f"unknown name `{node.id}`", nearest(node.id, self._scope))
        return self._scope[node.id]

    def _subscript(self, node: ast.Subscript) -> Expression:
        if not isinstance(node.value, ast.Name):
            raise self._fault(node, "is not of the notation", "write `table[key]`")
        symbol = self._symbol(node.value)
        if symbol.by is None:
            raise self._fault(node.value, "is no table", "leave the brackets out")
        key = self.read(node.slice)
        fits = key.type.unit == symbol.by.unit or (
            key.type.unit == "any" and symbol.by.unit == "number"
        )
        if not fits or key.type.exact or set(key.type.options) - set(symbol.by.options):
            raise self._fault(node.slice, f"is no key of `{node.value.id}`", "use what it goes by")
        return Cell(symbol.type, node.value.id, key)

    def _arithmetic(self, node: ast.BinOp) -> Expression:
        operator = _OPERATORS.get(type(node.op))
        if operator is None:
            raise self._fault(node, "is not of the notation", "use `+`, `-`, `*` or `/`")
        left, right = self.read(node.left), self.read(node.right)
        for side, part in ((node.left, left), (node.right, right)):
            self._want_amount(side, part)
        if operator in "+-":
            return Arithmetic(self._same(node, (left, right)), operator, left, right)
        if operator == "/":
            if not constant(right) or right.type.unit == "won":
                message = "is not the same for everyone"
                raise self._fault(node.right, message, "divide by a number or a parameter")
            return Arithmetic(Type(left.type.unit, exact=True), operator, left, right)
        units = {left.type.unit, right.type.unit}
        if left.type.unit == right.type.unit == "won":
            raise self._fault(node, "multiplies won by won", "multiply by a rate or a number")
        if left.type.exact and right.type.exact and not (constant(left) or constant(right)):
            raise self._fault(node, "multiplies two fractions", "round one of them first")
        unit: Unit = next(u for u in ("won", "rate", "number", "any") if u in units)
        return Arithmetic(
            Type(unit, exact=left.type.exact or right.type.exact), operator, left, right
        )

    def _signed(self, node: ast.UnaryOp) -> Expression:
        part = self.read(node.operand)
        if isinstance(node.op, ast.Not):
            self._want_truth(node.operand, part)
            return Not(YES_NO, part)
        if isinstance(node.op, ast.USub):
            self._want_amount(node.operand, part)
            return Arithmetic(part.type, "-", Constant(Type("any"), 0), part)
        raise self._fault(node, "is not of the notation", "leave the sign out")

    def _logic(self, node: ast.BoolOp) -> Expression:
        parts = tuple(self.read(value) for value in node.values)
        for value, part in zip(node.values, parts, strict=True):
            self._want_truth(value, part)
        return Logic(YES_NO, "and" if isinstance(node.op, ast.And) else "or", parts)

    def _compare(self, node: ast.Compare) -> Expression:
        found = []
        left = node.left
        for operator, right in zip(node.ops, node.comparators, strict=True):
            found.append(self._compared(left, operator, right))
            left = right
        return found[0] if len(found) == 1 else Logic(YES_NO, "and", tuple(found))

    def _compared(self, left: ast.expr, operator: ast.cmpop, right: ast.expr) -> Expression:
        if isinstance(operator, ast.In | ast.NotIn):
            if not isinstance(right, ast.Tuple) or not right.elts:
                raise self._fault(right, "is no list", 'write `in ("one", "other")`')
            equal = tuple(self._compared(left, ast.Eq(), option) for option in right.elts)
            some = equal[0] if len(equal) == 1 else Logic(YES_NO, "or", equal)
            return some if isinstance(operator, ast.In) else Not(YES_NO, some)
        sign = _COMPARISONS.get(type(operator))
        if sign is None:
            raise self._fault(left, "is compared by what is not of the notation", "use `==`")
        one, other = self.read(left), self.read(right)
        if one.type.unit == "code":
            if sign not in ("==", "!=") or not isinstance(other, Constant):
                raise self._fault(left, "is a code", "compare it with `==` and one of its options")
            if other.value not in one.type.options:
                message = f"is none of the options of `{ast.unparse(left)}`"
                raise self._fault(right, message, nearest(str(other.value), one.type.options))
            return Compare(YES_NO, sign, one, other)
        self._want_amount(left, one)
        self._want_amount(right, other)
        self._same(left, (one, other))
        return Compare(YES_NO, sign, one, other)

    def _choose(self, node: ast.IfExp) -> Expression:
        condition = self.read(node.test)
        self._want_truth(node.test, condition)
        then, otherwise = self.read(node.body), self.read(node.orelse)
        kind = self._same(node, (then, otherwise))
        return Choose(kind, condition, then, otherwise)

    def _call(self, node: ast.Call) -> Expression:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name not in FUNCTIONS or node.keywords or not node.args:
            remedy = nearest(name, FUNCTIONS)
            raise self._fault(node, "calls what is not of the notation", remedy)
        if name in OVER:
            return self._over(node, name)
        parts = tuple(self.read(argument) for argument in node.args)
        for argument, part in zip(node.args, parts, strict=True):
            self._want_amount(argument, part)
        if name in ROUNDINGS:
            if len(parts) != 1:
                raise self._fault(node, "rounds several", "round one")
            return Round(Type(parts[0].type.unit), ROUNDINGS[name], parts[0])
        if len(parts) < 2:
            raise self._fault(node, "compares one with nothing", "give it two or more")
        return Extreme(self._same(node, parts), "min" if name == "min" else "max", parts)

    def _over(self, node: ast.Call, how: str) -> Expression:
        if self._of == "member":
            raise self._fault(node, "goes over the members", "use it in a step of the household")
        if len(node.args) > 2 or (how in ("count", "applicant") and len(node.args) > 1):
            raise self._fault(node, "takes no more", "give what is taken, and of whom")
        inner = _Parser(self._text, self._scope, "member")
        part = inner.read(node.args[0])
        where = inner.read(node.args[1]) if len(node.args) == 2 else None
        if where is not None:
            self._want_truth(node.args[1], where)
        if how == "sum":
            self._want_amount(node.args[0], part)
            return Over(part.type, "sum", part, where)
        if how == "applicant":
            return Over(part.type, "applicant", part, None)
        self._want_truth(node.args[0], part)
        if how == "count":
            return Over(NUMBER, "count", part, None)
        return Over(YES_NO, "any" if how == "any" else "all", part, where)

    def _want_amount(self, node: ast.expr, part: Expression) -> None:
        if part.type.unit in ("yes-no", "code"):
            raise self._fault(node, f"is a {part.type.unit}, and an amount is needed", "correct it")

    def _want_truth(self, node: ast.expr, part: Expression) -> None:
        if part.type.unit != "yes-no":
            message = f"is a {part.type.unit}, and a yes or no is needed"
            raise self._fault(node, message, "compare it with something")

    def _same(self, node: ast.expr, parts: tuple[Expression, ...]) -> Type:
        """The type of parts that must be of one unit."""
        units = {part.type.unit for part in parts} - {"any"}
        if len(units) > 1:
            message = f"puts together {' and '.join(sorted(units))}"
            raise self._fault(node, message, "make them the same unit")
        options = tuple(dict.fromkeys(option for part in parts for option in part.type.options))
        unit = units.pop() if units else "any"
        return Type(unit, any(part.type.exact for part in parts), options)
