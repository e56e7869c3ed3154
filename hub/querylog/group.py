"""Writes a group of records into the store, in one transaction and in one order for all hubs.

Whoever writes adds to `head.size` first, which takes the row's lock: so one hub after another gets
places in the tree, without gaps. On PostgreSQL all is one statement, so that a hub that stands
still never does so with the lock in its hand.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from hub.querylog.index import About, Row
from hub.querylog.tables import FIRST_RECORD, INDEX_ITEMS

Items = Mapping[int, tuple[str, ...]]
"""Sets of items by number, with their members."""


@dataclass(frozen=True, slots=True)
class Written:
    """A record as the store keeps it, but for its place in the tree."""

    leaf: bytes
    key: int
    sealed: bytes
    row: Row
    about: tuple[About, ...]


class Writer(Protocol):
    """What writes into a store of one kind."""

    async def write(
        self, group: Sequence[Written], items: Items, carried: int | None = None
    ) -> int:
        """Write a group and what sets of items are of, and commit; the place of its first record.

        With `carried` the records of hubs before the tree up to this one go: as many as the group
        has, or ValueError is raised and nothing is written.
        """

    async def close(self) -> None:
        """Give back what it holds; what is under way ends first."""


def _all_carried(gone: int, group: Sequence[Written]) -> None:
    """Raise ValueError unless all went: whoever deletes a row writes it, and nobody twice."""
    if gone != len(group):
        raise ValueError("records of older hubs are carried by another")


class SqliteWriter:
    """Writes over a connection and in a thread of its own, one errand a group.

    SQLAlchemy's asynchronous driver hands each statement to its thread and waits: many times as
    long as they take. `make` gives a connection whose commits are durable.
    """

    def __init__(self, make: Callable[[], sqlite3.Connection]) -> None:
        self._make = make
        self._connection: sqlite3.Connection | None = None
        self._thread = ThreadPoolExecutor(1, "query log")

    async def write(
        self, group: Sequence[Written], items: Items, carried: int | None = None
    ) -> int:
        """See `Writer`."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._write, group, items, carried)

    def _write(self, group: Sequence[Written], items: Items, carried: int | None) -> int:
        connection = self._connection or self._make()
        self._connection = None
        try:
            first = _write_sqlite(connection, group, items, carried)
        except BaseException:
            # Whatever is wrong with it, the next group has a new one.
            connection.close()
            raise
        self._connection = connection
        return first

    async def close(self) -> None:
        """See `Writer`."""
        # Ending the thread waits for what is under way; then nobody uses the connection.
        await asyncio.to_thread(self._thread.shutdown)
        if self._connection is not None:
            self._connection.close()


def _write_sqlite(
    connection: sqlite3.Connection, group: Sequence[Written], items: Items, carried: int | None
) -> int:
    (size,) = connection.execute(
        "UPDATE head SET size = size + ? WHERE id = 1 RETURNING size", (len(group),)
    ).fetchone()
    first = int(size) - len(group)
    if carried is not None:
        gone = connection.execute("DELETE FROM record WHERE seq <= ?", (carried,))
        _all_carried(gone.rowcount, group)
    pairs = list(enumerate(group, start=first))
    connection.executemany(
        "INSERT INTO leaf VALUES (?, ?, ?)", [(at, one.leaf, one.key) for at, one in pairs]
    )
    connection.executemany(
        "INSERT INTO details VALUES (?, ?)", [(at, one.sealed) for at, one in pairs]
    )
    connection.executemany(
        "INSERT INTO index_record VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [(at, *one.row) for at, one in pairs],
    )
    connection.executemany(
        "INSERT INTO index_about VALUES (?, ?, ?, ?, ?)",
        [(at, *entry) for at, one in pairs for entry in one.about],
    )
    connection.executemany(
        "INSERT OR IGNORE INTO index_items VALUES (?, ?)",
        [(key, name) for key, names in items.items() for name in names],
    )
    connection.commit()
    return first


class PostgresWriter:
    """Writes a group by one statement, which commits by itself."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def write(
        self, group: Sequence[Written], items: Items, carried: int | None = None
    ) -> int:
        """See `Writer`."""
        if carried is not None:
            async with self._engine.begin() as connection:
                carrying = sa.delete(FIRST_RECORD).where(FIRST_RECORD.c.seq <= carried)
                _all_carried((await connection.execute(carrying)).rowcount, group)
                return await self._write(connection, group, items)
        alone = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        async with alone.connect() as connection:
            return await self._write(connection, group, items)

    async def _write(
        self, connection: AsyncConnection, group: Sequence[Written], items: Items
    ) -> int:
        rows = [{"items": key, "item": name} for key, names in items.items() for name in names]
        if rows:
            naming = postgresql.insert(INDEX_ITEMS).on_conflict_do_nothing()
            await connection.execute(naming, rows)
        about = [(place, *entry) for place, one in enumerate(group) for entry in one.about]
        columns = (
            [one.leaf for one in group],
            [one.key for one in group],
            [one.sealed for one in group],
            *map(list, zip(*(one.row for one in group), strict=True)),
            *([[], [], [], [], []] if not about else map(list, zip(*about, strict=True))),
        )
        found = await connection.exec_driver_sql(_AT_ONCE, (len(group), *columns))
        return int(found.scalar_one())

    async def close(self) -> None:
        """See `Writer`."""


_AT_ONCE = """
WITH added AS (
    UPDATE head SET size = size + $1::bigint WHERE id = 1 RETURNING size - $1::bigint AS first
), leaves AS (
    INSERT INTO leaf (idx, leaf, key)
    SELECT added.first + given.n - 1, given.leaf, given.key
    FROM added, unnest($2::bytea[], $3::int[]) WITH ORDINALITY AS given (leaf, key, n)
), sealed AS (
    INSERT INTO details (idx, sealed)
    SELECT added.first + given.n - 1, given.sealed
    FROM added, unnest($4::bytea[]) WITH ORDINALITY AS given (sealed, n)
), records AS (
    INSERT INTO index_record
        (idx, kind, at, operation, person, office, purpose, outcome, flags, items)
    SELECT added.first + given.n - 1, given.kind, given.at, given.operation, given.person,
        given.office, given.purpose, given.outcome, given.flags, given.items
    FROM added, unnest(
        $5::text[], $6::bigint[], $7::bytea[], $8::text[], $9::text[], $10::text[], $11::text[],
        $12::int[], $13::bigint[]
    ) WITH ORDINALITY
        AS given (kind, at, operation, person, office, purpose, outcome, flags, items, n)
), about AS (
    INSERT INTO index_about (idx, pseudonym, part, flags, person)
    SELECT added.first + given.place, given.pseudonym, given.part, given.flags, given.person
    FROM added, unnest($14::int[], $15::bytea[], $16::text[], $17::int[], $18::text[])
        AS given (place, pseudonym, part, flags, person)
)
SELECT first FROM added
"""
