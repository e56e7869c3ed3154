"""`python -m bench.live_review`: how fast agencies that deliver nothing in bulk are asked.

Makes a population, has tax, labour and property declare no `[bulk]`, starts them as the simulator's
agencies (the last over PostgreSQL), and has `hub review run --live` ask them about everyone in the
recipients' households. Prints one JSON line: `people` asked about, whom each agency `told` of;
`asking_seconds`, from the first to the last call by the agencies' own records, and people a second
of them; `seconds` and `cpu_seconds` of the whole review, start-up and all that is delivered too.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hub.issuer import make_log_keys
from schema.working_days import today

ASKED = ("tax", "labour", "property")
DELIVERING = ("resident", "benefits")
PROGRAMMES = ("basic-pension", "livelihood", "medical-aid", "education", "housing")
ROOT = Path(__file__).parents[1]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.live_review", description=__doc__)
    parser.add_argument("--people", type=int, default=430_000, help="of the population")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="hub-live-review-"))
    try:
        print(json.dumps(measure(folder, options.people)))
    finally:
        shutil.rmtree(folder)
    return 0


def measure(folder: Path, people: int) -> dict[str, Any]:
    """The whole result."""
    declare(folder / "catalogue")
    population = folder / "population"
    simulator("generate", "--people", str(people), "--into", str(population))
    simulator(
        *("bulk", "--population", str(population), "--into", str(folder / "deliveries")),
        *("--declarations", str(ROOT / "sources" / "catalogue")),
    )
    make_log_keys(folder / "keys")
    with agencies(folder) as environment:
        review = reviewed(folder, {**settings(folder), **environment})
    number, took = review["asked"][ASKED[0]]["people"], asking(folder)
    return {
        "people": number,
        "told": {name: one["told"] for name, one in review["asked"].items()},
        "asking_seconds": round(took, 1),
        "people_per_second": round(number / took),
        "seconds": review["seconds"],
        "cpu_seconds": review["cpu_seconds"],
        "peak_mb": review["peak_mb"],
        "load": round(os.getloadavg()[0], 1),
    }


def asking(folder: Path) -> float:
    """Seconds from the first to the last call."""
    lines = [
        line
        for record in (folder / "run").glob("*/access.jsonl")
        for line in record.read_text("utf-8").splitlines()
    ]
    calls = [datetime.datetime.fromisoformat(json.loads(line)["at"]) for line in lines]
    return (max(calls) - min(calls)).total_seconds()


def declare(into: Path) -> None:
    """The catalogue, in which the agencies to be asked declare no deliveries."""
    shutil.copytree(ROOT / "sources" / "catalogue", into)
    for name in ASKED:
        path = into / f"{name}.toml"
        left = re.sub(r"(?ms)^\[bulk.*?(?=^\[(?!bulk)|\Z)", "", path.read_text("utf-8"))
        path.write_text(left, "utf-8")


def simulator(*arguments: str) -> None:
    """Run a command of the simulator to its end."""
    command = [sys.executable, "-m", "sources.simulator", *arguments]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr)


def settings(folder: Path) -> dict[str, str]:
    """The environment of a hub over these agencies, with a query log of its own."""
    keys = {
        f"HUB_LOG_{name.upper()}_KEY": str(folder / "keys" / f"{name}.key")
        for name in ("pseudonym", "sealing", "signing")
    }
    deliveries = {
        f"{name.upper()}_DELIVERIES": str(folder / "deliveries" / name) for name in DELIVERING
    }
    return {
        **keys,
        **deliveries,
        "HUB_SOURCES_CATALOGUE": str(folder / "catalogue"),
        "HUB_LOG_STORE": f"sqlite+aiosqlite:///{folder / 'log.db'}",
    }


@contextmanager
def agencies(folder: Path) -> Iterator[dict[str, str]]:
    """The agencies to be asked, each a process of its own; the variables that lead to them."""
    token = secrets.token_urlsafe(24)
    serving = {
        name: subprocess.Popen(
            [
                *(sys.executable, "-m", "sources.simulator", "serve", name, "--stop-with-stdin"),
                *("--population", str(folder / "population"), "--run", str(folder / "run")),
            ],
            env={**os.environ, "SIMULATOR_TOKEN": token},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for name in ASKED
    }
    try:
        found = {}
        for name, process in serving.items():
            assert process.stdout is not None
            found[f"{name.upper()}_URL"] = json.loads(process.stdout.readline())["url"]
            found[f"{name.upper()}_TOKEN"] = token
        yield found
    finally:
        for process in serving.values():
            process.communicate(timeout=60)


def reviewed(folder: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    """What the review says of itself."""
    programmes = [word for key in PROGRAMMES for word in ("--programme", key)]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "hub.cli", "review", "run", *programmes, "--live", "--json"),
            *("--as-of", str(today()), "--folder", str(folder / "reviews")),
            *("--config", str(ROOT / "hub.toml"), "--reason", "measuring"),
        ],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    sys.exit(main())
