"""Reads the records of a store range by range and has them checked: in several processes if many.

Each process reads for itself, all of them by one snapshot on PostgreSQL. In a file of SQLite each
has its own: a record does not change, unless its details are destroyed, and that is told.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import multiprocessing
import os
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from hub.querylog.database import Unreadable
from hub.querylog.finding import Finding
from hub.querylog.records import Checked, Checking, Known, Range, Row
from hub.querylog.tables import DETAILS, DETAILS_KEY, INDEX_ABOUT, INDEX_RECORD, LEAF, TILE
from hub.querylog.tree import WIDTH

_Given = TypeVar("_Given")
_Made = TypeVar("_Made")


class Changed(Exception):
    """Details were destroyed while the store was read."""


@dataclass(frozen=True, slots=True)
class Division:
    """How the work is divided: from `many` records on to several processes, `step` at once.

    `step` is a multiple of the width of a tile.
    """

    many: int = 100_000
    step: int = 16 * WIDTH

    def processes(self, records: int) -> int:
        """How many processes there are to be; 0 where it is to be done in this one."""
        return len(os.sched_getaffinity(0)) if records >= self.many else 0


@dataclass(frozen=True, slots=True)
class Source:
    """The store, as other processes read it: on PostgreSQL by the snapshot of the first."""

    address: sa.URL
    snapshot: str | None

    @classmethod
    async def of(cls, connection: AsyncConnection, address: sa.URL) -> Source:
        """What this connection sees."""
        if connection.dialect.name == "sqlite":
            return cls(address, None)
        return cls(address, await connection.scalar(sa.select(sa.func.pg_export_snapshot())))


@dataclass(frozen=True, slots=True)
class Several:
    """Processes to work in, and how many."""

    pool: ProcessPoolExecutor
    number: int

    async def each(
        self, work: Callable[[_Given], _Made], given: Iterable[_Given]
    ) -> AsyncIterator[_Made]:
        """What the work makes of each, in order; few wait for their turn."""
        loop, under_way = asyncio.get_running_loop(), deque[asyncio.Future[_Made]]()
        for one in given:
            under_way.append(loop.run_in_executor(self.pool, work, one))
            if len(under_way) > 2 * self.number:
                yield await under_way.popleft()
        while under_way:
            yield await under_way.popleft()

    def soon(self, work: Callable[[sa.Connection], _Made]) -> asyncio.Future[_Made]:
        """What the work makes of the store, while others are at theirs."""
        return asyncio.get_running_loop().run_in_executor(self.pool, _with_connection, work)


@contextlib.contextmanager
def several(number: int, source: Source, known: Known) -> Iterator[Several | None]:
    """So many processes; none where everything is to be done in this one."""
    if number < 1:
        yield None
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(number, context, _prepare, (source, known))
    try:
        yield Several(pool, number)
    finally:
        pool.shutdown(cancel_futures=True)


async def checked(
    connection: AsyncConnection, processes: Several | None, known: Known, places: range, signed: int
) -> AsyncIterator[Checked]:
    """What is found of the records at these places, one range after another.

    The step of the places is how many are read at once; those before `signed` are under a
    checkpoint. Raises Changed, and Unreadable.
    """
    ranges = ((start, min(start + places.step, places.stop), signed) for start in places)
    if processes is not None:
        async for each in processes.each(_check, ranges):
            yield each
        return
    checking = Checking(known)
    for place in ranges:
        rows = await connection.run_sync(_read, place, details=known.keys is not None)
        yield await asyncio.to_thread(checking.check, rows)


def _read(connection: sa.Connection, place: tuple[int, int, int], *, details: bool) -> Range:
    """The rows from one place to before another. Raises Unreadable."""
    start, end, signed = place
    unread: list[Finding] = []
    # The driver's own rows: SQLAlchemy would take longer over each than the database.
    cursor, failure = connection.connection.cursor(), connection.dialect.loaded_dbapi.Error

    def rows(table: sa.Table, column: str, first: int, last: int) -> Sequence[Row]:
        names = ", ".join(f'"{each.name}"' for each in table.columns if each.name != "level")
        query = (
            f"SELECT {names} FROM {table.name} "  # noqa: S608 - names of our own tables
            f"WHERE {column} >= {first:d} AND {column} < {last:d}"
        )
        query += " AND level = 0" if table is TILE else ""
        try:
            cursor.execute(f"{query} ORDER BY {column}")
            return cursor.fetchall()
        except failure as error:
            if connection.dialect.name != "sqlite":
                raise Unreadable(str(error)) from error
            what = f"cannot be read from here to {last - 1}: {error}"
            unread.append(Finding(table.name, first, "altered", what))
            return []

    leaves = rows(LEAF, "idx", start, end)
    upto = min(end, signed)
    tiles = rows(TILE, "number", start // WIDTH, -(-upto // WIDTH)) if upto > start else []
    if not details:
        return Range(start, end, signed, leaves, tiles, unread=unread)
    sealed, records, about = [
        rows(table, "idx", start, end) for table in (DETAILS, INDEX_RECORD, INDEX_ABOUT)
    ]
    return Range(start, end, signed, leaves, tiles, sealed, records, about, unread)


_prepared: list[tuple[Source, Known]] = []


def _prepare(source: Source, known: Known) -> None:
    """Have this process read and check by what is known."""
    gc.disable()  # as the command does
    _prepared[:] = [(source, known)]


def _check(place: tuple[int, int, int]) -> Checked:
    """Read and check a range in a process that was prepared."""
    checking, known = _checking(), _prepared[0][1]
    return checking.check(
        _with_connection(functools.partial(_read, place=place, details=known.keys is not None))
    )


@functools.cache
def _checking() -> Checking:
    known = _prepared[0][1]
    _with_connection(functools.partial(_expect, destroyed=known.destroyed))
    return Checking(known)


def _expect(connection: sa.Connection, destroyed: frozenset[int]) -> None:
    """Raise Changed where other details are destroyed than were, as this process sees it."""
    query = sa.select(DETAILS_KEY.c.id).where(DETAILS_KEY.c.wrapped.is_(None))
    if frozenset(connection.execute(query).scalars()) != destroyed:
        raise Changed("details were destroyed meanwhile")


def _with_connection(work: Callable[[sa.Connection], _Made]) -> _Made:
    """What the work makes of the store, by this process's connection."""
    found: _Made = _connected()(work)
    return found


@functools.cache
def _connected() -> Callable[[Callable[[sa.Connection], Any]], Any]:
    """Runs work with the one connection, in one transaction, that this process has to its end."""
    source = _prepared[0][0]
    if source.snapshot is None:
        # Without the thread that `aiosqlite` would hand each query to.
        engine = sa.create_engine(source.address.set(drivername="sqlite"), poolclass=sa.NullPool)
        connection = engine.connect()
        connection.exec_driver_sql("BEGIN")
        return lambda work: work(connection)
    runner = asyncio.Runner()
    shared = runner.run(_share(source.address, source.snapshot))
    return lambda work: runner.run(shared.run_sync(work))


async def _share(address: sa.URL, snapshot: str) -> AsyncConnection:
    connection = await create_async_engine(address, poolclass=sa.NullPool).connect()
    await connection.execution_options(isolation_level="REPEATABLE READ")
    await connection.exec_driver_sql(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
    return connection
