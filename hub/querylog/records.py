"""What a range of records is checked for: details, leaf and index say the same. Pure.

`hub log verify` does it in several processes, so that what goes in and out is plain.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hub.querylog.finding import Finding, Kind
from hub.querylog.index import index_of, set_of
from hub.querylog.leaf import canonical, commitment, leaf
from hub.querylog.sealing import NotOpened, unseal

Row = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Known:
    """What the store says of all records: keys of details by number, and the sets of items.

    `keys` is none where details cannot be opened and are not checked.
    """

    keys: Mapping[int, bytes] | None
    destroyed: frozenset[int]
    items: Mapping[int, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Range:
    """The rows that the store has from one place to before another, as the tables have them."""

    start: int
    end: int
    leaves: Sequence[Row]
    sealed: Sequence[Row] = ()
    records: Sequence[Row] = ()
    about: Sequence[Row] = ()


@dataclass(slots=True)
class Checked:
    """What was found: the hashes of the leaves, None where one is missing, and when each was.

    `unopened` are findings only where the leaf is what was logged. `without_details` are places
    by their key, `shredded` the records of a destruction by the key destroyed.
    """

    start: int
    hashes: list[bytes | None] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    unopened: list[Finding] = field(default_factory=list)
    without_details: dict[int, list[int]] = field(default_factory=dict)
    shredded: dict[int, dict[str, Any]] = field(default_factory=dict)
    places: array[int] = field(default_factory=lambda: array("q"))
    times: array[int] = field(default_factory=lambda: array("q"))

    def find(self, where: str, place: int, kind: Kind, what: str) -> None:
        """Note a finding."""
        self.findings.append(Finding(where, place, kind, what))


class Checking:
    """Checks ranges by what is known of all records."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._keys = {number: AESGCM(key) for number, key in (known.keys or {}).items()}

    def check(self, rows: Range) -> Checked:
        """Check the records of a range."""
        found = Checked(rows.start)
        leaves = {row[0]: row for row in rows.leaves}
        sealed = {row[0]: row[1] for row in rows.sealed}
        records = {row[0]: tuple(row[1:]) for row in rows.records}
        about: dict[int, list[Row]] = {}
        for row in rows.about:
            about.setdefault(row[0], []).append(tuple(row[1:]))
        sha256, missing = hashlib.sha256, (-1, b"", -1)
        for place in range(rows.start, rows.end):
            _, content, key = leaves.get(place, missing)
            if key == -1:
                found.find("record", place, "cut", "the record is missing")
                found.hashes.append(None)
                continue
            found.hashes.append(sha256(b"\0" + content).digest())
            if self._known.keys is None:
                continue
            index = (records.pop(place, None), about.pop(place, []))
            if place in sealed:
                self._check(found, place, (content, key, sealed[place]), index)
            else:
                found.without_details.setdefault(key, []).append(place)
                if index != (None, []):
                    what = "there is an index of destroyed details"
                    found.find("index", place, "altered", what)
        for place in records.keys() | about.keys() if self._known.keys is not None else ():
            what = "there is an index of a record that is missing"
            found.find("index", place, "altered", what)
        return found

    def _check(
        self, found: Checked, place: int, stored: tuple[bytes, int, bytes], index: tuple[Any, Any]
    ) -> None:
        content, key, sealed = stored
        if key in self._known.destroyed:
            # Its key is destroyed; that its rows still stand is a shredding that was broken off.
            found.without_details.setdefault(key, []).append(place)
            return
        opening = self._keys.get(key)
        if opening is None:
            found.unopened.append(Finding("details", place, "altered", f"there is no key {key}"))
            return
        try:
            salt, details = unseal(opening, sealed)
        except NotOpened as error:
            found.find("details", place, "altered", str(error))
            return
        if leaf(commitment(salt, details)) != content:
            what = "the leaf commits to other details"
            found.unopened.append(Finding("details", place, "altered", what))
            return
        self._check_index(found, place, details, index)

    def _check_index(
        self, found: Checked, place: int, details: bytes, index: tuple[Any, Any]
    ) -> None:
        try:
            record = orjson.loads(details)
            indexed = index_of(record)
        except (KeyError, TypeError, ValueError):
            found.find("details", place, "altered", "what was logged is no record")
            return
        if canonical(record) != details:
            what = "what was logged is not canonical (RFC 8785)"
            found.find("details", place, "altered", what)
        row, about = index
        if row is None:
            found.find("index_record", place, "cut", "the row is missing")
        elif row != indexed.row:
            found.find("index_record", place, "altered", _differences(row, indexed.row))
        if (about or indexed.about) and sorted(about) != sorted(indexed.about):
            found.find("index_about", place, "altered", "the rows are not those of the record")
        if indexed.items and self._known.items.get(set_of(indexed.items)) != indexed.items:
            found.find("index_items", place, "altered", "the items are not those of the record")
        if record["kind"] == "SHREDDED":
            found.shredded[record["key"]] = record
        found.places.append(place)
        found.times.append(indexed.row.at)


def _differences(have: Row, want: Any) -> str:
    names = [
        name for name, one, other in zip(want._fields, have, want, strict=True) if one != other
    ]
    return f"{', '.join(names)} of the row are not those of the record"


_checking: list[Checking] = []


def prepare(known: Known) -> None:
    """Have this process check by what is known."""
    _checking[:] = [Checking(known)]


def check(rows: Range) -> Checked:
    """Check a range in a process that was prepared."""
    return _checking[0].check(rows)
