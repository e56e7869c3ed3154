"""Turns a record as an agency writes it into values of the declared types.

A value that is missing, of the wrong type or beyond its range becomes `BROKEN`: never zero,
never absent. Pure.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, Literal

from sources.adapter import BROKEN, Record, Reply
from sources.declaration import Item
from sources.rows import UNUSABLE, Column, Decode, Reader, compiled

WON_LIMIT = 10**18
"""Amounts beyond this are a fault of the source: the whole economy is smaller."""


@dataclass(frozen=True, slots=True)
class Formats:
    """How an agency writes dates, months, money and numbers.

    `empty` and `omitted` take an empty text, and a value left out, for "there is none". Of an
    agency that can only give `whole` records, what was not asked for is dropped uncounted. A list
    of more than `rows` rows breaks the contract.
    """

    dates: Literal["YYYY-MM-DD", "YYYYMMDD", "date-time"] = "YYYY-MM-DD"
    months: Literal["YYYY-MM", "YYYYMM"] = "YYYY-MM"
    money: Literal["won", "thousand-won", "text"] = "won"
    numbers: Literal["number", "text"] = "number"
    empty: bool = False
    omitted: bool = False
    whole: bool = False
    rows: int = 10_000


class _Wrong(ValueError):
    """The value is not of its declared type."""


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _Wrong
    return value


def _whole(value: Any) -> int:
    if type(value) is Decimal:
        # One that is no number may raise whatever it is compared with.
        if value.is_finite() and abs(value) < WON_LIMIT and value == value.to_integral_value():
            return int(value)
        raise _Wrong
    if type(value) is not int:
        raise _Wrong
    return value


_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?\Z")


def _number_text(value: Any) -> int | float:
    if _NUMBER.match(_text(value)) is None:
        raise _Wrong
    return float(value) if "." in value else int(value)


def _int(value: Any) -> int:
    if not -(2**31) <= _whole(value) < 2**31:
        raise _Wrong
    return int(value)


def _float(value: Any) -> float:
    if type(value) not in (int, float, Decimal):
        raise _Wrong
    try:
        number = float(value)
    except (OverflowError, ValueError) as error:
        raise _Wrong from error
    if not math.isfinite(number):
        raise _Wrong
    return number


def _boolean(value: Any) -> bool:
    if type(value) is not bool:
        raise _Wrong
    return value


def _boolean_text(value: Any) -> bool:
    """As XML Schema writes it."""
    if type(value) is bool:
        return value
    if value not in ("true", "false", "1", "0"):
        raise _Wrong
    return value in ("true", "1")


def _won(value: Any) -> int:
    if abs(_whole(value)) > WON_LIMIT:
        raise _Wrong
    return int(value)


def _thousand_won(value: Any) -> int:
    return _won(_whole(value) * 1000)


_DIGITS = re.compile(r"-?[0-9]{1,3}(,[0-9]{3}){1,6}\Z|-?[0-9]{1,19}\Z")


def _money_text(value: Any) -> int:
    if _DIGITS.match(_text(value)) is None:
        raise _Wrong
    return _won(int(value.replace(",", "")))


_DATE = re.compile(r"\d{4}-\d{2}-\d{2}\Z")


def _date(value: Any) -> datetime.date:
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return value
    if _DATE.match(_text(value)) is None:
        raise _Wrong
    return _calendar(value)


def _date_time(value: Any) -> datetime.date:
    """The day of a date-time (RFC 3339), as it is written; a date alone will do."""
    if isinstance(value, datetime.date):
        return value.date() if isinstance(value, datetime.datetime) else value
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}.{0,24})?", _text(value)) is None:
        raise _Wrong
    return _calendar(value[:10])


def _compact_date(value: Any) -> datetime.date:
    if re.fullmatch(r"\d{8}", _text(value)) is None:
        raise _Wrong
    return _calendar(f"{value[:4]}-{value[4:6]}-{value[6:]}")


def _calendar(text: str) -> datetime.date:
    try:
        return datetime.date.fromisoformat(text)
    except ValueError as error:
        raise _Wrong from error


def _month(value: Any) -> str:
    if re.fullmatch(r"[0-9]{4}-(0[1-9]|1[0-2])", _text(value)) is None:
        raise _Wrong
    return str(value)


def _compact_month(value: Any) -> str:
    if re.fullmatch(r"\d{6}", _text(value)) is None:
        raise _Wrong
    return _month(f"{value[:4]}-{value[4:]}")


_NUMBERS: Mapping[tuple[str, str], Decode] = {
    ("Int", "number"): _int,
    ("Int", "text"): lambda value: _int(_number_text(value)),
    ("Float", "number"): _float,
    ("Float", "text"): lambda value: _float(_number_text(value)),
    ("Boolean", "number"): _boolean,
    ("Boolean", "text"): _boolean_text,
}
_MONEY: Mapping[tuple[str, str], Decode] = {
    ("won", "number"): _won,
    ("won", "text"): _money_text,
    ("thousand-won", "number"): _thousand_won,
    ("thousand-won", "text"): lambda value: _thousand_won(_money_text(value)),
    ("text", "number"): _money_text,
    ("text", "text"): _money_text,
}
_DATES: Mapping[str, Decode] = {
    "YYYY-MM-DD": _date,
    "YYYYMMDD": _compact_date,
    "date-time": _date_time,
}


def _decode_for(item: Item, formats: Formats) -> Decode:
    if item.codes:
        codes: Mapping[str, Any] = item.codes
        if item.type == "Boolean":
            codes = {code: word == "true" for code, word in item.codes.items()}

        def decode(value: Any) -> Any:
            try:
                return codes[value]
            except (KeyError, TypeError) as error:
                raise _Wrong from error

        return decode
    match item.type:
        case "Date":
            return _DATES[formats.dates]
        case "Month":
            return _month if formats.months == "YYYY-MM" else _compact_month
        case "Won":
            return _MONEY[formats.money, formats.numbers]
        case "Int" | "Float" | "Boolean":
            return _NUMBERS[item.type, formats.numbers]
        case _:
            return _text


_STRAIGHT: Mapping[Decode, str] = {
    _text: "type({0}) is str",
    _int: "type({0}) is int and -2147483648 <= v < 2147483648",
    _won: f"type({{0}}) is int and -{WON_LIMIT} <= v <= {WON_LIMIT}",
    # An infinite one, and one that is no number, is not itself less itself.
    _float: "type({0}) is float and v - v == 0",
    _boolean: "type({0}) is bool",
    # A week has ten characters too.
    _date: "type({0}) is str and len(v) == 10 and v[4] == v[7] == '-'",
}
"""Of which values it can be told at once what they are read as; see `compiled`."""


@dataclass(frozen=True)
class Decoder:
    """Decodes records that hold just these items; made once for a set of items and formats."""

    leaves: tuple[Column, ...]
    lists: tuple[tuple[str, str, tuple[Column, ...]], ...]
    as_of: Decode
    formats: Formats

    def record(self, raw: Mapping[str, Any], as_of: Any, breaches: dict[str, int]) -> Record:
        """Decode one raw record; what breaks the contract is counted in `breaches` by kind."""
        wires, whole = self.wires, self.formats.whole
        if self._is_nested:
            raw = _flat(raw, wires)
        try:
            values = self._read(raw)
        except UNUSABLE:
            values = self._row(raw, self.leaves, breaches)
        if not whole and not raw.keys() <= wires:
            _count(breaches, "extra-item", len(raw.keys() - wires))
        for wire, key, columns in self.lists:
            rows = raw.get(wire, None if self.formats.omitted else BROKEN)
            if rows is None:
                values[key] = None
            elif not isinstance(rows, list) or not all(map(_is_record, rows)):
                _count(breaches, "wrong-type")
                values[key] = BROKEN
            elif len(rows) > self.formats.rows:
                _count(breaches, "too-long")
                values[key] = BROKEN
            else:
                known, read = self._columns[key], self._read_rows[key]
                flat = [_flat(row, known) for row in rows] if key in self._nested else rows
                extras = 0 if whole else sum(len(row.keys() - known) for row in flat)
                if extras:
                    _count(breaches, "extra-item", extras)
                try:
                    values[key] = [read(row) for row in flat]
                except UNUSABLE:
                    values[key] = [self._row(row, columns, breaches) for row in flat]
        day = None
        if as_of is not None and not (self.formats.empty and as_of == ""):
            try:
                day = self.as_of(as_of)
            except _Wrong:
                _count(breaches, "wrong-type")
        return Record(values, day)

    @cached_property
    def _read(self) -> Reader:
        return self._compiled(self.leaves)

    @cached_property
    def _read_rows(self) -> Mapping[str, Reader]:
        """What reads the rows of each list, by the list's key."""
        return {key: self._compiled(columns) for _, key, columns in self.lists}

    def _compiled(self, columns: Sequence[Column]) -> Reader:
        formats = self.formats
        return compiled(columns, _STRAIGHT, empty=formats.empty, omitted=formats.omitted)

    @cached_property
    def wires(self) -> frozenset[str]:
        """The agency's names of what is decoded."""
        return frozenset(wire for wire, _, _ in (*self.leaves, *self.lists))

    @cached_property
    def _is_nested(self) -> bool:
        """Whether something of a record stands within others."""
        return any("." in wire for wire in self.wires)

    @cached_property
    def _nested(self) -> frozenset[str]:
        """The lists of whose rows something does."""
        return frozenset(
            key for key, names in self._columns.items() if any("." in name for name in names)
        )

    @cached_property
    def _columns(self) -> Mapping[str, frozenset[str]]:
        """The agency's names of each list's columns, by the list's key."""
        return {key: frozenset(name for name, _, _ in columns) for _, key, columns in self.lists}

    def _row(
        self,
        raw: Mapping[str, Any],
        columns: tuple[Column, ...],
        breaches: dict[str, int],
    ) -> dict[str, Any]:
        values: dict[str, Any] = {}
        left_out = None if self.formats.omitted else BROKEN
        for wire, key, decode in columns:
            value = raw.get(wire, left_out)
            if value is None or (self.formats.empty and value == ""):
                values[key] = None
                continue
            try:
                values[key] = decode(value)
            except _Wrong:
                _count(breaches, "missing-item" if value is BROKEN else "wrong-type")
                values[key] = BROKEN
        return values


class Records:
    """The records of an answer as they are read: each of a key that was asked for, and once."""

    def __init__(self, decode: Decoder, keys: Iterable[str]) -> None:
        self._decode = decode
        self._asked = frozenset(keys)
        self._read: dict[str, Record] = {}
        self._broken: set[str] = set()
        self.breaches: dict[str, int] = {}

    @property
    def wires(self) -> frozenset[str]:
        """The agency's names of the items asked for."""
        return self._decode.wires

    def add(self, key: Any, as_of: Any, raw: Mapping[str, Any]) -> None:
        """Read one record; one of a key nobody asked for, or a second of one, is dropped."""
        if not isinstance(key, str) or key not in self._asked:
            _count(self.breaches, "other-person")
        elif key in self._read or key in self._broken:
            self.breach(key, "duplicate")
        else:
            self._read[key] = self._decode.record(raw, as_of, self.breaches)

    def stray(self) -> None:
        """Count an answer to what nobody asked."""
        _count(self.breaches, "other-person")

    def breach(self, key: str, kind: str) -> None:
        """Count a breach that leaves nothing of this person's record to rely on."""
        _count(self.breaches, kind)
        self._read.pop(key, None)
        self._broken.add(key)

    def reply(self, evidence: Mapping[str, str] | None = None) -> Reply:
        """All that was read."""
        return Reply(self._read, self.breaches, evidence or {}, frozenset(self._broken))


def without(raw: Mapping[str, Any], places: Iterable[str]) -> dict[str, Any]:
    """The record but for what stands at these dotted places."""
    left = dict(raw)
    for place in places:
        first, _, within = place.partition(".")
        inner = left.get(first)
        if not within:
            left.pop(first, None)
        elif isinstance(inner, Mapping):
            left[first] = without(inner, [within])
            if not left[first]:
                del left[first]
    return left


def _is_record(row: Any) -> bool:
    return type(row) is dict or isinstance(row, Mapping)


def _flat(raw: Mapping[str, Any], wires: Iterable[str]) -> Mapping[str, Any]:
    """The record with what stands within others under its dotted name, where one is declared."""
    outer = {wire.split(".")[0] for wire in wires if "." in wire}
    if not outer:
        return raw
    flat = {key: value for key, value in raw.items() if key not in outer}
    for key in outer & raw.keys():
        dotted = [wire.partition(".")[2] for wire in wires if wire.startswith(f"{key}.")]
        inner = raw[key]
        if inner is None:
            flat |= {f"{key}.{wire}": None for wire in dotted}
        elif isinstance(inner, Mapping):
            flat |= {f"{key}.{wire}": value for wire, value in _flat(inner, dotted).items()}
    return flat


def _count(breaches: dict[str, int], kind: str, number: int = 1) -> None:
    breaches[kind] = breaches.get(kind, 0) + number


def decoder(items: Iterable[Item], formats: Formats) -> Decoder:
    """The decoder for these items as an agency with these formats writes them."""
    leaves = []
    lists: dict[tuple[str, str], list[Column]] = {}
    for item in items:
        if item.is_exists:
            continue
        entry = (item.wire[-1], item.path[-1], _decode_for(item, formats))
        if len(item.path) == 1:
            leaves.append(entry)
        else:
            lists.setdefault((item.wire[0], item.path[0]), []).append(entry)
    tables = tuple((wire, key, tuple(columns)) for (wire, key), columns in lists.items())
    return Decoder(tuple(leaves), tables, _DATES[formats.dates], formats)
