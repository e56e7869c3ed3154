"""The process of stand-ins: several agencies, each on a port of its own, until told to stop."""

import asyncio
import importlib
import json
import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn
import uvloop

from sources.declaration import Source
from sources.fault import FaultyConfiguration, nearest
from sources.reading import read_catalogue, with_finders
from sources.simulator.declared.control import Control
from sources.simulator.declared.database import DatabaseStand
from sources.simulator.declared.dci import DciSpeaker
from sources.simulator.declared.faults import usual_fault
from sources.simulator.declared.files import FileStand
from sources.simulator.declared.graphql import GraphqlSpeaker
from sources.simulator.declared.holdings import Holdings
from sources.simulator.declared.http import HttpStand, Server, Speaker, listening
from sources.simulator.declared.own import OwnStand, Speaking
from sources.simulator.declared.rest import RestSpeaker, XroadSpeaker
from sources.simulator.declared.soap import SoapSpeaker
from sources.simulator.declared.stand import Stand
from sources.simulator.place import Place
from sources.simulator.population import Population, read_manifest

_SPEAKERS: Mapping[str, Callable[[Source], Speaker]] = {
    "rest": RestSpeaker,
    "xroad": XroadSpeaker,
    "graphql": GraphqlSpeaker,
    "dci": DciSpeaker,
    "soap": SoapSpeaker,
}
ADAPTERS = (*_SPEAKERS, "sql", "file")
"""The adapters whose protocols a stand-in speaks."""


@dataclass(frozen=True)
class Places:
    """What a process of stand-ins works with."""

    declarations: Path
    population: Path
    run: Path
    names: Sequence[str]
    always: str = "none"
    """A fault that is in force whenever no other is."""
    own: Mapping[str, str] = field(default_factory=dict)
    """By adapter, the import path of what speaks a protocol of an integrator's own."""


def serve(places: Places, *, stop_with_stdin: bool) -> int:
    """Serve until told to stop. Raises RuntimeError, OSError or ValueError with one line."""
    token = os.environ.get("SIMULATOR_TOKEN", "")
    if not token:
        raise ValueError("SIMULATOR_TOKEN is not set; give the token that callers must send")
    if read_manifest(places.population) is None:
        raise ValueError(
            f"`{places.population}` holds no complete population; make one with "
            f"`python -m sources.simulator generate --into {places.population}`"
        )
    return uvloop.run(_serve(places, _read(places), token, stop_with_stdin=stop_with_stdin))


def _read(places: Places) -> list[tuple[Source, Source | None]]:
    """The sources, each with the one that it is found by, if there is one."""
    names = with_finders(places.declarations, places.names)
    catalogue, faults = read_catalogue(places.declarations, names, names[0], names[0])
    if faults:
        raise FaultyConfiguration(faults)
    sources = [catalogue.sources[name] for name in places.names]
    for source in sources:
        if source.adapter not in (*ADAPTERS, *places.own):
            raise ValueError(
                f"{source.file}: no stand-in speaks `{source.adapter}`; {nearest('', ADAPTERS)}"
            )
    finders = [
        catalogue.sources[source.found_by.split(".")[0]] if source.found_by else None
        for source in sources
    ]
    return list(zip(sources, finders, strict=True))


async def _serve(
    places: Places,
    sources: Sequence[tuple[Source, Source | None]],
    token: str,
    *,
    stop_with_stdin: bool,
) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if stop_with_stdin:
        threading.Thread(target=_watch_stdin, args=(loop, stop), daemon=True).start()
    population, usual = Population(places.population), usual_fault(places.always)
    stands: dict[str, tuple[Stand, Holdings]] = {}
    for source, finder in sources:
        holdings = Holdings(source, population, finder)
        stands[source.name] = (_stand(source, holdings, token, places), holdings)
    door = Server(uvicorn.Config(Control(stands, usual).app(), lifespan="off", log_level="warning"))
    listener = listening(0)
    serving = asyncio.create_task(door.serve(sockets=[listener]))
    started: list[Stand] = []
    try:
        for name, (stand, _) in stands.items():
            environment = await stand.start()
            started.append(stand)
            await stand.show(usual)
            control = f"http://127.0.0.1:{listener.getsockname()[1]}/{name}"
            _tell_ready(name, environment, control, places.run)
        await stop.wait()
    finally:
        await asyncio.gather(*(stand.stop() for stand in started))
        door.should_exit = True
        await serving
    return 0


def _stand(source: Source, holdings: Holdings, token: str, places: Places) -> Stand:
    place = Place(source.name, places.population, places.run)
    directory = place.directory
    directory.mkdir(parents=True, exist_ok=True)
    if source.adapter == "sql":
        return DatabaseStand(source, holdings, token, place)
    if source.adapter == "file":
        return FileStand(source, holdings, directory)
    if source.adapter in places.own:
        return OwnStand(source, holdings, _imported(places.own[source.adapter]), directory)
    speaker = _SPEAKERS[source.adapter](source)
    return HttpStand(source, holdings, speaker, token, directory / "access.jsonl")


def _imported(path: str) -> Callable[[Source, OwnStand], Speaking]:
    """What a path names. Raises ValueError."""
    module, _, name = path.partition(":")
    try:
        found: Callable[[Source, OwnStand], Speaking] = getattr(
            importlib.import_module(module), name
        )
    except (ImportError, AttributeError) as error:
        message = f"the stand-in `{path}` cannot be imported ({type(error).__name__}); correct it"
        raise ValueError(message) from error
    return found


def _watch_stdin(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    while os.read(0, 4096):
        pass
    loop.call_soon_threadsafe(stop.set)


def _tell_ready(name: str, environment: Mapping[str, str], control: str, run: Path) -> None:
    """Print the one line that says how a stand-in is reached."""
    line = {
        "source": name,
        "simulated": True,
        "environment": dict(environment),
        "control": control,
        "access": str(run / name / "access.jsonl"),
    }
    print(json.dumps(line), flush=True)
