"""A small population that stand-ins share, and a way to examine a source with them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from hub.app import ADAPTERS
from sources.adapter import Adapter
from sources.conformance.checks import CHECKS
from sources.conformance.run import Result, examine_all, setting
from sources.declaration import Source
from sources.reading import read_catalogue, with_finders
from sources.standins import Wanted, make_population, stand_ins

Examine = Callable[..., Awaitable[dict[str, Result]]]
CATALOGUE = Path("sources/catalogue")


@pytest.fixture(scope="session")
async def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A population of 500."""
    directory = tmp_path_factory.mktemp("people")
    await make_population(directory, 500, 1)
    return directory


def declared(name: str, folder: Path = CATALOGUE) -> Source:
    together = with_finders(folder, [name])
    catalogue, faults = read_catalogue(folder, together, name, name)
    assert faults == []
    return catalogue.sources[name]


@pytest.fixture
def examine(people: Path, tmp_path: Path) -> Examine:
    """Examines a source with a stand-in that may be broken all along: results by check."""

    async def run(
        name: str = "tax",
        *,
        always: str = "none",
        adapter: Callable[[Source], Adapter] | None = None,
        checks: tuple[str, ...] = (),
        folder: Path = CATALOGUE,
    ) -> dict[str, Result]:
        source = declared(name, folder)
        chosen = [one for one in CHECKS if not checks or one.name in checks]
        wanted = Wanted([name], folder, people, tmp_path, always)
        async with (
            stand_ins(wanted) as found,
            setting(source, adapter or ADAPTERS[source.adapter], found[name]) as examined,
        ):
            return {one.check.name: one async for one in examine_all(examined, chosen)}

    return run
