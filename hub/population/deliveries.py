"""Deliveries in bulk: what an agency holds of everyone, as typed Ibis tables by source.

`newest` finds (or draws from the agency's views) the newest whole delivery of a source; `table`
opens one part of it on any Ibis backend, DuckDB or Spark: a column `key`, the person's id, and a
column for each delivered item, named as in its declaration and typed by it: `Won` and `Int` are
`int64`, `Date` is `date`, `Month` is text `YYYY-MM`, `Boolean` is `boolean`, codes are their words.
What is not as declared is null there, and `broken` counts it: no delivery with such is used.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sources.adapter import expand, unset
from sources.bulk import PEOPLE, Bulk, Part
from sources.declaration import Catalogue, Item, Source

KEY = "key"
"""The column of every table that has the person's id."""
_WRITTEN = {"YYYY-MM-DD": "%Y-%m-%d", "YYYYMMDD": "%Y%m%d"}
_NUMBERS = {"Won": "int64", "Int": "int64", "Float": "float64"}


class DeliveryRefused(Exception):
    """A delivery that is not there or cannot be used: of which source, why, what mends it."""

    def __init__(self, source: str, reason: str, remedy: str) -> None:
        super().__init__(f"{source}: {reason}; {remedy}")
        self.source, self.reason, self.remedy = source, reason, remedy


@dataclass(frozen=True)
class Delivery:
    """A whole delivery of one source: what day it is of, and its files by part."""

    source: Source
    bulk: Bulk
    day: datetime.date
    files: Mapping[str, Path]
    csv: bool

    def items(self, part: str = PEOPLE) -> tuple[Item, ...]:
        """The delivered items of a part, in the order of the declaration."""
        length = 1 if part == PEOPLE else 2
        return tuple(
            item
            for item in self.source.items
            if item.subject == "person"
            and len(item.path) == length
            and (length == 1 or item.path[0] == part)
            and self.bulk.delivers(item.path)
        )


def delivering(catalogue: Catalogue) -> tuple[Source, ...]:
    """The enabled sources that declare `[bulk]`."""
    return tuple(source for source in catalogue.sources.values() if source.bulk is not None)


def newest(source: Source, until: datetime.date, drawn: Path) -> Delivery:
    """The newest delivery not after a day of which all parts are there.

    What is delivered by views is drawn into the folder `drawn`, once a day of theirs.
    Raises DeliveryRefused.
    """
    bulk = source.bulk
    if bulk is None:
        raise DeliveryRefused(source.name, "it declares no `[bulk]`", "declare how it delivers")
    place = bulk.folder if bulk.database is None else bulk.database
    for name in unset(place or ""):
        remedy = f"set `{name}`, or take `{source.name}` out of `sources.enabled`"
        raise DeliveryRefused(source.name, f"the environment has no `{name}`", remedy)
    if bulk.database is not None:
        drawn.mkdir(parents=True, exist_ok=True)
        return asyncio.run(_draw(source, bulk, until, drawn))
    folder = Path(expand(bulk.folder or "")).resolve()
    return _lying(source, bulk, until, folder)


def _lying(source: Source, bulk: Bulk, until: datetime.date, folder: Path) -> Delivery:
    try:
        names = [entry.name for entry in os.scandir(folder) if entry.is_file()]
    except OSError as error:
        remedy = "correct its path, or let it be read"
        reason = f"its folder cannot be read ({error.strerror})"
        raise DeliveryRefused(source.name, reason, remedy) from error
    dated = [set(_days(part, bulk, names)) for part in bulk.parts.values()]
    days = [day for day in set.intersection(*dated) if day <= until]
    if not days:
        remedy = "have the agency deliver every part, dated alike: " + ", ".join(
            f"`{part.files}`" for part in bulk.parts.values()
        )
        raise DeliveryRefused(source.name, f"there is no whole delivery until {until}", remedy)
    day = max(days)
    _check_age(source, bulk, day, until)
    files = {
        name: folder / str(part.files).replace("{date}", day.strftime(_WRITTEN[bulk.date]))
        for name, part in bulk.parts.items()
    }
    return Delivery(source, bulk, day, files, bulk.format == "csv")


def _check_age(source: Source, bulk: Bulk, day: datetime.date, until: datetime.date) -> None:
    if bulk.oldest is not None and (until - day).total_seconds() > bulk.oldest:
        remedy = "have the agency deliver anew, or change `oldest` of `[bulk]`"
        raise DeliveryRefused(source.name, f"the newest delivery is of {day}, too old", remedy)


def _days(part: Part, bulk: Bulk, names: Iterable[str]) -> Iterable[datetime.date]:
    before, after = str(part.files).split("{date}")
    for name in names:
        text = name.removeprefix(before).removesuffix(after)
        if name == before + text + after:
            with contextlib.suppress(ValueError):  # A name like it, of something else.
                yield datetime.datetime.strptime(text, _WRITTEN[bulk.date]).date()  # noqa: DTZ007


async def _draw(source: Source, bulk: Bulk, until: datetime.date, folder: Path) -> Delivery:
    """Copy the agency's views as they are at one moment. Raises DeliveryRefused."""
    import asyncpg  # noqa: PLC0415 - only where an agency delivers by views

    try:
        address = expand(bulk.database or "").replace("+asyncpg", "", 1)
        connection = await asyncpg.connect(address)
        try:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                # Invariant: names are plain identifiers, by the declaration's check.
                people = bulk.person.view
                day = await connection.fetchval(f'SELECT max("{bulk.as_of}") FROM {people}')  # noqa: S608
                if day is None or day > until:
                    reason = "its view is empty" if day is None else f"its view is of {day}"
                    remedy = f"have the agency show what it held until {until}"
                    raise DeliveryRefused(source.name, reason, remedy)
                _check_age(source, bulk, day, until)
                made = Delivery(source, bulk, day, _drawn(source, bulk, day, folder), csv=True)
                for name, part in bulk.parts.items():
                    await _copy(connection, made, name, part)
        finally:
            await connection.close()
    except (OSError, asyncpg.PostgresError) as error:
        reason = f"its views cannot be read ({type(error).__name__})"
        remedy = "let the hub's role select from them, and check `database`"
        raise DeliveryRefused(source.name, reason, remedy) from error
    return made


def _drawn(source: Source, bulk: Bulk, day: datetime.date, folder: Path) -> Mapping[str, Path]:
    return {name: folder / f"{source.name}-{name or 'people'}-{day}.csv" for name in bulk.parts}


async def _copy(connection: Any, delivery: Delivery, name: str, part: Part) -> None:
    path = delivery.files[name]
    if path.exists():
        return
    columns = [part.key, *(item.wire[-1] for item in delivery.items(name))]
    named = ", ".join(f'"{column}"' for column in dict.fromkeys(columns))
    unfinished = path.with_suffix(".part")
    await connection.copy_from_query(
        f"SELECT {named} FROM {part.view}",  # noqa: S608 - plain identifiers, as above
        output=unfinished,
        format="csv",
        header=True,
        delimiter=delivery.bulk.delimiter,
    )
    unfinished.rename(path)


def table(backend: Any, delivery: Delivery, part: str = PEOPLE) -> Any:
    """One part of a delivery as an Ibis table on this backend, typed as declared.

    Raises DeliveryRefused where a declared column lacks or the file cannot be read.
    """
    return as_declared(opened(backend, delivery, part), delivery, part, {})


def as_declared(raw: Any, delivery: Delivery, part: str, more: Mapping[str, Any]) -> Any:
    """A part as it was written, in the types that are declared; with further columns."""
    typed = {item.path[-1]: typed_column(raw, delivery, item) for item in delivery.items(part)}
    return raw.select(_key(raw, delivery, part).name(KEY), **typed, **more)


def opened(backend: Any, delivery: Delivery, part: str) -> Any:
    """One part as it was written. Raises DeliveryRefused."""
    path = delivery.files[part]
    name = f"{delivery.source.name}_{part or 'people'}_{delivery.day:%Y%m%d}"
    try:
        raw = _read(backend, delivery, path, name)
        columns = raw.columns
    except Exception as error:  # each backend has errors of its own
        reason = f"`{path.name}` cannot be read ({type(error).__name__})"
        raise DeliveryRefused(
            delivery.source.name, reason, "have the agency deliver it again, whole"
        ) from error
    wanted = [delivery.bulk.parts[part].key, *(item.wire[-1] for item in delivery.items(part))]
    lacking = sorted(set(wanted) - set(columns))
    if lacking:
        named = ", ".join(f"`{column}`" for column in lacking)
        remedy = "have the agency deliver them, or name in `items` of `[bulk]` what it delivers"
        raise DeliveryRefused(delivery.source.name, f"`{path.name}` lacks {named}", remedy)
    return raw


def _read(backend: Any, delivery: Delivery, path: Path, name: str) -> Any:
    if not delivery.csv:
        return backend.read_parquet(str(path), table_name=name)
    delimiter = delivery.bulk.delimiter
    if backend.name == "duckdb":
        # A text in quotes is text, and empty; without them there is none.
        return backend.read_csv(
            str(path), table_name=name, header=True, all_varchar=True, delim=delimiter
        )
    return backend.read_csv(str(path), table_name=name, header=True, sep=delimiter)


def _key(raw: Any, delivery: Delivery, part: str) -> Any:
    column = raw[delivery.bulk.parts[part].key]
    return column if column.type().is_string() else column.cast("string")


def typed_column(raw: Any, delivery: Delivery, item: Item) -> Any:
    """An item's column in the type that it is declared of; null where it is not as declared."""
    column, bulk = raw[item.wire[-1]], delivery.bulk
    if column.type().is_string() and (bulk.empty == "absent" or delivery.csv):
        column = column.nullif("")
    if item.codes:
        return _decoded(column.cast("string"), item)
    match item.type:
        case "Won" | "Int" | "Float":
            number = column if _is(column, _NUMBERS[item.type]) else _tried(column, item.type)
            return number * 1000 if item.type == "Won" and bulk.money == "thousand-won" else number
        case "Boolean":
            return column if column.type().is_boolean() else column.try_cast("boolean")
        case "Date":
            return column if column.type().is_date() else _date(column, bulk)
        case "Month":
            return _month(column.cast("string"), bulk)
    return column if column.type().is_string() else column.cast("string")


def _is(column: Any, name: str) -> bool:
    return str(column.type()).lstrip("!") == name


def _tried(column: Any, kind: str) -> Any:
    """A number written as text or in another width; of a fraction, no whole number is made."""
    if kind == "Float" or column.type().is_integer():
        return column.try_cast(_NUMBERS[kind])
    text = column.cast("string")
    return text.re_search(r"^\s*[-+]?[0-9]+\s*$").ifelse(text.strip().try_cast("int64"), None)


def _decoded(text: Any, item: Item) -> Any:
    import ibis  # noqa: PLC0415 - heavy, and needed only where populations are read

    truth = item.type == "Boolean"
    cases = [(text == code, word == "true" if truth else word) for code, word in item.codes.items()]
    return ibis.cases(*cases)


def _date(column: Any, bulk: Bulk) -> Any:
    text = column.cast("string")
    if bulk.dates == "YYYYMMDD":
        text = text.substr(0, 4) + "-" + text.substr(4, 2) + "-" + text.substr(6, 2)
    return text.try_cast("date")


def _month(text: Any, bulk: Bulk) -> Any:
    if bulk.months == "YYYYMM":
        text = text.substr(0, 4) + "-" + text.substr(4, 2)
    return text.re_search(r"^[0-9]{4}-(0[1-9]|1[0-2])$").ifelse(text, None)


def broken(raw: Any, delivery: Delivery, items: Sequence[Item]) -> Mapping[str, Any]:
    """For each item that could be otherwise than declared, whether a value is, as expressions."""
    found = {}
    for item in items:
        column, typed = raw[item.wire[-1]], typed_column(raw, delivery, item)
        if typed is not column and typed.op() != column.op():
            given = column.notnull()
            if column.type().is_string() and (delivery.bulk.empty == "absent" or delivery.csv):
                given &= column != ""
            found[item.path[-1]] = given & typed.isnull()
    return found
