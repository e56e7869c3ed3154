"""`hub serve` over every agency of the catalogue, each a stand-in reached over its own protocol."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub.config import read_settings
from hub.issuer import AUDIENCE, ISSUER, make_keys, token_for
from sources.declaration import Catalogue
from sources.reading import read_catalogue
from sources.standins import StandIn, Wanted, make_population, stand_ins
from tests.flows.test_serve import free_port

FULL = Path("hub.full.toml")
PEOPLE = 500


@dataclass(frozen=True)
class Served:
    """A hub over the whole catalogue, and the doors of its agencies."""

    address: str
    folder: Path
    recipient: str
    catalogue: Catalogue
    agencies: Mapping[str, StandIn]
    process: subprocess.Popen[bytes]
    at_start: int | None

    def ask(self, query: str) -> dict[str, Any]:
        """Ask as the recipient, about the own record."""
        response = httpx.post(
            f"{self.address}/graphql",
            json={"query": query, "variables": {"id": self.recipient}},
            headers={
                "Authorization": f"Bearer {token_for(self.folder, 'recipient')}",
                "Hub-Purpose": "subject-access",
            },
            timeout=60,
            trust_env=False,
        )
        found: dict[str, Any] = response.json()
        return found

    def calls(self) -> dict[str, list[dict[str, Any]]]:
        """What each agency that was asked has heard since it started."""
        with httpx.Client(trust_env=False) as client:
            heard = {
                name: client.get(f"{agency.control}/calls").json()
                for name, agency in self.agencies.items()
            }
        return {name: calls for name, calls in heard.items() if calls}


@contextmanager
def standing_in(wanted: Wanted) -> Iterator[dict[str, StandIn]]:
    """Stand-ins, minded by a thread of their own."""
    found: list[dict[str, StandIn]] = []
    ready, over = threading.Event(), threading.Event()

    async def mind() -> None:
        async with stand_ins(wanted) as made:
            found.append(made)
            ready.set()
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=asyncio.run, args=(mind(),))
    thread.start()
    while not ready.wait(0.1):
        if not thread.is_alive():
            pytest.fail("the stand-ins did not start")
    yield found[0]
    over.set()
    thread.join()


@contextmanager
def serving(folder: Path, environment: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    """`hub serve`, ready."""
    address = f"http://127.0.0.1:{(port := free_port())}"
    command = [sys.executable, "-m", "hub.cli", "serve", "--config", str(folder / "hub.toml")]
    with (folder / "stderr").open("wb") as stderr:
        process = subprocess.Popen(
            [*command, "--port", str(port)], env=dict(environment), stderr=stderr
        )
    try:
        while True:
            try:
                if httpx.get(f"{address}/readyz", trust_env=False).status_code == 200:
                    break
            except httpx.TransportError:
                if process.poll() is not None:
                    pytest.fail((folder / "stderr").read_text())
                time.sleep(0.05)
        yield address, process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with tempfile.TemporaryDirectory(prefix="hub-full-") as made:
        folder = Path(made)
        population = folder / "population"
        asyncio.run(make_population(population, PEOPLE, 1))
        sample = json.loads((population / "manifest.json").read_text())["sample"]
        make_keys(folder, sample)
        settings = read_settings(FULL, {})
        text = FULL.read_text().replace('officials = "officials"\n', "")
        (folder / "hub.toml").write_text(text)
        (folder / "sources").symlink_to(Path("sources").resolve())
        names, declarations = settings.sources.enabled, settings.sources.catalogue
        wanted = Wanted(names, declarations, population, folder / "run")
        with standing_in(wanted) as agencies:
            environment = {
                **os.environ,
                "HUB_LOG_STORE": f"sqlite+aiosqlite:///{folder / 'log.db'}",
                "HUB_ISSUER_ISSUER": ISSUER,
                "HUB_ISSUER_AUDIENCE": AUDIENCE,
                "HUB_ISSUER_KEYS": str(folder / "keys" / "issuer.jwks.json"),
            }
            for name in ("pseudonym", "sealing", "signing"):
                environment[f"HUB_LOG_{name.upper()}_KEY"] = str(folder / "keys" / f"{name}.key")
            for agency in agencies.values():
                environment |= agency.environment
            catalogue, _ = read_catalogue(declarations, names, "resident", "benefits")
            with serving(folder, environment) as (address, process):
                asked = sample["recipient"], catalogue, agencies
                yield Served(address, folder, *asked, process, resident(process))


def item_of_each(catalogue: Catalogue) -> dict[str, str]:
    """An item that people may see of their own, of each source that is asked about people."""
    ordinary = ("ordinary", "financial", "sensitive")
    found = {
        name: next(
            item
            for item in source.items
            if item.path and item.subject == "person" and item.sensitivity in ordinary
        )
        for name, source in catalogue.sources.items()
        if source.found_by is None
    }
    return {name: " { ".join(item.path) + " }" * len(item.path[1:]) for name, item in found.items()}


def data_calls(answer: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    return [
        (call["source"], call["round"], call["state"])
        for call in answer["extensions"]["sources"]
        if call["round"].startswith("data")
    ]


def test_a_question_over_every_agency_asks_each_once(served: Served) -> None:
    before = served.calls()
    items = item_of_each(served.catalogue)
    fields = " ".join(
        f"{served.catalogue.sources[name].field} {{ {item} }}" for name, item in items.items()
    )
    answer = served.ask(f"query($id: ID!) {{ recipient(id: $id) {{ {fields} }} }}")
    assert "errors" not in answer
    assert len(items) >= 60
    assert sorted(data_calls(answer)) == sorted((name, "data 1", "OK") for name in items)
    heard = Counter(call["source"] for call in answer["extensions"]["sources"])
    for name, calls in served.calls().items():
        new = calls[len(before.get(name, [])) :]
        assert len(new) == heard[name]
        assert all(call["keys"] == [served.recipient] for call in new)


def test_a_question_that_needs_two_agencies_asks_two(served: Served) -> None:
    before = served.calls()
    answer = served.ask(
        "query($id: ID!) { recipient(id: $id) { identity { name } tax { earnedIncome } } }"
    )
    assert "errors" not in answer
    assert sorted(data_calls(answer)) == [("resident", "data 1", "OK"), ("tax", "data 1", "OK")]
    heard = {name: len(calls) - len(before.get(name, [])) for name, calls in served.calls().items()}
    assert {name: number for name, number in heard.items() if number} == {"resident": 1, "tax": 1}


def test_a_source_found_by_what_another_says_is_asked_by_its_keys_in_the_round_after(
    served: Served,
) -> None:
    answer = served.ask(
        "query($id: ID!) { recipient(id: $id) {"
        " property { land { parcel buildingLedger { mainUse } } } } }"
    )
    assert "errors" not in answer
    land = answer["data"]["recipient"]["property"]["land"]
    # That there is such a person is asked of the register of identity.
    assert sorted(data_calls(answer)) == [
        ("buildingLedger", "data 2", "OK"),
        ("property", "data 1", "OK"),
        ("resident", "data 1", "OK"),
    ]
    assert land
    [call] = served.calls()["buildingLedger"]
    assert call["keys"] == list(dict.fromkeys(plot["parcel"] for plot in land))


def test_a_hub_over_the_whole_catalogue_stays_small(served: Served) -> None:
    if served.at_start is None:
        pytest.skip("only Linux tells the memory of a process; run this there")
    assert served.at_start < 200 * 1024
    # What reads deliveries and SOAP is loaded when such agencies are first asked.
    assert (resident(served.process) or 0) < 230 * 1024


def resident(process: subprocess.Popen[bytes]) -> int | None:
    """The memory that a process holds, in KB; None where the system does not tell."""
    status = Path(f"/proc/{process.pid}/status")
    if not status.exists():
        return None
    [line] = (line for line in status.read_text().splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1])
