"""Formulas over facts that are all known, as Python over whole numbers of any size."""

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


class NoFigure(Exception):
    """A table has no figure for a size in this year: nothing can be said but bounds."""


class _Points:
    known: Mapping[str, Any] = {}
    extra: tuple[str, ...] = ()

    def table(self, table: Table) -> Callable[[Any], int]:
        def at(key: Any) -> int:
            found = table.at(key)
            if found is None:
                raise NoFigure
            return found

        return at

    def formula(self, node: Expression, emit: Emit) -> str:
        match node:
            case Constant(value=value):
                return repr(value)
            case Cell(table=table, key=key):
                return f"t_{table}({emit(key)})"
            case Arithmetic(operator=operator, left=left, right=right):
                return f"({emit(left)} {operator} {emit(right)})"
            case Quotient(part=part, by=by):
                return f"({emit(part)} // {by})"
            case Extreme(which=which, parts=parts):
                return f"{which}({', '.join(map(emit, parts))})"
            case Compare(operator=operator, left=left, right=right):
                return f"({emit(left)} {operator} {emit(right)})"
            case Logic(operator=operator, parts=parts):
                return "(" + f" {operator} ".join(map(emit, parts)) + ")"
            case Not(part=part):
                return f"(not {emit(part)})"
            case Choose(condition=condition, then=then, otherwise=otherwise):
                return f"({emit(then)} if {emit(condition)} else {emit(otherwise)})"
        raise TypeError(f"not lowered: {node}")

    def start(self, over: Over) -> str:
        return {"sum": "0", "count": "0", "any": "False", "all": "True", "applicant": "None"}[
            over.how
        ]

    def gather(self, name: str, over: Over, emit: Emit) -> str:
        part = emit(over.part)
        where = "True" if over.where is None else emit(over.where)
        return {
            "sum": f"{name} += {part} if {where} else 0",
            "count": f"{name} += 1 if {part} else 0",
            "any": f"{name} = {name} or ({where} and {part})",
            "all": f"{name} = {name} and ({part} or not {where})",
            "applicant": f"{name} = {part} if m_applicant else {name}",
        }[over.how]


SPELLING = _Points()
