"""A query log of its own on SQLite and on PostgreSQL, for what reads it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.querylog.store import Store
from tests.sources.postgres import Postgres, running


@pytest.fixture(scope="session")
async def server() -> AsyncIterator[Postgres]:
    async with running() as postgres:
        yield postgres


@pytest.fixture
async def postgres(server: Postgres) -> Postgres:
    """A PostgreSQL whose database is empty."""
    await server.execute("DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    return server


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty store."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'log.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.url


@pytest.fixture
async def store(address: str) -> AsyncIterator[Store]:
    """An open store that nothing is in yet."""
    made = Store(address, 512, bytes(range(32)))
    await made.open()
    yield made
    await made.close()
