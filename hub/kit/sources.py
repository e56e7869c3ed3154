"""The sources that the kit works on: read and checked one by one, whatever else is enabled."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hub.app import ADAPTERS, adapters_of
from hub.config import Settings
from sources.adapter import Adapter
from sources.declaration import Source
from sources.fault import Fault, FaultyConfiguration, nearest
from sources.reading import read_catalogue, with_finders
from sources.standins import StandIn, StandInFailed, Wanted, make_population, stand_ins

PEOPLE, SEED = 500, 1
"""The population that stand-ins answer about, where none is given."""


@dataclass(frozen=True)
class Workplace:
    """Where the kit finds declarations and adapters, and keeps what it makes."""

    declarations: Path
    folder: Path
    adapters: Mapping[str, type[Adapter]] = field(default_factory=lambda: ADAPTERS)

    @property
    def population(self) -> Path:
        """The people of the stand-ins."""
        return self.folder / "population"


def names_of(workplace: Workplace) -> list[str]:
    """Every declaration that there is."""
    return sorted(path.stem for path in workplace.declarations.glob("*.toml"))


def check(workplace: Workplace, names: Sequence[str], *, environment: bool) -> list[Fault]:
    """Every fault of these declarations, and of how they say that they are reached."""
    faults: list[Fault] = []
    for name in names:
        together = with_finders(workplace.declarations, [name])
        catalogue, found = read_catalogue(workplace.declarations, together, name, name)
        faults += [fault for fault in found if fault.file == f"{name}.toml"]
        if name in catalogue.sources:
            faults += _adapter_faults(workplace, catalogue.sources[name], environment=environment)
    return faults


def read(workplace: Workplace, name: str, *, environment: bool) -> Source:
    """One source without fault. Raises FaultyConfiguration."""
    known = names_of(workplace)
    if name not in known:
        message = f"there is no `{name}.toml`"
        place = str(workplace.declarations.name)
        raise FaultyConfiguration([Fault(place, "the folder", message, nearest(name, known))])
    if faults := check(workplace, [name], environment=environment):
        raise FaultyConfiguration(faults)
    together = with_finders(workplace.declarations, [name])
    catalogue, _ = read_catalogue(workplace.declarations, together, name, name)
    return catalogue.sources[name]


def _adapter_faults(workplace: Workplace, source: Source, *, environment: bool) -> list[Fault]:
    adapter = workplace.adapters.get(source.adapter)
    if adapter is None:
        place = source.places.describe(("source", "adapter"))
        message = f"unknown adapter `{source.adapter}`"
        return [Fault(source.file, place, message, nearest(source.adapter, workplace.adapters))]
    return [
        fault
        for fault in adapter.check(source)
        if environment or "the environment has no" not in fault.message
    ]


def own_stand_ins(adapters: Mapping[str, type[Adapter]]) -> dict[str, str]:
    """By adapter of an operator's own, the import path of what speaks as its agencies would."""
    named = {name: getattr(adapter, "stand_in", None) for name, adapter in adapters.items()}
    return {name: path for name, path in named.items() if path is not None}


@contextlib.asynccontextmanager
async def stand_in(
    workplace: Workplace, source: Source, always: str = "none"
) -> AsyncIterator[StandIn]:
    """A stand-in for one source over the kit's people. Raises StandInFailed."""
    own = own_stand_ins(workplace.adapters)
    if source.adapter not in (*ADAPTERS, *own):
        raise StandInFailed(
            f"no stand-in speaks `{source.adapter}`, an adapter of your own: name one in it by"
            " `stand_in`, or ask the agency's test system by `hub source try --test-system`"
        )
    await make_population(workplace.population, PEOPLE, SEED)
    wanted = Wanted(
        [source.name],
        workplace.declarations,
        workplace.population,
        workplace.folder / "run",
        always,
        own,
    )
    async with stand_ins(wanted) as found:
        os.environ.update(found[source.name].environment)
        yield found[source.name]


def workplace(settings: Settings, folder: Path, declarations: Path | None = None) -> Workplace:
    """Where the settings have declarations, or the folder given, with the settings' adapters.

    Raises FaultyConfiguration.
    """
    adapters, faults = adapters_of(settings)
    if faults:
        raise FaultyConfiguration(faults)
    found = settings.sources.catalogue if declarations is None else declarations
    return Workplace(found.resolve(), folder.resolve(), adapters)
