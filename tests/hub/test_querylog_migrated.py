"""Tables are brought to a newer revision while hubs of the older one write."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa
from alembic import command
from sqlalchemy.ext.asyncio import AsyncEngine

from hub.querylog import schema
from hub.querylog.engine import engine_of
from tests.sources.postgres import running

ROW = "INSERT INTO index_about VALUES ({}, '\\x00', 'released', 0, 'somebody')"
INDEXES = """
SELECT indexrelid::regclass::text, indisvalid FROM pg_index
WHERE indrelid IN ('index_about'::regclass, 'index_record'::regclass) ORDER BY 1
"""


def older(connection: sa.Connection) -> None:
    """Make the tables as a hub of long ago did."""
    config = schema.configuration()
    config.attributes |= {"connection": connection, "online": False}
    command.upgrade(config, "0004")


async def until(engine: AsyncEngine, query: str) -> None:
    """Wait until a query says true."""
    async with engine.connect() as connection:
        while not await connection.scalar(sa.text(query)):
            await connection.rollback()
            await asyncio.sleep(0.02)


async def test_indexes_are_made_beside_hubs_that_write_and_anew_where_it_was_broken_off() -> None:
    async with running() as server:
        engine = engine_of(server.url)
        async with engine.begin() as connection:
            await connection.run_sync(older)
            await connection.exec_driver_sql(ROW.format(1))
        waiting = (
            "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
            "AND query LIKE 'CREATE INDEX CONCURRENTLY%'"
        )
        async with engine.connect() as slow:
            await slow.exec_driver_sql(ROW.format(2))
            broken_off = asyncio.create_task(schema.upgrade(engine))
            await until(engine, waiting)
            # Another hub, that would wait behind an index made otherwise, does not.
            async with engine.begin() as other:
                await other.exec_driver_sql("SET LOCAL lock_timeout = '1s'")
                await other.exec_driver_sql(ROW.format(3))
            stop = (
                "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE 'CREATE I%'"
            )
            async with engine.begin() as other:
                await other.exec_driver_sql(stop)
            with pytest.raises(sa.exc.DBAPIError, match="cancel"):
                await broken_off
            async with engine.connect() as other:
                left = (await other.execute(sa.text(INDEXES))).all()
                assert ("index_about_person", False) in [tuple(row) for row in left]
            await slow.commit()
        assert await schema.upgrade(engine) == ("0004", schema.HEAD)
        async with engine.connect() as connection:
            rows = (await connection.execute(sa.text(INDEXES))).all()
            count = await connection.scalar(sa.text("SELECT count(*) FROM index_about"))
        assert all(valid for _, valid in rows)
        made = {name for name, _ in rows}
        assert {"index_about_released", "index_about_event", "index_record_access"} <= made
        assert "index_about_person" not in made
        assert count == 3
        await engine.dispose()


async def test_of_several_that_migrate_one_does_it_and_all_say_so() -> None:
    async with running() as server:
        engine = engine_of(server.url)
        async with engine.begin() as connection:
            await connection.run_sync(older)
        found = await asyncio.gather(*(schema.upgrade(engine) for _ in range(3)))
        assert sorted(found) == [("0004", schema.HEAD), *[(schema.HEAD, schema.HEAD)] * 2]
        await engine.dispose()
