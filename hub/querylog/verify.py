"""`hub log verify`: reads a whole store, and says what was altered, cut, reordered or forked.

Only what is signed under a key that the reader brings is believed. Nothing is written.
"""

from __future__ import annotations

import asyncio
import hashlib
import multiprocessing
import os
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from hub.querylog import schema
from hub.querylog.checkpoint import Head, LogKey, checked, edge_at
from hub.querylog.finding import Finding, Trees
from hub.querylog.index import milliseconds, set_of
from hub.querylog.note import Note, NoteRefused, Verifier, signature_of
from hub.querylog.records import Checked, Checking, Known, Range, check, prepare
from hub.querylog.sealing import Keep, KeyOf, NotOpened, Sealing
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
MANY = 100_000
"""Records from which on they are checked in several processes."""
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


async def verify(
    address: str,
    trust: Trust,
    progress: Progress = lambda _, __: None,
    processes: int | None = None,
) -> Report:
    """Verify the store at an address, of many records in several processes. Raises Unreadable."""
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
            return await _Verification(connection, trust, progress, processes).run()
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
    def __init__(
        self,
        connection: AsyncConnection,
        trust: Trust,
        progress: Progress,
        processes: int | None,
    ) -> None:
        self.connection = connection
        self.trust = trust
        self.progress = progress
        self.processes = processes
        self.report = Report()
        self.known = Known(None, frozenset(), {})
        self.rows_of_keys: dict[int, Any] = {}
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
        size = await self._size()
        await self._read_keys()
        await self._read_heads(size)
        trees = await self._start(size)
        signed = max(self.heads, default=0)
        async for each in self._checked(trees.leaves.size, size):
            self._take_up(each)
            end = each.start + len(each.hashes)
            lowest = await self._lowest(each.start, min(end, signed))
            self._take_in(trees, each.start, each.hashes, lowest, signed)
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

    async def _size(self) -> int:
        """How many records there are to be read."""
        size = int(await self.connection.scalar(sa.select(HEAD.c.size)) or 0)
        last = await self.connection.scalar(sa.select(sa.func.max(LEAF.c.idx)))
        there = 0 if last is None else int(last) + 1
        if there < size:
            self.find("head", size, "cut", f"it counts {size} records, and the last is {there - 1}")
        return min(size, there)

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
        keys: dict[int, bytes] = {}
        for row in await self.connection.execute(sa.select(DETAILS_KEY)):
            self.rows_of_keys[row.id] = row
            if self.trust.sealing is None or row.wrapped is None:
                continue
            try:
                of = KeyOf(row.period, Keep(row.subjects, row.years))
                keys[row.id] = self.trust.sealing.opened(of, row.wrapped)
            except NotOpened as error:
                self.find("details_key", row.id, "altered", str(error))
        if self.trust.sealing is None:
            self.report.notes.append("details and index were not checked: no sealing key was given")
        members: dict[int, list[str]] = {}
        for row in await self.connection.execute(sa.select(INDEX_ITEMS)):
            members.setdefault(row.items, []).append(row.item)
        self.known = Known(
            None if self.trust.sealing is None else keys,
            frozenset(number for number, row in self.rows_of_keys.items() if row.wrapped is None),
            {key: tuple(sorted(names)) for key, names in members.items()},
        )

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
            found = await self.connection.exec_driver_sql(query)
            return [tuple(row) for row in found]
        except DBAPIError as error:
            if self.connection.dialect.name != "sqlite":
                raise
            what = f"cannot be read from here to {end - 1}: {error.orig}"
            self.find(table.name, start, "altered", what)
            return []

    async def _ranges(self, start: int, size: int) -> AsyncIterator[Range]:
        """The rows of records, so many at once."""
        for first in range(start, size, STEP):
            end = min(first + STEP, size)
            leaves = await self._rows(LEAF, first, end)
            if self.trust.sealing is None:
                yield Range(first, end, leaves)
                continue
            others = [
                await self._rows(table, first, end)
                for table in (DETAILS, INDEX_RECORD, INDEX_ABOUT)
            ]
            yield Range(first, end, leaves, *others)

    async def _checked(self, start: int, size: int) -> AsyncIterator[Checked]:
        """What is found of the records, range by range: of many records in several processes."""
        workers = len(os.sched_getaffinity(0)) if self.processes is None else self.processes
        if self.processes is None and size - start < MANY:
            workers = 0
        if workers < 1:
            checking = Checking(self.known)
            async for rows in self._ranges(start, size):
                yield await asyncio.to_thread(checking.check, rows)
            return
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, context, prepare, (self.known,)) as pool:
            loop, under_way = asyncio.get_running_loop(), deque[asyncio.Future[Checked]]()
            async for rows in self._ranges(start, size):
                under_way.append(loop.run_in_executor(pool, check, rows))
                if len(under_way) > workers:
                    yield await under_way.popleft()
            while under_way:
                yield await under_way.popleft()

    def _take_up(self, checked: Checked) -> None:
        """Add what was found of a range."""
        for each in checked.findings:
            self.find(each.where, each.place, each.kind, each.what)
        self.unopened += checked.unopened
        for key, places in checked.without_details.items():
            self.without_details.setdefault(key, []).extend(places)
        self.shredded |= checked.shredded
        for place, at in zip(checked.places, checked.times, strict=True):
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
            end = (row.number + 1) * WIDTH ** (min(row.level, 7) + 1)
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
            elif self._is_another(row, event):
                what = "the row is not that of the key that was destroyed"
                self.find("details_key", key, "altered", what)
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

    @staticmethod
    def _is_another(row: Any, event: dict[str, Any]) -> bool:
        """Whether the row of a destroyed key says otherwise than the record of its destruction."""
        logged = (event["period"], event["subjectClass"], event["years"], milliseconds(event["at"]))
        return (row.period, row.subjects, row.years, row.destroyed) != logged

    def _check_items(self) -> None:
        for key, names in self.known.items.items():
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
