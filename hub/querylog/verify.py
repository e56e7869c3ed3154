"""`hub log verify`: reads a whole store, and says what was altered, cut, reordered or forked.

Only what is signed under a key that the reader brings is believed. Nothing is written.
"""

from __future__ import annotations

import bisect
from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from hub.querylog import schema
from hub.querylog.beside import (
    beginnings,
    check_crowds,
    check_destroyed,
    check_holds,
    check_items,
    check_twice,
    check_under_way,
    hashes_before,
)
from hub.querylog.checkpoint import Head, LogKey, checked, edge_at
from hub.querylog.database import Unreadable, check_database, check_file, mistyped, reading
from hub.querylog.finding import Finding, Kind, Trees
from hub.querylog.heads import read_signed
from hub.querylog.note import NoteRefused, Verifier
from hub.querylog.ranges import Changed, Division, Several, Source, several
from hub.querylog.ranges import checked as checked_ranges
from hub.querylog.records import Checked, Known
from hub.querylog.sealing import Keep, KeyOf, NotOpened, Sealing
from hub.querylog.tables import (
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
from hub.querylog.told import Told
from hub.querylog.tree import WIDTH, Edge, split

__all__ = ["Division", "Report", "Trust", "Unreadable", "verify"]

MOST = 10_000
"""Findings after which no more are kept."""


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
    division: Division = Division(),  # noqa: B008 - it is frozen
) -> Report:
    """Verify the store at an address. Raises Unreadable."""
    url = reading(address)
    check_file(sa.make_url(address))
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
            source = await Source.of(connection, url)
            return await _Verification(connection, trust, progress, source, division).run()
    except Changed as error:
        raise Unreadable(f"{error}: run it again") from error
    except (SQLAlchemyError, OSError) as error:
        reason = error.orig if isinstance(error, DBAPIError) else error
        raise Unreadable(str(reason)) from error
    finally:
        await engine.dispose()


@dataclass
class _Verification:
    connection: AsyncConnection
    trust: Trust
    progress: Progress
    source: Source
    division: Division
    report: Report = field(default_factory=Report)
    heads: dict[int, Head] = field(default_factory=dict)
    keys: dict[int, Any] = field(default_factory=dict)
    told: Told = field(default_factory=Told)
    without: dict[int, list[int]] = field(default_factory=dict)
    standing: dict[int, list[int]] = field(default_factory=dict)
    unopened: list[Finding] = field(default_factory=list)
    latest: int = 0

    def find(self, where: str, place: int, kind: Kind, what: str) -> None:
        self.found([Finding(where, place, kind, what)])

    def found(self, findings: Iterable[Finding], notes: Iterable[str] = ()) -> None:
        room = MOST - len(self.report.findings)
        self.report.findings += [*findings][: max(room, 0)]
        self.report.notes += notes

    async def run(self) -> Report:
        report, connection = self.report, self.connection
        if wrong := await mistyped(connection):
            self.found(wrong, ["nothing else was checked: what stands there cannot be compared"])
            self.found(*await connection.run_sync(check_database))
            return report
        size = await self._size()
        known = await self._known()
        with several(self.division.processes(size), self.source, known) as processes:
            database = None if processes is None else processes.soon(check_database)
            await self._read_signed(processes, size)
            trees = await self._start(size)
            signed = max(self.heads, default=0)
            hashes = await hashes_before(connection, report.start)
            places = range(report.start, size, self.division.step)
            async for each in checked_ranges(connection, processes, known, places, signed):
                self._take_up(each)
                self._grow(trees, each, signed)
                hashes.extend(beginnings(each.hashes))
                done = each.start + len(each.hashes) // 32
                self.progress(done - report.start, size - report.start)
            self.found(*await (database or connection.run_sync(check_database)))
        report.records = size - report.start
        if signed:
            await self._check_tiles(trees, self.heads[signed])
        self._keep_true_unopened()
        await self._check_beyond(size)
        await self._check_beside(known, hashes)
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

    async def _known(self) -> Known:
        """The keys of details and the sets of items."""
        sealing, keys = self.trust.sealing, dict[int, bytes]()
        for row in await self.connection.execute(sa.select(DETAILS_KEY)):
            self.keys[row.id] = row
            if sealing is None or row.wrapped is None:
                continue
            try:
                of = KeyOf(row.period, Keep(row.subjects, row.years))
                keys[row.id] = sealing.opened(of, row.wrapped)
            except NotOpened as error:
                self.find("details_key", row.id, "altered", str(error))
        if sealing is None:
            note = "details and index were not checked: no sealing key was given"
            self.report.notes.append(note)
        members: dict[int, list[str]] = {}
        for row in await self.connection.execute(sa.select(INDEX_ITEMS)):
            members.setdefault(row.items, []).append(row.item)
        return Known(
            None if sealing is None else keys,
            frozenset(number for number, row in self.keys.items() if row.wrapped is None),
            {key: tuple(sorted(names)) for key, names in members.items()},
        )

    async def _read_signed(self, processes: Several | None, size: int) -> None:
        trust = self.trust
        found = await read_signed(self.connection, processes, trust.keys, trust.witnesses, size)
        self.found(found.findings)
        self.heads, self.report.signed = found.heads, found.last
        self.report.checkpoints = found.checkpoints
        self.report.cosignatures = found.cosignatures

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

    def _take_up(self, checked: Checked) -> None:
        """Add what was found of a range."""
        self.found(checked.findings)
        self.unopened += checked.unopened
        self.told.join(checked.told)
        for known, more in (
            (self.without, checked.without_details),
            (self.standing, checked.standing),
        ):
            for key, places in more.items():
                known.setdefault(key, []).extend(places)
        for place, at in zip(checked.places, checked.times, strict=True):
            if at < self.latest - 60_000:
                seconds = (self.latest - at) // 1000
                self.report.notes.append(f"a clock went back by {seconds} s at record {place}")
                self.latest = at
            self.latest = max(self.latest, at)

    def _grow(self, trees: Trees, checked: Checked, signed: int) -> None:
        """Let the trees grow by a range, stopping at each size that was signed."""
        start, hashes = checked.start, split(checked.hashes)
        of_tiles = hashes if checked.tiles is None else split(checked.tiles)
        end, sizes = min(start + len(hashes), signed), sorted(self.heads)
        stops = sizes[bisect.bisect_right(sizes, start) : bisect.bisect_left(sizes, end)]
        for at, stop in zip([start, *stops], [*stops, end], strict=True):
            if stop <= at:
                continue
            part = slice(at - start, stop - start)
            trees.add(at, hashes[part], of_tiles[part])
            head = self.heads.get(stop)
            if head is not None and not trees.has(head.root):
                what = "the store has another tree than the one signed there"
                self.find("checkpoint", stop, "forked", what)

    async def _check_tiles(self, trees: Trees, head: Head) -> None:
        stored = {}
        for row in await self.connection.execute(sa.select(TILE).where(TILE.c.level > 0)):
            end = (row.number + 1) * WIDTH ** (min(row.level, 7) + 1)
            if end > self.report.start:
                stored[row.level, row.number] = row.hashes
        self.found(trees.findings(head.root, stored))
        last = -(-head.size // WIDTH)
        beyond = (TILE.c.number >= last) | (TILE.c.number < 0)
        count = await self.connection.scalar(
            sa.select(sa.func.count())
            .select_from(TILE)
            .where((TILE.c.level == 0) & beyond | (TILE.c.level < 0))
        )
        if count:
            self.find("tile 0", last, "altered", f"{count} tiles stand beyond the last leaf")

    def _keep_true_unopened(self) -> None:
        """Of details that do not fit their leaf, those whose leaf was not altered itself."""
        altered = self._altered_leaves()
        self.found(each for each in self.unopened if each.place not in altered)

    def _altered_leaves(self) -> set[int]:
        return {each.place for each in self.report.findings if each.where == "record"}

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

    async def _check_beside(self, known: Known, hashes: array[int]) -> None:
        """Compare what is kept beside the records with what they say."""
        connection, told, whole = self.connection, self.told, self.report.start == 0
        altered = self._altered_leaves()
        copies = await check_twice(connection, hashes, self.report.start)
        self.found(each for each in copies if each.place not in altered)
        self.found(check_items(known.items))
        if known.keys is None:
            return
        found, self.report.destroyed = check_destroyed(
            self.keys, told, self.without, self.standing, whole=whole
        )
        self.found(found)
        self.found(*await check_crowds(connection, told, whole=whole))
        self.found([each async for each in check_holds(connection, told, whole=whole)])
        self.found(*await check_under_way(connection, told))
