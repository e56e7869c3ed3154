"""How the rows of a list are chosen, sorted and counted, by the columns the purpose may use so."""

from __future__ import annotations

import datetime
import operator
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from typing import Any

import strawberry

from schema.scalars import Month, Won
from schema.view import Keyed, Row
from sources.declaration import Item

FILTER, SORT, COUNT = "filter", "sort", "count"
"""The uses of the register beside returning."""
ROWS = 1000
"""Rows that one list may be asked to show at most."""
_ORDERED: Mapping[str, Callable[[Any, Any], bool]] = {
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}


@strawberry.enum(description="In which direction rows are put in order.")
class Direction(Enum):
    """Rows without a value come last in both."""

    ASC = "asc"
    DESC = "desc"


def _comparison(name: str, of: Any, *, ordered: bool) -> Any:
    """The input type by which one column is compared; what is given has to hold, all of it."""
    annotations: dict[str, Any] = {"eq": of | None, "ne": of | None, "in_": list[of] | None}
    annotations |= dict.fromkeys(_ORDERED, of | None) if ordered else {}
    annotations["exists"] = bool | None
    made = types.new_class(name)
    made.__annotations__ = annotations
    for field in annotations:
        default = strawberry.field(default=strawberry.UNSET, name=field.rstrip("_"))
        setattr(made, field, default)
    return strawberry.input(made, name=name, description=f"Compares a {name.removesuffix('Is')}.")


_COMPARISONS: Mapping[str, Any] = {
    "String": _comparison("TextIs", str, ordered=False),
    "ID": _comparison("IdIs", strawberry.ID, ordered=False),
    "Int": _comparison("IntIs", int, ordered=True),
    "Float": _comparison("FloatIs", float, ordered=True),
    "Boolean": _comparison("BooleanIs", bool, ordered=False),
    "Date": _comparison("DateIs", datetime.date, ordered=True),
    "Month": _comparison("MonthIs", Month, ordered=True),
    "Won": _comparison("WonIs", Won, ordered=True),
}


def _attribute(item: Item) -> str:
    """A column may be called as a word of Python's, such as `from`."""
    return f"by_{item.path[1]}"


def where_type(name: str, items: Iterable[Item]) -> Any:
    """The input type by which rows of a list are chosen: every column named has to agree."""
    made = types.new_class(f"{name}Where")
    made.__annotations__ = {_attribute(item): _COMPARISONS[item.type] | None for item in items}
    for item in items:
        default = strawberry.field(default=strawberry.UNSET, name=item.path[1])
        setattr(made, _attribute(item), default)
    return strawberry.input(
        made, name=f"{name}Where", description="Rows to choose: all must agree."
    )


def order_type(name: str, items: Iterable[Item]) -> Any:
    """The input type by which rows of a list are put in order, by one column after the other."""
    made = types.new_class(f"{name}Order")
    made.__annotations__ = {_attribute(item): Direction | None for item in items}
    for item in items:
        default = strawberry.field(default=strawberry.UNSET, name=item.path[1])
        setattr(made, _attribute(item), default)
    return strawberry.input(made, name=f"{name}Order", description="A column, and its direction.")


def chosen(keyed: Keyed, items: Sequence[Item], rows: Sequence[Row], where: Any) -> list[Row]:
    """The rows that agree. Raises NotKnown where a column may not be used, or is not known."""
    if not where:
        return list(rows)
    compared = [(item, getattr(where, _attribute(item))) for item in items]
    compared = [(item, how) for item, how in compared if how]
    by = keyed.using(FILTER)
    by.release(items[0])
    kept = []
    for row in rows:
        values = [(row.by(by).peek(item), how) for item, how in compared]
        if all(_agrees(value, how) for value, how in values):
            kept.append(row)
    return kept


def sorted_by(
    keyed: Keyed, items: Sequence[Item], rows: Sequence[Row], order: Sequence[Any] | None
) -> list[Row]:
    """The rows in order. Raises NotKnown where a column may not be used, or is not known."""
    by, found = keyed.using(SORT), list(rows)
    if order:
        by.release(items[0])
    # The last column first: Python's sort keeps what is equal as it was.
    for one in reversed(order or ()):
        for item in reversed(items):
            direction = getattr(one, _attribute(item))
            if direction:
                values = [(row.by(by).peek(item), row) for row in found]
                known = [entry for entry in values if entry[0] is not None]
                known.sort(key=operator.itemgetter(0), reverse=direction is Direction.DESC)
                found = [row for _, row in known] + [row for value, row in values if value is None]
    return found


def _agrees(value: Any, how: Any) -> bool:
    """Whether a value compares as it has to. No value is equal to nothing, and not ordered."""
    given = {name: wanted for name, wanted in vars(how).items() if wanted is not strawberry.UNSET}
    for name, wanted in given.items():
        if wanted is None:
            continue
        if name == "exists":
            agrees = (value is not None) is wanted
        elif name == "ne":
            agrees = value != wanted
        elif value is None:
            agrees = False
        elif name == "eq":
            agrees = value == wanted
        elif name == "in_":
            agrees = value in wanted
        else:
            agrees = _ORDERED[name](value, wanted)
        if not agrees:
            return False
    return True
