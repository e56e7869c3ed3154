"""Who is measured, each a process pinned to one core: the hub, and the gateways beside it.

The gateways are those that the shared benchmark installs, where it is there; otherwise what a
Python team would write first, over this project's own stand-in of the agencies.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.world import HERE, World

_BESIDE = (folder / "shared" / "bench" / "run.py" for folder in HERE.parents)
SHARED = next((program for program in _BESIDE if program.is_file()), None)
"""The shared benchmark's program, where there is one beside the project."""
STUB_PORT = 9100
STUB = f"http://127.0.0.1:{STUB_PORT}"
SERVER_CORE, CLIENT_CORE = "0", "1"


@dataclasses.dataclass(frozen=True, eq=False)
class Candidate:
    """One that is measured. `world` is that of a hub; the others know no controls."""

    name: str
    command: tuple[str, ...]
    url: str
    world: World | None = None

    def question(self, query: str) -> Path:
        """The file with the question in the candidate's own words."""
        words = "peers" if self.world is None else "hub"
        return HERE / "queries" / f"{words}-{query}.graphql"


def environment() -> Path:
    """Where the shared benchmark installed its peers."""
    return Path(os.environ.get("BENCH_ENV", "/tmp/bench-env"))


def shared() -> Any:
    """The shared benchmark's own program, where it and what it installs are there."""
    if SHARED is None or not (environment() / "bin" / "stub").is_file():
        return None
    specification = importlib.util.spec_from_file_location("shared_bench", SHARED)
    if specification is None or specification.loader is None:
        return None
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module
    specification.loader.exec_module(module)
    return module


def peers() -> list[Candidate]:
    """The gateways that can be measured beside the hub."""
    program = shared()
    if program is None:
        port = 9201
        serve = ("uvicorn", "--port", str(port), "--loop", "uvloop", "--http", "httptools")
        quiet = ("--no-access-log", "--log-level", "warning", "bench.peer:app")
        command = (sys.executable, "-m", *serve, *quiet)
        return [Candidate("strawberry-httpx", command, f"http://127.0.0.1:{port}/graphql")]
    return [
        Candidate(one.name, tuple(shlex.split(one.fill(one.command, environment()))), one.url)
        for one in program.CANDIDATES
    ]


def stub_command(delay_ms: int) -> list[str]:
    """What starts the agencies."""
    if shared() is not None:
        program = [str(environment() / "bin" / "stub")]
    else:
        program = [sys.executable, "-m", "bench.stub"]
    return [*program, "--port", str(STUB_PORT), "--delay-ms", str(delay_ms)]


class Running:
    """A process in a session of its own, pinned to one core; `log` takes what it prints."""

    def __init__(
        self, command: list[str], core: str, log: Path, more: Mapping[str, str] | None = None
    ) -> None:
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                ["taskset", "-c", core, *command],
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, "STUB": STUB, **(more or {})},
            )

    def _members(self) -> list[list[str]]:
        """`/proc/PID/stat` of every process of the session, from the state on."""
        found = []
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = path.read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue  # It ended meanwhile.
            if int(fields[3]) == self.process.pid:
                found.append(fields)
        return found

    def resident_mib(self) -> float:
        """Resident memory of all its processes."""
        pages = sum(int(fields[21]) for fields in self._members())
        return float(pages * os.sysconf("SC_PAGE_SIZE") / 2**20)

    def cpu_seconds(self) -> float:
        """Processor time that all its processes have used."""
        ticks = sum(int(fields[11]) + int(fields[12]) for fields in self._members())
        return float(ticks / os.sysconf("SC_CLK_TCK"))

    def settle(self) -> None:
        """Wait until what a load left behind is done: it would run in the next one's time."""
        deadline, used = time.monotonic() + 15, self.cpu_seconds()
        while time.monotonic() < deadline:
            time.sleep(0.25)
            used, before = self.cpu_seconds(), used
            if used - before < 0.03:
                return

    def stop(self) -> None:
        """End it."""
        if self.process.poll() is not None:
            return
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def start(candidate: Candidate, logs: Path, cores: str = SERVER_CORE) -> Running:
    """Start a candidate."""
    more = {} if candidate.world is None else candidate.world.environment
    return Running(list(candidate.command), cores, logs / f"{candidate.name}.log", more)


def load(
    candidate: Candidate,
    query: str,
    people: int,
    inflight: int,
    seconds: float,
    first: int,
    cases: int,
    documents: int = 1,
) -> dict[str, Any]:
    """Put a closed loop of load on a candidate; what came of it.

    `query` is the name of a question, or a file with one.
    """
    file = Path(query) if query.endswith(".graphql") else candidate.question(query)
    arguments = [str(file), str(people), str(first), str(cases)]
    if candidate.world is not None:
        arguments += [str(candidate.world.tokens), str(candidate.world.purposes), str(documents)]
    generator = ["wrk", "-t1", f"-c{inflight}", f"-d{seconds:g}s", "--timeout", "30s"]
    script = ["-s", str(HERE / "load.lua"), candidate.url, "--", *arguments]
    done = subprocess.run(
        ["taskset", "-c", CLIENT_CORE, *generator, *script],
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.partition("RESULT ")[2])
    return found | {"rps": found["requests"] / found["seconds"]}
