"""`hub serve` as an operator runs it, with sources left out of the configuration."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub.issuer import AUDIENCE, ISSUER, make_keys, token_for
from tests.simulator.processes import TOKEN, await_ready, finish, launch

ENABLED = ("resident", "labour", "benefits")


@dataclass(frozen=True)
class Served:
    """A hub of three agencies, without the tax office and the property register."""

    address: str
    folder: Path
    sample: dict[str, Any]
    process: subprocess.Popen[bytes]
    environment: dict[str, str]

    def ask(self, query: str, person: str = "caseworker") -> dict[str, Any]:
        response = httpx.post(
            f"{self.address}/graphql",
            json={"query": query, "variables": {"id": self.sample["recipient"]}},
            headers={
                "Authorization": f"Bearer {token_for(self.folder, person)}",
                "Hub-Purpose": "basic-livelihood.application",
                "Hub-Case": self.sample["case"],
            },
            timeout=20,
            trust_env=False,
        )
        found: dict[str, Any] = response.json()
        return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def await_hub(address: str, hub: subprocess.Popen[bytes], stderr: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            if httpx.get(f"{address}/readyz", trust_env=False).status_code == 200:
                break
        except httpx.TransportError:
            if hub.poll() is not None or time.monotonic() > deadline:
                pytest.fail(stderr.read_text())
            time.sleep(0.05)


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    folder = Path(tempfile.mkdtemp(prefix="hub-serve-"))
    population = folder / "population"
    generate = ("generate", "--people", "1000", "--into", str(population))
    command = [sys.executable, "-m", "sources.simulator", *generate]
    subprocess.run(command, check=True, capture_output=True)
    sample = json.loads((population / "manifest.json").read_text())["sample"]
    make_keys(folder, sample)
    asked = (*ENABLED, "officials")
    launched = [launch(name, population, folder / "run") for name in asked]
    environment = {
        **os.environ,
        "HUB_SOURCES_ENABLED": ",".join(ENABLED),
        "HUB_LOG_STORE": f"sqlite+aiosqlite:///{folder / 'log.db'}",
        "HUB_LOG_PSEUDONYM_KEY": str(folder / "keys" / "pseudonym.key"),
        "HUB_LOG_SEALING_KEY": str(folder / "keys" / "sealing.key"),
        "HUB_LOG_SIGNING_KEY": str(folder / "keys" / "signing.key"),
        "HUB_ISSUER_ISSUER": ISSUER,
        "HUB_ISSUER_AUDIENCE": AUDIENCE,
        "HUB_ISSUER_KEYS": str(folder / "keys" / "issuer.jwks.json"),
    }
    for process in launched:
        ready = await_ready(process)
        environment[f"{ready.source.upper()}_URL"] = ready.url
        environment[f"{ready.source.upper()}_TOKEN"] = TOKEN
    address = f"http://127.0.0.1:{(port := free_port())}"
    with (folder / "stderr").open("wb") as stderr:
        hub = subprocess.Popen(
            [sys.executable, "-m", "hub.cli", "serve", "--port", str(port)],
            env=environment,
            stderr=stderr,
        )
    await_hub(address, hub, folder / "stderr")
    yield Served(address, folder, sample, hub, environment)
    hub.send_signal(signal.SIGTERM)
    hub.wait(timeout=30)
    for process in launched:
        finish(process)
    shutil.rmtree(folder)


def test_a_hub_without_the_tax_office_answers_and_has_no_tax(served: Served) -> None:
    answer = served.ask("query($id: ID!) { recipient(id: $id) { identity { name } } }")
    assert answer["data"]["recipient"]["identity"]["name"]
    gone = served.ask("query($id: ID!) { recipient(id: $id) { tax { arrears } } }")
    (error,) = gone["errors"]
    assert error["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"


def test_income_is_then_what_the_other_agencies_say(served: Served) -> None:
    answer = served.ask(
        "query($id: ID!) { recipient(id: $id) { income {"
        " components { kind source } totals { kind } total complete } } }"
    )
    income = answer["data"]["recipient"]["income"]
    assert {part["source"] for part in income["components"]} == {"labour"}
    assert [total["kind"] for total in income["totals"]] == ["EARNED"]
    assert income["total"] > 0
    assert income["complete"] is True


def test_its_sources_are_those_that_are_enabled(served: Served) -> None:
    answer = served.ask("{ sources { name } }")
    assert [source["name"] for source in answer["data"]["sources"]] == list(ENABLED)


def test_its_output_is_json_lines(served: Served) -> None:
    lines = (served.folder / "stderr").read_text().splitlines()
    assert lines
    assert all(isinstance(json.loads(line), dict) for line in lines)


def runs(store: Path) -> int:
    """The hubs that write to the log now."""
    with contextlib.closing(sqlite3.connect(store)) as log:
        (found,) = log.execute("SELECT count(*) FROM run").fetchone()
        return int(found)


def test_workers_share_a_port_and_the_log_and_stop_together(served: Served) -> None:
    store = served.folder / "workers.db"
    environment = {**served.environment, "HUB_LOG_STORE": f"sqlite+aiosqlite:///{store}"}
    address = f"http://127.0.0.1:{(port := free_port())}"
    options = ("--port", str(port), "--workers", "2")
    stderr = served.folder / "stderr of workers"
    with stderr.open("wb") as stream:
        hub = subprocess.Popen(
            [sys.executable, "-m", "hub.cli", "serve", *options], env=environment, stderr=stream
        )
    try:
        await_hub(address, hub, stderr)
        deadline = time.monotonic() + 60
        while runs(store) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert runs(store) == 2
        workers = replace(served, address=address)
        answer = workers.ask("query($id: ID!) { recipient(id: $id) { identity { name } } }")
        assert answer["data"]["recipient"]["identity"]["name"]
    finally:
        hub.send_signal(signal.SIGTERM)
        assert hub.wait(timeout=30) == 0
    assert runs(store) == 0
