"""The store of the query log, on SQLite and PostgreSQL: durable, in groups, or unavailable."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import create_async_engine

from hub.querylog.group import PostgresWriter, SqliteWriter, Written
from hub.querylog.leaf import canonical, commitment, leaf
from hub.querylog.record import Pseudonyms
from hub.querylog.sealing import Keep, KeyOf, Sealing, unseal
from hub.querylog.store import LogUnavailable, Store
from tests.sources.postgres import Postgres, running

NOT_WRITTEN = r"^the query log cannot be written$"
REFUSE = """
CREATE TRIGGER refuse BEFORE INSERT ON leaf BEGIN SELECT RAISE(FAIL, 'disk full'); END
"""


SEALING_KEY = bytes(range(32))


def record(number: int, **facts: Any) -> dict[str, Any]:
    return {
        "operation": str(uuid.UUID(int=number)),
        "kind": "INTENT",
        "at": "2026-11-23T00:00:00.000+00:00",
        **facts,
    }


async def numbers(store: Store) -> list[int]:
    """The numbers of the records that the store gives out, in its order."""
    return [uuid.UUID(found["operation"]).int async for found in store.records()]


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[Postgres]:
    async with running() as postgres:
        yield postgres


@pytest.fixture
async def postgres(server: Postgres) -> Postgres:
    """A PostgreSQL whose database is empty."""
    await server.execute("DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    return server


@pytest.fixture
def sqlite_file(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest) -> str:
    """The address of an empty store."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{request.getfixturevalue('sqlite_file')}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.url


Open = Callable[..., Any]


@pytest.fixture
async def opened() -> AsyncIterator[Open]:
    """Opens stores, each closed at the end."""
    async with AsyncExitStack() as stack:

        async def open_store(address: str, batch: int = 512) -> Store:
            store = Store(address, batch, SEALING_KEY)
            stack.push_async_callback(store.close)
            await store.open()
            return store

        yield open_store


@pytest.fixture
async def store(opened: Open, address: str) -> Store:
    made: Store = await opened(address)
    return made


@pytest.fixture
async def sqlite(opened: Open, sqlite_file: Path) -> Store:
    made: Store = await opened(f"sqlite+aiosqlite:///{sqlite_file}")
    return made


@dataclass
class Counted:
    """How many leaves each transaction of any store wrote; `written` is set when one is begun."""

    inserts: list[int]
    written: asyncio.Event


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    seen = Counted([], asyncio.Event())

    for writer in (SqliteWriter, PostgresWriter):

        async def counting(
            self: Any,
            group: Sequence[Written],
            *more: Any,
            write: Callable[..., Awaitable[int]] = writer.write,
        ) -> int:
            seen.inserts.append(len(group))
            seen.written.set()
            return await write(self, group, *more)

        monkeypatch.setattr(writer, "write", counting)
    return seen


# Durable


async def test_what_was_appended_another_connection_reads(store: Store, address: str) -> None:
    assert await store.append(record(1, reason="가")) == 0
    other = create_async_engine(address)
    async with other.connect() as connection:
        rows = await connection.execute(
            sa.text("SELECT leaf, sealed FROM leaf NATURAL JOIN details")
        )
        (found,) = rows.all()
        keys = await connection.execute(sa.text("SELECT period, wrapped FROM details_key"))
        (key,) = keys.all()
    await other.dispose()
    opened = Sealing(SEALING_KEY).unwrap(KeyOf("2026-11-23", Keep()), key.wrapped)
    salt, details = unseal(opened, found.sealed)
    assert details == canonical(record(1, reason="가"))
    assert found.leaf == leaf(commitment(salt, details))


async def test_records_come_out_in_the_order_they_were_appended(store: Store) -> None:
    await asyncio.gather(*(store.append(record(number)) for number in range(300)))
    await store.append(record(300))
    assert await numbers(store) == list(range(301))


async def test_a_store_that_is_opened_again_goes_on_where_it_was(
    opened: Open, address: str
) -> None:
    first = await opened(address)
    await first.append(record(1))
    await first.close()
    second = await opened(address)
    await second.append(record(2))
    assert await numbers(second) == [1, 2]


APPENDER = """
import asyncio, sys, uuid
from hub.querylog.store import Store

async def main():
    store = Store(sys.argv[1], 512, bytes(range(32)))
    await store.open()
    number = 0
    while True:
        operation = str(uuid.UUID(int=number))
        at = "2026-11-23T00:00:00.000+00:00"
        await store.append({"operation": operation, "kind": "INTENT", "at": at})
        print(number, flush=True)
        number += 1

asyncio.run(main())
"""


def killed_while_appending(address: str) -> list[int]:
    """The numbers that a process told as appended before it was killed."""
    command = [sys.executable, "-c", APPENDER, address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = [int(process.stdout.readline()) for _ in range(50)]
        process.kill()
        return [*told, *map(int, process.stdout)]


async def test_what_was_appended_outlives_a_killed_process(opened: Open, sqlite_file: Path) -> None:
    address = f"sqlite+aiosqlite:///{sqlite_file}"
    told = await asyncio.to_thread(killed_while_appending, address)
    assert (await numbers(await opened(address)))[: len(told)] == told


# In groups


async def test_a_thousand_at_once_take_far_fewer_commits(store: Store, counted: Counted) -> None:
    await asyncio.gather(*(store.append(record(number)) for number in range(1_000)))
    assert sum(counted.inserts) == 1_000
    assert len(counted.inserts) <= 3


async def test_those_that_come_during_a_commit_share_the_next(
    store: Store, counted: Counted
) -> None:
    first = asyncio.create_task(store.append(record(0)))
    await counted.written.wait()
    await asyncio.gather(first, *(store.append(record(number)) for number in range(1, 100)))
    assert counted.inserts == [1, 99]


async def test_no_more_are_committed_together_than_the_setting_says(
    opened: Open, address: str, counted: Counted
) -> None:
    store = await opened(address, 10)
    await asyncio.gather(*(store.append(record(number)) for number in range(95)))
    assert counted.inserts == [10] * 9 + [5]


async def test_an_append_alone_waits_for_no_other(store: Store, counted: Counted) -> None:
    for number in range(3):
        await store.append(record(number))
    assert counted.inserts == [1, 1, 1]


# Unavailable


async def test_a_store_that_refuses_is_unavailable_and_later_works_again(
    sqlite: Store, sqlite_file: Path
) -> None:
    with closing(sqlite3.connect(sqlite_file)) as other:
        other.execute(REFUSE)
        for number in range(2):
            with pytest.raises(LogUnavailable, match=NOT_WRITTEN):
                await sqlite.append(record(number))
        other.execute("DROP TRIGGER refuse")
    await sqlite.append(record(2))
    assert await numbers(sqlite) == [2]


async def test_a_failed_commit_fails_for_everyone_in_it(sqlite: Store, sqlite_file: Path) -> None:
    with closing(sqlite3.connect(sqlite_file)) as other:
        other.execute(REFUSE)
    appends = (sqlite.append(record(number)) for number in range(20))
    outcomes = await asyncio.gather(*appends, return_exceptions=True)
    assert {(type(outcome), str(outcome)) for outcome in outcomes} == {
        (LogUnavailable, "the query log cannot be written")
    }
    assert await numbers(sqlite) == []


async def test_a_server_that_stops_is_unavailable_until_it_is_back(
    opened: Open, postgres: Postgres
) -> None:
    store = await opened(postgres.url)
    await store.append(record(1))
    postgres.stop()
    try:
        for number in (2, 3):
            with pytest.raises(LogUnavailable, match=NOT_WRITTEN):
                await store.append(record(number))
        with pytest.raises(LogUnavailable, match=r"^the store of the query log does not answer$"):
            await store.check()
    finally:
        await postgres.start()
    await store.append(record(4))
    await store.check()
    assert await numbers(store) == [1, 4]


async def test_a_server_that_drops_its_connections_costs_no_record(
    opened: Open, postgres: Postgres
) -> None:
    store = await opened(postgres.url)
    await store.append(record(1))
    await postgres.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )
    await store.append(record(2))
    assert await numbers(store) == [1, 2]


async def test_a_store_that_may_only_be_read_is_unavailable(
    opened: Open, sqlite: Store, sqlite_file: Path
) -> None:
    await sqlite.append(record(1))
    reader = await opened(f"sqlite+aiosqlite:///file:{sqlite_file}?mode=ro&uri=true")
    with pytest.raises(LogUnavailable, match=NOT_WRITTEN):
        await reader.append(record(2))
    assert await numbers(sqlite) == [1]


async def test_a_store_that_cannot_be_opened_is_unavailable(opened: Open, tmp_path: Path) -> None:
    with pytest.raises(LogUnavailable, match=r"^the store of the query log cannot be opened$"):
        await opened(f"sqlite+aiosqlite:///{tmp_path / 'none' / 'log.db'}")


async def test_a_file_that_is_no_store_is_unavailable(opened: Open, sqlite_file: Path) -> None:
    content = b"no database at all, but bytes enough to be read as a header" * 50
    await asyncio.to_thread(sqlite_file.write_bytes, content)
    with pytest.raises(LogUnavailable, match=r"^the store of the query log cannot be opened$"):
        await opened(f"sqlite+aiosqlite:///{sqlite_file}")


async def test_a_server_that_is_not_there_is_unavailable(opened: Open, postgres: Postgres) -> None:
    url = sa.make_url(postgres.url).set(port=1).render_as_string(hide_password=False)
    with pytest.raises(LogUnavailable, match=r"^the store of the query log cannot be opened$"):
        await opened(url)


@pytest.mark.parametrize("use", ["append", "close and append"])
async def test_a_store_that_is_not_open_takes_nothing(sqlite_file: Path, use: str) -> None:
    store = Store(f"sqlite+aiosqlite:///{sqlite_file}", 512, SEALING_KEY)
    if use.startswith("close"):
        await store.open()
        await store.close()
    with pytest.raises(LogUnavailable, match=r"^the writer of the query log has stopped$"):
        await store.append(record(1))
    await store.close()


# Locks, leaving and closing


async def test_a_lock_of_another_is_waited_for(
    sqlite: Store, sqlite_file: Path, counted: Counted
) -> None:
    await sqlite.append(record(0))
    counted.written.clear()
    with closing(sqlite3.connect(sqlite_file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        waiting = asyncio.create_task(sqlite.append(record(1)))
        await counted.written.wait()
        done, _ = await asyncio.wait([waiting], timeout=0.1)
        assert done == set()
        other.execute("COMMIT")
        await waiting
    assert await numbers(sqlite) == [0, 1]


async def test_a_record_that_was_given_up_before_its_commit_is_not_written(
    sqlite: Store, sqlite_file: Path, counted: Counted
) -> None:
    await sqlite.append(record(0))
    counted.written.clear()
    with closing(sqlite3.connect(sqlite_file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        first = asyncio.create_task(sqlite.append(record(1)))
        await counted.written.wait()
        given_up = asyncio.create_task(sqlite.append(record(2)))
        third = asyncio.create_task(sqlite.append(record(3)))
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.sleep(0)
        other.execute("COMMIT")
        await asyncio.gather(first, third)
    assert await numbers(sqlite) == [0, 1, 3]


@pytest.mark.parametrize("appended", [1, 50])
async def test_closing_commits_what_waits(opened: Open, address: str, appended: int) -> None:
    store = await opened(address, 10)
    waiting = [asyncio.create_task(store.append(record(n))) for n in range(appended)]
    await asyncio.sleep(0)
    await store.close()
    assert await asyncio.gather(*waiting) == list(range(appended))
    assert await numbers(await opened(address)) == list(range(appended))


async def test_closing_waits_for_the_commit_under_way(
    opened: Open, address: str, counted: Counted
) -> None:
    store = await opened(address)
    waiting = asyncio.create_task(store.append(record(1)))
    await counted.written.wait()
    await store.close()
    await waiting
    assert await numbers(await opened(address)) == [1]


# Pseudonyms


def test_a_pseudonym_is_the_hmac_of_the_subject_under_the_key() -> None:
    # RFC 4231, test case 2, cut to 128 bits.
    assert Pseudonyms(b"Jefe").of("what do ya want for nothing?") == (
        "5bdcc146bf60754e6a042426089575c7"
    )


@given(st.binary(min_size=1, max_size=64), st.text(), st.text())
def test_pseudonyms_are_the_same_for_the_same_subject_only(
    key: bytes, one: str, other: str
) -> None:
    pseudonyms = Pseudonyms(key)
    assert (pseudonyms.of(one) == pseudonyms.of(other)) == (one == other)


@given(st.from_regex(r"\A[0-9]{6}-[0-9]{7}\Z"))
def test_a_pseudonym_shows_nothing_of_the_subject_and_depends_on_the_key(subject: str) -> None:
    pseudonym = Pseudonyms(b"key").of(subject)
    assert len(pseudonym) == 32
    assert subject[:6] not in pseudonym or subject[7:] not in pseudonym
    assert pseudonym != Pseudonyms(b"other key").of(subject)


async def test_a_record_committed_after_its_append_failed_is_withdrawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.querylog.store.TIMEOUT", 0.5)
    path = tmp_path / "log.db"
    store = Store(f"sqlite+aiosqlite:///{path}", 10, SEALING_KEY)
    await store.open()
    await store.append(record(1))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LogUnavailable, match="the query log did not commit in time"):
            await store.append({**record(2), "kind": "OUTCOME"})
        other.execute("ROLLBACK")
    await asyncio.sleep(0.5)
    records = [entry async for entry in store.records()]
    await store.close()
    assert [entry["kind"] for entry in records] == ["INTENT", "OUTCOME", "WITHDRAWN"]
    assert records[2]["operation"] == records[1]["operation"]
    assert records[2]["of"] == "OUTCOME"
