"""The fields of a selection as they are read: leaves together, as far as nothing comes between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphql import FieldNode, GraphQLField, GraphQLNonNull, get_nullable_type, is_leaf_type

from hub.projecting.fields import ATTRIBUTE, Source, item_of, origin, source_of
from hub.projecting.shape import Selected
from schema.build import HubSchema
from sources.declaration import Item

_AS_IT_IS = {
    "String": "x if type(x := {}) is str else ",
    "ID": "x if type(x := {}) is str else ",
    "Month": "x if type(x := {}) is str else ",
    "Won": "x if type(x := {}) is int else ",
    "Int": "x if type(x := {}) is int and -0x80000000 <= x < 0x80000000 else ",
    "Float": "x if type(x := {}) is float and x - x == 0 else ",
    "Boolean": "x if type(x := {}) is bool else ",
    "Date": "x.isoformat() if type(x := {}) is date else ",
}
"""How a value of the type that a scalar has most often is put without a call.

`x - x` is nought for all but what is infinite or no number.
"""


@dataclass(frozen=True, slots=True)
class Part:
    """One key of the response and how its value is got. Without a `field` it is `__typename`.

    `simple`: it is a leaf that can be read along with others. Where it is but an item, it is the
    `item` of what is found by the attribute `owner`.
    """

    selected: Selected
    source: Source
    simple: bool
    owner: str
    item: Item | None

    @property
    def key(self) -> str:  # noqa: D102 - described with the class
        return self.selected.key

    @property
    def name(self) -> str:
        """The name of the field."""
        return self.selected.nodes[0].name.value

    @property
    def nodes(self) -> Sequence[FieldNode]:
        """Every node that asks for it."""
        return self.selected.nodes

    @property
    def field(self) -> GraphQLField | None:  # noqa: D102 - described with the class
        return self.selected.field

    @property
    def required(self) -> bool:
        """Whether it may not be null."""
        return self.field is not None and isinstance(self.field.type, GraphQLNonNull)


def part_of(schema: HubSchema, selected: Selected) -> Part:
    """How a selected field is got. Raises NotCompiled."""
    if selected.field is None:
        return Part(selected, ATTRIBUTE, True, "", None)
    source = source_of(selected.field)
    leaf = is_leaf_type(get_nullable_type(selected.field.type))
    simple = leaf and source.simple and not selected.field.args
    found = item_of(source.reads, origin(selected.parent.name, schema), schema.catalogue)
    owner, item = found if simple and found is not None else ("", None)
    return Part(selected, source, simple, owner, item)


def in_runs(parts: Sequence[Part]) -> list[list[Part]]:
    """Parts in runs, in each of which the leaves may be read before all else.

    What is read before a field that may not be null fails is released, and what is after it is
    not: so nothing is moved from behind such a field to before it.
    """
    runs: list[list[Part]] = []
    for part in parts:
        last = runs[-1] if runs else []
        behind = bool(last) and not last[-1].simple and last[-1].required
        overtakes = part.simple and part.required and any(not each.simple for each in last)
        if not last or behind or overtakes:
            runs.append([])
        runs[-1].append(part)
    return runs


def put(kind: str, got: str, coercion: str) -> str:
    """The expression that puts a value of a scalar or an enum into the response."""
    if kind in _AS_IT_IS:
        return f"{_AS_IT_IS[kind].format(got)}{coercion}(x)"
    return f"{coercion}({got})"
