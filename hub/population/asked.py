"""A GraphQL operation's `population` as a question: read from the document, with its tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLObjectType,
    InlineFragmentNode,
    SelectionSetNode,
    get_named_type,
)
from graphql.execution.values import VariableValues, get_argument_values

from hub.acting import Acting
from hub.documents import variable_values
from hub.errors import refused
from hub.population.question import Breakdown, Measure, Question, filter_of

MOST_TABLES = 4
MOST_DIMENSIONS, MOST_MEASURES = 2, 6
STEPS = range(2, 41)
LEAST_REASON = 20
"""Characters of the reason for taking a file."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A file that is asked for: in which format, and why."""

    format: str
    reason: str


@dataclass(frozen=True)
class Asked:
    """The question, and the files asked for by table and by their own key in the answer."""

    question: Question
    files: Mapping[str, Mapping[str, Taken]]


def asked_of(acting: Acting) -> Asked:
    """What the operation asks of a population. Raises RequestRefused."""
    hub, plan = acting.hub, acting.plan
    variables = variable_values(hub.schema.graphql, plan.operation, acting.variables)
    walk = _Walk(acting, variables)
    node = next(node for node in plan.acts if node.name.value == "population")
    kind = hub.schema.graphql.type_map["Population"]
    tables: dict[str, Breakdown] = {}
    files: dict[str, dict[str, Taken]] = {}
    for field in walk.fields(node.selection_set):
        name, key = field.name.value, _key(field)
        if name not in ("by", "distribution"):
            continue
        tables[key] = _breakdown(name, walk.arguments(kind, field))
        table = get_named_type(_object(kind).fields[name].type)
        for inner in walk.fields(field.selection_set):
            if inner.name.value == "file":
                files.setdefault(key, {})[_key(inner)] = _taken(walk.arguments(table, inner))
    if len(tables) > MOST_TABLES:
        raise refused("TOO_COSTLY", f"{len(tables)} tables, {MOST_TABLES} are the most")
    where = filter_of(hub.schema.catalogue, acting.arguments.get("where"))
    return Asked(Question(where, acting.arguments.get("asOf"), tables), files)


def _key(field: FieldNode) -> str:
    return field.alias.value if field.alias is not None else field.name.value


def _object(kind: Any) -> GraphQLObjectType:
    if not isinstance(kind, GraphQLObjectType):
        raise TypeError("what has tables is an object type")
    return kind


class _Walk:
    def __init__(self, acting: Acting, variables: VariableValues) -> None:
        self._fragments = acting.plan.document.fragments
        self._variables = variables

    def fields(self, selections: SelectionSetNode | None) -> Iterator[FieldNode]:
        """The fields selected, fragments opened; what is skipped counts as selected."""
        for node in () if selections is None else selections.selections:
            if isinstance(node, FieldNode):
                yield node
            elif isinstance(node, InlineFragmentNode):
                yield from self.fields(node.selection_set)
            elif isinstance(node, FragmentSpreadNode):
                yield from self.fields(self._fragments[node.name.value].selection_set)

    def arguments(self, kind: Any, field: FieldNode) -> Mapping[str, Any]:
        definition = _object(kind).fields[field.name.value]
        try:
            return get_argument_values(definition, field, self._variables)
        except GraphQLError as wrong:
            message = f"an argument of `{field.name.value}` is missing or of the wrong type"
            raise refused("BAD_VARIABLES", message) from wrong


def _plain(value: Any) -> str:
    return str(value.value if isinstance(value, Enum) else value)


def _breakdown(name: str, given: Mapping[str, Any]) -> Breakdown:
    if name == "distribution":
        if given["steps"] not in STEPS:
            message = f"`steps` is a number from {STEPS[0]} to {STEPS[-1]}"
            raise refused("BAD_VARIABLES", message)
        return Breakdown((_plain(given["item"]),), steps=given["steps"])
    dimensions: Sequence[str] = [_plain(each) for each in given["dimensions"]]
    if not 1 <= len(set(dimensions)) == len(dimensions) <= MOST_DIMENSIONS:
        message = f"`dimensions` are one to {MOST_DIMENSIONS} different items"
        raise refused("BAD_VARIABLES", message)
    measures = [
        Measure(_plain(each["item"]), _plain(each["of"]))  # type: ignore[arg-type]
        for each in given.get("measures") or ()
    ]
    if not len(set(measures)) == len(measures) <= MOST_MEASURES:
        message = f"`measures` are different ones, {MOST_MEASURES} at most"
        raise refused("BAD_VARIABLES", message)
    return Breakdown(tuple(dimensions), tuple(measures))


def _taken(given: Mapping[str, Any]) -> Taken:
    reason = given["reason"].strip()
    if len(reason) < LEAST_REASON:
        message = f"say why you take a file, in {LEAST_REASON} characters or more"
        raise refused("REASON_REQUIRED", message)
    return Taken(_plain(given["format"]), reason[:1000])
