"""A GraphQL service as `[graphql]` of a declaration describes it, with a schema of its own."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson
from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    build_schema,
    parse,
    validate,
)
from starlette.requests import Request
from starlette.responses import Response

from sources.declaration import Source
from sources.simulator.calendar import REFERENCE
from sources.simulator.declared.document import put
from sources.simulator.declared.faults import Entry
from sources.simulator.declared.stand import Call, RefusedError, items_by_wire
from sources.simulator.declared.writing import Writing

_BUILT_IN = {"ID", "String", "Int"}
Tree = dict[str, Any]


class GraphqlSpeaker:
    """Documents in, records in their shape out."""

    def __init__(self, source: Source) -> None:
        self._table: Mapping[str, Any] = source.adapter_table
        self._items = items_by_wire(source)
        self._people: list[str] = self._table["people"].split(".")
        self._own = [self._table[name] for name in ("key", "as_of") if name in self._table]
        self._schema = self._make_schema()
        self.writing = Writing.of(self._table)

    @property
    def paths(self) -> Sequence[tuple[str, Sequence[str]]]:
        """The one path."""
        return [(self._table.get("path", "/graphql"), ["POST"])]

    def _make_schema(self) -> GraphQLSchema:
        """The agency's schema: the way to its people, and all their fields."""
        lists = {item.wire[0] for item in self._items.values() if len(item.path) == 2}
        tree: Tree = {}
        for place in [*self._own, *(name for name in self._items if name)]:
            put(tree, place, {}) if place not in lists else None
        types: list[str] = ["scalar Value"]
        _write_type("Person", tree, lists, "", types)
        *outer, field = self._people
        by_list = self._table.get("by", "list") == "list"
        given = self._table.get("type") or ("[ID!]!" if by_list else "ID!")
        if (base := given.strip("[]!")) not in _BUILT_IN:
            types.append(f"scalar {base}")
        record = "[Person]" if by_list else "Person"
        names = ["Query", *(f"Outer{number}" for number in range(len(outer)))]
        for name, step, inner in zip(names, outer, names[1:], strict=False):
            types.append(f"type {name} {{ {step}: {inner} }}")
        argument = f"{self._table['argument']}: {given}"
        types.append(f"type {names[-1]} {{ {field}({argument}): {record} }}")
        return build_schema("\n".join(types))

    async def read(self, _request: Request, body: bytes) -> Call:
        """The people that the variables name, and the items that the document selects."""
        try:
            sent = orjson.loads(body)
            document = parse(sent["query"])
            faults = validate(self._schema, document)
            if faults:
                raise RefusedError(400, str(faults[0].message))
            asked = list(self._asked(document))
            variables = sent["variables"]
            keys: list[str] = []
            for _, node in asked:
                keys += _texts(variables, node)
            names = dict.fromkeys(name for _, node in asked for name in _leaves(node))
        except (ValueError, TypeError, KeyError, GraphQLError) as error:
            raise RefusedError(400, "send a document with its variables") from error
        items = tuple(self._items[name] for name in names if name in self._items)
        return Call(tuple(keys), items, document=(sent, [alias for alias, _ in asked]))

    def _asked(self, document: DocumentNode) -> Iterator[tuple[str, FieldNode]]:
        """The fields that ask for people, each with the name that its answer has."""
        for definition in document.definitions:
            if not isinstance(definition, OperationDefinitionNode):
                continue
            level: list[SelectionSetNode] = [definition.selection_set]
            for step in self._people[:-1]:
                level = [
                    node.selection_set
                    for part in level
                    for node in part.selections
                    if isinstance(node, FieldNode)
                    and node.name.value == step
                    and node.selection_set
                ]
            for part in level:
                for node in part.selections:
                    if isinstance(node, FieldNode):
                        yield node.alias.value if node.alias else node.name.value, node

    def write(self, call: Call, entries: Sequence[Entry]) -> Response:
        """The records where the document asks for them."""
        _, aliases = call.document
        records = [self._record(one) for one in entries]
        if self._table.get("by", "list") == "list":
            found: dict[str, Any] = dict.fromkeys(aliases, records)
        else:
            by_key = {one.key: self._record(one) for one in entries}
            found = {alias: by_key.get(key) for alias, key in zip(aliases, call.keys, strict=False)}
            strangers = [by_key[key] for key in by_key if key not in call.keys]
            for alias in aliases:
                if found[alias] is None and strangers:
                    found[alias] = strangers.pop()
        data: Any = found
        for step in reversed(self._people[:-1]):
            data = {step: data}
        return Response(orjson.dumps({"data": data}), media_type="application/json")

    def _record(self, entry: Entry) -> dict[str, Any]:
        record: dict[str, Any] = {}
        put(record, self._table["key"], entry.key)
        if "as_of" in self._table:
            put(record, self._table["as_of"], self.writing.day(f"{REFERENCE}"))
        for place, value in entry.fields.items():
            put(record, place, value)
        return record

    def failure(self, text: str) -> Response:
        """Errors and no data, which GraphQL says with a status of success."""
        body = {"errors": [{"message": text}], "data": None}
        return Response(orjson.dumps(body), media_type="application/json")


def _write_type(name: str, tree: Tree, lists: set[str], place: str, types: list[str]) -> None:
    """The type of an object and of those within it, into `types`."""
    fields = []
    for step, inner in tree.items():
        at = f"{place}.{step}" if place else step
        if not inner:
            fields.append(f"{step}: Value")
            continue
        within = f"{name}_{step}"
        _write_type(within, inner, lists, at, types)
        fields.append(f"{step}: [{within}]" if at in lists else f"{step}: {within}")
    types.append(f"type {name} {{ {' '.join(fields)} }}")


def _texts(variables: Mapping[str, Any], node: FieldNode) -> list[str]:
    """The ids that a field's argument names, which must be a variable."""
    value = node.arguments[0].value if node.arguments else None
    if not isinstance(value, VariableNode):
        raise TypeError
    found = variables[value.name.value]
    return found if isinstance(found, list) else [found]


def _leaves(node: FieldNode, place: str = "") -> Iterator[str]:
    """The dotted names of the fields selected below a field."""
    for inner in node.selection_set.selections if node.selection_set else ():
        if isinstance(inner, FieldNode):
            name = f"{place}.{inner.name.value}" if place else inner.name.value
            if inner.selection_set:
                yield from _leaves(inner, name)
            else:
                yield name
