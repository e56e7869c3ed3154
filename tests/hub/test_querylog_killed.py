"""Real hubs, killed at every step of an operation while others are under way, and again and again.

The longer run: `python -m tests.hub.killing_hubs`.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from hub.querylog.note import Signer
from tests.hub.dying_hub import STEPS
from tests.hub.hub_processes import (
    Asking,
    Served,
    World,
    free_port,
    kill_again_and_again,
    made,
    told,
)
from tests.sources.postgres import running


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with made(tmp_path_factory.mktemp("hubs")) as found:
        yield found


AFTER = {
    "before the INTENT": [],
    "the INTENT written, not committed": [],
    "the OUTCOME durable": ["answered"],
}
"""What the log says last of an operation that the hub died in; `unknown` otherwise."""


class Dying:
    """Hubs one after another, each of which dies at a step."""

    def __init__(self, world: World, store: str) -> None:
        command = [sys.executable, "-m", "tests.hub.dying_hub", str(world.settings)]
        self._store = store
        self._parent = subprocess.Popen(
            command,
            env={**world.environment, "HUB_LOG_STORE": store},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._said() == "ready"

    def _said(self) -> str:
        assert self._parent.stdout is not None
        return self._parent.stdout.readline().strip()

    def hub(self, step: int, port: int) -> str:
        """Run a hub until it is dead; the operation in which it died."""
        assert self._parent.stdin is not None
        self._parent.stdin.write(f"{step} 20 {port} {self._store}\n")
        self._parent.stdin.flush()
        operation = self._said()
        assert self._said() == "dead"
        return operation

    def close(self) -> None:
        self._parent.communicate()


async def test_attack_31_a_hub_killed_at_any_step_leaves_no_answer_unlogged_and_no_lie(
    world: World,
) -> None:
    store = f"sqlite+aiosqlite:///{world.folder / 'killed.db'}"
    dying = await asyncio.to_thread(Dying, world, store)
    asking, died = Asking(world, [""]), {}
    try:
        async with asking.under_way(12):
            for number, step in enumerate(STEPS):
                port = free_port()
                asking.addresses = [f"http://127.0.0.1:{port}"]
                died[step] = await asyncio.to_thread(dying.hub, number, port)
    finally:
        await asyncio.to_thread(dying.close)
    found = await told(world, store)
    found.check(asking.answered)
    assert asking.answered
    ends = {step: found.of(operation)[-1:] for step, operation in died.items()}
    assert ends == {step: AFTER.get(step, ["unknown"]) for step in STEPS}


async def test_attack_31_of_two_hubs_on_one_postgresql_one_is_killed_and_no_answer_is_lost(
    world: World,
) -> None:
    async with running() as server:
        figures = await kill_again_and_again(world, server.url, kills=2, between=0.2)
    assert figures.answered > 80


def refused(world: World, store: str) -> str:
    """What a hub says that does not start."""
    command = [sys.executable, "-m", "hub.cli", "serve", "--port", str(free_port())]
    ended = subprocess.run(
        [*command, "--config", str(world.settings)],
        env={**world.environment, "HUB_LOG_STORE": store},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode != 0
    return ended.stderr


async def test_attack_32_a_hub_signs_on_when_its_key_is_gone_and_does_not_start_without_it(
    world: World,
) -> None:
    store = f"sqlite+aiosqlite:///{world.folder / 'keys.db'}"
    key, hub = world.folder / "signing.key", Served(world, store)
    content = key.read_text()
    asking = Asking(world, [hub.address])
    await hub.start()
    try:
        async with asking.under_way(4), httpx.AsyncClient(trust_env=False) as client:
            key.unlink()
            size = len(asking.answered)
            while size < 40:  # under a signed checkpoint, of which an operation has two
                note = (await client.get(f"{hub.address}/log/checkpoint")).text
                size = int(note.split("\n")[1]) if note else 0
        hub.kill()
        place = "hub.toml: log.signing_key: "
        remedy = "; put it back, or for a new log make it by `hub log key`\n"
        said = await asyncio.to_thread(refused, world, store)
        assert f"{place}there is no file `signing.key`{remedy}" in said
        key.mkdir()
        said = await asyncio.to_thread(refused, world, store)
        assert f"{place}`signing.key` cannot be read (Is a directory){remedy}" in said
        key.rmdir()
        key.write_text(Signer.make("bench.invalid/log").text)
        said = await asyncio.to_thread(refused, world, store)
        lines = [json.loads(line) for line in said.splitlines()]
        assert [line["message"] for line in lines if line["logger"] == "hub.starting"] == [
            "the hub does not start: the last checkpoint does not verify (no key that is known, and"
            " had not retired, signed the checkpoint); where the signing key is a new one, name the"
            " verifier key of the old one in `log.former_keys`: run `hub log verify`"
        ]
        assert "Traceback" not in said
    finally:
        hub.kill()
        if key.is_dir():
            key.rmdir()
        key.write_text(content)
    found = await told(world, store)
    found.check(asking.answered)
    assert len(asking.answered) >= 20
