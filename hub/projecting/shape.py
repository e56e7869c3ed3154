"""What an operation selects of each type, fragments opened and fields of one key merged. Pure.

It is worked out once for an operation and the values of the variables that its `@skip` and
`@include` name, by the rules of the specification (October 2021, 6.3.2 and 6.4.3).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from graphql import (
    BooleanValueNode,
    DirectiveNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLAbstractType,
    GraphQLField,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    is_abstract_type,
    is_composite_type,
)

from hub.documents import Document

MOST_FIELDS = 1_000
"""Fields, each of each type, that are compiled; what has more is executed."""
MOST_CONDITIONS = 6
"""Variables in `@skip` and `@include`: each doubles the projections that there may be."""


class NotCompiled(Exception):
    """Why an operation is executed by graphql-core and not compiled."""


@dataclass(frozen=True, slots=True)
class Selected:
    """One key of the response: its field, every node that asks for it, what it selects by type.

    Without a `field` it is `__typename`.
    """

    key: str
    nodes: tuple[FieldNode, ...]
    parent: GraphQLObjectType
    field: GraphQLField | None
    below: Mapping[str, Sequence[Selected]]


def conditions(document: Document, operation: OperationDefinitionNode) -> tuple[str, ...]:
    """The variables on which it rests what is selected. Raises NotCompiled."""
    found = sorted(set(_conditions(operation.selection_set, document.fragments)))
    if len(found) > MOST_CONDITIONS:
        message = f"`@skip` and `@include` name {len(found)} variables, {MOST_CONDITIONS} at most"
        raise NotCompiled(message)
    return tuple(found)


def _conditions(
    selections: SelectionSetNode, fragments: Mapping[str, FragmentDefinitionNode]
) -> Iterator[str]:
    for node in selections.selections:
        for directive in node.directives or ():
            value = _condition(directive)
            if isinstance(value, VariableNode):
                yield value.name.value
        inner: SelectionSetNode | None
        if isinstance(node, FragmentSpreadNode):
            inner = fragments[node.name.value].selection_set
        else:
            assert isinstance(node, FieldNode | InlineFragmentNode)  # noqa: S101 - there is no other
            inner = node.selection_set
        if inner is not None:
            yield from _conditions(inner, fragments)


def _condition(directive: DirectiveNode) -> BooleanValueNode | VariableNode:
    if directive.name.value in ("skip", "include") and directive.arguments:
        value = directive.arguments[0].value
        if isinstance(value, BooleanValueNode | VariableNode):
            return value
    raise NotCompiled("it has a directive other than `@skip` and `@include`")


def shape(
    schema: GraphQLSchema,
    document: Document,
    operation: OperationDefinitionNode,
    flags: Mapping[str, bool],
) -> tuple[Selected, ...]:
    """What the operation selects of `Query`. Raises NotCompiled."""
    if operation.operation is not OperationType.QUERY or schema.query_type is None:
        raise NotCompiled("it is a mutation")
    return _Shaping(schema, document, flags).of(schema.query_type, (operation.selection_set,))


class _Shaping:
    def __init__(
        self, schema: GraphQLSchema, document: Document, flags: Mapping[str, bool]
    ) -> None:
        self._schema = schema
        self._document = document
        self._flags = flags
        self._count = 0

    def of(
        self, kind: GraphQLObjectType, selections: Iterable[SelectionSetNode]
    ) -> tuple[Selected, ...]:
        """What these select of one type, in the order of the response."""
        grouped: dict[str, list[FieldNode]] = {}
        opened: set[str] = set()
        for each in selections:
            for node in self._fields(kind, each, opened):
                key = (node.alias or node.name).value
                grouped.setdefault(key, []).append(node)
        self._count += len(grouped)
        if self._count > MOST_FIELDS:
            raise NotCompiled(f"it selects more than {MOST_FIELDS} fields, those of each type")
        return tuple(self._selected(kind, key, tuple(nodes)) for key, nodes in grouped.items())

    def _fields(
        self, kind: GraphQLObjectType, selections: SelectionSetNode, opened: set[str]
    ) -> Iterator[FieldNode]:
        for node in selections.selections:
            if not self._included(node):
                continue
            if isinstance(node, FieldNode):
                yield node
            elif isinstance(node, InlineFragmentNode):
                if self._fits(kind, node):
                    yield from self._fields(kind, node.selection_set, opened)
            elif isinstance(node, FragmentSpreadNode):
                fragment = self._document.fragments[node.name.value]
                if node.name.value not in opened and self._fits(kind, fragment):
                    opened.add(node.name.value)
                    yield from self._fields(kind, fragment.selection_set, opened)

    def _included(self, node: SelectionNode) -> bool:
        for directive in node.directives or ():
            value = _condition(directive)
            holds = (
                value.value
                if isinstance(value, BooleanValueNode)
                else self._flags[value.name.value]
            )
            if holds is (directive.name.value == "skip"):
                return False
        return True

    def _fits(
        self, kind: GraphQLObjectType, node: InlineFragmentNode | FragmentDefinitionNode
    ) -> bool:
        if node.type_condition is None:
            return True
        condition = self._schema.type_map[node.type_condition.name.value]
        return condition is kind or (
            is_abstract_type(condition) and self._schema.is_sub_type(condition, kind)
        )

    def _selected(
        self, kind: GraphQLObjectType, key: str, nodes: tuple[FieldNode, ...]
    ) -> Selected:
        name = nodes[0].name.value
        if name == "__typename":
            return Selected(key, nodes, kind, None, {})
        if name.startswith("__"):
            raise NotCompiled("it asks what the schema is")
        field = kind.fields[name]
        below = {}
        inner = [node.selection_set for node in nodes if node.selection_set is not None]
        if inner:
            for possible in self._possible(field):
                below[possible.name] = self.of(possible, inner)
        return Selected(key, nodes, kind, field, below)

    def _possible(self, field: GraphQLField) -> Iterable[GraphQLObjectType]:
        kind = get_named_type(field.type)
        if is_abstract_type(kind):
            assert isinstance(kind, GraphQLAbstractType)  # noqa: S101 - just tested
            return self._schema.get_possible_types(kind)
        assert is_composite_type(kind)  # noqa: S101 - a valid document selects below no other
        assert isinstance(kind, GraphQLObjectType)  # noqa: S101 - the same
        return (kind,)
