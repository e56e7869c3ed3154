"""Finds records of the query log by who, where, why, about whom, what and when."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import datetime
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from hub.errors import refused
from hub.querylog.crowd import crowds_with
from hub.querylog.store import LogUnavailable, Store, Stored
from hub.querylog.tables import INDEX_ABOUT, INDEX_ITEMS, INDEX_RECORD

MOST = 100
"""Records of one page."""
SECONDS = 60.0
"""Seconds that a search or an indicator may take."""
RELEASED = "released"
"""The part of a subject of whom something was released."""
READ = "READ"
"""The kind of the events that say what was read otherwise than by GraphQL."""
UNDER_WAY = ("INTENT", "WITHDRAWN")
"""Kinds of records that are found by their operation only."""


@dataclass(frozen=True, slots=True)
class Search:
    """What records are looked for by; what is None does not matter.

    `subject` and `case` are pseudonyms, `released` is set where something of the subject has to
    have been released, and `found` selects the places in the tree that are looked among, for an
    indicator `at_large`, from all the index. `crowds` are the operations about crowds that the
    subject is in; `placed` looks them up.
    """

    person: str | None = None
    office: str | None = None
    purpose: str | None = None
    subject: bytes | None = None
    case: bytes | None = None
    item: str | None = None
    outcome: str | None = None
    since: datetime.datetime | None = None
    until: datetime.datetime | None = None
    released: bool = False
    found: Any = None
    at_large: bool = False
    crowds: tuple[bytes, ...] | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Records, the newest first, and the place before which the next page begins."""

    records: tuple[Stored, ...]
    before: int | None


async def find(store: Store, search: Search, first: int, before: int | None = None) -> Page:
    """The newest records that fit, before a place in the tree. Raises LogUnavailable."""
    async with connected(store.engine) as connection:
        search = await placed(connection, search)
        if search.at_large:
            await over_everything(connection)
        query = places(search).order_by(INDEX_RECORD.c.idx.desc()).limit(first + 1)
        if before is not None:
            query = query.where(INDEX_RECORD.c.idx < before)
        found = [int(row.idx) for row in await connection.execute(query)]
    shown = found[:first]
    records = await store.read(shown)
    records.reverse()
    return Page(tuple(records), shown[-1] if len(found) > first else None)


async def placed(connection: AsyncConnection, search: Search) -> Search:
    """The search with the crowds that its subject is in."""
    if search.subject is None or search.crowds is not None:
        return search
    return replace(search, crowds=await crowds_with(connection, search.subject))


def places(search: Search) -> sa.Select[tuple[int]]:
    """The places in the tree of the records that fit."""
    record = INDEX_RECORD.c
    query = sa.select(record.idx).where(record.kind.not_in(UNDER_WAY))
    for column in (record.person, record.office, record.purpose, record.outcome):
        wanted = getattr(search, column.name)
        if wanted is not None:
            query = query.where(column == wanted)
    if search.since is not None:
        query = query.where(record.at >= milliseconds(search.since))
    if search.until is not None:
        query = query.where(record.at < milliseconds(search.until))
    if search.item is not None:
        sets = sa.select(INDEX_ITEMS.c["items"]).where(INDEX_ITEMS.c.item == search.item)
        query = query.where(record["items"].in_(sets))
    if search.subject is not None:
        told, asked = about("released", search.subject), about("asked", search.subject)
        within: sa.ColumnElement[bool] = record.idx.in_(
            told if search.released else told.union_all(asked)
        )
        if search.crowds:
            within |= record.operation.in_(search.crowds)
        query = query.where(within)
    if search.case is not None:
        parts = (about(part, search.case) for part in ("case", "decided", "closed", "brief"))
        query = query.where(record.idx.in_(sa.union_all(*parts)))
    return query if search.found is None else query.where(record.idx.in_(search.found))


def about(part: str, pseudonym: Any = None) -> sa.Select[tuple[int]]:
    """The places of the records of which a subject or a case is this part, any where none is said.

    The word is written out: a database uses a partial index for what it can read only.
    """
    column = INDEX_ABOUT.c.part
    query = sa.select(INDEX_ABOUT.c.idx).where(column == word(part))
    if part != RELEASED:
        query = query.where(column != word(RELEASED))
    return query if pseudonym is None else query.where(INDEX_ABOUT.c.pseudonym == pseudonym)


def word(text: str) -> sa.ColumnElement[str]:
    """A constant, written out in the statement."""
    return sa.literal(text, literal_execute=True)


@contextlib.asynccontextmanager
async def connected(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection to read the index by, for a minute. Raises LogUnavailable."""
    try:
        async with asyncio.timeout(SECONDS), engine.connect() as connection:
            yield connection
    except (SQLAlchemyError, OSError, TimeoutError) as error:
        raise LogUnavailable("the index of the query log does not answer") from error


async def over_everything(connection: AsyncConnection) -> None:
    """Have a database read for an indicator, until the transaction ends, by passes over the index.

    Where few accesses stand beside many events PostgreSQL expects one row and none, and would work
    a part-result out anew for each of thousands.
    """
    if connection.dialect.name == "postgresql":
        await connection.execute(sa.text("SET LOCAL enable_nestloop = off"))


def milliseconds(at: datetime.datetime) -> int:
    """A time as the index has it; without a zone it is UTC."""
    known = at if at.tzinfo is not None else at.replace(tzinfo=datetime.UTC)
    return round(known.timestamp() * 1000)


def cursor(before: int | None) -> str | None:
    """The place before which the next page begins, as text."""
    return None if before is None else base64.urlsafe_b64encode(b"before %d" % before).decode()


def read_cursor(text: str | None) -> int | None:
    """The place that a cursor stands for. Raises RequestRefused."""
    if text is None:
        return None
    try:
        word, _, number = base64.b64decode(text, altchars=b"-_", validate=True).partition(b" ")
    except (binascii.Error, ValueError):
        word = number = b""
    if word != b"before" or not number.isdigit() or len(number) > 18:
        raise refused("BAD_VARIABLES", "`after` is no cursor", remedy="take it from `next`")
    return int(number)
