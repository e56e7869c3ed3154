"""A GraphQL document, parsed, held to its limits and validated; kept by its text.

The limits are checked before validation, each fragment counted wherever it is spread but walked
once, so that no document can make the checks themselves costly. Whether a document is valid goes by
the whole schema; its faults are told in the words of what the caller is shown of it. Pure.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    Visitor,
    parse,
    print_ast,
    specified_rules,
    validate,
    visit,
)
from graphql.execution.values import VariableValues, get_variable_values
from graphql.language import FloatValueNode, IntValueNode, StringValueNode

from hub.config import Limits
from hub.errors import RequestRefused, error, refused

if TYPE_CHECKING:
    from hub.plan import Plan

KEPT = 500_000
"""Characters of documents kept parsed and validated; the least recently used goes first."""
Shown = Callable[[], GraphQLSchema]
"""Gives the part of the schema that is shown: it is made where it is needed, which is seldom."""


@dataclass(frozen=True, eq=False)
class Document:
    """A valid document. `hash` is of its text without literals, so that it tells nobody's id.

    `sha256` is of its whole text, normalised: a manifest knows it by that. It is never logged.
    `plans` are those made of its operations so far, by the names they were asked by.
    """

    ast: DocumentNode
    hash: str
    operations: Mapping[str | None, OperationDefinitionNode]
    fragments: Mapping[str, FragmentDefinitionNode]
    plans: dict[str | None, Plan] = field(default_factory=dict)

    @cached_property
    def sha256(self) -> str:  # noqa: D102 - described with the class
        return hashlib.sha256(print_ast(self.ast).encode()).hexdigest()

    def operation(self, name: str | None) -> OperationDefinitionNode:
        """The operation to run. Raises RequestRefused."""
        if name is None and len(self.operations) == 1:
            return next(iter(self.operations.values()))
        if name is None:
            raise refused("NOT_FOUND_OPERATION", "the document has several operations")
        found = self.operations.get(name)
        if found is None:
            raise refused("NOT_FOUND_OPERATION", "the document has no operation of that name")
        return found


class Documents:
    """Documents of one schema within the configured limits."""

    def __init__(self, schema: GraphQLSchema, limits: Limits) -> None:
        self._schema = schema
        self._limits = limits
        self._kept: OrderedDict[str, Document] = OrderedDict()
        self._size = 0

    def read(self, text: str, shown: Shown | None = None) -> Document:
        """The document of a text. Raises RequestRefused.

        `shown` gives the part of the schema whose names messages may tell; without it, none.
        """
        document = self._kept.get(text)
        if document is not None:
            self._kept.move_to_end(text)
            return document
        document = self._make(text, shown)
        self._kept[text] = document
        self._size += len(text)
        while self._size > KEPT:
            gone, _ = self._kept.popitem(last=False)
            self._size -= len(gone)
        return document

    def _make(self, text: str, shown: Shown | None) -> Document:
        try:
            ast = parse(text, max_tokens=self._limits.tokens)
        except GraphQLSyntaxError as found:
            raise _parse_failure(found) from found
        except RecursionError as found:
            raise refused("TOO_DEEP", "the document is nested too deep to read") from found
        operations: dict[str | None, OperationDefinitionNode] = {}
        fragments: dict[str, FragmentDefinitionNode] = {}
        for definition in ast.definitions:
            if isinstance(definition, OperationDefinitionNode):
                operations[definition.name.value if definition.name else None] = definition
            elif isinstance(definition, FragmentDefinitionNode):
                fragments[definition.name.value] = definition
        try:
            _check_size(operations, fragments, self._limits)
            errors = validate(self._schema, ast, specified_rules)
            if errors:
                told = _told(errors, validate(shown(), ast, specified_rules) if shown else ())
                raise RequestRefused([_invalid(found) for found in told])
        except RecursionError as found:
            raise refused("TOO_DEEP", "the document is nested too deep to check") from found
        digest = hashlib.sha256(print_ast(visit(ast, _WithoutLiterals())).encode()).hexdigest()
        return Document(ast, digest, operations, fragments)


def variable_values(
    schema: GraphQLSchema, operation: OperationDefinitionNode, given: Mapping[str, Any]
) -> VariableValues:
    """The variables of an operation, coerced. Raises RequestRefused that echoes no value."""
    definitions = operation.variable_definitions or ()
    coerced = get_variable_values(schema, definitions, dict(given), max_errors=1)
    if not isinstance(coerced, list):
        return coerced
    errors: list[GraphQLError] = []
    for definition in definitions:
        name = definition.variable.name.value
        if isinstance(get_variable_values(schema, (definition,), dict(given), max_errors=1), list):
            kind = print_ast(definition.type)
            state = "is of the wrong type" if name in given else "is missing"
            errors.append(error("BAD_VARIABLES", f"variable `${name}` {state}: it is a `{kind}`"))
    raise RequestRefused(errors)


class _WithoutLiterals(Visitor):
    def enter_string_value(self, *_: Any) -> StringValueNode:
        return StringValueNode(value="", block=False)

    def enter_int_value(self, *_: Any) -> IntValueNode:
        return IntValueNode(value="0")

    def enter_float_value(self, *_: Any) -> FloatValueNode:
        return FloatValueNode(value="0")


@dataclass(frozen=True, slots=True)
class _Size:
    depth: int
    aliases: int
    fields: int


def _check_size(
    operations: Mapping[str | None, OperationDefinitionNode],
    fragments: Mapping[str, FragmentDefinitionNode],
    limits: Limits,
) -> None:
    """Hold every operation to the limits. Raises RequestRefused."""
    known: dict[str, _Size | None] = {}

    def of(selections: SelectionSetNode | None) -> _Size:
        depth = aliases = fields = 0
        for node in selections.selections if selections else ():
            if isinstance(node, FieldNode):
                inner = of(node.selection_set)
                inner = _Size(
                    inner.depth + 1, inner.aliases + (node.alias is not None), inner.fields + 1
                )
            elif isinstance(node, InlineFragmentNode):
                inner = of(node.selection_set)
            elif isinstance(node, FragmentSpreadNode):
                inner = of_fragment(node)
            else:
                continue
            depth = max(depth, inner.depth)
            aliases += inner.aliases
            fields += inner.fields
        return _Size(depth, aliases, fields)

    def of_fragment(node: FragmentSpreadNode) -> _Size:
        name = node.name.value
        if name not in known:
            known[name] = None
            fragment = fragments.get(name)
            known[name] = of(fragment.selection_set) if fragment else _Size(0, 0, 0)
        size = known[name]
        if size is None:
            raise refused("GRAPHQL_VALIDATION_FAILED", f"fragment `{name}` spreads itself")
        return size

    for operation in operations.values():
        size = of(operation.selection_set)
        # Introspection asked by tools nests deeper than any question about a person.
        introspects = all(
            isinstance(node, FieldNode) and node.name.value.startswith("__")
            for node in operation.selection_set.selections
        )
        if size.depth > limits.depth and not (introspects and size.depth <= 2 * limits.depth):
            raise refused("TOO_DEEP", f"nested {size.depth} deep, {limits.depth} is the most")
        if size.aliases > limits.aliases:
            raise refused("TOO_MANY_ALIASES", f"{size.aliases} aliases, {limits.aliases} the most")
        if size.fields > limits.fields:
            raise refused("TOO_COSTLY", f"{size.fields} fields, {limits.fields} are the most")


_QUOTED = re.compile(r"""(["'])(?:(?!\1).)*\1|\d{4,}""", re.DOTALL)


def _parse_failure(found: GraphQLSyntaxError) -> RequestRefused:
    code = "GRAPHQL_PARSE_FAILED"
    message = found.message
    if "tokens. Parsing aborted" in message:
        code = "TOO_MANY_TOKENS"
    return RequestRefused([_like(found, code, _QUOTED.sub("…", message))])


def _told(errors: Iterable[GraphQLError], shown: Iterable[GraphQLError]) -> Iterator[GraphQLError]:
    """The errors in the words of the schema that is shown.

    Invariant: no message comes from the whole schema, since it may suggest names or tell types that
    the caller is not shown. Where the schema shown has not the same fault, its place alone is told.
    """
    words = {_fault(found): found for found in shown}
    for found in errors:
        message = "does not fit the schema, in a part that is not shown for the purpose"
        yield words.get(_fault(found)) or GraphQLError(message, found.nodes)


def _fault(found: GraphQLError) -> tuple[str, tuple[int, ...]]:
    """What is wrong and where, whatever is suggested instead."""
    return found.message.partition(" Did you mean ")[0], tuple(found.positions or ())


def _invalid(found: GraphQLError) -> GraphQLError:
    """A validation error without the literals of the document: they may be somebody's id."""
    message = found.message
    for node in found.nodes or ():
        if isinstance(node, ValueNode):
            message = message.replace(print_ast(node), "…")
    return _like(found, "GRAPHQL_VALIDATION_FAILED", message)


def _like(found: GraphQLError, code: str, message: str) -> GraphQLError:
    remedy = (error(code, "").extensions or {})["remedy"]
    return GraphQLError(
        message,
        source=found.source,
        positions=found.positions,
        extensions={"code": code, "remedy": remedy},
    )
