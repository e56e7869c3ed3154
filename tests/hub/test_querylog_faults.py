"""The query log under faults of the real thing: killed hubs, full disks, a database that goes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from hub.querylog import keeper as keeping
from hub.querylog.checkpoint import Checkpoints, LogKey
from hub.querylog.engine import engine_of
from hub.querylog.keeper import Keeper
from hub.querylog.sealing import Sealing
from hub.querylog.store import LogUnavailable, Store
from hub.querylog.verify import Trust, verify
from tests.hub.querylog import SEALING_KEY, SIGNER, intent, outcome
from tests.sources.postgres import Postgres, running

TRUST = Trust([LogKey(SIGNER.verifier)], sealing=Sealing(SEALING_KEY))


@dataclass
class Worker:
    """A process that logs operations; those it answered."""

    address: str
    limit: int | None = None
    answered: list[str] = field(default_factory=list)

    def start(self) -> None:
        def limited() -> None:
            if self.limit is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (self.limit, self.limit))
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

        command = [sys.executable, "-m", "tests.hub.querylog_worker"]
        self.process = subprocess.Popen(
            [*command, self.address, SIGNER.text, "16"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=limited,  # noqa: PLW1509 - it makes two system calls
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line == "ready\n", self.process.stderr.read() if self.process.stderr else ""
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            # A line that was cut off is no answer.
            if line.endswith("\n"):
                self.answered.append(line.strip())

    def answers(self, more: int) -> None:
        """Wait until it has answered so many more, however busy the machine is."""
        enough = len(self.answered) + more
        while len(self.answered) < enough:
            assert self.process.poll() is None
            time.sleep(0.01)

    def kill(self) -> None:
        """Kill it as nothing can be caught."""
        self.process.kill()
        self.process.wait()
        self.reader.join()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()


async def settled(address: str) -> tuple[list[dict[str, Any]], list[str]]:
    """The records once a hub has started and settled, and what `hub log verify` finds."""
    store = Store(address, 512, SEALING_KEY)
    await store.open()
    keeper = Keeper(store, Checkpoints(store.engine, SIGNER))
    await keeper.open()
    await keeper.close()
    records = [record async for record in store.records()]
    await store.close()
    report = await verify(address, TRUST)
    assert report.signed is not None
    assert report.signed.size == len(records)
    return records, [str(found) for found in report.findings]


def check(records: list[dict[str, Any]], answered: list[str]) -> None:
    """Every answer has its OUTCOME, every INTENT has one, and none comes first."""
    outcomes: dict[str, list[str]] = {}
    intents: set[str] = set()
    for record in records:
        if record["kind"] == "INTENT":
            intents.add(record["operation"])
        elif record["kind"] == "OUTCOME":
            assert record["operation"] in intents
            outcomes.setdefault(record["operation"], []).append(record["outcome"])
    assert set(answered) <= {key for key, told in outcomes.items() if told == ["answered"]}
    assert intents == set(outcomes)
    unknown = [key for key, told in outcomes.items() if told == ["unknown"]]
    assert not set(unknown) & set(answered)


@pytest.fixture(params=["sqlite", "postgresql"])
async def address(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path / 'log.db'}"
    else:
        async with running() as server:
            yield server.url


async def test_of_two_hubs_one_is_killed_again_and_again_and_nothing_is_lost(address: str) -> None:
    steady, killed = Worker(address), Worker(address)
    await asyncio.to_thread(steady.start)
    for _ in range(6):
        await asyncio.to_thread(killed.start)
        await asyncio.to_thread(killed.answers, 10)
        await asyncio.sleep(random.random() / 2)
        await asyncio.to_thread(killed.kill)
        # Whatever the other left half done, this one goes on.
        await asyncio.to_thread(steady.answers, 40)
    await asyncio.to_thread(steady.kill)
    assert len(killed.answered) > 50
    assert len(steady.answered) > 200
    answered = steady.answered + killed.answered
    records, findings = await settled(address)
    assert findings == []
    check(records, answered)
    assert any(record.get("outcome") == "unknown" for record in records)


async def test_what_may_have_been_disclosed_is_all_that_was_granted(tmp_path: Path) -> None:
    address = f"sqlite+aiosqlite:///{tmp_path / 'log.db'}"
    unknown: list[dict[str, Any]] = []
    kills = 0
    while not unknown:
        # Killed between two operations it leaves none under way.
        kills += 1
        assert kills <= 20
        worker = Worker(address)
        await asyncio.to_thread(worker.start)
        await asyncio.to_thread(worker.answers, 10)
        await asyncio.to_thread(worker.kill)
        records, _ = await settled(address)
        unknown = [record for record in records if record.get("outcome") == "unknown"]
    for record in unknown:
        assert record["mayBeDisclosed"] == ["tax.arrears", "tax.exists"]
        assert record["subjects"]


async def test_the_operations_of_a_hub_that_lives_are_not_settled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "SILENT", 0.5)
    monkeypatch.setattr(keeping, "_BEATS", 0.1)
    monkeypatch.setattr(keeping, "PAUSE", 0.1)
    address = f"sqlite+aiosqlite:///{tmp_path / 'log.db'}"
    stores = [Store(address, 10, SEALING_KEY) for _ in range(2)]
    keepers = []
    for store in stores:
        await store.open()
        keepers.append(Keeper(store, Checkpoints(store.engine, SIGNER)))
        await keepers[-1].open()
    await stores[0].append(intent(1, hub=stores[0].run))
    await asyncio.sleep(1.5)
    await stores[0].append(outcome(1, hub=stores[0].run))
    kinds = [(record["kind"], record.get("outcome")) async for record in stores[0].records()]
    assert kinds == [("INTENT", None), ("OUTCOME", "answered")]
    for keeper, store in zip(keepers, stores, strict=True):
        await keeper.close()
        await store.close()


async def test_a_hub_of_another_machine_that_falls_silent_is_settled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "SILENT", 0.5)
    monkeypatch.setattr(keeping, "_BEATS", 0.1)
    monkeypatch.setattr(keeping, "PAUSE", 0.1)
    path = tmp_path / "log.db"
    store = Store(f"sqlite+aiosqlite:///{path}", 10, SEALING_KEY)
    await store.open()
    await store.append(intent(1, hub="elsewhere"))
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("INSERT INTO run VALUES ('elsewhere', 'other-host 1 1', 7, 0)")
    keeper = Keeper(store, Checkpoints(store.engine, SIGNER))
    await keeper.open()
    assert len([record async for record in store.records()]) == 1
    await asyncio.sleep(1.5)
    records = [record async for record in store.records()]
    assert [record.get("outcome") for record in records] == [None, "unknown"]
    await keeper.close()
    await store.close()


async def test_an_operation_whose_intent_was_withdrawn_asked_nothing_and_is_not_settled(
    tmp_path: Path,
) -> None:
    path = tmp_path / "log.db"
    store = Store(f"sqlite+aiosqlite:///{path}", 10, SEALING_KEY)
    await store.open()
    await store.append(intent(1, hub="elsewhere"))
    await store.append({**intent(1), "kind": "WITHDRAWN", "of": "INTENT", "hub": "elsewhere"})
    ended = keeping._place().rpartition(" ")[0] + " 1"
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("INSERT INTO run VALUES ('elsewhere', ?, 7, 0)", (ended,))
    keeper = Keeper(store, Checkpoints(store.engine, SIGNER))
    await keeper.open()
    await keeper.close()
    assert len([record async for record in store.records()]) == 2
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT * FROM run").fetchall() == []
    await store.close()


async def test_what_postgresql_still_has_of_a_killed_hub_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keeping, "_BEATS", 0.1)
    monkeypatch.setattr(keeping, "PAUSE", 0.1)
    async with running() as server:
        store = Store(server.url, 10, SEALING_KEY)
        await store.open()
        await store.append(intent(1, hub="elsewhere"))
        ended = keeping._place().rpartition(" ")[0] + " 1"
        await server.execute(f"INSERT INTO run VALUES ('elsewhere', '{ended}', 7, 0)")
        left = engine_of(server.url, "elsewhere")
        keeper = Keeper(store, Checkpoints(store.engine, SIGNER))
        async with left.connect() as connection:
            await connection.exec_driver_sql("SELECT 1")
            await keeper.open()
            await asyncio.sleep(0.5)
            assert len([record async for record in store.records()]) == 1
        await left.dispose()
        async with asyncio.timeout(30):
            while len([record async for record in store.records()]) == 1:  # noqa: ASYNC110 - it tells of no event
                await asyncio.sleep(0.1)
        assert [record.get("outcome") async for record in store.records()] == [None, "unknown"]
        await keeper.close()
        await store.close()


async def test_of_two_hubs_one_settles_what_a_third_left(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    stores = [Store(f"sqlite+aiosqlite:///{path}", 10, SEALING_KEY) for _ in range(2)]
    for store in stores:
        await store.open()
    for number in range(20):
        await stores[0].append(intent(number, hub="elsewhere"))
    ended = keeping._place().rpartition(" ")[0] + " 1"
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("INSERT INTO run VALUES ('elsewhere', ?, 7, 0)", (ended,))
    keepers = [Keeper(store, Checkpoints(store.engine, SIGNER)) for store in stores]
    await asyncio.gather(*(keeper._settle() for keeper in keepers))
    outcomes = [
        record["operation"] async for record in stores[0].records() if record["kind"] == "OUTCOME"
    ]
    assert len(outcomes) == len(set(outcomes)) == 20
    for store in stores:
        await store.close()


def mounted(size: str) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="log-full-"))
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, check=False).returncode:
        folder.rmdir()
        pytest.skip("waits for the right to mount a small disk (run as root)")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()


@pytest.fixture
def small_disk() -> Iterator[Path]:
    yield from mounted("4m")


async def test_on_a_full_disk_nothing_is_appended_and_what_was_is_whole(small_disk: Path) -> None:
    address = f"sqlite+aiosqlite:///{small_disk / 'log.db'}"
    store = Store(address, 64, SEALING_KEY)
    await store.open()
    await Checkpoints(store.engine, SIGNER).grow()
    appended = 0
    with contextlib.suppress(LogUnavailable):
        for number in range(100_000):
            await store.append(intent(number, reason="x" * 500))
            appended += 1
    assert appended > 50
    for number in range(3):
        with pytest.raises(LogUnavailable, match="the query log cannot be written"):
            await store.append(intent(number))
    await asyncio.to_thread(
        subprocess.run, ["mount", "-o", "remount,size=16m", str(small_disk)], check=True
    )
    await store.append(outcome(5))
    await Checkpoints(store.engine, SIGNER).grow()
    records = [record async for record in store.records()]
    assert [record["kind"] for record in records] == ["INTENT"] * appended + ["OUTCOME"]
    await store.close()
    assert (await verify(address, TRUST)).findings == []


def sizes(folder: Path) -> list[int]:
    return [path.stat().st_size for path in folder.iterdir()]


async def test_a_write_that_fails_half_way_fails_closed(tmp_path: Path) -> None:
    worker = Worker(f"sqlite+aiosqlite:///{tmp_path / 'log.db'}", limit=1_500_000)
    await asyncio.to_thread(worker.start)
    before = -1
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        await asyncio.sleep(1)
        size = sum(sizes(tmp_path))
        if size == before:
            break
        before = size
    await asyncio.to_thread(worker.kill)
    assert max(sizes(tmp_path)) <= 1_500_000
    records, findings = await settled(worker.address)
    assert findings == []
    check(records, worker.answered)


async def test_a_lock_that_is_held_too_long_fails_closed_on_postgresql() -> None:
    async with running() as server:
        store = Store(server.url, 64, SEALING_KEY)
        await store.open()
        await store.append(intent(1))
        held = asyncio.create_task(
            server.execute("BEGIN; SELECT * FROM head FOR UPDATE; SELECT pg_sleep(8); COMMIT")
        )
        await asyncio.sleep(0.5)
        with pytest.raises(LogUnavailable, match="the query log cannot be written"):
            await store.append(intent(2))
        await held
        assert await store.append(intent(3)) == 1
        await store.close()


async def test_a_clock_that_is_set_back_changes_no_order_and_is_told(tmp_path: Path) -> None:
    address = f"sqlite+aiosqlite:///{tmp_path / 'log.db'}"
    store = Store(address, 64, SEALING_KEY)
    await store.open()
    for number, at in enumerate(("2026-11-23T12:00:00.000+00:00", "2026-11-22T12:00:00.000+00:00")):
        assert await store.append(intent(number, at=at)) == number
    await Checkpoints(store.engine, SIGNER).grow()
    await store.close()
    report = await verify(address, TRUST)
    assert report.findings == []
    assert report.notes == [
        "a clock went back by 86400 s at record 1",
        "2 operations have no OUTCOME yet: hubs are at them, or will settle them",
    ]


def torn(path: Path, cut: int) -> None:
    """Cut the end of the write-ahead file off, as a loss of power may."""
    log = path.with_name(f"{path.name}-wal")
    os.truncate(log, log.stat().st_size - cut)


async def test_a_torn_write_loses_what_was_not_durable_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    store = Store(f"sqlite+aiosqlite:///{path}", 64, SEALING_KEY)
    await store.open()
    for number in range(20):
        await store.append(intent(number))
    copy = tmp_path / "copy"
    copy.mkdir()
    for suffix in ("", "-wal"):
        shutil.copy(path.with_name(path.name + suffix), copy)
    await store.close()
    torn(copy / "log.db", 100)
    records, findings = await settled(f"sqlite+aiosqlite:///{copy / 'log.db'}")
    assert findings == []
    assert len([record for record in records if record["kind"] == "INTENT"]) == 19


async def test_a_database_that_goes_and_comes_back_loses_no_answer() -> None:
    async with running() as server:
        worker = Worker(server.url)
        await asyncio.to_thread(worker.start)
        await asyncio.sleep(1)
        await _away(server)
        seen = len(worker.answered)
        await asyncio.sleep(4)
        await asyncio.to_thread(worker.kill)
        assert len(worker.answered) > seen
        records, findings = await settled(server.url)
        assert findings == []
        answered = {
            record["operation"] for record in records if record.get("outcome") == "answered"
        }
        assert set(worker.answered) <= answered


async def _away(server: Postgres) -> None:
    await asyncio.to_thread(server.stop)
    await asyncio.sleep(1)
    await server.start()
