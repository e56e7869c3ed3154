"""Starts the demo as a whole: what tests that look from outside talk to."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.demo import Demo

PEOPLE = 3_000

# A machine that is busy with the other workers is slow, and that says nothing of the code.
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")


@pytest.fixture(scope="session")
def start_demo() -> Iterator[Callable[..., Demo]]:
    """Starts demos of their own, each stopped at the end.

    Not below pytest's folder: as root, the agencies' databases run as another user, whom pytest
    shuts out of it.
    """
    started: list[Demo] = []

    def start(*arguments: str) -> Demo:
        folder = Path(tempfile.mkdtemp(prefix="hub-demo-"))
        info = folder / "info.json"
        errors = folder / "stderr"
        with errors.open("wb") as stream:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "hub.cli", "demo", "--info", str(info), "--port", "0"),
                    *("--people", str(PEOPLE), "--folder", str(folder), *arguments),
                ],
                stdout=subprocess.DEVNULL,
                stderr=stream,
            )
        deadline = time.monotonic() + 120
        while not info.exists() or not info.read_text().endswith("\n"):
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"the demo did not start:\n{(folder / 'stderr').read_text()}")
            time.sleep(0.05)
        demo = Demo(json.loads(info.read_text()), folder, process)
        started.append(demo)
        return demo

    yield start
    for demo in started:
        demo.process.send_signal(signal.SIGINT)
    for demo in started:
        demo.process.wait(timeout=30)
        shutil.rmtree(demo.folder)


@pytest.fixture(scope="session")
def demo(start_demo: Callable[..., Demo]) -> Demo:
    """The one demo that most tests share; they leave it as they found it."""
    return start_demo()
