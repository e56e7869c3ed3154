"""`python -m bench.breadth`: what a hub over the whole catalogue costs.

Starts `hub serve` over every `rest` source that `hub.full.toml` enables and that is asked about
people, with agencies that each take 20 ms, and measures: seconds to start, memory, how much longer
a question takes than the agencies, and how long the hub's processor is at it, over one source, over
two and over all. On a busy machine read the processor's time. Writes `bench/results/breadth.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from hub.app import read_plans
from hub.config import Settings, read_settings
from hub.issuer import AUDIENCE, ISSUER, make_keys, token_for
from schema.build import build
from sources.declaration import Catalogue, Source
from sources.reading import read_catalogue

RESULTS = Path("bench/results/breadth.json")
FULL = Path("hub.full.toml")
PERSON = "829020-1705151"


def main() -> int:
    """Measure, write and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.breadth", description=__doc__)
    parser.add_argument("--times", type=int, default=200, help="questions of each kind")
    parser.add_argument("--milliseconds", type=float, default=20, help="what an agency takes")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="hub-breadth-"))
    try:
        result = measure(folder, options.times, options.milliseconds)
    finally:
        shutil.rmtree(folder)
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    show(result)
    return 0


def measure(folder: Path, times: int, milliseconds: float) -> dict[str, Any]:
    """The whole result."""
    settings = read_settings(FULL, {})
    started = time.perf_counter()
    plans = read_plans(settings, environment=False)
    plans_s = time.perf_counter() - started
    started = time.perf_counter()
    build(plans.catalogue)
    build_s = time.perf_counter() - started
    names = [
        name
        for name, one in plans.catalogue.sources.items()
        if one.adapter == "rest" and one.found_by is None
    ]
    with agencies(settings, names, milliseconds) as address, hub(folder, names, address) as serving:
        catalogue, _ = read_catalogue(settings.sources.catalogue, names, names[0], names[0])
        agency = alone(address, catalogue.sources[names[-1]], times)
        rows = [
            asked(folder, serving, address, catalogue, names[:number], times)
            for number in (1, 2, 35, len(names))
        ]
        for row in rows:
            row["above_agency_ms"] = round(row["p50_ms"] - agency, 2)
        facts = {
            "sources enabled": len(names) + 1,
            "sources of the catalogue": len(plans.catalogue.sources),
            "items of the catalogue": sum(not i.is_exists for i in plans.catalogue.items.values()),
            "read and check all declarations, s": round(plans_s, 3),
            "schema build over all, s": round(build_s, 3),
            "start to ready, s": round(serving["start_s"], 2),
            "of it the processor's, s": round(serving["start_cpu_s"], 2),
            "memory after the questions, MB": resident_mb(serving["pid"]),
            "an agency alone, p50 ms": round(agency, 2),
        }
    return {"facts": facts, "rows": rows}


def show(result: Mapping[str, Any]) -> None:
    """Print the figures."""
    facts = Table("What", "", title="A hub over the whole catalogue")
    for name, value in result["facts"].items():
        facts.add_row(name, str(value))
    rows = Table(
        "Sources",
        "Items",
        "Calls",
        "p50 ms",
        "p99 ms",
        "processor ms",
        "p50 above the agency's, ms",
    )
    for row in result["rows"]:
        rows.add_row(*map(str, row.values()))
    Console().print(facts, rows)


@contextmanager
def agencies(settings: Settings, names: list[str], milliseconds: float) -> Iterator[str]:
    """The agencies, behind one address."""
    arguments = [str(settings.sources.catalogue), str(milliseconds), *names]
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.agencies", *arguments], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()


@contextmanager
def hub(folder: Path, names: list[str], agency: str) -> Iterator[dict[str, Any]]:
    """A hub of its own process over the named sources; how long it took to be ready."""
    document = tomllib.loads(FULL.read_text())
    cases = document["roles"]["cases"]
    enabled = [*dict.fromkeys([*names, cases])]
    make_keys(folder, {"personas": {}, "recipient": PERSON})
    port = free_port()
    (folder / "hub.toml").write_text(
        f'[server]\nport = {port}\n[sources]\nenabled = {json.dumps(enabled)}\n'
        f'[roles]\nidentity = "{document["roles"]["identity"]}"\ncases = "{cases}"\n'
        '[log]\nstore = "sqlite+aiosqlite:///' + str(folder / "log.db") + '"\n'
        'pseudonym_key = "keys/pseudonym.key"\nsealing_key = "keys/sealing.key"\n'
        'signing_key = "keys/signing.key"\n'
        f'[documents]\nmode = "off"\n[[issuers]]\nissuer = "{ISSUER}"\naudience = "{AUDIENCE}"\n'
        'keys = "keys/issuer.jwks.json"\n'
    )  # fmt: skip
    environment = {**os.environ, **variables(read_settings(folder / "hub.toml", {}), agency)}
    started = time.perf_counter()
    with (folder / "hub.log").open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "hub.cli", "serve", "--config", str(folder / "hub.toml")],
            env=environment,
            stdout=stream,
            stderr=stream,
        )
    try:
        until_ready(process, f"http://127.0.0.1:{port}/readyz", folder / "hub.log")
        yield {
            "url": f"http://127.0.0.1:{port}",
            "start_s": time.perf_counter() - started,
            "start_cpu_s": processor_seconds(process.pid),
            "pid": process.pid,
        }
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def variables(settings: Settings, agency: str) -> dict[str, str]:
    """A value for every variable that a declaration of an enabled source names."""
    made = {}
    for name in settings.sources.enabled:
        text = (settings.sources.catalogue / f"{name}.toml").read_text()
        url = f"{agency}/{name}" if 'adapter = "rest"' in text else "sqlite+aiosqlite:///none.db"
        for part in text.split("${")[1:]:
            variable = part.partition("}")[0]
            made[variable] = url if variable.endswith("_URL") else "secret"
    return made


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    """Wait until the hub says that it is ready."""
    while True:
        if process.poll() is not None:
            raise SystemExit(log.read_text())
        try:
            if httpx.get(url, trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.01)


def processor_seconds(pid: int) -> float:
    """Seconds that the processor spent on the process (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(pid: int) -> int:
    """Megabytes of the process in memory (Linux)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) // 1024
    raise SystemExit("the system does not tell a process's memory")


def alone(address: str, source: Source, times: int) -> float:
    """What an agency takes without the hub, median in milliseconds."""
    table, item = source.adapter_table, next(one for one in source.items if one.wire)
    body = {table["keys"]: [PERSON], table["items"]: [".".join(item.wire)]}
    with httpx.Client(base_url=address, trust_env=False) as client:
        found = []
        for _ in range(times):
            started = time.perf_counter()
            client.post(f"/{source.name}{table['path']}", json=body).raise_for_status()
            found.append((time.perf_counter() - started) * 1000)
    return statistics.median(found)


def question(catalogue: Catalogue, names: list[str]) -> tuple[str, int]:
    """A question for one item that people may see of their own, of each source; how many items."""
    fields = []
    for name in names:
        source = catalogue.sources[name]
        item = next(one for one in source.items if len(one.path) == 1 and one.sensitivity in
                    ("ordinary", "financial", "sensitive"))  # fmt: skip
        fields.append(f"{source.field} {{ {item.path[0]} }}")
    return f"query($id: ID!) {{ recipient(id: $id) {{ {' '.join(fields)} }} }}", len(fields)


def asked(
    folder: Path, serving: Mapping[str, Any], address: str, catalogue: Catalogue,
    names: list[str], times: int,
) -> dict[str, Any]:  # fmt: skip
    """One question asked so many times, one after another: what it took, and whom it called."""
    query, items = question(catalogue, names)
    headers = {
        "Authorization": f"Bearer {token_for(folder, 'recipient')}",
        "Hub-Purpose": "subject-access",
    }
    body = {"query": query, "variables": {"id": PERSON}}
    found = []
    with httpx.Client(trust_env=False, headers=headers) as client:
        for turn in range(times + 10):
            if turn == 10:
                httpx.get(f"{address}/calls", trust_env=False)
                before = processor_seconds(serving["pid"])
            started = time.perf_counter()
            answer = client.post(f"{serving['url']}/graphql", json=body).json()
            found.append((time.perf_counter() - started) * 1000)
            if "errors" in answer:
                raise SystemExit(f"the question failed: {json.dumps(answer)[:1000]}")
    processor = (processor_seconds(serving["pid"]) - before) / times * 1000
    calls = httpx.get(f"{address}/calls", trust_env=False).json()
    if calls != dict.fromkeys(names, times):
        raise SystemExit(f"{times} questions over {len(names)} sources made these calls: {calls}")
    ordered = sorted(found[10:])
    return {
        "sources": len(names),
        "items": items,
        "calls": sum(calls.values()) // times,
        "p50_ms": round(statistics.median(ordered), 2),
        "p99_ms": round(ordered[int(len(ordered) * 0.99)], 2),
        "processor_ms": round(processor, 2),
    }


if __name__ == "__main__":
    sys.exit(main())
