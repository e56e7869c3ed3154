"""How one field of the view is got: an item, a place, an attribute, or a call of its resolver."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from keyword import iskeyword
from operator import attrgetter
from typing import Any

from graphql import FieldNode, GraphQLError, GraphQLField, VariableNode, get_named_type
from graphql.execution.values import VariableValues, get_argument_values
from graphql.language import BREAK, Visitor, visit
from strawberry.types.arguments import convert_arguments
from strawberry.types.base import get_object_definition
from strawberry.types.field import StrawberryField

from hub.projecting.shape import NotCompiled, Selected
from schema.build import HubSchema
from schema.needs import KEY, READS, Covered, Needs, Reads, ReadsItem, ReadsPlace
from schema.recipient import OfKey, OfPerson
from sources.declaration import Catalogue, Item


@dataclass(frozen=True, slots=True)
class Source:
    """How a field is got. Without a `resolver` it is the attribute of that name."""

    attribute: str
    resolver: Callable[..., Any] | None
    takes_self: bool
    takes_info: bool
    needs: Needs | None
    reads: Reads | None

    @property
    def simple(self) -> bool:
        """Whether it can be got again without harm, and costs next to nothing."""
        covered = isinstance(self.needs, Covered) and self.takes_self and not self.takes_info
        return self.resolver is None or self.reads is not None or covered

    @property
    def read(self) -> Callable[[Any], Any]:
        """Gets a simple field from its object."""
        return attrgetter(self.attribute) if self.resolver is None else self.resolver


ATTRIBUTE = Source("", None, False, False, None, None)
"""How nothing is got."""


def source_of(field: GraphQLField) -> Source:
    """How a field of the schema is got. Raises NotCompiled where that cannot be told."""
    declared = field.extensions.get("strawberry-definition")
    if not isinstance(declared, StrawberryField) or declared.extensions or declared.is_async:
        raise NotCompiled("it asks for a field of which it is not known how it is got")
    needs, reads = declared.metadata.get(KEY), declared.metadata.get(READS)
    resolver = declared.base_resolver
    if resolver is None:
        if not declared.python_name.isidentifier() or iskeyword(declared.python_name):
            raise NotCompiled("it asks for a field of which it is not known how it is got")
        return Source(declared.python_name, None, False, False, needs, None)
    if resolver.parent_parameter or resolver.root_parameter:
        raise NotCompiled("it asks for a field that takes more than itself and its arguments")
    info = resolver.info_parameter
    if info is not None and info.name != "info":
        raise NotCompiled("it asks for a field that takes more than itself and its arguments")
    function, takes_self = resolver.wrapped_func, resolver.self_parameter is not None
    if isinstance(function, staticmethod | classmethod):
        raise NotCompiled("it asks for a field of which it is not known how it is got")
    return Source("", function, takes_self, info is not None, needs, reads)


def origin(name: str, schema: HubSchema) -> type:
    """The class of the objects of a type. Raises NotCompiled."""
    definition = schema.graphql.type_map[name].extensions.get("strawberry-definition")
    found = getattr(definition, "origin", None)
    if not isinstance(found, type):
        raise NotCompiled("it asks for a type that has no class")
    return found


def kind_of(value: Any) -> str:
    """The name of an object's type, where that is one of several. Raises TypeError."""
    definition = get_object_definition(value)
    if definition is None:
        raise TypeError("an object is of no type of the schema")
    return definition.name


def item_of(reads: Reads | None, kind: type, catalogue: Catalogue) -> tuple[str, Item] | None:
    """The one item that a field reads, and the attribute that reads it; None where it is another.

    A place at which several items stand is read by its resolver: one comes before the other.
    """
    if isinstance(reads, ReadsItem):
        return ("row" if len(reads.item.path) == 2 else "keyed"), reads.item
    if isinstance(reads, ReadsPlace) and issubclass(kind, OfPerson | OfKey):
        items = catalogue.at(reads.place)
        if len(items) == 1 and len(items[0].path) == 1:
            return ("person" if issubclass(kind, OfPerson) else "keyed"), items[0]
    return None


Values = Callable[[VariableValues], Mapping[str, Any]]
"""The arguments of a field as its resolver takes them, for these variables."""


def arguments_of(schema: HubSchema, selected: Selected) -> tuple[Values | None, Mapping[str, Any]]:
    """How the arguments are worked out where they name variables; else None, and what they are.

    Raises NotCompiled where they cannot be worked out.
    """
    field, node = selected.field, selected.nodes[0]
    if field is None or not field.args:
        return None, {}
    declared = field.extensions["strawberry-definition"].arguments
    made = schema.made

    plain, spelt = _plain(field, node), made.config.name_converter.from_argument
    names = {spelt(each): each.python_name for each in declared}

    def values(variables: VariableValues) -> Mapping[str, Any]:
        coerced = variables.coerced
        if plain is not None and all(coerced.get(name) is not None for name in plain.values()):
            return {names[argument]: coerced[name] for argument, name in plain.items()}
        given = get_argument_values(field, node, variables)
        registry = made.schema_converter.scalar_registry
        return convert_arguments(given, declared, scalar_registry=registry, config=made.config)

    if _names_variable(node):
        return values, {}
    try:
        return None, values(VariableValues({}, {}))
    except GraphQLError as error:
        raise NotCompiled("an argument has no value") from error


def _plain(field: GraphQLField, node: FieldNode) -> Mapping[str, str] | None:
    """The variable of each argument, where all are ids or texts given by variables."""
    found: dict[str, str] = {}
    for each in node.arguments or ():
        kind = get_named_type(field.args[each.name.value].type).name
        if not isinstance(each.value, VariableNode) or kind not in ("ID", "String"):
            return None
        found[each.name.value] = each.value.name.value
    return found if found.keys() == field.args.keys() else None


def _names_variable(node: FieldNode) -> bool:
    found = _Variables()
    for argument in node.arguments or ():
        visit(argument, found)
    return found.any


class _Variables(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.any = False

    def enter_variable(self, _: VariableNode, *__: Any) -> Any:
        self.any = True
        return BREAK
