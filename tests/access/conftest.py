"""What the tests of access share: the hub's own plans, and what is known beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.app import Plans, read_plans
from hub.config import read_settings
from hub.querylog.record import Pseudonyms
from tests.access.oracle import Oracle
from tests.access.truth import Truth
from tests.access.world import World
from tests.demo import Demo


@pytest.fixture(scope="session")
def plans() -> Plans:
    return read_plans(read_settings(Path("hub.toml")), environment=False)


@pytest.fixture(scope="session")
def world(demo: Demo) -> World:
    return World(demo)


@pytest.fixture(scope="session")
def oracle(demo: Demo, plans: Plans, world: World) -> Oracle:
    return Oracle(
        schema=plans.schema,
        register=plans.register,
        world=world,
        truth=Truth(world.population, plans.catalogue),
        pseudonyms=Pseudonyms((demo.folder / "keys" / "pseudonym.key").read_bytes()),
    )
