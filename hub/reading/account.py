"""What recipients are told of who looked at their record; an investigation may delay it.

Shown is what was released of them: what was only asked about, or denied, is no access.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from authz.caller import Caller
from hub.querylog.store import LogUnavailable, Store, Stored
from hub.querylog.tables import HOLD, INDEX_RECORD
from hub.reading.search import Page, Search, connected, find, placed, places

EVERYONE = ["*"]
"""Of whom a record about a crowd says that something was used: of all in it."""
MOST_DAYS = 365
"""Days for which an access may be kept from those it is about, counted from today."""


def own_pseudonym(caller: Caller, pseudonym: Any) -> str | None:
    """Whose accesses the caller may be told: their own, and nobody's who is acted for."""
    if caller.recipient is None or any(each != caller.recipient for each in caller.recipients):
        return None
    return str(pseudonym(caller.recipient))


async def own_accesses(
    store: Store, pseudonym: str, search: Search, first: int, before: int | None
) -> Page:
    """The accesses that released something of a subject, those left out that are told later.

    Raises LogUnavailable.
    """
    async with connected(store.engine) as connection:
        own = await placed(connection, _own(pseudonym, search))
    return await find(store, replace(own, found=_told(own)), first, before)


async def page_of_own(
    store: Store, pseudonym: str, search: Search, offset: int, most: int
) -> tuple[int, list[Stored]]:
    """How many such accesses there are, and a page of them, the newest first.

    Raises LogUnavailable.
    """
    async with connected(store.engine) as connection:
        told = _told(await placed(connection, _own(pseudonym, search))).subquery()
        page = sa.select(told.c.idx).order_by(told.c.idx.desc()).offset(offset).limit(most)
        total = await connection.scalar(sa.select(sa.func.count()).select_from(told)) or 0
        found = [int(row.idx) for row in await connection.execute(page)]
    return total, list(reversed(await store.read(found)))


def _own(pseudonym: str, search: Search) -> Search:
    return replace(search, subject=bytes.fromhex(pseudonym), released=True)


def _told(own: Search) -> sa.Select[tuple[int]]:
    later = sa.select(HOLD.c.idx).where(HOLD.c.until > round(time.time() * 1000))
    return places(own).where(INDEX_RECORD.c.idx.not_in(later))


def released_of(found: Stored, pseudonym: str) -> tuple[str, ...]:
    """The items and derived answers that a record released of a subject, in order."""
    details: Mapping[str, Any] = found.details or {}
    items = {
        item
        for groups in details.get("disclosed", {}).values()
        for group in groups
        if pseudonym in group["subjects"] or group["subjects"] == EVERYONE
        for item in group["items"]
    }
    derived = details.get("derived", {}).items()
    items.update(
        name for name, subjects in derived if pseudonym in subjects or subjects == EVERYONE
    )
    return tuple(sorted(items))


async def delay(store: Store, place: int, until: datetime.datetime) -> None:
    """Keep an access from those it is about until a time. Raises LogUnavailable."""
    insert = (postgresql if store.engine.dialect.name == "postgresql" else sqlite).insert(HOLD)
    row = {"idx": place, "until": round(until.timestamp() * 1000)}
    kept = insert.values(row).on_conflict_do_update(
        index_elements=["idx"], set_={"until": insert.excluded.until}
    )
    try:
        async with store.engine.begin() as connection:
            await connection.execute(kept)
    except (SQLAlchemyError, OSError) as error:
        raise LogUnavailable("what is told later cannot be noted") from error
