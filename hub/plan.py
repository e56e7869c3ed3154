"""An operation reduced to data items, before anything is decided or asked. Pure.

The walk goes by the schema's types and not by response keys: aliases, fragments, interfaces and
unions change nothing, and a field under `@skip` or `@include` counts as selected.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import chain
from typing import Any

from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLAbstractType,
    GraphQLError,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    StringValueNode,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_abstract_type,
    is_composite_type,
    is_list_type,
)
from graphql.execution.values import VariableValues, get_argument_values

from authz.decide import Asked, Inputs
from hub.documents import Document
from hub.errors import refused
from schema.build import HubSchema, Need
from schema.needs import PROGRAMME, Group
from schema.selecting import FILTER, SORT
from sources.declaration import Item, exists_name

ROWS = 8
"""What a field of a list weighs: lists of agencies are seldom longer, and often shorter."""


@dataclass(frozen=True, slots=True)
class Deriving:
    """A derived answer: what it is worked out from, by whom that is asked of."""

    name: str
    recipient: frozenset[str]
    applicant: frozenset[str]
    member: frozenset[str]
    leads: frozenset[str]


@dataclass(frozen=True)
class Root:
    """One field of the operation that reaches people: which, and what it asks of whom.

    `leads` are the items by which members are reached; the costs are fields, those in lists
    weighed by `ROWS`, of each person named and of each member.
    """

    node: FieldNode
    recipient: frozenset[str]
    applicant: frozenset[str]
    member: frozenset[str]
    case: frozenset[str]
    leads: frozenset[str]
    derived: tuple[Deriving, ...]
    cost: int
    member_cost: int

    @property
    def of_case(self) -> bool:
        """Whether it reaches people through a case."""
        return bool(self.case)


@dataclass(frozen=True, eq=False)
class Plan:
    """What an operation asks for; without roots it touches no data item. It is equal to no other.

    `introspects`: it asks what the schema is, by `__schema` or `__type`. `acts` are the fields by
    which people approve, review and are told. `named_by` are the variables that name programmes.
    """

    operation: OperationDefinitionNode
    document: Document
    roots: tuple[Root, ...]
    introspects: bool
    acts: tuple[FieldNode, ...] = ()
    named_by: tuple[str, ...] = ()

    @cached_property
    def asked(self) -> Asked:
        """The items by whom they are asked of, in a stable order."""
        return Asked(
            own=_union(root.recipient for root in self.roots),
            others=_union(root.applicant | root.member for root in self.roots),
            case=_union(root.case for root in self.roots),
            leads=_union(root.leads for root in self.roots),
            derived=_inputs(root.derived for root in self.roots),
        )


@dataclass(frozen=True, slots=True)
class Subjects:
    """Whom an operation names: recipients and cases by root, in order."""

    by_root: tuple[tuple[Root, tuple[str, ...]], ...]

    @property
    def recipients(self) -> tuple[str, ...]:
        """Every recipient named, once."""
        named = (keys for root, keys in self.by_root if not root.of_case)
        return tuple(dict.fromkeys(key for keys in named for key in keys))

    @property
    def cases(self) -> tuple[str, ...]:
        """Every case named in the document, once."""
        named = (keys for root, keys in self.by_root if root.of_case)
        return tuple(dict.fromkeys(key for keys in named for key in keys))


def make_plan(
    schema: HubSchema,
    document: Document,
    operation: OperationDefinitionNode,
    programmes: Mapping[str, str] | None = None,
) -> Plan:
    """Reduce an operation to items. Raises RequestRefused.

    `programmes` are those that variables name; one that names none may be any.
    """
    root_type = schema.graphql.get_root_type(operation.operation)
    walk = _Walk(schema, document, programmes or {})
    roots: list[Root] = []
    acts: list[FieldNode] = []
    introspects = False
    if root_type is not None:
        for node in walk.fields_of(operation.selection_set):
            introspects |= node.name.value in ("__schema", "__type")
            need = schema.needs.get((root_type.name, node.name.value))
            if need is not None and need.relations:
                acts.append(node)
            if need is None or not need.items:
                continue
            roots.append(walk.root(root_type, node, need.items))
    return Plan(operation, document, tuple(roots), introspects, tuple(acts), tuple(walk.named_by))


def plan_of(
    schema: HubSchema, document: Document, name: str | None, variables: Mapping[str, Any]
) -> Plan:
    """The plan of the operation of a name, made once for a document. Raises RequestRefused.

    Where variables name programmes, it is made for those.
    """
    plan = document.plans.get(name)
    if plan is None:
        plan = document.plans[name] = make_plan(schema, document, document.operation(name))
    if plan.named_by:
        return _of_programmes(schema, document, name, _programmes(plan, variables))
    return plan


@lru_cache(maxsize=500)
def _of_programmes(
    schema: HubSchema, document: Document, name: str | None, named: tuple[tuple[str, str], ...]
) -> Plan:
    """The plan where variables name these programmes; callers choose them, so not all are kept."""
    return make_plan(schema, document, document.operation(name), dict(named))


def _programmes(plan: Plan, variables: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """The programmes that the variables of an operation name, where they name one."""
    given = {
        definition.variable.name.value: definition.default_value.value
        for definition in plan.operation.variable_definitions or ()
        if isinstance(definition.default_value, StringValueNode)
    } | {name: value for name, value in variables.items() if name in plan.named_by}
    return tuple((name, given[name]) for name in plan.named_by if type(given.get(name)) is str)


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


def _inputs(several: Iterable[tuple[Deriving, ...]]) -> dict[str, Inputs]:
    """The inputs of every derived answer, over all the roots that ask for it."""
    found: dict[str, Inputs] = {}
    for derived in chain.from_iterable(several):
        before = found.get(derived.name, Inputs(frozenset()))
        found[derived.name] = Inputs(
            before.own | derived.recipient,
            before.others | derived.applicant | derived.member,
            before.leads | derived.leads,
        )
    return found


def _union(sets: Iterable[frozenset[str]]) -> tuple[str, ...]:
    return tuple(sorted(frozenset().union(*sets)))


@dataclass
class _Sink:
    recipient: set[str] = field(default_factory=set)
    applicant: set[str] = field(default_factory=set)
    member: set[str] = field(default_factory=set)
    case: set[str] = field(default_factory=set)
    leads: set[str] = field(default_factory=set)
    derived: dict[str, _Sink] = field(default_factory=dict)
    cost: int = 1
    member_cost: int = 0

    def weigh(self, group: Group, weight: int) -> None:
        """Count a field of a person named, or of a member."""
        if group == "member":
            self.member_cost += weight
        else:
            self.cost += weight

    def add(self, group: Group, items: Iterable[Item]) -> None:
        """Ask for items, and so for whether their source has a record at all."""
        for item in items:
            getattr(self, group).update((item.name, exists_name(item)))

    def use(self, group: Group, node: FieldNode, columns: tuple[Item, ...]) -> None:
        """Ask for the columns that rows are chosen or sorted by: for all, if it is a variable."""
        for argument in node.arguments or ():
            use = _USES.get(argument.name.value)
            if use is not None:
                named = _named(argument.value)
                by = [item for item in columns if named is None or item.path[-1] in named]
                self.derived.setdefault(use, _Sink()).add(group, by)

    def take(self, group: Group, need: Need) -> None:
        """Ask for all that a field needs, whether to return it or to work with it."""
        sink = self
        if need.derivation is not None:
            sink = self.derived.setdefault(need.derivation, _Sink())
        sink.add(group, need.items)
        if need.leads:
            sink.add(group, need.leads)
            sink.leads.update(item.name for item in need.leads)
            sink.add("member", need.household)
            self.member_cost += len(need.household)


_USES = {"where": FILTER, "orderBy": SORT}


def _named(value: ValueNode) -> set[str] | None:
    """The columns named in an argument; None where a variable stands in the place of columns."""
    if isinstance(value, VariableNode):
        return None
    if isinstance(value, ListValueNode):
        parts = [_named(part) for part in value.values]
        return None if None in parts else {name for part in parts if part for name in part}
    if isinstance(value, ObjectValueNode):
        return {field.name.value for field in value.fields}
    return set()


class _Walk:
    """Walks selections; notes the variables by which programmes are named."""

    def __init__(
        self, schema: HubSchema, document: Document, programmes: Mapping[str, str]
    ) -> None:
        self._schema: GraphQLSchema = schema.graphql
        self._needs = schema.needs
        self._fragments = document.fragments
        self._programmes = programmes
        self._programme: str | None = None
        self.named_by: dict[str, None] = {}

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
        if node.selection_set is not None and isinstance(kind, GraphQLObjectType):
            self._walk(node.selection_set, frozenset({kind.name}), group, sink, 1)
        return Root(
            node=node,
            recipient=frozenset(sink.recipient),
            applicant=frozenset(sink.applicant),
            member=frozenset(sink.member),
            case=frozenset(sink.case),
            leads=frozenset(sink.leads),
            derived=tuple(
                Deriving(
                    name=name,
                    recipient=frozenset(of.recipient),
                    applicant=frozenset(of.applicant),
                    member=frozenset(of.member),
                    leads=frozenset(of.leads),
                )
                for name, of in sorted(sink.derived.items())
            ),
            cost=sink.cost,
            member_cost=sink.member_cost,
        )

    def _walk(
        self,
        selections: SelectionSetNode,
        possible: frozenset[str],
        group: Group,
        sink: _Sink,
        weight: int,
    ) -> bool:
        """Walk a selection on any of the possible types; whether it names an item."""
        names_item = False
        for node in selections.selections:
            if isinstance(node, FieldNode):
                for kind in possible:
                    names_item |= self._field(kind, node, group, sink, weight)
                continue
            if isinstance(node, InlineFragmentNode):
                condition, inner = node.type_condition, node.selection_set
            elif isinstance(node, FragmentSpreadNode):
                fragment = self._fragments[node.name.value]
                condition, inner = fragment.type_condition, fragment.selection_set
            narrowed = possible
            if condition is not None:
                narrowed = possible & self._possible(condition.name.value)
            names_item |= self._walk(inner, narrowed, group, sink, weight)
        return names_item

    def _field(self, kind: str, node: FieldNode, group: Group, sink: _Sink, weight: int) -> bool:
        name = node.name.value
        sink.weigh(group, weight)
        if name.startswith("__"):
            return False
        need, above = self._needs[kind, name], self._programme
        if need.of_programme is not None:
            self._programme = self._named(node)
            if self._programme is not None:
                need = need.of_programme(self._programme)
        sink.take(group, need)
        if need.columns:
            sink.use(group, node, need.columns)
        inner_group: Group = need.leads_to or group
        if need.leads_to == "member":
            if group == "member":
                raise refused("TOO_DEEP", "the members of a member are the same people: nest less")
            sink.leads.update(item.name for item in need.items)
        below = False
        if node.selection_set is not None:
            parent = self._schema.type_map[kind]
            assert isinstance(parent, GraphQLObjectType)  # noqa: S101 - `possible` holds no other
            field_type = parent.fields[name].type
            repeats = inner_group == group and is_list_type(get_nullable_type(field_type))
            below = self._walk(
                node.selection_set,
                self._possible(get_named_type(field_type).name),
                inner_group,
                sink,
                weight * ROWS if repeats else weight,
            )
        self._programme = above
        if need.alone and not below:
            sink.add(group, need.alone)
        return below or bool(need.items or need.alone)

    def _named(self, node: FieldNode) -> str | None:
        """The programme that a field, or one above it, is about; None where it may be any."""
        for argument in node.arguments or ():
            if argument.name.value == PROGRAMME:
                if isinstance(argument.value, VariableNode):
                    variable = argument.value.name.value
                    self.named_by[variable] = None
                    return self._programmes.get(variable)
                return getattr(argument.value, "value", None)
        return self._programme

    def _possible(self, name: str) -> frozenset[str]:
        kind = self._schema.type_map[name]
        if is_abstract_type(kind):
            assert isinstance(kind, GraphQLAbstractType)  # noqa: S101 - just tested
            return frozenset(found.name for found in self._schema.get_possible_types(kind))
        return frozenset({name}) if is_composite_type(kind) else frozenset()
