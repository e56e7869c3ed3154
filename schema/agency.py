"""An agency's own view of a person, as GraphQL types made from its declaration."""

from __future__ import annotations

import datetime
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import strawberry
from strawberry import UNSET

from schema.needs import Counted, Covered, Items, Listed, ReadsItem, ReadsRows, needing
from schema.provenance import Provenance
from schema.scalars import Month, Won
from schema.selecting import COUNT, ROWS, chosen, order_type, sorted_by, where_type
from schema.view import Answer, Keyed, Linked, Row
from sources.declaration import Catalogue, Item, Source
from sources.fault import Fault, FaultyConfiguration

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
        Covered(),
        lambda self: Provenance(answer=self.answer, keyed=self.keyed),
        "Where the record came from.",
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

    read.__annotations__ = {}  # Strawberry would work each of them out, hundreds of times.
    description = f"{item.description}.\n\nData item `{item.name}`, {item.category}"
    description += f", a {item.per}." if item.per else "."
    field = needing(Items((item.name,)), read, description, ReadsItem(item))
    return _PYTHON_TYPES[item.type] | None, field


def record_types(catalogue: Catalogue) -> dict[str, Any]:
    """The type of each agency's own view, by the source's name."""
    made: dict[str, Any] = {}

    def record_of(source: Source) -> Any:
        if source.name not in made:
            made[source.name] = _record_type(catalogue, source, record_of)
        return made[source.name]

    return {name: record_of(source) for name, source in catalogue.sources.items()}


RecordOf = Callable[[Source], Any]


def _record_type(catalogue: Catalogue, source: Source, record_of: RecordOf) -> Any:
    """The type of an agency's own view of a person, from its declaration."""
    name = _type_name(source.field)
    fields: dict[str, tuple[Any, Any]] = {}
    columns: dict[str, list[Item]] = {}
    for item in source.items:
        if item.subject == "person" and len(item.path) == 1:
            fields[item.path[0]] = _leaf(item)
            _put(fields, _links(catalogue, item, record_of))
        elif item.subject == "person" and len(item.path) == 2:
            columns.setdefault(item.path[0], []).append(item)
    for key, items in columns.items():
        links = {
            field: link
            for item in items
            for field, link in _links(catalogue, item, record_of).items()
        }
        of = f"{name}{_type_name(key)}"
        fields[key], fields[f"{key}Count"] = _list_fields(of, source.lists[key], items, links)
    description = f"{source.agency}: {source.description}."
    return make_type(name, fields, bases=(AgencyRecord,), description=description)


def _links(catalogue: Catalogue, key: Item, record_of: RecordOf) -> dict[str, tuple[Any, Any]]:
    """A field for each source whose records are found by the item."""

    def link(source: Source) -> tuple[Any, Any]:
        exists, record = catalogue.exists(source.name), record_of(source)

        def read(self: Any) -> Any:
            place = self.row if len(key.path) == 2 else self.keyed
            found = place.peek(key)
            if found is None:
                return None
            linked = Linked(place.owner if len(key.path) == 2 else place, found)
            answer = linked.answer(exists)
            linked.release(exists)
            return record(answer=answer, keyed=linked)

        description = f"{source.agency}: {source.description}. Found by `{key.name}`."
        return record | None, needing(Items((key.name, exists.name)), read, description)

    return {source.field: link(source) for source in catalogue.found_by(key)}


def _put(fields: dict[str, tuple[Any, Any]], links: Mapping[str, tuple[Any, Any]]) -> None:
    """Add fields that lead to other sources. Raises FaultyConfiguration where a name is taken."""
    for name, link in links.items():
        if name in fields:
            message = f"`{name}` is an item where it is found already"
            remedy = "give the source another `field`"
            raise FaultyConfiguration([Fault("the catalogue", f"field `{name}`", message, remedy)])
        fields[name] = link


def _list_fields(
    name: str, description: str, items: Sequence[Item], links: Mapping[str, tuple[Any, Any]]
) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """The list itself, and how many rows it has."""
    private: dict[str, tuple[Any, Any]] = {"row": (strawberry.Private[Row], None)}
    leaves = {item.path[1]: _leaf(item) for item in items}
    _put(leaves, links)
    row_type = make_type(name, {**private, **leaves}, description=f"{description}: one row.")

    where, order = where_type(name, items), order_type(name, items)

    def read(self: Any, where: Any = UNSET, order_by: Any = UNSET, first: int = ROWS) -> Any:
        rows = self.keyed.rows(items)
        if rows is None:
            return None
        kept = sorted_by(self.keyed, items, chosen(self.keyed, items, rows, where), order_by)
        return [row_type(row=row) for row in kept[: max(0, first)]]

    def count(self: Any, where: Any = UNSET) -> Any:
        by = self.keyed.using(COUNT)
        rows = by.peek_rows(items)
        by.release(items[0])
        return None if rows is None else len(chosen(self.keyed, items, rows, where))

    read.__annotations__ = {"where": where | None, "order_by": list[order] | None, "first": int}  # type: ignore[valid-type]
    count.__annotations__ = {"where": where | None}
    names = tuple(item.name for item in items)
    counted = f"Number of rows: {description}.\n\nIt is counted by `{names[0]}`."
    return (
        (
            list[row_type] | None,  # type: ignore[valid-type]
            needing(Listed(names), read, f"{description}.", ReadsRows(tuple(items))),
        ),
        (int | None, needing(Counted(names), count, counted)),
    )
