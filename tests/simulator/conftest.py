"""Populations and running agencies, made once."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sources.simulator.population import Population, Recipe, generate, read_manifest
from tests.simulator.processes import Running, await_ready, finish, launch

NAMES = ("property", "benefits", "resident", "tax", "labour", "officials")


@pytest.fixture(scope="session")
def village(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A population of 2,000."""
    directory = tmp_path_factory.mktemp("village")
    generate(Recipe(people=2_000, seed=7), directory, lambda _: None)
    return directory


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory) -> Population:
    """A population of 30,000, large enough for shares."""
    directory = tmp_path_factory.mktemp("town")
    generate(Recipe(people=30_000, seed=1), directory, lambda _: None)
    return Population(directory)


@pytest.fixture(scope="session")
def sample(village: Path) -> dict[str, Any]:
    """The sample persons of the village."""
    manifest = read_manifest(village)
    assert manifest is not None
    found: dict[str, Any] = manifest["sample"]
    return found


@pytest.fixture(scope="session")
def run_directory() -> Iterator[Path]:
    """Where the agencies keep their records; another user's database must be able to pass."""
    with tempfile.TemporaryDirectory(prefix="simulator-") as directory:
        yield Path(directory)


@pytest.fixture(scope="session")
def agencies(village: Path, run_directory: Path) -> Iterator[dict[str, Running]]:
    """All agencies over the village."""
    processes = [launch(name, village, run_directory) for name in NAMES]
    try:
        yield {one.source: one for one in map(await_ready, processes)}
    finally:
        for process in processes:
            if process.stdin is not None:
                process.stdin.close()
        for process in processes:
            finish(process)
