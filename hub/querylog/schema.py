"""Which revision of its tables a store has: a new one is given them, an older one is refused."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0012"
"""The revision that this hub reads and writes."""
_LOCK = 7_020_394_281
"""Of the advisory locks of PostgreSQL, the one under which the tables are made."""
_PAUSE = 0.2
"""Seconds between two looks whether another has migrated."""


class WrongSchema(Exception):
    """The store's tables are none that this hub can use."""


async def prepare(engine: AsyncEngine) -> None:
    """Make the tables where there are none. Raises WrongSchema for those of another revision."""
    async with engine.begin() as connection:
        found = await connection.run_sync(revision)
        if found is None:
            await _lock(connection)
            if await connection.run_sync(revision) is None:
                await connection.run_sync(_upgrade)
        elif found < HEAD:
            raise WrongSchema(
                f"the store of the query log has revision {found} of its tables, "
                f"and this hub needs {HEAD}: run `hub log migrate`"
            )
        elif found > HEAD:
            raise WrongSchema(
                f"the store of the query log has revision {found} of its tables, newer than this "
                f"hub's {HEAD}: run a newer hub"
            )


async def upgrade(engine: AsyncEngine) -> tuple[str | None, str]:
    """Bring a store's tables to this hub's revision, while older hubs write to it.

    The revisions before and after.
    """
    async with _alone(engine), engine.connect() as connection:
        before = await connection.run_sync(revision)
        await connection.rollback()
        if before is None or before < HEAD:
            if connection.dialect.name == "sqlite":
                await _lock(connection)
            await connection.run_sync(_upgrade, online=before is not None)
            await connection.commit()
        return before, await connection.run_sync(revision) or HEAD


@contextlib.asynccontextmanager
async def _alone(engine: AsyncEngine) -> AsyncIterator[None]:
    """Let others that migrate wait, on PostgreSQL without a transaction.

    An index made concurrently waits for every other transaction; who waited for this lock in one
    would wait for it in turn.
    """
    if engine.dialect.name != "postgresql":
        yield
        return
    outside = engine.execution_options(isolation_level="AUTOCOMMIT")
    async with outside.connect() as connection:
        trying = sa.select(sa.func.pg_try_advisory_lock(_LOCK))
        while not await connection.scalar(trying):  # noqa: ASYNC110 - it tells of no event
            await asyncio.sleep(_PAUSE)
        try:
            yield
        finally:
            await connection.execute(sa.select(sa.func.pg_advisory_unlock(_LOCK)))


def revision(connection: sa.Connection) -> str | None:
    """The revision of the store's tables; None where there are none."""
    tables = set(sa.inspect(connection).get_table_names())
    if "alembic_version" in tables:
        found = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
        return None if found is None else str(found)
    return "0001" if "record" in tables else None


async def _lock(connection: Any) -> None:
    """Keep others from making tables until the transaction ends."""
    if connection.dialect.name == "postgresql":
        await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
    else:
        await connection.exec_driver_sql("BEGIN IMMEDIATE")


def _upgrade(connection: sa.Connection, *, online: bool = False) -> None:
    from alembic import command  # noqa: PLC0415 - it takes long to import and is rarely needed

    config = configuration()
    config.attributes |= {"connection": connection, "online": online}
    first = revision(connection) == "0001"
    if online and connection.dialect.name == "postgresql":
        connection.rollback()  # each revision has a transaction of its own, and may end it
    if first:
        command.stamp(config, "0001")
    command.upgrade(config, "head")


def configuration() -> Config:
    """Alembic's configuration for the store's revisions."""
    from alembic.config import Config  # noqa: PLC0415 - as above

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    return config
