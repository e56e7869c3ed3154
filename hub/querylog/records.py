"""What a range of records is checked for: details, leaf, tile and index say the same. Pure.

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
from hub.querylog.told import Told
from hub.querylog.tree import WIDTH, split

Row = tuple[Any, ...]


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
    """The rows that the store has from one place to before another, as the tables have them.

    `tiles` are the lowest (number and hashes) of the records before `signed`, which are under a
    checkpoint; `unread` is what the database could not read.
    """

    start: int
    end: int
    signed: int
    leaves: Sequence[Row]
    tiles: Sequence[Row] = ()
    sealed: Sequence[Row] = ()
    records: Sequence[Row] = ()
    about: Sequence[Row] = ()
    unread: Sequence[Finding] = ()


@dataclass(slots=True)
class Checked:
    """What was found: the hashes of the leaves and what the records say.

    A missing leaf has the hash that the tile has. `tiles` are the hashes of the tiles where they
    differ. `unopened` are findings only where the leaf is what was logged. `without_details` are
    places by their key, `standing` those of a destroyed key that still have rows.
    """

    start: int
    hashes: bytes = b""
    tiles: bytes | None = None
    findings: list[Finding] = field(default_factory=list)
    unopened: list[Finding] = field(default_factory=list)
    without_details: dict[int, list[int]] = field(default_factory=dict)
    standing: dict[int, list[int]] = field(default_factory=dict)
    told: Told = field(default_factory=Told)
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
        found = Checked(rows.start, findings=list(rows.unread))
        hashes: list[bytes | None] = []
        keys: dict[int, tuple[bytes, int]] = {row[0]: (row[1], row[2]) for row in rows.leaves}
        for place in range(rows.start, rows.end):
            if place in keys:
                hashes.append(hashlib.sha256(b"\0" + keys[place][0]).digest())
            else:
                found.find("record", place, "cut", "the record is missing")
                hashes.append(None)
        if self._known.keys is not None:
            self._check_details(found, keys, rows)
        self._compare(found, hashes, rows)
        found.told.settle()
        return found

    def _check_details(
        self, found: Checked, leaves: Mapping[int, tuple[bytes, int]], rows: Range
    ) -> None:
        sealed = {row[0]: row[1] for row in rows.sealed}
        records = {row[0]: row[1:] for row in rows.records}
        about: dict[int, list[Row]] = {}
        for row in rows.about:
            about.setdefault(row[0], []).append(row[1:])
        for place, (content, key) in leaves.items():
            index = (records.pop(place, None), about.pop(place, []))
            if key in self._known.destroyed:
                found.without_details.setdefault(key, []).append(place)
                if place in sealed or index != (None, []):
                    found.standing.setdefault(key, []).append(place)
            elif place in sealed:
                self._check(found, place, (content, key, sealed[place]), index)
            else:
                found.without_details.setdefault(key, []).append(place)
                if index != (None, []):
                    what = "there is an index of details that are missing"
                    found.find("index", place, "altered", what)
        for place in sorted(records.keys() | about.keys()):
            what = "there is an index of a record that is missing"
            found.find("index", place, "altered", what)

    def _check(
        self, found: Checked, place: int, stored: tuple[bytes, int, bytes], index: tuple[Any, Any]
    ) -> None:
        content, key, sealed = stored
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
            found.told.hear(place, indexed.row.operation, record)
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
        if tuple(about) != indexed.about and sorted(about) != sorted(indexed.about):
            found.find("index_about", place, "altered", "the rows are not those of the record")
        if indexed.items and self._known.items.get(set_of(indexed.items)) != indexed.items:
            found.find("index_items", place, "altered", "the items are not those of the record")
        found.places.append(place)
        found.times.append(indexed.row.at)

    def _compare(self, found: Checked, hashes: Sequence[bytes | None], rows: Range) -> None:
        """Compare the hashes of leaves with those that the lowest tiles have for them."""
        end = min(rows.end, rows.signed)
        of_tiles: list[bytes | None] = []
        stored = {row[0]: row[1] for row in rows.tiles}
        for number in range(rows.start // WIDTH, -(-end // WIDTH)):
            width = min(end - number * WIDTH, WIDTH)
            content = stored.get(number, b"")
            if number not in stored:
                found.find(f"tile 0/{number}", -1, "cut", "the tile is missing")
            elif len(content) != width * 32:
                what = f"it has {len(content)} bytes, not {width * 32}"
                found.find(f"tile 0/{number}", -1, "altered", what)
            tile = [each for each in split(content)[:width] if len(each) == 32]
            of_tiles += [*tile, *[None] * (width - len(tile))]
        of_tiles += [None] * (len(hashes) - len(of_tiles))
        # One stands in for the other where that is missing.
        pairs = list(zip(hashes, of_tiles, strict=True))
        found.hashes = b"".join(one or other or bytes(32) for one, other in pairs)
        tiles = b"".join(other or one or bytes(32) for one, other in pairs)
        found.tiles = None if tiles == found.hashes else tiles


def _differences(have: Row, want: Any) -> str:
    names = [
        name for name, one, other in zip(want._fields, have, want, strict=True) if one != other
    ]
    return f"{', '.join(names)} of the row are not those of the record"
