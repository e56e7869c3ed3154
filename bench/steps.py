"""`make bench`: where the time of the sample question goes, and how many are answered a second.

Starts a demo of its own, asks its sample over HTTP, and times the pure steps in this process.
Writes `bench/results/latest.json` and prints a table. Machines are noisy: read the ratios.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime
import json
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import httpx_aiohttp
from rich.console import Console
from rich.table import Table

from authz.caller import Caller
from authz.decide import decide
from bench import rules
from hub.app import read_plans
from hub.config import read_settings
from hub.documents import Documents
from hub.plan import make_plan

RESULTS = Path("bench/results/latest.json")


def main() -> int:
    """Measure, write and print."""
    parser = argparse.ArgumentParser(prog="make bench ARGS=", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="hub-bench-"))
    process = _start(folder)
    try:
        info = _await_info(folder, process)
        rows = [
            {"step": name, "microseconds": round(value, 2)}
            for name, value in _steps(info, options.rounds).items()
        ]
        loads = [
            asyncio.run(_load(info, inflight, options.rounds, options.seconds))
            for inflight in (1, 8, 32)
        ]
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)
        shutil.rmtree(folder)
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    result = {"commit": commit, "machine": platform.processor(), "steps": rows, "rows": loads}
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    _print(result)
    return 0


def _start(folder: Path) -> subprocess.Popen[bytes]:
    arguments = ["--people", "3000", "--folder", str(folder), "--info", str(folder / "info.json")]
    with (folder / "stderr").open("wb") as stream:
        return subprocess.Popen(
            [sys.executable, "-m", "hub.cli", "demo", "--port", "0", *arguments],
            stdout=subprocess.DEVNULL,
            stderr=stream,
        )


def _await_info(folder: Path, process: subprocess.Popen[bytes]) -> dict[str, Any]:
    path = folder / "info.json"
    while not path.exists() or not path.read_text().endswith("\n"):
        if process.poll() is not None:
            raise SystemExit((folder / "stderr").read_text())
        time.sleep(0.05)
    info: dict[str, Any] = json.loads(path.read_text())
    return info


def _steps(info: dict[str, Any], rounds: int) -> dict[str, float]:
    """Median microseconds of the pure steps for the sample question."""
    settings = read_settings(Path("hub.toml"))
    plans = read_plans(settings, environment=False)
    text = info["sample"]["query"]
    purpose = plans.register.purposes[info["sample"]["purpose"]]
    document = Documents(plans.schema.graphql, settings.limits).read(text)
    operation = document.operation(None)
    plan = make_plan(plans.schema, document, operation)
    caller = Caller("p", "r", purpose.roles, "o", "d", "i")
    asked = plan.asked
    today = datetime.date(2026, 11, 1)
    return {
        "parse and validate": _time(
            lambda: Documents(plans.schema.graphql, settings.limits).read(text), 20, rounds
        ),
        "plan": _time(lambda: make_plan(plans.schema, document, operation), 200, rounds),
        f"decide {len(asked.items)} items": _time(
            lambda: decide(caller, purpose, asked, today), 2000, rounds
        ),
        **{name: _time(work, 50, rounds) for name, work in rules.works().items()},
    }


def _time(work: Callable[[], object], times: int, rounds: int) -> float:
    found = []
    for _ in range(rounds):
        started = time.perf_counter()
        for _ in range(times):
            work()
        found.append((time.perf_counter() - started) / times * 1e6)
    return statistics.median(found)


async def _load(info: dict[str, Any], inflight: int, rounds: int, seconds: float) -> dict[str, Any]:
    """Medians over the rounds of the sample asked by so many at the same time."""
    sample = info["sample"]
    body = {"query": sample["query"], "variables": {"id": sample["recipient"]}}
    headers = {
        "Authorization": f"Bearer {info['tokens']['caseworker']}",
        "Hub-Purpose": sample["purpose"],
        "Hub-Case": sample["case"],
    }
    rates, halves, tails = [], [], []
    transport = httpx_aiohttp.AiohttpTransport(limits=httpx.Limits(max_connections=inflight))
    async with httpx.AsyncClient(transport=transport, timeout=30) as client:
        for _ in range(rounds):
            times: list[float] = []
            end = time.perf_counter() + seconds

            async def ask(end: float = end, times: list[float] = times) -> None:
                while time.perf_counter() < end:
                    started = time.perf_counter()
                    response = await client.post(info["graphql"], json=body, headers=headers)
                    if "errors" in response.json():
                        raise SystemExit(f"an operation failed: {response.text[:500]}")
                    times.append(time.perf_counter() - started)

            await asyncio.gather(*(ask() for _ in range(inflight)))
            rates.append(len(times) / seconds)
            ordered = sorted(times)
            halves.append(ordered[len(ordered) // 2] * 1000)
            tails.append(ordered[int(len(ordered) * 0.99)] * 1000)
    return {
        "query": "sample",
        "inflight": inflight,
        "rps": round(statistics.median(rates), 1),
        "p50_ms": round(statistics.median(halves), 2),
        "p99_ms": round(statistics.median(tails), 2),
    }


def _print(result: dict[str, Any]) -> None:
    console = Console()
    steps = Table("Step", "µs", title="Pure steps of the sample question")
    for row in result["steps"]:
        steps.add_row(row["step"], str(row["microseconds"]))
    console.print(steps)
    loads = Table("In flight", "a second", "ratio", "p50 ms", "p99 ms", title="Over HTTP")
    alone = result["rows"][0]["rps"]
    for row in result["rows"]:
        ratio = f"{row['rps'] / alone:.2f}"
        cells = (row["inflight"], row["rps"], ratio, row["p50_ms"], row["p99_ms"])
        loads.add_row(*map(str, cells))
    console.print(loads)


if __name__ == "__main__":
    sys.exit(main())
