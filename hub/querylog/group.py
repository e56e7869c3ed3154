"""Writes a group of records into the store, in one transaction and in one order for all hubs.

Whoever writes adds to `head.size` first, which takes the row's lock: so one hub after another gets
places in the tree, without gaps. On PostgreSQL all is one statement, so that a hub that stands
still never does so with the lock in its hand.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from hub.querylog.index import About, Row


@dataclass(frozen=True, slots=True)
class Written:
    """A record as the store keeps it, but for its place in the tree."""

    leaf: bytes
    key: int
    sealed: bytes
    row: Row
    about: tuple[About, ...]


async def write(connection: AsyncConnection, group: Sequence[Written]) -> int:
    """Write a group and commit it; the place of its first record."""
    if connection.dialect.name == "postgresql":
        return await _write_at_once(connection, group)
    raw: Any = (await connection.get_raw_connection()).driver_connection
    # The driver hands each statement to its thread and waits: many times as long as they take.
    first: int = await raw._execute(_write_sqlite, raw._conn, group)  # noqa: SLF001 - see above
    return first


def _write_sqlite(connection: sqlite3.Connection, group: Sequence[Written]) -> int:
    """Write a group and commit it."""
    try:
        (size,) = connection.execute(
            "UPDATE head SET size = size + ? WHERE id = 1 RETURNING size", (len(group),)
        ).fetchone()
        first = int(size) - len(group)
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
        connection.commit()
    except BaseException:
        connection.rollback()
        raise
    return first


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


async def _write_at_once(connection: AsyncConnection, group: Sequence[Written]) -> int:
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
