"""An operation reduced to data items, before anything is decided or asked. Pure.

The walk goes by the schema's types and not by response keys: aliases, fragments, interfaces and
unions change nothing, and a field under `@skip` or `@include` counts as selected.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLAbstractType,
    GraphQLError,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    get_named_type,
    is_abstract_type,
    is_composite_type,
)
from graphql.execution.values import VariableValues, get_argument_values

from authz.decide import Asked
from hub.documents import Document
from hub.errors import refused
from schema.build import HubSchema
from schema.needs import Group
from sources.declaration import Item, exists_name


@dataclass(frozen=True)
class Root:
    """One field of the operation that reaches people: which, and what it asks of whom."""

    node: FieldNode
    recipient: frozenset[str]
    member: frozenset[str]
    case: frozenset[str]
    members: bool


@dataclass(frozen=True)
class Plan:
    """What an operation asks for; without roots it touches no data item."""

    operation: OperationDefinitionNode
    document: Document
    roots: tuple[Root, ...]
    fields: int

    @property
    def asked(self) -> Asked:
        """The items by whom they are asked of, in a stable order."""
        return Asked(
            recipient=_union(root.recipient for root in self.roots),
            member=_union(root.member for root in self.roots),
            case=_union(root.case for root in self.roots),
        )


@dataclass(frozen=True, slots=True)
class Subjects:
    """Whom an operation names: recipients and cases by root, in order."""

    by_root: tuple[tuple[Root, tuple[str, ...]], ...]

    @property
    def recipients(self) -> tuple[str, ...]:
        """Every recipient named, once."""
        named = (keys for root, keys in self.by_root if not root.case)
        return tuple(dict.fromkeys(key for keys in named for key in keys))

    @property
    def cases(self) -> tuple[str, ...]:
        """Every case named in the document, once."""
        named = (keys for root, keys in self.by_root if root.case)
        return tuple(dict.fromkeys(key for keys in named for key in keys))


def make_plan(schema: HubSchema, document: Document, operation: OperationDefinitionNode) -> Plan:
    """Reduce an operation to items."""
    root_type = schema.graphql.get_root_type(operation.operation)
    walk = _Walk(schema, document)
    roots: list[Root] = []
    if root_type is not None and operation.operation is OperationType.QUERY:
        for node in walk.fields_of(operation.selection_set):
            need = schema.needs.get((root_type.name, node.name.value))
            if need is None or not need.items:
                continue
            roots.append(walk.root(root_type, node, need.items))
    return Plan(operation, document, tuple(roots), walk.count)


def subjects(plan: Plan, schema: HubSchema, variables: VariableValues) -> Subjects:
    """Whom the operation names, with these variables. Raises RequestRefused."""
    query = schema.graphql.query_type
    found: list[tuple[Root, tuple[str, ...]]] = []
    for root in plan.roots:
        if query is None:
            continue
        definition = query.fields[root.node.name.value]
        try:
            values = get_argument_values(definition, root.node, variables)
        except GraphQLError as error:
            message = f"an argument of `{root.node.name.value}` is missing or of the wrong type"
            raise refused("BAD_VARIABLES", message) from error
        keys: list[str] = []
        for value in values.values():
            keys += value if isinstance(value, list) else [value]
        found.append((root, tuple(keys)))
    return Subjects(tuple(found))


def _union(sets: Iterable[frozenset[str]]) -> tuple[str, ...]:
    return tuple(sorted(frozenset().union(*sets)))


@dataclass
class _Sink:
    recipient: set[str] = field(default_factory=set)
    member: set[str] = field(default_factory=set)
    case: set[str] = field(default_factory=set)
    members: bool = False

    def add(self, group: Group, items: Iterable[Item]) -> None:
        """Ask for items, and so for whether their source has a record at all."""
        for item in items:
            getattr(self, group).update((item.name, exists_name(item)))


class _Walk:
    def __init__(self, schema: HubSchema, document: Document) -> None:
        self._schema: GraphQLSchema = schema.graphql
        self._needs = schema.needs
        self._fragments = document.fragments
        self.count = 0

    def fields_of(self, selections: SelectionSetNode) -> Iterable[FieldNode]:
        """The fields at the top of an operation, fragments opened."""
        for node in selections.selections:
            if isinstance(node, FieldNode):
                yield node
            elif isinstance(node, InlineFragmentNode):
                yield from self.fields_of(node.selection_set)
            elif isinstance(node, FragmentSpreadNode):
                yield from self.fields_of(self._fragments[node.name.value].selection_set)

    def root(self, parent: GraphQLObjectType, node: FieldNode, items: tuple[Item, ...]) -> Root:
        """What one root field asks."""
        sink = _Sink()
        group: Group = "case" if items[0].subject == "case" else "recipient"
        sink.add(group, items)
        kind = get_named_type(parent.fields[node.name.value].type)
        self.count += 1
        if node.selection_set is not None and isinstance(kind, GraphQLObjectType):
            self._walk(node.selection_set, frozenset({kind.name}), group, sink)
        return Root(
            node=node,
            recipient=frozenset(sink.recipient),
            member=frozenset(sink.member),
            case=frozenset(sink.case),
            members=sink.members,
        )

    def _walk(
        self, selections: SelectionSetNode, possible: frozenset[str], group: Group, sink: _Sink
    ) -> bool:
        """Walk a selection on any of the possible types; whether it names an item."""
        names_item = False
        for node in selections.selections:
            if isinstance(node, FieldNode):
                for kind in possible:
                    names_item |= self._field(kind, node, group, sink)
                continue
            if isinstance(node, InlineFragmentNode):
                condition, inner = node.type_condition, node.selection_set
            elif isinstance(node, FragmentSpreadNode):
                fragment = self._fragments[node.name.value]
                condition, inner = fragment.type_condition, fragment.selection_set
            narrowed = possible
            if condition is not None:
                narrowed = possible & self._possible(condition.name.value)
            names_item |= self._walk(inner, narrowed, group, sink)
        return names_item

    def _field(self, kind: str, node: FieldNode, group: Group, sink: _Sink) -> bool:
        name = node.name.value
        if name.startswith("__"):
            return False
        self.count += 1
        need = self._needs[kind, name]
        sink.add(group, need.items)
        inner_group: Group = group
        if need.members:
            sink.members = True
            inner_group = "member"
        below = False
        if node.selection_set is not None:
            parent = self._schema.type_map[kind]
            assert isinstance(parent, GraphQLObjectType)  # noqa: S101 - `possible` holds no other
            below = self._walk(
                node.selection_set,
                self._possible(get_named_type(parent.fields[name].type).name),
                inner_group,
                sink,
            )
        if need.alone and not below:
            sink.add(group, need.alone)
        return below or bool(need.items or need.alone)

    def _possible(self, name: str) -> frozenset[str]:
        kind = self._schema.type_map[name]
        if is_abstract_type(kind):
            assert isinstance(kind, GraphQLAbstractType)  # noqa: S101 - just tested
            return frozenset(found.name for found in self._schema.get_possible_types(kind))
        return frozenset({name}) if is_composite_type(kind) else frozenset()
