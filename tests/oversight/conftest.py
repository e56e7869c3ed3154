"""A ledger of its own on SQLite and on PostgreSQL, with a clock that tests set."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import make_url

from hub.oversight import tables
from hub.oversight.ledger import Ledger
from hub.oversight.seal import Seal
from hub.querylog.record import Pseudonyms
from hub.querylog.store import Store
from tests.sources.postgres import running

KEY = b"a key of thirty-two bytes, or so"


@dataclass
class Clock:
    """The time, as a test says it is."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    def pass_by(self, *, days: float = 0, hours: float = 0, minutes: float = 0) -> None:
        self.now += ((days * 24 + hours) * 60 + minutes) * 60


@pytest.fixture
def clock() -> Clock:
    return Clock()


@asynccontextmanager
async def ledger_at(address: str, clock: Clock) -> AsyncIterator[Ledger]:
    store = Store(address, 10, bytes(32))
    await store.open()
    try:
        yield Ledger(store.engine, Pseudonyms(KEY), Seal(KEY), clock)
    finally:
        await store.close()


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    if request.param == "sqlite":
        yield ""
    else:
        async with running() as postgres:
            yield postgres.url


@pytest.fixture
async def address(server: str, tmp_path: Path) -> str:
    """The address of a store that nothing is in yet."""
    if not server:
        return f"sqlite+aiosqlite:///{tmp_path / 'log.db'}"
    async with ledger_at(server, Clock()) as ledger, ledger.engine.begin() as connection:
        for table in reversed(tables.METADATA.sorted_tables):
            if table.name.startswith("oversight_"):
                await connection.execute(table.delete())
    return make_url(server).render_as_string(hide_password=False)


@pytest.fixture
async def ledger(address: str, clock: Clock) -> AsyncIterator[Ledger]:
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(ledger_at(address, clock))
