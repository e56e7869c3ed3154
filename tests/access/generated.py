"""Generated operations on one recipient, and other ways of writing each that ask for the same."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from graphql import (
    ArgumentNode,
    BooleanValueNode,
    ConstDirectiveNode,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    NamedTypeNode,
    NameNode,
    NonNullTypeNode,
    OperationDefinitionNode,
    OperationType,
    SelectionNode,
    SelectionSetNode,
    VariableDefinitionNode,
    VariableNode,
    get_named_type,
    is_composite_type,
    print_ast,
)
from hypothesis import strategies as st
from hypothesis_graphql import queries

Rewrite = Callable[[str, tuple[SelectionNode, ...]], tuple[SelectionNode, ...]]
"""A selection on a type, written otherwise."""


def _name(value: str) -> NameNode:
    return NameNode(value=value)


def _type(name: str) -> NamedTypeNode:
    return NamedTypeNode(name=_name(name))


ID = VariableNode(name=_name("id"))


def operations(sdl: str) -> st.SearchStrategy[DocumentNode]:
    """Operations that ask of `recipient(id: $id)` whatever the schema has."""

    def asked(document: DocumentNode) -> DocumentNode:
        (operation,) = document.definitions
        assert isinstance(operation, OperationDefinitionNode)
        return DocumentNode(definitions=(_operation("Plain", operation.selection_set.selections),))

    return queries(
        unselected(sdl), fields=["recipient"], allow_null=False, allow_x00=False, print_ast=asked
    )


def parts(document: DocumentNode) -> Iterator[FieldNode]:
    """What an operation asks of its recipient, field by field."""
    (recipient,) = selections_of(document)
    assert isinstance(recipient, FieldNode)
    assert recipient.selection_set is not None
    for node in recipient.selection_set.selections:
        assert isinstance(node, FieldNode)
        yield node


def composed(chance: random.Random, found: Sequence[FieldNode], most: int) -> DocumentNode:
    """An operation of some of these fields of a recipient, each field once."""
    chosen = chance.sample(found, chance.randint(1, most))
    once = {node.name.value: node for node in chosen}
    inner = SelectionSetNode(selections=tuple(once.values()))
    recipient = FieldNode(name=_name("recipient"), selection_set=inner)
    return DocumentNode(definitions=(_operation("Plain", (recipient,)),))


def unselected(sdl: str) -> str:
    """A schema without the arguments that choose rows, which are long in drawing."""
    return re.sub(r"\((?:where|orderBy): [^)]*\)", "", sdl)


def _operation(name: str, selections: tuple[SelectionNode, ...]) -> OperationDefinitionNode:
    definition = VariableDefinitionNode(
        variable=ID, type=NonNullTypeNode(type=_type("ID")), directives=()
    )
    return OperationDefinitionNode(
        operation=OperationType.QUERY,
        name=_name(name),
        variable_definitions=(definition,),
        directives=(),
        selection_set=SelectionSetNode(
            selections=tuple(
                _field(node, arguments=(ArgumentNode(name=_name("id"), value=ID),))
                if isinstance(node, FieldNode)
                else node
                for node in selections
            )
        ),
    )


def _field(node: FieldNode, **changes: Any) -> FieldNode:
    kept = {name: getattr(node, name) for name in FieldNode.keys if name != "loc"}
    return FieldNode(**{**kept, **changes})


def selections_of(document: DocumentNode) -> tuple[SelectionNode, ...]:
    """What the first operation of a document selects."""
    operation = document.definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    return tuple(operation.selection_set.selections)


def rewritten(
    schema: GraphQLSchema, kind: str, selections: tuple[SelectionNode, ...], rewrite: Rewrite
) -> tuple[SelectionNode, ...]:
    """Selections with every selection below written otherwise, the inner ones first."""
    found: list[SelectionNode] = []
    for node in selections:
        if isinstance(node, FieldNode) and node.selection_set is not None:
            parent = schema.type_map[kind]
            assert isinstance(parent, GraphQLObjectType | GraphQLInterfaceType)
            below = get_named_type(parent.fields[node.name.value].type)
            assert is_composite_type(below)
            inner = rewritten(schema, below.name, tuple(node.selection_set.selections), rewrite)
            found.append(_field(node, selection_set=SelectionSetNode(selections=inner)))
        elif isinstance(node, InlineFragmentNode):
            condition = node.type_condition.name.value if node.type_condition else kind
            inner = rewritten(schema, condition, tuple(node.selection_set.selections), rewrite)
            found.append(_on(condition, inner))
        else:
            found.append(node)
    return rewrite(kind, tuple(found))


def _on(kind: str, selections: tuple[SelectionNode, ...]) -> InlineFragmentNode:
    return InlineFragmentNode(
        type_condition=_type(kind),
        directives=(),
        selection_set=SelectionSetNode(selections=selections),
    )


def _directive(name: str, *, value: bool) -> DirectiveNode:
    argument = ArgumentNode(name=_name("if"), value=BooleanValueNode(value=value))
    return DirectiveNode(name=_name(name), arguments=(argument,))


@cache
def ways() -> Mapping[str, Callable[[GraphQLSchema, DocumentNode], DocumentNode]]:
    """Ways of writing an operation, each of which asks for just the same."""
    return {
        "as it is": lambda _, document: document,
        "aliased": _each(_aliased),
        "twice": _each(_twice),
        "in fragments": _each(lambda kind, found: (_on(kind, found),)),
        "in fragments within fragments": _each(
            lambda kind, found: (_on(kind, (_on(kind, found),)),)
        ),
        "in named fragments": _in_named_fragments,
        "not to be included": _each(
            lambda _, found: _directed(found, _directive("include", value=False))
        ),
        "skipped": _each(lambda _, found: _directed(found, _directive("skip", value=True))),
        "with the types' names": _each(
            lambda _, found: (*found, FieldNode(name=_name("__typename")))
        ),
        "in reverse": _each(lambda _, found: found[::-1]),
        "beside another operation": _beside_another,
    }


def _each(rewrite: Rewrite) -> Callable[[GraphQLSchema, DocumentNode], DocumentNode]:
    def write(schema: GraphQLSchema, document: DocumentNode) -> DocumentNode:
        found = rewritten(schema, "Query", selections_of(document), rewrite)
        return DocumentNode(definitions=(_with_id(found),))

    return write


def _with_id(selections: tuple[SelectionNode, ...]) -> OperationDefinitionNode:
    """The operation again; the fields below keep the arguments that they have."""
    made = _operation("Plain", ())
    return OperationDefinitionNode(
        operation=made.operation,
        name=made.name,
        variable_definitions=made.variable_definitions,
        directives=(),
        selection_set=SelectionSetNode(selections=selections),
    )


def _other_name(prefix: str, kind: str, node: FieldNode) -> NameNode:
    """A response key that no field of another type has: those must differ to be merged."""
    return _name(f"{prefix}_{kind}_{(node.alias or node.name).value}")


def _aliased(kind: str, found: tuple[SelectionNode, ...]) -> tuple[SelectionNode, ...]:
    return tuple(
        _field(node, alias=_other_name("a", kind, node)) if isinstance(node, FieldNode) else node
        for node in found
    )


def _twice(kind: str, found: tuple[SelectionNode, ...]) -> tuple[SelectionNode, ...]:
    """Leaves under a second name: whole selections would double at every depth."""
    again = tuple(
        _field(node, alias=_other_name("b", kind, node))
        for node in found
        if isinstance(node, FieldNode) and node.selection_set is None
    )
    return (*found, *again)


def _directed(
    found: tuple[SelectionNode, ...], directive: DirectiveNode | ConstDirectiveNode
) -> tuple[SelectionNode, ...]:
    return tuple(
        _field(node, directives=(directive,)) if isinstance(node, FieldNode) else node
        for node in found
    )


def _in_named_fragments(schema: GraphQLSchema, document: DocumentNode) -> DocumentNode:
    fragments: list[FragmentDefinitionNode] = []

    def spread(kind: str, found: tuple[SelectionNode, ...]) -> tuple[SelectionNode, ...]:
        name = f"F{len(fragments)}"
        fragments.append(
            FragmentDefinitionNode(
                name=_name(name),
                type_condition=_type(kind),
                variable_definitions=(),
                directives=(),
                selection_set=SelectionSetNode(selections=found),
            )
        )
        return (FragmentSpreadNode(name=_name(name), directives=()),)

    found = rewritten(schema, "Query", selections_of(document), spread)
    return DocumentNode(definitions=(_with_id(found), *fragments))


def _beside_another(_: GraphQLSchema, document: DocumentNode) -> DocumentNode:
    inner = SelectionSetNode(selections=(FieldNode(name=_name("name")),))
    other = OperationDefinitionNode(
        operation=OperationType.QUERY,
        name=_name("Other"),
        variable_definitions=(),
        directives=(),
        selection_set=SelectionSetNode(
            selections=(FieldNode(name=_name("sources"), selection_set=inner),)
        ),
    )
    return DocumentNode(definitions=(other, *document.definitions))


def through_records(document: DocumentNode, types: Mapping[str, str]) -> DocumentNode | None:
    """Agencies' own records (field to type) asked through `records`; None where there are none."""
    (recipient,) = selections_of(document)
    assert isinstance(recipient, FieldNode)
    assert recipient.selection_set is not None
    kept: list[SelectionNode] = []
    moved: list[SelectionNode] = []
    for node in recipient.selection_set.selections:
        if isinstance(node, FieldNode) and node.name.value in types and node.selection_set:
            moved.append(_on(types[node.name.value], tuple(node.selection_set.selections)))
        else:
            kept.append(node)
    if not moved:
        return None
    # `records` may be there already, under its own name.
    records = FieldNode(
        name=_name("records"),
        alias=_name("byInterface"),
        selection_set=SelectionSetNode(selections=tuple(moved)),
    )
    inner = SelectionSetNode(selections=(*kept, records))
    return DocumentNode(definitions=(_with_id((_field(recipient, selection_set=inner),)),))


def text(document: DocumentNode) -> str:
    """A document as it is sent."""
    return print_ast(document)
