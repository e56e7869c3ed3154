"""What compiled projections call while they run: coercion, errors at their paths, slow reading."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from graphql import (
    FieldNode,
    GraphQLEnumType,
    GraphQLError,
    GraphQLLeafType,
    GraphQLNamedType,
    Undefined,
    located_error,
)
from graphql.pyutils import is_iterable

from schema.whole import NotWhole
from sources.adapter import BROKEN

Path = tuple[Any, str | int] | None
"""A place in the response: the place it is in, and its key or index there."""


@dataclass(frozen=True, slots=True)
class Info:
    """What of Strawberry's `Info` the resolvers read."""

    context: Any


@dataclass(slots=True)
class Run:
    """One run of a projection: what it reads from, its arguments by field, and its errors.

    `made` is by function what it made of an object or a list, which is kept with it: no other takes
    its identity.
    """

    info: Info
    arguments: Sequence[Mapping[str, Any]]
    errors: list[GraphQLError] = field(default_factory=list)
    made: dict[Any, dict[int, tuple[Any, Any]]] = field(default_factory=dict)

    def null(self, error: Exception, nodes: Sequence[FieldNode], path: Path) -> None:
        """Note the error of a field that may be null; it is null then."""
        self.errors.append(at_path(error, nodes, path))


@dataclass(frozen=True, slots=True)
class Leaf:
    """A leaf that can be read by itself; without `read`, the place of what is read after."""

    key: str
    nodes: Sequence[FieldNode]
    read: Callable[[Any], Any] | None
    coerce: Callable[[Any], Any]
    required: bool


def one_by_one(out: dict[str, Any], it: Any, path: Path, run: Run, leaves: Sequence[Leaf]) -> None:
    """Read leaves each by itself, so that each has its value or its error."""
    for leaf in leaves:
        out[leaf.key] = None
        if leaf.read is None:
            continue
        try:
            out[leaf.key] = leaf.coerce(leaf.read(it))
        except Exception as error:
            if leaf.required:
                raise at_path(error, leaf.nodes, (path, leaf.key)) from error
            run.null(error, leaf.nodes, (path, leaf.key))


def rows_one_by_one(
    values: Any, path: Path, run: Run, leaves: Sequence[Leaf]
) -> list[dict[str, Any]] | None:
    """Read the leaves of every row each by itself."""
    if values is None:
        return None
    rows: list[dict[str, Any]] = []
    for index, value in enumerate(values):
        rows.append({})
        one_by_one(rows[-1], value, (path, index), run, leaves)
    return rows


def leaf_by_leaf(
    values: Any,
    path: Path,
    run: Run,
    coerce: Callable[[Any], Any],
    nodes: Sequence[FieldNode],
    required: bool,
) -> list[Any]:
    """Put a list of leaves into the response, each by itself."""
    found = []
    for index, value in enumerate(listed(values)):
        try:
            found.append(coerce(value))
        except Exception as error:
            if required:
                raise at_path(error, nodes, (path, index)) from error
            run.null(error, nodes, (path, index))
            found.append(None)
    return found


def once(
    values: Any,
    path: Path,
    run: Run,
    make: Callable[[Any, Path, Run], Any],
    nodes: Sequence[FieldNode],
    needed: bool,
) -> list[Any]:
    """Put a list of objects that show no item into the response, each object and list made once."""
    known = run.made.get(make)
    if known is None:
        known = run.made[make] = {}
    before = known.get(id(values))
    if before is not None:
        found: list[Any] = before[1]
        return found
    out: list[Any] = []
    for index, value in enumerate(listed(values)):
        before = known.get(id(value))
        if before is not None:
            out.append(before[1])
            continue
        try:
            whether = needed or value is not None
            made = make(required(value), (path, index), run) if whether else None
        except Exception as error:
            if needed:
                raise at_path(error, nodes, (path, index)) from error
            run.null(error, nodes, (path, index))
            made = None
        out.append(made)
        if not run.errors:
            known[id(value)] = (value, made)
    if not run.errors:
        known[id(values)] = (values, out)
    return out


def at_path(error: Exception, nodes: Sequence[FieldNode], path: Path) -> GraphQLError:
    """The error with its place in the document and in the response."""
    keys: list[str | int] = []
    while path is not None:
        path, key = path
        keys.append(key)
    return located_error(error, list(nodes), keys[::-1])


def sound(value: Any) -> Any:
    """The value; raises it where it is an error. GraphQL takes an error for a raised one."""
    if isinstance(value, Exception):
        raise value
    return value


def required(value: Any) -> Any:
    """The value of a field that may not be null. Raises TypeError."""
    if value is None:
        raise TypeError("a field that may not be null is")
    return sound(value)


def listed(value: Any) -> Any:
    """The values of a list. Raises TypeError."""
    if type(value) is not list and not is_iterable(value):
        raise TypeError("the value of a list is none")
    return value


def named_as_put(kind: GraphQLNamedType) -> type[Enum] | None:
    """The class of an enum of which every member is put by its own name, or None."""
    members: type[Enum] | None = getattr(kind, "wrapped_cls", None)
    if not isinstance(kind, GraphQLEnumType) or members is None:
        return None
    named = all(kind.coerce_output_value(one) == one.name for one in members)
    return members if named else None


def coercion(kind: GraphQLLeafType, *, may_be_null: bool) -> Callable[[Any], Any]:
    """How a value of a scalar or an enum is put into the response."""
    known: dict[Any, Any] = {}

    def coerce(value: Any) -> Any:
        if value is None:
            if may_be_null:
                return None
            raise TypeError("a field that may not be null is")
        if value is BROKEN:
            raise NotWhole
        if isinstance(value, Exception):
            raise value
        if isinstance(value, Enum) and value in known:
            return known[value]
        coerced = kind.coerce_output_value(value)
        if coerced is None or coerced is Undefined:
            raise TypeError("a value that is there is put as none")
        if isinstance(value, Enum):
            known[value] = coerced
        return coerced

    return coerce
