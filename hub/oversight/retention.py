"""Forgets approvals, reviewed uses, notices and tickets once their purpose keeps no details."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from authz.purpose import Purpose
from hub.corrections.tables import OPEN, TICKETS
from hub.oversight.tables import APPROVALS, NOTICES, PARTIES, SIGHTS, SUBJECTS, USES
from hub.querylog.sealing import Keep
from hub.querylog.store import LogUnavailable, Store

YEAR = 365.25 * 24 * 3600
UNSAID_YEARS = 5
"""Years that details are kept where a purpose says nothing."""
_FOR_GOOD = Keep("staff", 100)
_KINDS = {"uses": USES, "approvals": APPROVALS, "notices": NOTICES, "corrections": TICKETS}


def expires(purpose: Purpose, at: float) -> float:
    """When what is noted of a purpose now need not be kept any more (seconds since 1970)."""
    return at + purpose.retention * YEAR


async def outdated(store: Store, now: float) -> dict[str, int]:
    """How many there are whose term is over, by kind. Raises LogUnavailable."""
    try:
        async with store.engine.connect() as connection:
            return {name: len(await _past(connection, name, now)) for name in _KINDS}
    except (SQLAlchemyError, OSError) as error:
        raise LogUnavailable("the store of approvals and reviews does not answer") from error


async def forget(store: Store, now: float) -> Mapping[str, int]:
    """Delete them, with their reasons, notes, parties and subjects. Raises LogUnavailable.

    A use that nobody has reviewed is kept until somebody has, a ticket as long as it is open.
    """
    found = await outdated(store, now)
    if not any(found.values()):
        return found
    at = datetime.datetime.fromtimestamp(now, datetime.UTC).isoformat(timespec="milliseconds")
    # Invariant: that they are forgotten is durable before they are.
    await store.append({"kind": "FORGOTTEN", "at": at, "hub": store.run, **found}, _FOR_GOOD)
    try:
        async with store.engine.connect() as connection:
            if connection.dialect.name == "sqlite":
                await connection.exec_driver_sql("PRAGMA secure_delete=ON")
            for name in _KINDS:
                await _delete(connection, name, now)
            await connection.commit()
    except (SQLAlchemyError, OSError) as error:
        raise LogUnavailable("approvals and reviews could not be deleted; run it again") from error
    return found


def _over(name: str, now: float) -> sa.Select[tuple[str]]:
    table = _KINDS[name]
    # An older hub, while this one takes over, does not say until when a row is kept.
    since = table.c.filed if table is TICKETS else table.c.at
    unsaid = since + UNSAID_YEARS * YEAR
    over = sa.case((table.c.expires > 0, table.c.expires), else_=unsaid) <= now
    if table is USES:
        over &= USES.c.closed.is_not(None)
    if table is TICKETS:
        over &= TICKETS.c.state.not_in(OPEN)
    return sa.select(table.c.id).where(over)


async def _past(connection: AsyncConnection, name: str, now: float) -> list[str]:
    return [row.id for row in await connection.execute(_over(name, now))]


async def _delete(connection: AsyncConnection, name: str, now: float) -> None:
    ids = _over(name, now)
    if name != "notices":
        for table in (PARTIES, SUBJECTS):
            await connection.execute(sa.delete(table).where(table.c.record.in_(ids)))
    if name == "uses":
        await connection.execute(sa.delete(SIGHTS).where(SIGHTS.c.use.in_(ids)))
    table = _KINDS[name]
    await connection.execute(sa.delete(table).where(table.c.id.in_(ids)))
