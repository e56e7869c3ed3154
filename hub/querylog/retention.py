"""Destroys details whose term is over: by key, logged before, so that every proof still holds."""

from __future__ import annotations

import datetime
import hashlib
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from hub.querylog.index import milliseconds
from hub.querylog.sealing import Keep, KeyOf
from hub.querylog.store import LogUnavailable, Store
from hub.querylog.tables import (
    CROWD,
    DETAILS,
    DETAILS_KEY,
    INDEX_ABOUT,
    INDEX_RECORD,
    LEAF,
)

STEP = 50_000
"""Most places in the tree whose rows are deleted in one transaction."""
_FOR_GOOD = Keep("staff", 100)


async def expired(store: Store, today: datetime.date) -> list[tuple[str, int]]:
    """What keys of details are for whose term is over, and how many records each opens."""
    return [(of.text, len(await _places(store, row.id))) for row, of in await _due(store, today)]


async def shred(store: Store, today: datetime.date) -> list[tuple[str, int]]:
    """Destroy them, with the rows of the index. Raises LogUnavailable."""
    done = []
    for row, of in await _due(store, today):
        places = await _places(store, row.id)
        digest = hashlib.sha256(b"".join(place.to_bytes(8, "big") for place in places))
        now = datetime.datetime.now(datetime.UTC)
        event = {
            "kind": "SHREDDED",
            "at": now.isoformat(timespec="milliseconds"),
            "hub": store.run,
            "key": row.id,
            "period": of.period,
            "subjectClass": of.keep.subjects,
            "years": of.keep.years,
            "records": len(places),
            "places": digest.hexdigest(),
        }
        # Invariant: that details are destroyed is durable before they are.
        await store.append(event, _FOR_GOOD)
        try:
            await _destroy(store, row.id, places, milliseconds(event["at"]))
        except (SQLAlchemyError, OSError) as error:
            raise LogUnavailable("details could not be destroyed; run it again") from error
        done.append((of.text, len(places)))
    return done


async def _due(store: Store, today: datetime.date) -> list[tuple[Any, KeyOf]]:
    query = sa.select(DETAILS_KEY).where(DETAILS_KEY.c.wrapped.is_not(None))
    async with store.engine.connect() as connection:
        rows = (await connection.execute(query.order_by(DETAILS_KEY.c.id))).all()
    keys = [(row, KeyOf(row.period, Keep(row.subjects, row.years))) for row in rows]
    return [(row, of) for row, of in keys if of.expires <= today]


async def _places(store: Store, key: int) -> list[int]:
    query = sa.select(LEAF.c.idx).where(LEAF.c.key == key).order_by(LEAF.c.idx)
    async with store.engine.connect() as connection:
        return list((await connection.execute(query)).scalars())


async def _destroy(store: Store, key: int, places: list[int], at: int) -> None:
    async with store.engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            await connection.exec_driver_sql("PRAGMA secure_delete=ON")
        of_key = sa.select(LEAF.c.idx).where(LEAF.c.key == key)
        for start in range(0, len(places), STEP):
            first, last = places[start], places[start : start + STEP][-1]
            those = INDEX_RECORD.c.idx.between(first, last) & INDEX_RECORD.c.idx.in_(of_key)
            operations = sa.select(INDEX_RECORD.c.operation).where(those)
            await connection.execute(sa.delete(CROWD).where(CROWD.c.operation.in_(operations)))
            for table in (DETAILS, INDEX_ABOUT, INDEX_RECORD):
                rows = table.c.idx.between(first, last) & table.c.idx.in_(of_key)
                await connection.execute(sa.delete(table).where(rows))
            await connection.commit()
        # The key last: while it stands, what was broken off is found again, and goes on.
        gone = sa.update(DETAILS_KEY).where(DETAILS_KEY.c.id == key)
        await connection.execute(gone.values(wrapped=None, destroyed=at))
        await connection.commit()
