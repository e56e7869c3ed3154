"""The life of an agency's process: start, say ready, serve, stop and leave nothing behind."""

import asyncio
import json
import os
import signal
import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import uvicorn
import uvloop

from sources.simulator import labour, officials, resident, tax
from sources.simulator.agency import Agency
from sources.simulator.database import serve_database
from sources.simulator.place import HOST, Place
from sources.simulator.population import Population, read_manifest
from sources.simulator.rest import Service

SERVICES: dict[str, Agency] = {
    one.AGENCY.name: one.AGENCY for one in (resident, tax, labour, officials)
}


def serve(place: Place, *, stop_with_stdin: bool) -> int:
    """Serve until told to stop. Raises RuntimeError, OSError or ValueError with one line."""
    token = os.environ.get("SIMULATOR_TOKEN", "")
    if not token:
        raise ValueError("SIMULATOR_TOKEN is not set; give the token that callers must send")
    if read_manifest(place.population) is None:
        raise ValueError(
            f"`{place.population}` holds no complete population; make one with "
            f"`python -m sources.simulator generate --into {place.population}`"
        )
    place.directory.mkdir(parents=True, exist_ok=True)
    return uvloop.run(_serve(place, token, stop_with_stdin=stop_with_stdin))


async def _serve(place: Place, token: str, *, stop_with_stdin: bool) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if stop_with_stdin:
        threading.Thread(target=_watch_stdin, args=(loop, stop), daemon=True).start()
    if place.name in SERVICES:
        await _serve_rest(SERVICES[place.name], place, token, stop)
    else:
        await serve_database(place, token, stop, partial(tell_ready, place.name))
    return 0


def _watch_stdin(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    while os.read(0, 4096):
        pass
    loop.call_soon_threadsafe(stop.set)


def tell_ready(name: str, url: str, access: Path) -> None:
    """Print the one line that says where the agency is to be found."""
    line = json.dumps({"source": name, "url": url, "access": str(access)})
    print(line, flush=True)


class _Server(uvicorn.Server):
    """A server that says when it is ready and leaves the signals to this module."""

    ready: Callable[[], None]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        self.ready()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Do nothing: stdin's end and the signals stop the server in the same way."""
        yield


async def _serve_rest(agency: Agency, place: Place, token: str, stop: asyncio.Event) -> None:
    access = place.directory / "access.jsonl"
    service = Service(agency, Population(place.population), token, access)
    listener = socket.create_server((HOST, place.port), backlog=512)
    config = uvicorn.Config(
        service.app(),
        http="httptools",
        lifespan="off",
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,
    )
    server = _Server(config)
    url = f"http://{HOST}:{listener.getsockname()[1]}"
    server.ready = partial(tell_ready, agency.name, url, access)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait((running, stopped), return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    await running
