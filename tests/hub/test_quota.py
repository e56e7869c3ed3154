"""Different people asked about in 24 hours: counted where no restart and no replica begins anew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hub.querylog.quota import WINDOW, Quota
from hub.querylog.store import LogUnavailable, Store
from tests.sources.postgres import running


@asynccontextmanager
async def counting(address: str) -> AsyncIterator[Quota]:
    store = Store(address, 10, bytes(32))
    await store.open()
    try:
        yield Quota(store.engine)
    finally:
        await store.close()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
async def address(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[str]:
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('quota') / 'log.db'}"
    else:
        async with running() as server:
            yield server.url


async def test_the_same_person_counts_once(address: str) -> None:
    async with counting(address) as quota:
        assert await quota.take("once", ["a", "b"], 2)
        assert await quota.take("once", ["b", "a"], 2)
        assert not await quota.take("once", ["c"], 2)


async def test_what_is_refused_is_not_counted(address: str) -> None:
    async with counting(address) as quota:
        assert not await quota.take("refused", ["a", "b", "c"], 2)
        assert await quota.take("refused", ["d", "e"], 2)


async def test_a_restart_does_not_begin_anew_and_others_count_apart(address: str) -> None:
    async with counting(address) as quota:
        assert await quota.take("restarted", ["a", "b"], 2)
    async with counting(address) as quota:
        assert not await quota.take("restarted", ["c"], 2)
        assert await quota.take("another", ["c"], 2)


async def test_two_at_the_same_time_do_not_both_get_the_last_place(address: str) -> None:
    async with counting(address) as one, counting(address) as two:
        taken = await asyncio.gather(
            *(quota.take("racing", [f"{n}"], 10) for n, quota in enumerate([one, two] * 15))
        )
    assert sum(taken) == 10


async def test_after_a_day_a_subject_no_longer_counts(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with counting(address) as quota:
        assert await quota.take("patient", ["a"], 1)
        assert not await quota.take("patient", ["b"], 1)
        monkeypatch.setattr("hub.querylog.quota.WINDOW", 0)
        assert await quota.take("patient", ["b"], 1)
    assert WINDOW == 86_400


async def test_a_store_that_cannot_count_lets_nobody_through(tmp_path: Path) -> None:
    async with counting(f"sqlite+aiosqlite:///{tmp_path / 'log.db'}") as quota:
        pass
    (tmp_path / "log.db").unlink()
    (tmp_path / "log.db").mkdir()
    with pytest.raises(LogUnavailable, match="the store of the query log cannot count subjects"):
        await quota.take("anyone", ["a"], 1)
