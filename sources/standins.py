"""Starts stand-ins for declared agencies, as processes of their own, and ends them.

What they are made of is not imported: they are reached as agencies are, and by a door of theirs.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import secrets
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

_STARTING = 600
"""Seconds: one that loads a large population into a database takes its time."""
_STOPPING = 15
_VARIABLE = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")


class StandInFailed(Exception):
    """A stand-in cannot be had; the text says why, in one line."""


@dataclass(frozen=True)
class StandIn:
    """A running stand-in: the environment by which its declaration reaches it, and its door."""

    source: str
    environment: Mapping[str, str]
    control: str
    access: Path
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Wanted:
    """Which stand-ins are wanted, over which population, where they keep their records."""

    names: Sequence[str]
    declarations: Path
    population: Path
    run: Path
    always: str = "none"
    own: Mapping[str, str] = field(default_factory=dict)
    """By adapter, the import path of what speaks a protocol of an integrator's own."""


async def make_population(into: Path, people: int, seed: int) -> None:
    """Make a population, or leave the same one as it is. Raises StandInFailed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sources.simulator", "generate"),
        *("--people", str(people), "--seed", str(seed), "--into", str(into)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate()
    if process.returncode:
        raise StandInFailed(_last_line(errors))


@contextlib.asynccontextmanager
async def stand_ins(wanted: Wanted) -> AsyncIterator[dict[str, StandIn]]:
    """Stand-ins by source, all in one process; they end when left, or when this process does.

    Raises StandInFailed.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sources.simulator", "stand-in", *wanted.names),
        *("--declarations", str(wanted.declarations), "--population", str(wanted.population)),
        *("--run", str(wanted.run), "--always", wanted.always, "--stop-with-stdin"),
        *(part for each in wanted.own.items() for part in ("--own", "=".join(each))),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=_environment(wanted),
        start_new_session=True,
    )
    errors = asyncio.create_task(_read(process.stderr))
    try:
        found = {}
        for _ in wanted.names:
            stand_in = await _ready(process, errors)
            found[stand_in.source] = stand_in
        yield found
    finally:
        await asyncio.shield(_stop(process))
        await errors


def _environment(wanted: Wanted) -> dict[str, str]:
    """Of the process: what this one can import, it can where that is wanted."""
    found = {**os.environ, "SIMULATOR_TOKEN": secrets.token_urlsafe(24)}
    return {**found, "PYTHONPATH": os.pathsep.join(sys.path)} if wanted.own else found


def reached(declarations: Path, names: Sequence[str]) -> list[str]:
    """Those whose every variable the environment has: there is no need to stand in for them."""
    found = []
    for name in names:
        try:
            text = (declarations / f"{name}.toml").read_text("utf-8")
        except OSError:
            continue  # The reading of declarations tells of it.
        variables = _VARIABLE.findall(text)
        if variables and all(variable in os.environ for variable in variables):
            found.append(name)
    return found


async def _ready(process: asyncio.subprocess.Process, errors: asyncio.Task[bytes]) -> StandIn:
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    try:
        async with asyncio.timeout(_STARTING):
            line = await process.stdout.readline()
    except TimeoutError as error:
        raise StandInFailed("the stand-in did not start in time") from error
    if not line:
        raise StandInFailed(_last_line(await errors))
    ready = json.loads(line)
    async with httpx.AsyncClient(trust_env=False, timeout=_STARTING) as client:
        about = (await client.get(f"{ready['control']}/about")).json()
    return StandIn(
        ready["source"], ready["environment"], ready["control"], Path(ready["access"]), about
    )


async def _read(stream: asyncio.StreamReader | None) -> bytes:
    return b"" if stream is None else await stream.read()


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None and process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(_STOPPING):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def _last_line(errors: bytes) -> str:
    lines = errors.decode("utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "the stand-in ended without a word"
