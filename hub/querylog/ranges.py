"""Reads the records of a store range by range and has them checked: in several processes if many.

Each process reads for itself. On PostgreSQL all of them see the same snapshot; in a file of SQLite
a record does not change while it is read, unless its details are destroyed: that is told.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from hub.querylog.finding import Finding
from hub.querylog.records import Checked, Checking, Known, Range
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
    step: int = 32 * WIDTH

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
    """What is found of the records at these places, one range after another. Raises Changed.

    The step of the places is how many are read at once; those before `signed` are under a
    checkpoint.
    """
    ranges = ((start, min(start + places.step, places.stop), signed) for start in places)
    if processes is not None:
        async for each in processes.each(_check, ranges):
            yield each
        return
    checking = Checking(known)
    for place in ranges:
        rows = await _read(connection, place, details=known.keys is not None)
        yield await asyncio.to_thread(checking.check, rows)


async def _read(
    connection: AsyncConnection, place: tuple[int, int, int], *, details: bool
) -> Range:
    """The rows from one place to before another."""
    start, end, signed = place
    unread: list[Finding] = []

    async def rows(table: sa.Table, column: str, first: int, last: int) -> Sequence[Any]:
        # Plain text: SQLAlchemy would take longer over each row than the database.
        names = ", ".join(f'"{each.name}"' for each in table.columns if each.name != "level")
        query = (
            f"SELECT {names} FROM {table.name} "  # noqa: S608 - names of our own tables
            f"WHERE {column} >= {first:d} AND {column} < {last:d}"
        )
        query += " AND level = 0" if table is TILE else ""
        try:
            return (await connection.exec_driver_sql(f"{query} ORDER BY {column}")).all()
        except DBAPIError as error:
            if connection.dialect.name != "sqlite":
                raise
            what = f"cannot be read from here to {last - 1}: {error.orig}"
            unread.append(Finding(table.name, first, "altered", what))
            return []

    leaves = await rows(LEAF, "idx", start, end)
    upto = min(end, signed)
    tiles = await rows(TILE, "number", start // WIDTH, -(-upto // WIDTH)) if upto > start else []
    if not details:
        return Range(start, end, signed, leaves, tiles, unread=unread)
    sealed, records, about = [
        await rows(table, "idx", start, end) for table in (DETAILS, INDEX_RECORD, INDEX_ABOUT)
    ]
    return Range(start, end, signed, leaves, tiles, sealed, records, about, unread)


_prepared: list[tuple[Source, Known, Checking]] = []


def _prepare(source: Source, known: Known) -> None:
    """Have this process read and check by what is known."""
    _prepared[:] = [(source, known, Checking(known))]


def _check(place: tuple[int, int, int]) -> Checked:
    """Read and check a range in a process that was prepared."""
    source, known, checking = _prepared[0]
    return checking.check(asyncio.run(_read_anew(source, known, place)))


async def _read_anew(source: Source, known: Known, place: tuple[int, int, int]) -> Range:
    engine = create_async_engine(source.address)
    try:
        async with engine.connect() as connection:
            if source.snapshot is None:
                await connection.exec_driver_sql("BEGIN")
            else:
                await connection.execution_options(isolation_level="REPEATABLE READ")
                await connection.exec_driver_sql(f"SET TRANSACTION SNAPSHOT '{source.snapshot}'")
            query = sa.select(DETAILS_KEY.c.id).where(DETAILS_KEY.c.wrapped.is_(None))
            if {row.id for row in await connection.execute(query)} != known.destroyed:
                raise Changed("details were destroyed meanwhile")
            return await _read(connection, place, details=known.keys is not None)
    finally:
        await engine.dispose()
