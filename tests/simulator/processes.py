"""Starting agencies as the demo does: as processes, over a pipe that ends them."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TOKEN = "a token: with/odd @signs"
REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class Running:
    """An agency's process and what it said when ready."""

    process: "subprocess.Popen[str]"
    source: str
    url: str
    access: Path


def launch(name: str, population: Path, run: Path, token: str = TOKEN) -> "subprocess.Popen[str]":
    """Start an agency without waiting for it."""
    command = [sys.executable, "-m", "sources.simulator", "serve", name]
    command += ["--population", str(population), "--run", str(run), "--stop-with-stdin"]
    return subprocess.Popen(
        command,
        cwd=REPOSITORY,
        env={**os.environ, "SIMULATOR_TOKEN": token},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def await_ready(process: "subprocess.Popen[str]") -> Running:
    """Read the one line that says where the agency is."""
    assert process.stdout is not None
    line: dict[str, Any] = json.loads(process.stdout.readline())
    return Running(process, line["source"], line["url"], Path(line["access"]))


def finish(process: "subprocess.Popen[str]") -> int:
    """End the agency's stdin and wait; its exit code."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    try:
        return process.wait(10)
    finally:
        process.stdout.close()
