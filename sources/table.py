"""What the adapters' own tables of a declaration share: reading them, how values are written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, ValidationError

from sources.adapter import unset_faults
from sources.declaration import Item, Source
from sources.fault import Fault, shape_faults
from sources.record import Formats
from sources.terms import Strict


class Written(Strict):
    """How an agency writes dates, months, money and numbers; what stands for none."""

    dates: Literal["YYYY-MM-DD", "YYYYMMDD", "date-time"] = "YYYY-MM-DD"
    months: Literal["YYYY-MM", "YYYYMM"] = "YYYY-MM"
    money: Literal["won", "thousand-won", "text"] = "won"
    numbers: Literal["number", "text"] = "number"
    empty: Literal["text", "absent"] = "text"
    omitted: Literal["broken", "absent"] = "broken"

    @property
    def formats(self) -> Formats:
        """The same, as the decoder of records takes it."""
        return Formats(
            self.dates,
            self.months,
            self.money,
            self.numbers,
            empty=self.empty == "absent",
            omitted=self.omitted == "absent",
        )


def _place(value: str) -> str:
    if value and any(not step for step in value.split(".")):
        raise ValueError(f"`{value}` is no place in a document; write it like `result.records`")
    return value


Place = Annotated[str, AfterValidator(_place)]
"""Where something stands in a document, its keys joined by dots; empty is the document itself."""


def at(document: Any, place: str) -> Any:
    """What stands at a place of a document, `MISSING` where nothing does."""
    for step in place.split(".") if place else ():
        if not isinstance(document, Mapping):
            return MISSING
        document = document.get(step, MISSING)
    return document


def put(document: dict[str, Any], place: str, value: Any) -> None:
    """Put a value at a place of a document that is being written."""
    *steps, last = place.split(".")
    for step in steps:
        document = document.setdefault(step, {})
    document[last] = value


class _Missing:
    """The mark of nothing at a place."""


MISSING = _Missing()

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?\Z")


def _identifier(value: str) -> str:
    if _IDENTIFIER.match(value) is None:
        raise ValueError(f"`{value}` is no plain SQL name; use letters, digits and underscores")
    return value


SqlName = Annotated[str, AfterValidator(_identifier)]
"""The name of a table or column; with a dot, of a table in a schema."""

_Model = TypeVar("_Model", bound=Strict)


def read_table(source: Source, model: type[_Model]) -> tuple[_Model | None, list[Fault]]:
    """The adapter's table of a declaration, or every fault of its shape."""
    try:
        return model.model_validate(source.adapter_table), []
    except ValidationError as error:
        return None, shape_faults(source.file, source.places, error, (source.adapter,))


def table_faults(source: Source, model: type[Strict]) -> list[Fault]:
    """Every fault of the table of an adapter that answers for people only."""
    table, faults = read_table(source, model)
    return faults if table is None else no_cases(source) + variable_faults(source, table)


def variable_faults(source: Source, table: Strict) -> list[Fault]:
    """A fault for each environment variable that the table names and that is not set."""
    return unset_faults(source, dict(_texts(table.model_dump(), (source.adapter,))))


def _texts(value: Any, keys: tuple[str, ...]) -> Iterable[tuple[tuple[str, ...], str]]:
    if isinstance(value, str):
        yield keys, value
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _texts(entry, (*keys, str(key)))


def no_cases(source: Source) -> list[Fault]:
    """A fault where a source of people only declares cases."""
    return [
        Fault(
            source.file,
            source.places.describe(("case", "item")),
            f"the `{source.adapter}` adapter answers for people only",
            "hold cases in a `sql` source",
        )
        for item in source.items
        if item.subject == "case" and item.is_exists
    ]


def item_place(item: Item) -> tuple[str, ...]:
    """Where an item stands in its declaration."""
    subject = ("case",) if item.subject == "case" else ()
    return (*subject, *(step for key in item.path for step in ("item", key)))


def column_faults(source: Source) -> list[Fault]:
    """A fault for each item whose name at the agency is no plain column."""
    faults = []
    for item in source.items:
        if item.wire and ("." in item.wire[-1] or _IDENTIFIER.match(item.wire[-1]) is None):
            place = source.places.describe(item_place(item))
            message = f"`{item.wire[-1]}` is no plain column name"
            faults.append(Fault(source.file, place, message, "correct its `wire`"))
    return faults
