"""Real hubs, killed at every step of an operation while others are under way, and again and again.

The longer run: `python -m tests.hub.killing_hubs`.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.hub.dying_hub import STEPS
from tests.hub.hub_processes import Asking, World, free_port, kill_again_and_again, made, told
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
