"""The attacker's place: asks over HTTP, and what each attack left behind is searched through."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.access.conftest import oracle, plans, world
from tests.access.oracle import Oracle
from tests.access.transcript import Transcript
from tests.attacks.attack import Attack
from tests.demo import Demo

__all__ = ["attack", "oracle", "plans", "world"]


@pytest.fixture
def attack(demo: Demo, oracle: Oracle) -> Iterator[Attack]:
    with Transcript(demo) as transcript:
        yield Attack(demo, oracle, transcript)
