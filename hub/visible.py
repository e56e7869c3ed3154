"""The part of the schema that a purpose may see: what introspection and `hub schema` show. Pure.

A field is left out where every item it needs is denied to the purpose; then whatever no longer
leads anywhere is. What a caller is shown decides nothing: every operation is decided item by item.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_abstract_type,
    is_composite_type,
    print_schema,
)

from authz.caller import Caller
from authz.purpose import ALONE, BY_CASE, OF_NOBODY, USES, Purpose
from authz.register import Register
from schema.build import HubSchema, Need
from schema.selecting import FILTER, SORT
from sources.declaration import Item

Fields = frozenset[tuple[str, str]]
"""Fields by type and name."""
Columns = Mapping[str, Collection[str]]
"""The columns that rows may be chosen or sorted by, of every input type that does either."""


def visible(schema: HubSchema, purpose: Purpose) -> GraphQLSchema:
    """The schema of what the purpose may see."""
    return _restricted(schema.graphql, _seen(schema, [purpose]), _columns(schema, [purpose]))


def sdl(schema: HubSchema, purpose: Purpose | None) -> str:
    """The schema in the schema definition language; with a purpose, of what that may see."""
    return print_schema(schema.graphql if purpose is None else visible(schema, purpose))


class Visibility:
    """The schema as each caller is shown it; kept by purposes, each made when first needed."""

    def __init__(self, schema: HubSchema, register: Register) -> None:
        self._schema = schema
        self._register = register
        self._kept: dict[frozenset[str], GraphQLSchema] = {}

    def to(self, caller: Caller, declared: str | None) -> GraphQLSchema:
        """What the declared purpose may see, if it is open to the caller's roles.

        Without such a purpose, what may be seen under any of those open to them.
        """
        purposes = self._register.purposes
        purpose = purposes.get(declared or "")
        if purpose is None or not purpose.roles & caller.roles:
            found = purposes.values()
            shown = frozenset(each.code for each in found if each.roles & caller.roles)
        else:
            shown = frozenset({purpose.code})
        if shown not in self._kept:
            among = [purposes[code] for code in shown]
            fields, columns = _seen(self._schema, among), _columns(self._schema, among)
            self._kept[shown] = _restricted(self._schema.graphql, fields, columns)
        return self._kept[shown]


def _seen(schema: HubSchema, purposes: Iterable[Purpose]) -> Fields:
    """The fields that any of the purposes may see, closed under what leads to them."""
    needs = schema.needs.items()
    seen = _closed(schema.graphql, (field for field, need in needs if _is_free(need)))
    for purpose in purposes:
        seen |= _closed(schema.graphql, (field for field, need in needs if _is_open(purpose, need)))
    return seen


def _items(need: Need) -> tuple[Item, ...]:
    return (*need.items, *need.alone, *need.household)


def _is_free(need: Need) -> bool:
    """Whether a field is shown to everyone."""
    return not _items(need) and not need.relations


def _is_open(purpose: Purpose, need: Need) -> bool:
    """Whether the purpose may act by a field, or see an item that it needs, if it needs any."""
    if need.relations:
        return bool(purpose.roles) and purpose.relation in need.relations
    items = _items(need)
    if need.leads_to == "member" and purpose.relation in ALONE:
        return False
    if need.derivation is not None and need.derivation in USES:
        return any(_may_use(purpose, need.derivation, item) for item in need.items)
    if need.derivation is not None and purpose.roles and purpose.relation not in OF_NOBODY:
        named = purpose.derivations.get(need.derivation)
        if named is not None:
            return named.allowed
    return not items or any(_may_see(purpose, item) for item in items)


def _may_see(purpose: Purpose, item: Item) -> bool:
    """Whether `decide` grants the item to somebody who may use the purpose, asked by itself."""
    if not purpose.roles or purpose.relation in OF_NOBODY:
        return False
    if item.subject == "case" and purpose.relation not in BY_CASE:
        return False
    decisions = purpose.decisions
    return decisions[item.name].allowed and decisions[purpose.exists[item.name]].allowed


def _may_use(purpose: Purpose, use: str, item: Item) -> bool:
    """Whether `decide` lets somebody who may use the purpose make this use of the item."""
    return (
        bool(purpose.roles)
        and purpose.relation not in OF_NOBODY
        and purpose.uses[use][item.name].allowed
        and purpose.decisions[purpose.exists[item.name]].allowed
    )


def _columns(schema: HubSchema, purposes: Iterable[Purpose]) -> Columns:
    """The columns that any of the purposes may choose or sort rows by, by input type."""
    found: dict[str, set[str]] = {}
    for (name, field), need in schema.needs.items():
        kind = schema.graphql.type_map[name]
        if need.columns and isinstance(kind, GraphQLObjectType):
            for argument, use in (("where", FILTER), ("orderBy", SORT)):
                taken = kind.fields[field].args.get(argument)
                if taken is not None:
                    of = get_named_type(taken.type).name
                    found.setdefault(of, set()).update(
                        item.path[-1]
                        for purpose in purposes
                        for item in need.columns
                        if _may_use(purpose, use, item)
                    )
    return found


def _closed(schema: GraphQLSchema, fields: Iterable[tuple[str, str]]) -> Fields:
    """The fields that are reached from a root and end in a value, by kept fields alone."""
    kept = frozenset(fields)
    while True:
        reached = _reached(schema, kept)
        narrowed = frozenset(
            (name, field)
            for name, field in kept
            if name in reached and _leads_on(schema, _type_of(schema, name, field), reached, kept)
        )
        if narrowed == kept:
            return kept
        kept = narrowed


def _reached(schema: GraphQLSchema, kept: Fields) -> frozenset[str]:
    """The composite types reached from the roots, and the interfaces and unions of those.

    An object type is reached by a field of its own only: that an interface stands for it is no
    way to an agency's record whose existence is denied.
    """
    roots = (schema.query_type, schema.mutation_type, schema.subscription_type)
    waiting = [root.name for root in roots if root is not None]
    reached: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in reached:
            continue
        reached.add(name)
        followed = [_type_of(schema, name, field) for of, field in kept if of == name]
        waiting += [kind.name for kind in followed if is_composite_type(kind)]
    return frozenset(reached)


def _leads_on(
    schema: GraphQLSchema, kind: GraphQLNamedType, reached: frozenset[str], kept: Fields
) -> bool:
    """Whether a field of this type shows anything."""
    if is_abstract_type(kind):
        return any(found.name in reached for found in schema.get_possible_types(kind))
    return not is_composite_type(kind) or any(of == kind.name for of, _ in kept)


def _type_of(schema: GraphQLSchema, name: str, field: str) -> GraphQLNamedType:
    parent: Any = schema.type_map[name]
    kind: GraphQLNamedType = get_named_type(parent.fields[field].type)
    return kind


def _restricted(schema: GraphQLSchema, fields: Fields, columns: Columns) -> GraphQLSchema:
    """The schema with these fields only, and rows chosen and sorted by these columns only.

    Types without fields of their own stay as they are.
    """
    made: dict[str, Any] = {}

    def of(kind: Any) -> Any:
        if isinstance(kind, GraphQLList | GraphQLNonNull):
            return type(kind)(of(kind.of_type))
        return made.get(kind.name, kind)

    def arguments_of(field: GraphQLField) -> Mapping[str, GraphQLArgument]:
        return {
            name: GraphQLArgument(**{**argument.to_kwargs(), "type_": of(argument.type)})
            for name, argument in field.args.items()
            if (named := get_named_type(argument.type).name) not in columns or named in made
        }

    def fields_of(kind: GraphQLObjectType | GraphQLInterfaceType) -> Mapping[str, GraphQLField]:
        return {
            name: GraphQLField(
                **{**field.to_kwargs(), "type_": of(field.type), "args": arguments_of(field)}
            )
            for name, field in kind.fields.items()
            if (kind.name, name) in fields
        }

    shown = {name for name, _ in fields}
    for name, kind in schema.type_map.items():
        options: dict[str, Any]
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType) and name in shown:
            above = [interface for interface in kind.interfaces if interface.name in shown]
            options = {
                **kind.to_kwargs(),
                "fields": lambda kind=kind: fields_of(kind),
                "interfaces": lambda above=above: [of(interface) for interface in above],
            }
            made[name] = type(kind)(**options)
        elif isinstance(kind, GraphQLInputObjectType) and name in columns:
            kept = {key: each for key, each in kind.fields.items() if key in columns[name]}
            if kept:
                options = {**kind.to_kwargs(), "fields": kept}
                made[name] = GraphQLInputObjectType(**options)
        elif isinstance(kind, GraphQLUnionType):
            members = [member for member in kind.types if member.name in shown]
            options = {
                **kind.to_kwargs(),
                "types": lambda members=members: [of(member) for member in members],
            }
            made[name] = GraphQLUnionType(**options)
    roots = (schema.query_type, schema.mutation_type, schema.subscription_type)
    query, mutation, subscription = (made.get(root.name) if root else None for root in roots)
    return GraphQLSchema(
        query=query,
        mutation=mutation,
        subscription=subscription,
        types=[made[name] for name in schema.type_map if name in shown],
        directives=schema.directives,
        description=schema.description,
        extensions=schema.extensions,
    )
