"""A projection written as Python: one function for each selection on a type.

Invariant: of a document nothing but its response keys and how many rows are wanted goes into the
code, those as literals by `repr`. Names in the code are the schema's, held to what a name may be;
arguments, nodes and resolvers are bound as constants.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from graphql import (
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
)

from hub.projecting.fields import Values, arguments_of
from hub.projecting.leaves import Part, in_runs, part_of, put
from hub.projecting.running import Leaf, coercion, named_as_put
from hub.projecting.shape import NotCompiled, Selected
from schema.build import HubSchema
from schema.needs import Covered, ReadsItem, ReadsRows
from schema.selecting import ROWS
from schema.whole import Together
from sources.declaration import Item

_NAME = re.compile(r"[A-Za-z][0-9A-Za-z_]{0,99}\Z")


class Writer:
    """Writes the functions of one projection; `constants` are what their names are bound to.

    `arguments` are those that vary with the variables, by their number in the code.
    """

    def __init__(self, schema: HubSchema) -> None:
        self._schema = schema
        self._functions: list[Sequence[str]] = []
        self._tables: list[str] = []
        self._names: Counter[str] = Counter()
        self.constants: dict[str, Any] = {}
        self.arguments: list[Values] = []

    @property
    def source(self) -> str:
        """The code, what is called after what calls it."""
        functions = ("\n".join(lines) for lines in reversed(self._functions))
        return "\n\n\n".join([*functions, *self._tables]) + "\n"

    def object(self, kind: GraphQLObjectType, selected: Sequence[Selected]) -> str:
        """Write the function that projects an object of a type; its name."""
        name, parts = self._name(kind.name), [part_of(self._schema, each) for each in selected]
        body = list(self._body(parts))
        self._function(name, "it", f"`{kind.name}`.", [*body, "return out"])
        return name

    def _body(self, parts: Sequence[Part]) -> Iterator[str]:
        runs = in_runs(parts)
        if not runs or not any(part.simple for part in runs[0]):
            yield "out = {}"
        for number, run in enumerate(runs):
            if any(part.simple for part in run):
                yield from self._together(run, first=number == 0)
            for part in run:
                if not part.simple:
                    yield from self._alone(part)

    def _together(self, run: Sequence[Part], *, first: bool) -> Iterator[str]:
        """Leaves at once; one by one where that does not do. The others get their places."""
        groups: dict[tuple[str, str], list[Item]] = {}
        for part in run:
            if part.simple and part.item is not None:
                groups.setdefault((part.owner, part.item.source), []).append(part.item)
        said = {key: "said" if len(groups) == 1 else f"{_checked(key[1])}_said" for key in groups}
        names = {
            key: self._bind(f"{key[1]}_items", Together(items)) for key, items in groups.items()
        }
        leaves = self._bind("leaves", [self._leaf(part) for part in run])
        yield "try:"
        for key, name in names.items():
            read = "whole_row" if key[0] == "row" else "whole"
            yield f"    {said[key]} = {read}(it.{key[0]}, {name})"
        yield "    out = {" if first else "    out |= {"
        for part in run:
            value = self._value(part, said) if part.simple else "None"
            yield f"        {part.key!r}: {value},"
        yield "    }"
        for key, name in names.items():
            owner = "row.owner" if key[0] == "row" else key[0]
            yield f"    release(it.{owner}, {name})"
        yield "except Exception:"
        if first:
            yield "    out = {}"
        yield f"    one_by_one(out, it, path, run, {leaves})"

    def _value(self, part: Part, said: dict[tuple[str, str], str]) -> str:
        """The expression of a leaf's value, as it is put into the response."""
        if part.field is None:
            return repr(part.selected.parent.name)
        if part.item is not None:
            got = f"{said[part.owner, part.item.source]}[{part.item.path[-1]!r}]"
        elif part.source.resolver is None:
            got = f"it.{part.source.attribute}"
        else:
            got = f"{self._bind(f'read_{part.name}', part.source.read)}(it)"
        kind, coercion = get_named_type(part.field.type), self._coercion(part.field.type)
        members = named_as_put(kind)
        if members is not None:
            self.constants[f"{_checked(kind.name)}_members"] = members
            return f"x._name_ if type(x := {got}) is {kind.name}_members else {coercion}(x)"
        return put(kind.name, got, coercion)

    def _leaf(self, part: Part) -> Leaf:
        if not part.simple:
            return Leaf(part.key, part.nodes, None, _nothing, required=False)
        if part.field is None:
            name = part.selected.parent.name
            return Leaf(part.key, part.nodes, lambda _: name, _nothing, required=False)
        coerce = self.constants[self._coercion(part.field.type)]
        return Leaf(part.key, part.nodes, part.source.read, coerce, required=part.required)

    def _alone(self, part: Part) -> Iterator[str]:
        """One field, with its own error where it has one."""
        assert part.field is not None  # noqa: S101 - `__typename` is simple
        at = f"(path, {part.key!r})"
        nodes = self._bind("nodes", part.nodes)
        rows = self._rows(part)
        yield "try:"
        if rows is not None:
            yield f"    out[{part.key!r}] = {rows}(it, {at}, run)"
        else:
            yield f"    value = {self._got(part)}"
            yield f"    out[{part.key!r}] = {self._complete(part.field.type, part, at)}"
        yield "except Exception as error:"
        if part.required:
            yield f"    raise at_path(error, {nodes}, {at})"
        else:
            yield f"    out[{part.key!r}] = run.null(error, {nodes}, {at})"

    def _got(self, part: Part) -> str:
        """The expression that gets a field's value."""
        if part.source.resolver is None:
            return f"it.{part.source.attribute}"
        given = ["it"] if part.source.takes_self else []
        given += ["info=run.info"] if part.source.takes_info else []
        values, constant = arguments_of(self._schema, part.selected)
        if values is not None:
            given.append(f"**run.arguments[{len(self.arguments)}]")
            self.arguments.append(values)
        elif constant:
            given.append(f"**{self._bind('arguments', constant)}")
        return f"sound({self._bind(f'read_{part.name}', part.source.resolver)}({', '.join(given)}))"

    def _complete(self, kind: GraphQLOutputType, part: Part, at: str) -> str:
        """The expression that puts `value` into the response."""
        if is_leaf_type(get_named_type(kind)) and not isinstance(_nullable(kind), GraphQLList):
            return f"{self._coercion(kind)}(value)"
        function = self._completing(_nullable(kind), part)
        if isinstance(kind, GraphQLNonNull):
            return f"{function}(required(value), {at}, run)"
        return f"None if value is None else {function}(value, {at}, run)"

    def _completing(self, kind: GraphQLOutputType, part: Part) -> str:
        """Write the function that puts a list or an object into the response; its name."""
        if isinstance(kind, GraphQLList):
            return self._list(kind.of_type, part)
        below = part.selected.below
        types = self._schema.graphql.type_map
        made: dict[str, str] = {}
        for name, selected in below.items():
            of = types[name]
            assert isinstance(of, GraphQLObjectType)  # noqa: S101 - `below` holds no other
            made[name] = self.object(of, selected)
        if not is_abstract_type(kind):
            return made[get_named_type(kind).name]
        name, table = self._name(get_named_type(kind).name), self._name("by_type")
        entries = "".join(f"    {of!r}: {function},\n" for of, function in made.items())
        self._tables.append(f"{table} = {{\n{entries}}}")
        about = f"`{get_named_type(kind).name}`, by its type."
        self._function(name, "it", about, [f"return {table}[kind_of(it)](it, path, run)"])
        return name

    def _list(self, kind: GraphQLOutputType, part: Part) -> str:
        """Write the function that puts a list of a type into the response; its name."""
        if is_leaf_type(_nullable(kind)):
            return self._list_of_leaves(kind, part)
        name, nodes = self._name(f"list_{part.name}"), self._bind("nodes", part.nodes)
        required = isinstance(kind, GraphQLNonNull)
        if _shows_no_item(self._schema, kind, part):
            function = self._completing(_nullable(kind), part)
            made = f"once(values, path, run, {function}, {nodes}, {required})"
            self._function(name, "values", f"The list of `{part.name}`.", [f"return {made}"])
            return name
        complete = self._complete(kind, part, "(path, index)")
        failed = f"out.append(run.null(error, {nodes}, (path, index)))"
        if isinstance(kind, GraphQLNonNull):
            failed = f"raise at_path(error, {nodes}, (path, index))"
        body = [
            "out = []",
            "for index, value in enumerate(listed(values)):",
            "    try:",
            *([] if isinstance(kind, GraphQLNonNull) else ["        sound(value)"]),
            f"        out.append({complete})",
            "    except Exception as error:",
            f"        {failed}",
            "return out",
        ]
        self._function(name, "values", f"The list of `{part.name}`.", body)
        return name

    def _list_of_leaves(self, kind: GraphQLOutputType, part: Part) -> str:
        name, nodes = self._name(f"list_{part.name}"), self._bind("nodes", part.nodes)
        coerce, required = self._coercion(kind), isinstance(kind, GraphQLNonNull)
        leaf = put(get_named_type(kind).name, "value", coerce)
        body = [
            "try:",
            f"    return [{leaf} for value in listed(values)]",
            "except Exception:",
            f"    return leaf_by_leaf(values, path, run, {coerce}, {nodes}, {required})",
        ]
        self._function(name, "values", f"The list of `{part.name}`.", body)
        return name

    def _rows(self, part: Part) -> str | None:
        """Write the function that reads all rows of an agency's list at once; its name.

        None where rows are chosen or put in order, or something is asked beside their columns.
        """
        assert part.field is not None  # noqa: S101 - `__typename` is simple
        reads, arguments = part.source.reads, part.nodes[0].arguments or ()
        if not isinstance(reads, ReadsRows) or any(
            each.name.value != "first" for each in arguments
        ):
            return None
        (selected,) = part.selected.below.values()
        columns = [part_of(self._schema, each) for each in selected]
        read = [each.item for each in columns if each.item is not None]
        if not read or any(
            each.field is not None and not isinstance(each.source.reads, ReadsItem)
            for each in columns
        ):
            return None
        items = self._bind(f"{part.name}_items", Together(read))
        leaves = self._bind("leaves", [self._leaf(each) for each in columns])
        name, said = self._name(part.name), {("row", read[0].source): "row"}
        body = [
            "try:",
            f"    rows = whole_rows(it.keyed, {items})",
            "    out = rows and [",
            "        {",
            *(f"            {each.key!r}: {self._value(each, said)}," for each in columns),
            "        }",
            f"        for row in {self._first(part)}",
            "    ]",
            "    if out:",
            f"        release(it.keyed, {items})",
            "    else:",
            f"        told_length(it.keyed, {self._bind('columns', reads.columns)})",
            "    return out",
            "except Exception:",
            f"    return rows_one_by_one({self._got(part)}, path, run, {leaves})",
        ]
        self._function(name, "it", f"The rows of `{part.name}`, at once or one by one.", body)
        return name

    def _first(self, part: Part) -> str:
        """The expression of the rows that are shown."""
        values, constant = arguments_of(self._schema, part.selected)
        if values is not None:
            self.arguments.append(values)
            return f"rows[: max(0, run.arguments[{len(self.arguments) - 1}]['first'])]"
        return f"rows[:{max(0, int(constant.get('first', ROWS)))!r}]"

    def _coercion(self, kind: GraphQLOutputType) -> str:
        """The name of what puts a value of a scalar or an enum into the response."""
        named, required = get_named_type(kind), isinstance(kind, GraphQLNonNull)
        assert is_leaf_type(named)  # noqa: S101 - asked for of no other
        name = f"as_{'required_' if required else ''}{_checked(named.name)}"
        if name not in self.constants:
            self.constants[name] = coercion(named, may_be_null=not required)
        return name

    def _function(self, name: str, takes: str, about: str, body: Sequence[str]) -> None:
        head = [f"def {name}({takes}, path, run):", f'    """{about}"""']
        self._functions.append([*head, *(f"    {line}" for line in body)])

    def _name(self, text: str) -> str:
        text = _checked(text)
        text = text[0].lower() + text[1:]
        self._names[text] += 1
        return f"{text}_{self._names[text]}"

    def _bind(self, text: str, value: Any) -> str:
        name = self._name(text)
        self.constants[name] = value
        return name


def _shows_no_item(schema: HubSchema, kind: GraphQLOutputType, part: Part) -> bool:
    """Whether it is objects of which no more is asked than attributes that show no item."""
    parts = [part_of(schema, each) for found in part.selected.below.values() for each in found]
    return (
        isinstance(_nullable(kind), GraphQLObjectType)
        and isinstance(part.source.needs, Covered)
        and all(
            each.simple and each.source.resolver is None and isinstance(each.source.needs, Covered)
            for each in parts
            if each.field is not None
        )
    )


def _checked(name: str) -> str:
    if not _NAME.match(name):
        raise NotCompiled("a name of the schema is none that code may have")
    return name


def _nullable(kind: GraphQLOutputType) -> GraphQLOutputType:
    return kind.of_type if isinstance(kind, GraphQLNonNull) else kind


def _nothing(value: Any) -> Any:
    return value
