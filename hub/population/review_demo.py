"""The demo of a review: a caseload with a planted truth, reviewed, and scored by another process.

Three processes. The first delivers and seals the truth; the second reviews as it would any other
deliveries, without the key; the third opens the truth and compares. This one makes the key, gives
it to the first and the third over pipes, and reads neither deliveries nor truth.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import sources
from hub.issuer import make_log_keys

PROGRAMME, DAY = "basic-pension", "2026-10-31"
AGENCIES: Mapping[str, str] = {
    "resident": "RESIDENT",
    "tax": "TAX",
    "labour": "LABOUR",
    "property": "PROPERTY",
    "banks": "BANKS",
    "nationalPension": "NATIONAL_PENSION",
    "industrialAccident": "INDUSTRIAL_ACCIDENT",
    "localTax": "LOCAL_TAX",
    "immigration": "IMMIGRATION",
    "corrections": "CORRECTIONS",
    "benefits": "BENEFITS",
}
"""The agencies that deliver, with the beginning of the name of the variable of each."""


class DemoStopped(Exception):
    """A process of the demo ended with this exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(f"exit code {code}")
        self.code = code


def run_demo(options: argparse.Namespace) -> int:
    """Make, review and score a caseload; print one line of JSON, or a table."""
    try:
        with _folder(options.folder) as folder:
            found = _demo(options, folder)
    except DemoStopped as stopped:
        return stopped.code
    if options.json:
        print(json.dumps(found))
    else:
        for name, value in found.items():
            print(f"{name:>20}  {json.dumps(value)}")
    return 0


@contextlib.contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    """The folder given, which is kept, or one that is removed in the end."""
    if given is not None:
        given.mkdir(parents=True, exist_ok=True)
        yield given.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="hub-review-") as made:
        yield Path(made)


def _demo(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    started = time.perf_counter()
    # Invariant: the key is in no file, no argument and no environment, and no child but two has it.
    deliveries, key = folder / "deliveries", secrets.token_hex(32)
    wanted = ["caseload", "--declarations", str(Path(str(sources.__file__)).parent / "catalogue")]
    wanted += ["--recipients", str(options.people), "--seed", str(options.seed)]
    _simulator(wanted, deliveries, key)
    made = time.perf_counter()
    _configure(folder)
    review = _run(
        [
            *("-m", "hub.cli", "review", "run", "--programme", PROGRAMME, "--as-of", DAY),
            *("--config", str(folder / "hub.toml"), "--folder", str(folder / "reviews")),
            *("--engine", options.engine, "--memory", options.memory, "--json"),
            *("--reason", "the demo of a review"),
            *(("--batches", str(options.batches)) if options.batches else ()),
        ],
        {f"{name}_DELIVERIES": str(deliveries / source) for source, name in AGENCIES.items()},
    )
    findings = str(Path(review["folder"]) / "findings" / "*.parquet")
    score = json.loads(_simulator(["score", "--findings", findings], deliveries, key))
    return {
        "precision": score["precision"],
        "recall": score["recall"],
        "seconds": review["seconds"],
        "cpu_seconds": review["cpu_seconds"],
        "peak_mb": review["peak_mb"],
        "reviewed": review["reviewed"],
        "people": review["people"],
        "findings": review["findings"],
        "by_kind": score["by_kind"],
        "engine": options.engine,
        "making_seconds": round(made - started, 1),
        "total_seconds": round(time.perf_counter() - started, 1),
    }


def _simulator(arguments: Sequence[str], deliveries: Path, key: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "sources.simulator", *arguments, "--folder", str(deliveries)],
        input=key,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise DemoStopped(done.returncode)
    return done.stdout


def _run(arguments: Sequence[str], environment: Mapping[str, str]) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    if done.returncode:
        raise DemoStopped(done.returncode)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _configure(folder: Path) -> None:
    """The settings of a hub over these agencies, with keys of its own for the query log."""
    make_log_keys(folder / "keys")
    enabled = ", ".join(f'"{name}"' for name in AGENCIES)
    keys = "\n".join(
        f'{name}_key = "{folder / "keys" / name}.key"'
        for name in ("pseudonym", "sealing", "signing")
    )
    (folder / "hub.toml").write_text(
        f"""\
[sources]
enabled = [{enabled}]

[roles]
identity = "resident"
cases = "benefits"

[log]
store = "sqlite+aiosqlite:///{folder / "log.db"}"
{keys}

[documents]
mode = "log"

[[issuers]]
issuer = "https://id.example"
audience = "welfare-hub"
keys = "{folder / "keys" / "issuer.jwks.json"}"
"""
    )
