"""Budgets of sources: by all, caller and purpose, where no restart and no replica begins anew."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from hub.budget import HOURS, Budgets
from hub.querylog.store import LogUnavailable, Store
from hub.querylog.tables import SOURCE_USE
from sources.adapter import Context, OverBudget
from sources.declaration import Source
from sources.reading import read_catalogue
from tests.sources.postgres import running

DECLARATION = """\
[source]
agency = "Agency"
description = "Data"
adapter = "memory"
budget = { BUDGET }

[item.pay]
description = "Pay"
type = "Won"
category = "income"
"""
CONTEXT = Context("pension", "Act", "C-1", "op-1", user="official-1")


def source_with(folder: Path, budget: str, name: str) -> Source:
    (folder / f"{name}.toml").write_text(DECLARATION.replace("BUDGET", budget))
    catalogue, faults = read_catalogue(folder, [name], name, name)
    assert [str(fault) for fault in faults] == []
    return catalogue.sources[name]


@asynccontextmanager
async def counting(address: str) -> AsyncIterator[Budgets]:
    store = Store(address, 10, bytes(32))
    await store.open()
    try:
        yield Budgets(store.engine)
    finally:
        await store.close()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
async def address(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[str]:
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('budget') / 'log.db'}"
    else:
        async with running() as server:
            yield server.url


async def test_what_is_over_budget_is_refused_and_not_counted(address: str, tmp_path: Path) -> None:
    source = source_with(tmp_path, "all = 3", "over")
    async with counting(address) as budgets:
        await budgets.take(source, CONTEXT, 2)
        with pytest.raises(OverBudget, match="the budget of `all` is used up"):
            await budgets.take(source, CONTEXT, 2)
        await budgets.take(source, CONTEXT, 1)
        with pytest.raises(OverBudget):
            await budgets.take(source, CONTEXT, 1)


async def test_each_caller_and_each_purpose_has_a_budget_of_its_own(
    address: str, tmp_path: Path
) -> None:
    source = source_with(tmp_path, "caller = 1, purpose = 2", "each")
    async with counting(address) as budgets:
        await budgets.take(source, CONTEXT, 1)
        with pytest.raises(OverBudget, match="`caller`"):
            await budgets.take(source, CONTEXT, 1)
        await budgets.take(source, CONTEXT._replace(user="official-2"), 1)
        with pytest.raises(OverBudget, match="`purpose`"):
            await budgets.take(source, CONTEXT._replace(user="official-3"), 1)
        await budgets.take(source, CONTEXT._replace(user="official-3", purpose="audit"), 1)


async def test_a_restart_does_not_begin_anew_and_other_sources_count_apart(
    address: str, tmp_path: Path
) -> None:
    source = source_with(tmp_path, "all = 1", "restarted")
    async with counting(address) as budgets:
        await budgets.take(source, CONTEXT, 1)
    async with counting(address) as budgets:
        with pytest.raises(OverBudget):
            await budgets.take(source, CONTEXT, 1)
        await budgets.take(source_with(tmp_path, "all = 1", "another"), CONTEXT, 1)


async def test_replicas_at_the_same_time_share_one_budget(address: str, tmp_path: Path) -> None:
    source = source_with(tmp_path, "all = 10, caller = 10", "shared")
    async with counting(address) as one, counting(address) as two:
        taking = [each.take(source, CONTEXT, 1) for each in (one, two) for _ in range(10)]
        outcomes = await asyncio.gather(*taking, return_exceptions=True)
    assert sum(outcome is None for outcome in outcomes) == 10
    assert sum(isinstance(outcome, OverBudget) for outcome in outcomes) == 10


async def test_midnight_begins_nothing_anew_and_a_day_later_all_may_be_asked_again(
    address: str, tmp_path: Path
) -> None:
    source = source_with(tmp_path, "all = 5", "daily")
    hour = int(time.time() // 3600)
    store = Store(address, 10, bytes(32))
    await store.open()
    budgets = Budgets(store.engine)

    async def earlier(hours: int) -> None:
        async with store.engine.begin() as connection:
            row = {"source": "daily", "scope": "all", "hour": hour - hours, "people": 5}
            await connection.execute(sa.delete(SOURCE_USE).where(SOURCE_USE.c.source == "daily"))
            await connection.execute(sa.insert(SOURCE_USE), [row])

    try:
        await earlier(HOURS - 1)
        with pytest.raises(OverBudget):
            await budgets.take(source, CONTEXT, 1)
        await earlier(HOURS)
        await budgets.take(source, CONTEXT, 5)
        async with store.engine.connect() as connection:
            left = await connection.execute(
                sa.select(SOURCE_USE.c.hour).where(SOURCE_USE.c.source == "daily")
            )
            assert [row.hour for row in left] == [hour]
    finally:
        await store.close()


async def test_without_a_budget_the_store_is_not_touched(tmp_path: Path) -> None:
    store = Store("sqlite+aiosqlite:////nowhere/log.db", 10, bytes(32))
    await Budgets(store.engine).take(source_with(tmp_path, "", "free"), CONTEXT, 100)


async def test_a_store_that_cannot_count_lets_nobody_be_asked(tmp_path: Path) -> None:
    store = Store("sqlite+aiosqlite:////nowhere/log.db", 10, bytes(32))
    with pytest.raises(LogUnavailable, match="cannot count budgets"):
        await Budgets(store.engine).take(source_with(tmp_path, "all = 1", "lost"), CONTEXT, 1)
