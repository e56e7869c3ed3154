"""What the database of a store says of itself: its pages, its indexes, and what it was made of.

Somebody who may write to it could have it say one thing to whoever verifies and another to the hub.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.querylog.finding import Finding
from hub.querylog.tables import (
    CHECKPOINT,
    COSIGNATURE,
    CROWD,
    DETAILS,
    DETAILS_KEY,
    HEAD,
    HOLD,
    INDEX_ABOUT,
    INDEX_ITEMS,
    INDEX_RECORD,
    LEAF,
    TILE,
)

_TABLES = (
    *(LEAF, DETAILS, DETAILS_KEY, INDEX_RECORD, INDEX_ABOUT, INDEX_ITEMS, CROWD, HOLD),
    *(TILE, CHECKPOINT, COSIGNATURE, HEAD),
)
"""The tables that are verified."""


class Unreadable(Exception):
    """The store cannot be read at all; the message says why."""


def check_file(url: sa.URL) -> None:
    """Raise Unreadable for a file that is no SQLite database, before one is made of it."""
    if url.get_backend_name() != "sqlite" or not url.database or "mode" in url.query:
        return
    try:
        with Path(url.database).open("rb") as file:
            if file.read(16) != b"SQLite format 3\0":
                raise Unreadable("the file is no SQLite database")
    except OSError as error:
        raise Unreadable(f"the file cannot be opened: {error.strerror}") from error


def reading(address: str) -> sa.URL:
    """The address, of a SQLite file such that it is only read."""
    url = sa.make_url(address)
    if url.get_backend_name() != "sqlite" or not url.database or "mode" in url.query:
        return url
    return url.set(database=f"file:{url.database}").update_query_dict({"mode": "ro", "uri": "true"})


def check_database(connection: sa.Connection) -> tuple[list[Finding], list[str]]:
    """What is wrong with the database itself, and what could not be checked of it."""
    if connection.dialect.name == "sqlite":
        return [*_sqlite_pages(connection), *_sqlite_shape(connection)], []
    findings, notes = _postgresql_indexes(connection)
    return [*findings, *_postgresql_shape(connection)], notes


async def mistyped(connection: AsyncConnection) -> list[Finding]:
    """The columns with values of another type: SQLite takes any, PostgreSQL none."""
    found = []
    for table in _TABLES if connection.dialect.name == "sqlite" else ():
        wrong = " OR ".join(map(_of_another_type, table.columns))
        query = sa.text(f"SELECT count(*) FROM {table.name} WHERE {wrong}")  # noqa: S608 - our own
        if count := await connection.scalar(query):
            what = f"{count} rows have a value of another type"
            found.append(Finding(table.name, -1, "altered", what))
    return found


def _of_another_type(column: sa.Column[Any]) -> str:
    kind = {sa.LargeBinary: "blob", sa.Integer: "integer", sa.BigInteger: "integer"}
    types = [kind.get(type(column.type), "text"), *(["null"] if column.nullable else [])]
    return f'typeof("{column.name}") NOT IN ({", ".join(map(repr, types))})'


def _sqlite_pages(connection: sa.Connection) -> list[Finding]:
    lines = connection.exec_driver_sql("PRAGMA integrity_check(100)").scalars()
    return [
        Finding("file", -1, "altered", str(line).replace("\n", "; "))
        for line in lines
        if line != "ok"
    ]


def _sqlite_shape(connection: sa.Connection) -> list[Finding]:
    query = sa.text("SELECT type, name FROM sqlite_master WHERE type IN ('trigger', 'view')")
    return [_not_ours(kind, name) for kind, name in connection.execute(query)]


def _not_ours(kind: str, name: str) -> Finding:
    return Finding(f"{kind} {name}", -1, "altered", "no hub made it")


def _postgresql_indexes(connection: sa.Connection) -> tuple[list[Finding], list[str]]:
    there = "SELECT 1 FROM pg_extension WHERE extname = 'amcheck'"
    if not connection.scalar(sa.text(there)):
        return [], [
            "the trees of PostgreSQL's indexes were not checked: `CREATE EXTENSION amcheck`"
        ]
    query = sa.text(
        "SELECT i.indexrelid::regclass::text AS name FROM pg_index i "
        "JOIN pg_class c ON c.oid = i.indrelid "
        "WHERE c.relname = ANY(:names) AND c.relnamespace = current_schema()::regnamespace"
    )
    found = []
    for (name,) in connection.execute(query, {"names": _names()}).all():
        try:
            with connection.begin_nested():
                check = sa.text("SELECT bt_index_check(CAST(:name AS regclass), true)")
                connection.execute(check, {"name": name})
        except DBAPIError as error:
            what = str(error.orig).partition(":")[2].strip()
            found.append(Finding(f"index {name}", -1, "altered", what))
    return found, []


_SHAPE = """
WITH ours AS (
    SELECT oid, relname, relkind, relrowsecurity, relhasrules FROM pg_class
    WHERE relname = ANY(:names) AND relnamespace = current_schema()::regnamespace
)
SELECT 'view', relname FROM ours WHERE relkind NOT IN ('r', 'p')
UNION ALL SELECT 'rule of', relname FROM ours WHERE relhasrules AND relkind IN ('r', 'p')
UNION ALL SELECT 'row security of', relname FROM ours WHERE relrowsecurity
UNION ALL
SELECT 'trigger', tgname FROM pg_trigger JOIN ours ON tgrelid = ours.oid WHERE NOT tgisinternal
"""


def _postgresql_shape(connection: sa.Connection) -> list[Finding]:
    rows = connection.execute(sa.text(_SHAPE), {"names": _names()})
    return [_not_ours(kind, name) for kind, name in rows]


def _names() -> list[str]:
    return [table.name for table in _TABLES]
