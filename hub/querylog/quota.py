"""How many different people one official has asked about in the last 24 hours.

Counted in the store of the query log, over every purpose and token, so that neither restarts nor
replicas, neither midnight nor another purpose, begin it anew.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from hub.querylog.store import LogUnavailable
from hub.querylog.tables import SUBJECT_USE

WINDOW = 24 * 3600
"""Seconds that a subject counts."""


class Quota:
    """Counts subjects by person in a store."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._postgresql = engine.dialect.name == "postgresql"

    async def take(self, person: str, subjects: Iterable[str], most: int) -> bool:
        """Count these pseudonyms too, unless they would be more than `most`: then count none.

        Whether they were counted. Raises LogUnavailable.
        """
        now = time.time()
        rows = [{"person": person, "subject": subject, "at": now} for subject in subjects]
        if not rows:
            return True
        insert = (postgresql if self._postgresql else sqlite).insert(SUBJECT_USE)
        keep = insert.on_conflict_do_update(
            index_elements=["person", "subject"], set_={"at": insert.excluded.at}
        )
        counted = sa.select(sa.func.count()).where(
            SUBJECT_USE.c.person == person, SUBJECT_USE.c.at > now - WINDOW
        )
        try:
            async with self._engine.connect() as connection:
                if self._postgresql:
                    lock = sa.func.pg_advisory_xact_lock(sa.func.hashtext(person))
                    await connection.execute(sa.select(lock))
                await connection.execute(keep, rows)
                within = (await connection.scalar(counted) or 0) <= most
                if within:
                    await connection.commit()
                return within
        except (SQLAlchemyError, OSError) as error:
            raise LogUnavailable("the store of the query log cannot count subjects") from error
