"""An agency's own view of a person, as GraphQL types made from its declaration."""

from __future__ import annotations

import datetime
import types
from collections.abc import Mapping, Sequence
from typing import Any

import strawberry

from schema.needs import Covered, Items, needing
from schema.provenance import Provenance
from schema.scalars import Month, Won
from schema.view import (
    Answer,
    Keyed,
    Row,
)
from sources.declaration import Item, Source

_PYTHON_TYPES: Mapping[str, Any] = {
    "String": str,
    "ID": strawberry.ID,
    "Int": int,
    "Float": float,
    "Boolean": bool,
    "Date": datetime.date,
    "Month": Month,
    "Won": Won,
}


@strawberry.interface(description="One agency's record of a recipient.")
class AgencyRecord:
    """What the generated record types have in common."""

    answer: strawberry.Private[Answer]
    keyed: strawberry.Private[Keyed]
    provenance: Provenance = needing(
        Covered(), lambda self: Provenance(answer=self.answer), "Where the record came from."
    )


def _type_name(text: str) -> str:
    return text[0].upper() + text[1:]


def make_type(name: str, fields: Mapping[str, tuple[Any, Any]], **options: Any) -> Any:
    """A Strawberry type of fields by name: annotation and field each."""
    made = types.new_class(name, options.pop("bases", ()))
    made.__annotations__ = {key: annotation for key, (annotation, _) in fields.items()}
    for key, (_, field) in fields.items():
        if field is not None:
            field.graphql_name = key
            setattr(made, key, field)
    return strawberry.type(made, name=name, **options)


def _leaf(item: Item) -> tuple[Any, Any]:
    def read(self: Any) -> Any:
        return (self.row if len(item.path) == 2 else self.keyed).value(item)

    description = f"{item.description}.\n\nData item `{item.name}`, {item.category}"
    description += f", a {item.per}." if item.per else "."
    return _PYTHON_TYPES[item.type] | None, needing(Items((item.name,)), read, description)


def record_type(source: Source) -> Any:
    """The type of an agency's own view of a person, from its declaration."""
    name = _type_name(source.field)
    fields: dict[str, tuple[Any, Any]] = {}
    columns: dict[str, list[Item]] = {}
    for item in source.items:
        if item.subject == "person" and len(item.path) == 1:
            fields[item.path[0]] = _leaf(item)
        elif item.subject == "person" and len(item.path) == 2:
            columns.setdefault(item.path[0], []).append(item)
    for key, items in columns.items():
        fields[key] = _list_field(f"{name}{_type_name(key)}", source.lists[key], items)
    description = f"{source.agency}: {source.description}."
    return make_type(name, fields, bases=(AgencyRecord,), description=description)


def _list_field(name: str, description: str, items: Sequence[Item]) -> tuple[Any, Any]:
    private: dict[str, tuple[Any, Any]] = {"row": (strawberry.Private[Row], None)}
    leaves = {item.path[1]: _leaf(item) for item in items}
    row_type = make_type(name, {**private, **leaves}, description=f"{description}: one row.")

    def read(self: Any) -> Any:
        rows = self.keyed.rows(items)
        return None if rows is None else [row_type(row=row) for row in rows]

    names = tuple(item.name for item in items)
    mark = Items(names, if_alone=True)
    return list[row_type] | None, needing(mark, read, f"{description}.")  # type: ignore[valid-type]
