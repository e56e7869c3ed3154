"""The demo as a whole, in processes of its own: what tests that look from outside talk to."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

PEOPLE = 3_000


@dataclass(frozen=True)
class Answer:
    """An HTTP answer to a GraphQL request."""

    status: int
    body: dict[str, Any]
    headers: Mapping[str, str]

    @property
    def codes(self) -> list[str]:
        return [error["extensions"]["code"] for error in self.body.get("errors", [])]


@dataclass(frozen=True)
class Demo:
    """A running demo: its addresses and tokens (`info`), its folder and its process."""

    info: dict[str, Any]
    folder: Path
    process: subprocess.Popen[bytes]

    def ask(
        self,
        query: str,
        variables: Mapping[str, Any] | None = None,
        *,
        person: str | None = "caseworker",
        purpose: str | None = "basic-livelihood.application",
        case: str | None = "sample",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask over HTTP, as the person, for the purpose, with the sample's case unless told."""
        sent = {"Accept": "application/graphql-response+json"}
        if person is not None:
            sent["Authorization"] = f"Bearer {self.info['tokens'][person]}"
        if purpose is not None:
            sent["Hub-Purpose"] = purpose
        if case is not None:
            sent["Hub-Case"] = self.info["sample"]["case"] if case == "sample" else case
        response = httpx.post(
            self.info["graphql"],
            json={"query": query, "variables": dict(variables or {})},
            headers={**sent, **(headers or {})},
            timeout=30,
            trust_env=False,
        )
        return Answer(response.status_code, response.json(), response.headers)

    @property
    def recipient(self) -> str:
        return str(self.info["sample"]["recipient"])

    @property
    def run(self) -> Path:
        """Where the agencies keep their access records."""
        return self.folder / "run"


@pytest.fixture(scope="session")
def start_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Demo]]:
    """Starts demos of their own, each stopped at the end."""
    started: list[Demo] = []

    def start(*arguments: str) -> Demo:
        folder = tmp_path_factory.mktemp("demo")
        info = folder / "info.json"
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "hub.cli", "demo", "--info", str(info), "--port", "0"),
                *("--people", str(PEOPLE), "--folder", str(folder), *arguments),
            ],
            stdout=subprocess.DEVNULL,
            stderr=(folder / "stderr").open("wb"),
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


@pytest.fixture(scope="session")
def demo(start_demo: Callable[..., Demo]) -> Demo:
    """The one demo that most tests share; they leave it as they found it."""
    return start_demo()
