"""Real hubs in processes of their own, asked over HTTP by many at once, that tests may kill."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from bench import world as bench
from hub.querylog.checkpoint import Checkpoints, LogKey
from hub.querylog.keeper import Keeper
from hub.querylog.note import Signer
from hub.querylog.sealing import Sealing
from hub.querylog.store import Store
from hub.querylog.tables import RUN
from hub.querylog.verify import Trust, verify

PEOPLE = 200
_LETTERS = str.maketrans("0123456789", "abcdefghij")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class World:
    """Stand-in agencies, keys, tokens and a case register; the settings of hubs over them."""

    folder: Path
    settings: Path
    environment: dict[str, str]
    tokens: Sequence[str]

    @property
    def signer(self) -> Signer:
        return Signer.read((self.folder / "signing.key").read_text())

    @property
    def sealing(self) -> bytes:
        return (self.folder / "sealing.key").read_bytes()


@contextlib.contextmanager
def made(folder: Path) -> Iterator[World]:
    """A world whose agencies run for as long as the context lasts; each answer takes 5 ms."""
    stub, said = free_port(), pytest.MonkeyPatch()
    said.setattr(bench, "CASES", PEOPLE)
    said.setattr(bench, "TOKENS", 1)
    with said.context():
        found = bench.make_world(folder / "world", 1, apart=False)
    said.undo()
    command = [sys.executable, "-m", "bench.stub", "--port", str(stub), "--delay-ms", "5"]
    agencies = subprocess.Popen(command)
    environment = {
        **os.environ,
        "STUB": f"http://127.0.0.1:{stub}",
        "HUB_SOURCES_CATALOGUE": str(bench.HERE / "declarations"),
        **found.environment,
    }
    try:
        yield World(
            folder / "world", found.settings, environment, found.tokens.read_text().split("\n")
        )
    finally:
        agencies.kill()
        agencies.wait()


@dataclass
class Asking:
    """Operations asked of hubs, each by a name of its own; `answered` are those that came whole."""

    world: World
    addresses: list[str] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    ended: bool = False
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @contextlib.asynccontextmanager
    async def under_way(self, at_once: int) -> AsyncIterator[None]:
        """So many at once, until the context is left."""
        limits = httpx.Limits(max_connections=at_once)
        async with httpx.AsyncClient(limits=limits, timeout=20, trust_env=False) as client:
            tasks = [asyncio.create_task(self._go_on(client)) for _ in range(at_once)]
            try:
                yield
            finally:
                # Not cancelled: a connection that is given up while it is made is left open.
                self.ended = True
                await asyncio.gather(*tasks)

    async def _go_on(self, client: httpx.AsyncClient) -> None:
        while not self.ended:
            try:
                await self._ask(client)
            except httpx.HTTPError:
                # The hub was killed, or is not there yet.
                await asyncio.sleep(0.05)

    async def _ask(self, client: httpx.AsyncClient) -> None:
        number = next(self._numbers)
        name = "Q" + str(number).translate(_LETTERS)
        person = number % bench.BLOCK
        query = f"query {name}($id: ID!) {{ recipient(id: $id) {{ tax {{ arrears }} }} }}"
        self.sent.append(name)
        response = await client.post(
            f"{random.choice(self.addresses)}/graphql",
            json={"query": query, "variables": {"id": str(bench.FIRST_PERSON + person)}},
            headers={
                "Authorization": self.world.tokens[0],
                "Hub-Purpose": "bench-0",
                "Hub-Case": f"C{person}",
            },
        )
        body = response.json()
        if response.status_code == 200 and body.get("data", {}).get("recipient"):
            assert body["data"]["recipient"]["tax"] == {"arrears": 0}
            self.answered.append(name)


class Served:
    """`hub serve` over a store; killed and started again at will."""

    def __init__(self, world: World, store: str) -> None:
        self._world = world
        self._store = store
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        self._launch()
        await until_ready(self.address)

    def _launch(self) -> None:
        command = [sys.executable, "-m", "hub.cli", "serve", "--port", str(self.port)]
        with (self._world.folder / f"hub-{self.port}.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--config", str(self._world.settings)],
                env={**self._world.environment, "HUB_LOG_STORE": self._store},
                stdout=subprocess.DEVNULL,
                stderr=log,
            )

    def kill(self) -> None:
        """Kill it as nothing can be caught."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


async def until_ready(address: str) -> None:
    deadline = time.monotonic() + 240
    async with httpx.AsyncClient(trust_env=False) as client:
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.HTTPError):
                if (await client.get(f"{address}/readyz")).status_code == 200:
                    return
            await asyncio.sleep(0.1)
    raise AssertionError("the hub did not get ready")


@dataclass(frozen=True)
class Told:
    """What the log says once everything is settled, by the names of the operations."""

    outcomes: dict[str, list[str]]
    records: list[dict[str, Any]]
    findings: list[str]

    def of(self, operation: str) -> list[str]:
        """The kinds and outcomes of the records of an operation, by its id."""
        found = [entry for entry in self.records if entry.get("operation") == operation]
        return [entry.get("outcome") or entry["kind"] for entry in found]

    def check(self, answered: Sequence[str]) -> None:
        """Every answer has its OUTCOME; every INTENT has one; no lie about a disclosure."""
        assert self.findings == []
        assert {name for name in answered if self.outcomes.get(name) != ["answered"]} == set()
        intents = {entry["operation"] for entry in self.records if entry["kind"] == "INTENT"}
        ended = [entry["operation"] for entry in self.records if entry["kind"] == "OUTCOME"]
        assert len(ended) == len(set(ended))
        assert intents <= set(ended)
        for entry in self.records:
            if entry.get("outcome") == "unknown":
                assert "tax.arrears" in entry["mayBeDisclosed"]
                assert entry["subjects"]


async def told(world: World, address: str) -> Told:
    """Settle what was left, then read and verify the store."""
    store = Store(address, 512, world.sealing)
    await store.open()
    keeper = Keeper(store, Checkpoints(store.engine, world.signer))
    await keeper.open()
    others = sa.select(sa.func.count()).select_from(RUN).where(RUN.c.id != store.run)
    for _ in range(600):
        async with store.engine.connect() as connection:
            if not await connection.scalar(others):
                break
        await asyncio.sleep(0.1)
    await keeper.close()
    records = [record async for record in store.records()]
    await store.close()
    trust = Trust([LogKey(world.signer.verifier)], sealing=Sealing(world.sealing))
    report = await verify(address, trust)
    outcomes: dict[str, list[str]] = {}
    for record in records:
        if record["kind"] == "OUTCOME":
            outcomes.setdefault(record["document"]["name"], []).append(record["outcome"])
    return Told(outcomes, records, [str(found) for found in report.findings])


@dataclass(frozen=True)
class Figures:
    """What a run of two hubs came to."""

    kills: int
    answered: int
    by_unknown: int
    records: int
    seconds: float


async def kill_again_and_again(world: World, store: str, kills: int, between: float) -> Figures:
    """Two hubs on one store under load, one killed again and again; then everything is checked."""
    started = time.monotonic()
    steady, killed = Served(world, store), Served(world, store)
    await asyncio.gather(steady.start(), killed.start())
    asking = Asking(world, [steady.address, killed.address])
    try:
        async with asking.under_way(16):
            for count in range(kills):
                seen = len(asking.answered)
                while len(asking.answered) < seen + 40:  # noqa: ASYNC110 - it tells of no event
                    await asyncio.sleep(0.02)
                await asyncio.sleep(between * random.random())
                await asyncio.to_thread(killed.kill)
                if count < kills - 1:
                    await killed.start()
    finally:
        steady.kill()
        killed.kill()
    found = await told(world, store)
    found.check(asking.answered)
    unknown = sum(outcomes == ["unknown"] for outcomes in found.outcomes.values())
    records, seconds = len(found.records), time.monotonic() - started
    return Figures(kills, len(asking.answered), unknown, records, seconds)
