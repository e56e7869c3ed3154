"""`hub log verify`: reads a whole store, and says what was altered, cut, reordered or forked.

Only what is signed under a key that the reader brings is believed. Nothing is written.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from hub.querylog import schema
from hub.querylog.checkpoint import Head, LogKey, checked, edge_at
from hub.querylog.finding import Finding, Trees
from hub.querylog.index import index_of, set_of
from hub.querylog.leaf import canonical, commitment, leaf
from hub.querylog.note import Note, NoteRefused, Verifier, signature_of
from hub.querylog.sealing import Keep, KeyOf, NotOpened, Sealing, unseal
from hub.querylog.tables import (
    CHECKPOINT,
    COSIGNATURE,
    DETAILS,
    DETAILS_KEY,
    FIRST_RECORD,
    HEAD,
    INDEX_ABOUT,
    INDEX_ITEMS,
    INDEX_RECORD,
    LEAF,
    TILE,
)
from hub.querylog.tree import WIDTH, Edge, split

STEP = 32 * WIDTH
"""Records read at once."""
MOST = 10_000
"""Findings after which no more are kept."""


class Unreadable(Exception):
    """The store cannot be read at all; the message says why."""


@dataclass(frozen=True)
class Trust:
    """What the reader brings: keys of the log, of witnesses, of details, an earlier checkpoint."""

    keys: Sequence[LogKey]
    witnesses: Sequence[Verifier] = ()
    sealing: Sealing | None = None
    since: str | None = None


@dataclass
class Report:
    """What was found, and how much was read. `notes` are no findings, but should be known."""

    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    records: int = 0
    start: int = 0
    signed: Head | None = None
    checkpoints: int = 0
    cosignatures: int = 0
    destroyed: int = 0


Progress = Callable[[int, int], None]
"""Records read, of how many."""


async def verify(address: str, trust: Trust, progress: Progress = lambda _, __: None) -> Report:
    """Verify the store at an address. Raises Unreadable."""
    url = _reading(address)
    await asyncio.to_thread(_check_file, sa.make_url(address))
    engine = create_async_engine(url)
    try:
        async with engine.connect() as connection:
            if connection.dialect.name == "sqlite":
                await connection.exec_driver_sql("BEGIN")
            else:
                await connection.execution_options(isolation_level="REPEATABLE READ")
            found = await connection.run_sync(schema.revision)
            if found != schema.HEAD:
                none = "it has no tables of a query log"
                older = f"it has revision {found} of its tables, not {schema.HEAD}"
                raise Unreadable(none if found is None else older)
            return await _Verification(connection, trust, progress).run()
    except (SQLAlchemyError, OSError) as error:
        reason = error.orig if isinstance(error, DBAPIError) else error
        raise Unreadable(str(reason)) from error
    finally:
        await engine.dispose()


def _check_file(url: sa.URL) -> None:
    """Raise Unreadable for a file that is no SQLite database, before one is made of it."""
    if url.get_backend_name() != "sqlite" or not url.database or "mode" in url.query:
        return
    try:
        with Path(url.database).open("rb") as file:
            if file.read(16) != b"SQLite format 3\0":
                raise Unreadable("the file is no SQLite database")
    except OSError as error:
        raise Unreadable(f"the file cannot be opened: {error.strerror}") from error


def _reading(address: str) -> sa.URL:
    """The address, of a SQLite file such that it is only read."""
    url = sa.make_url(address)
    if url.get_backend_name() != "sqlite" or not url.database or "mode" in url.query:
        return url
    return url.set(database=f"file:{url.database}").update_query_dict({"mode": "ro", "uri": "true"})


class _Verification:
    def __init__(self, connection: AsyncConnection, trust: Trust, progress: Progress) -> None:
        self.connection = connection
        self.trust = trust
        self.progress = progress
        self.report = Report()
        self.keys: dict[int, AESGCM] = {}
        self.rows_of_keys: dict[int, Any] = {}
        self.items: dict[int, tuple[str, ...]] = {}
        self.heads: dict[int, Head] = {}
        self.without_details: dict[int, list[int]] = {}
        self.shredded: dict[int, dict[str, Any]] = {}
        self.unopened: list[Finding] = []
        self.latest = 0

    def find(self, where: str, place: int, kind: Any, what: str) -> None:
        if len(self.report.findings) < MOST:
            self.report.findings.append(Finding(where, place, kind, what))

    async def run(self) -> Report:
        report = self.report
        await self._check_pages()
        size = int(await self.connection.scalar(sa.select(HEAD.c.size)) or 0)
        await self._read_keys()
        await self._read_heads(size)
        trees = await self._start(size)
        signed = max(self.heads, default=0)
        for start in range(trees.leaves.size, size, STEP):
            end = min(start + STEP, size)
            hashes = await self._records(start, end)
            lowest = await self._lowest(start, min(end, signed))
            self._take_in(trees, start, hashes, lowest, signed)
            self.progress(end - report.start, size - report.start)
        report.records = size - report.start
        if signed:
            await self._check_tiles(trees, self.heads[signed])
        report.findings += self._true_unopened()
        await self._check_beyond(size)
        self._check_destroyed()
        self._check_items()
        report.findings.sort()
        return report

    async def _check_pages(self) -> None:
        """Have the database check its own pages and the order of its indexes."""
        if self.connection.dialect.name == "sqlite":
            found = await self.connection.exec_driver_sql("PRAGMA integrity_check(100)")
            for (line,) in found:
                if line != "ok":
                    self.find("file", -1, "altered", str(line).replace("\n", "; "))
            return
        there = "SELECT 1 FROM pg_extension WHERE extname = 'amcheck'"
        if not await self.connection.scalar(sa.text(there)):
            self.report.notes.append(
                "the trees of PostgreSQL's indexes were not checked: `CREATE EXTENSION amcheck`"
            )
            return
        query = sa.text(
            "SELECT i.indexrelid::regclass::text AS name FROM pg_index i "
            "JOIN pg_class c ON c.oid = i.indrelid "
            "WHERE c.relname = ANY(:names) AND c.relnamespace = current_schema()::regnamespace"
        )
        tables = (LEAF, DETAILS, DETAILS_KEY, INDEX_RECORD, INDEX_ABOUT, INDEX_ITEMS, TILE)
        names = [table.name for table in (*tables, CHECKPOINT, COSIGNATURE)]
        for (name,) in (await self.connection.execute(query, {"names": names})).all():
            try:
                async with self.connection.begin_nested():
                    check = sa.text("SELECT bt_index_check(CAST(:name AS regclass), true)")
                    await self.connection.execute(check, {"name": name})
            except DBAPIError as error:
                self.find(f"index {name}", -1, "altered", str(error.orig).partition(":")[2].strip())

    async def _read_keys(self) -> None:
        for row in await self.connection.execute(sa.select(DETAILS_KEY)):
            self.rows_of_keys[row.id] = row
            if self.trust.sealing is None or row.wrapped is None:
                continue
            try:
                of = KeyOf(row.period, Keep(row.subjects, row.years))
                self.keys[row.id] = self.trust.sealing.unwrap(of, row.wrapped)
            except NotOpened as error:
                self.find("details_key", row.id, "altered", str(error))
        if self.trust.sealing is None:
            self.report.notes.append("details and index were not checked: no sealing key was given")
        members: dict[int, list[str]] = {}
        for row in await self.connection.execute(sa.select(INDEX_ITEMS)):
            members.setdefault(row.items, []).append(row.item)
        self.items = {key: tuple(sorted(names)) for key, names in members.items()}

    async def _read_heads(self, size: int) -> None:
        """The signed checkpoints, by size, and their cosignatures."""
        texts = {}
        for row in await self.connection.execute(sa.select(CHECKPOINT)):
            try:
                head = checked(row.note, self.trust.keys)
                if head.size != row.size:
                    raise NoteRefused(f"it is of {head.size} leaves")
            except NoteRefused as error:
                self.find("checkpoint", row.size, "altered", str(error))
                continue
            self.report.checkpoints += 1
            texts[head.size] = Note.read(row.note).text
            if head.size > size:
                what = f"{head.size} leaves were signed, the store has {size}"
                self.find("checkpoint", head.size, "cut", what)
            else:
                self.heads[head.size] = head
        for row in await self.connection.execute(sa.select(COSIGNATURE)):
            self._check_cosignature(row, texts.get(row.size))
        if not self.heads and size:
            self.find("checkpoint", -1, "cut", "there is no signed checkpoint")
        self.report.signed = self.heads.get(max(self.heads, default=-1))

    def _check_cosignature(self, row: Any, text: str | None) -> None:
        known = {f"{each.name}+{each.identity.hex()}": each for each in self.trust.witnesses}
        witness = known.get(row.verifier)
        try:
            name, signature = signature_of(row.line)
            if f"{name}+{signature[:4].hex()}" != row.verifier:
                raise NoteRefused("the cosignature is of another witness")
            if text is None:
                raise NoteRefused("there is no such checkpoint")
            if witness is not None and not witness.verifies(text, signature[4:]):
                raise NoteRefused(f"the cosignature of `{name}` does not verify")
            self.report.cosignatures += witness is not None
        except NoteRefused as error:
            self.find("cosignature", row.size, "altered", str(error))

    async def _start(self, size: int) -> Trees:
        """The tree to go on from: the empty one, or that of the checkpoint the reader brought."""
        if self.trust.since is None:
            return Trees(Edge())
        try:
            head = checked(self.trust.since, self.trust.keys)
        except NoteRefused as error:
            raise Unreadable(f"the checkpoint to start from does not verify: {error}") from error
        if head.size > size:
            what = f"{head.size} leaves were signed, the store has {size}"
            self.find("checkpoint", head.size, "cut", what)
            return Trees(Edge())
        if (await edge_at(self.connection, head.size)).root() != head.root:
            what = "the store has another tree than the one signed there"
            self.find("checkpoint", head.size, "forked", what)
            return Trees(Edge())
        # Whole tiles only, so that each tile is compared as a whole.
        self.report.start = head.size - head.size % WIDTH
        self.heads = {of: each for of, each in self.heads.items() if of >= head.size}
        self.heads[head.size] = head
        return Trees(await edge_at(self.connection, self.report.start))

    async def _rows(self, table: sa.Table, start: int, end: int) -> Sequence[Any]:
        """The rows of a range, as plain tuples. What the database cannot read is a finding."""
        names = ", ".join(f'"{column.name}"' for column in table.columns)
        query = (
            f"SELECT {names} FROM {table.name} "  # noqa: S608 - names of our own tables
            f"WHERE idx >= {start:d} AND idx < {end:d} ORDER BY idx"
        )
        try:
            return (await self.connection.exec_driver_sql(query)).fetchall()
        except DBAPIError as error:
            if self.connection.dialect.name != "sqlite":
                raise
            what = f"cannot be read from here to {end - 1}: {error.orig}"
            self.find(table.name, start, "altered", what)
            return []

    async def _records(self, start: int, end: int) -> list[bytes | None]:
        """Check the records of a range; the hashes of their leaves, None where one is missing."""
        leaves = {row[0]: row for row in await self._rows(LEAF, start, end)}
        sealed = {row[0]: row[1] for row in await self._rows(DETAILS, start, end)}
        rows = {row[0]: tuple(row[1:]) for row in await self._rows(INDEX_RECORD, start, end)}
        about: dict[int, list[tuple[Any, ...]]] = {}
        for row in await self._rows(INDEX_ABOUT, start, end):
            about.setdefault(row[0], []).append(tuple(row[1:]))
        sha256, hashes = hashlib.sha256, list[bytes | None]()
        for place in range(start, end):
            found = leaves.get(place)
            if found is None:
                self.find("record", place, "cut", "the record is missing")
                hashes.append(None)
                continue
            hashes.append(sha256(b"\0" + found[1]).digest())
            if self.trust.sealing is None:
                continue
            index = (rows.pop(place, None), about.pop(place, []))
            if place in sealed:
                self._check_details(place, found[1], found[2], sealed[place], index)
            else:
                self.without_details.setdefault(found[2], []).append(place)
                if index != (None, []):
                    self.find("index", place, "altered", "there is an index of destroyed details")
        for place in rows.keys() | about.keys() if self.trust.sealing is not None else ():
            self.find("index", place, "altered", "there is an index of a record that is missing")
        return hashes

    def _check_details(
        self, place: int, content: bytes, key: int, sealed: bytes, index: tuple[Any, Any]
    ) -> None:
        opening = self.keys.get(key)
        of = self.rows_of_keys.get(key)
        if of is not None and of.wrapped is None:
            # Its key is destroyed; that its rows still stand is a shredding that was broken off.
            self.without_details.setdefault(key, []).append(place)
            return
        if opening is None:
            self.unopened.append(Finding("details", place, "altered", f"there is no key {key}"))
            return
        try:
            salt, details = unseal(opening, sealed)
        except NotOpened as error:
            self.find("details", place, "altered", str(error))
            return
        if leaf(commitment(salt, details)) != content:
            what = "the leaf commits to other details"
            self.unopened.append(Finding("details", place, "altered", what))
            return
        record = orjson.loads(details)
        try:
            indexed = index_of(record)
        except (KeyError, TypeError, ValueError):
            self.find("details", place, "altered", "what was logged is no record")
            return
        if canonical(record) != details:
            self.find("details", place, "altered", "what was logged is not canonical (RFC 8785)")
        if index[0] != tuple(indexed.row):
            what = "the row is missing" if index[0] is None else _differences(index[0], indexed.row)
            self.find("index_record", place, "cut" if index[0] is None else "altered", what)
        if sorted(index[1]) != sorted(map(tuple, indexed.about)):
            self.find("index_about", place, "altered", "the rows are not those of the record")
        if indexed.items and self.items.get(set_of(indexed.items)) != indexed.items:
            self.find("index_items", place, "altered", "the items are not those of the record")
        if record["kind"] == "SHREDDED":
            self.shredded[record["key"]] = record
        self._check_clock(place, indexed.row.at)

    def _check_clock(self, place: int, at: int) -> None:
        if at < self.latest - 60_000:
            seconds = (self.latest - at) // 1000
            self.report.notes.append(f"a clock went back by {seconds} s at record {place}")
            self.latest = at
        self.latest = max(self.latest, at)

    async def _lowest(self, start: int, end: int) -> list[bytes | None]:
        """The hashes that the lowest tiles have for a range, None where one is missing."""
        first, last = start // WIDTH, (max(end, start) - 1) // WIDTH
        query = sa.select(TILE.c.number, TILE.c.hashes).where(
            TILE.c.level == 0, TILE.c.number.between(first, last)
        )
        found = {row.number: row.hashes for row in await self.connection.execute(query)}
        hashes: list[bytes | None] = []
        for number in range(first, last + 1):
            width = min(end - number * WIDTH, WIDTH)
            tile = split(found.get(number, b""))
            if number not in found:
                self.find(f"tile 0/{number}", -1, "cut", "the tile is missing")
            elif len(found[number]) != width * 32:
                what = f"it has {len(found[number])} bytes, not {width * 32}"
                self.find(f"tile 0/{number}", -1, "altered", what)
            hashes += [*tile[:width], *[None] * (width - len(tile[:width]))]
        return hashes[: max(end - start, 0)]

    def _take_in(
        self,
        trees: Trees,
        start: int,
        hashes: Sequence[bytes | None],
        lowest: Sequence[bytes | None],
        signed: int,
    ) -> None:
        """Let the trees grow by a range, stopping at each size that was signed."""
        end = min(start + len(hashes), signed)
        stops = [size for size in sorted(self.heads) if start < size < end]
        for at, stop in zip([start, *stops], [*stops, end], strict=True):
            if stop <= at:
                continue
            pairs = list(
                _filled(hashes[at - start : stop - start], lowest[at - start : stop - start])
            )
            trees.add(at, [pair[0] for pair in pairs], [pair[1] for pair in pairs])
            head = self.heads.get(stop)
            if head is not None and not trees.has(head.root):
                what = "the store has another tree than the one signed there"
                self.find("checkpoint", stop, "forked", what)

    async def _check_tiles(self, trees: Trees, head: Head) -> None:
        stored = {}
        upper = sa.select(TILE).where(TILE.c.level > 0)
        for row in await self.connection.execute(upper):
            end = (row.number + 1) * WIDTH ** (row.level + 1)
            if end > self.report.start:
                stored[row.level, row.number] = row.hashes
        self.report.findings += trees.findings(head.root, stored)
        beyond = sa.select(sa.func.count()).select_from(TILE)
        last = -(-head.size // WIDTH)
        count = await self.connection.scalar(
            beyond.where(TILE.c.level == 0, (TILE.c.number >= last) | (TILE.c.number < 0))
        )
        if count:
            self.find("tile 0", last, "altered", f"{count} tiles stand beyond the last leaf")

    def _true_unopened(self) -> Iterator[Finding]:
        """Of details that do not fit their leaf, those whose leaf was not altered itself."""
        leaves = {each.place for each in self.report.findings if each.where == "record"}
        return (each for each in self.unopened if each.place not in leaves)

    async def _check_beyond(self, size: int) -> None:
        for table in (LEAF, DETAILS, INDEX_RECORD, INDEX_ABOUT):
            query = sa.select(sa.func.count()).where((table.c.idx >= size) | (table.c.idx < 0))
            count = await self.connection.scalar(query.select_from(table))
            if count:
                self.find(table.name, size, "altered", f"{count} rows stand beyond the last record")
        first = sa.select(sa.func.count()).select_from(FIRST_RECORD)
        waiting = await self.connection.scalar(first)
        if waiting:
            self.report.notes.append(
                f"{waiting} records of an older hub are not in the tree: `hub log migrate`"
            )

    def _check_destroyed(self) -> None:
        """Check that what lacks details was destroyed as logged, and not before its time."""
        for key, places in self.without_details.items():
            row, event = self.rows_of_keys.get(key), self.shredded.get(key)
            digest = hashlib.sha256(b"".join(place.to_bytes(8, "big") for place in places))
            if row is None or row.wrapped is not None or event is None:
                for place in places:
                    self.find("details", place, "cut", "the details are missing")
            elif self.report.start == 0 and digest.hexdigest() != event["places"]:
                what = "other records lack their details than those that were to be destroyed"
                self.find("details_key", key, "cut", what)
            elif (
                event["at"][:10]
                < KeyOf(row.period, Keep(row.subjects, row.years)).expires.isoformat()
            ):
                self.find("details_key", key, "cut", "the details were destroyed before their time")
            else:
                self.report.destroyed += len(places)

    def _check_items(self) -> None:
        for key, names in self.items.items():
            if set_of(names) != key:
                self.find(
                    "index_items", -1, "altered", f"set {key} has other members than its number"
                )


def _filled(
    hashes: Sequence[bytes | None], lowest: Sequence[bytes | None]
) -> Iterator[tuple[bytes, bytes]]:
    """Pairs of hashes, of which one stands in for the other where that is missing."""
    for of_leaf, of_tile in zip(hashes, lowest, strict=True):
        known = of_leaf or of_tile or bytes(32)
        yield of_leaf or known, of_tile or known


def _differences(have: Sequence[Any], want: Any) -> str:
    names = [
        name for name, one, other in zip(want._fields, have, want, strict=True) if one != other
    ]
    return f"{', '.join(names)} of the row are not those of the record"
