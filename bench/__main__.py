"""`make bench`: the hub beside the gateways people would pick, over the same stand-in agencies.

One core serves and one loads. The hub has every control on (token verified, purpose and case
decided, INTENT and OUTCOME durable, provenance kept), the others none. Candidates take turns within
a round, so that a slow minute hits all of them; a row is the median of the rounds. Prints a table
with the ratios, and writes `bench/results/latest.json`. Needs `wrk` and `taskset`, and a machine
that does nothing else; `python -m bench.steps` measures the pure steps.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.answers import PEOPLE, fault
from bench.candidates import CLIENT_CORE, Candidate, Running, load, peers, start, stub_command
from bench.world import CASES, make_world

RESULTS = Path("bench/results")
BASES = ("hive-gateway", "mercurius-jit")
"""Those that ratios are told to."""


@dataclass(frozen=True, order=True, slots=True)
class Row:
    """What is measured of each candidate."""

    delay_ms: int
    query: str
    inflight: int


ROWS = (
    Row(0, "q1", 1),
    Row(0, "q1", 32),
    Row(0, "q1", 128),
    Row(0, "q2", 8),
    Row(20, "q1", 32),
    Row(20, "q1", 128),
)


def main() -> int:
    """Measure, write and print."""
    options = _options()
    lacking = [name for name in ("wrk", "taskset") if shutil.which(name) is None]
    if lacking:
        print(f"there is no `{lacking[0]}`: install it", file=sys.stderr)
        return 2
    folder = Path(tempfile.mkdtemp(prefix="hub-bench-"))
    try:
        candidates = _candidates(folder, options)
        rows = [row for row in ROWS if _chosen(row, options)]
        _tell_time(len(candidates), rows, options)
        runs: list[dict[str, Any]] = []
        for _, of_delay in itertools.groupby(sorted(rows), key=lambda row: row.delay_ms):
            runs += _measure(folder, candidates, tuple(of_delay), options)
    finally:
        shutil.rmtree(folder)
    result = {"commit": _commit(), "machine": _machine(), "rows": _medians(runs), "runs": runs}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=1) + "\n")
    _print(result)
    print(f"written to {options.out}", file=sys.stderr)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench ARGS=", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="rounds, of which medians are taken")
    parser.add_argument("--seconds", type=float, default=3, help="seconds of each load")
    parser.add_argument("--warm-up", type=float, default=3, metavar="SECONDS")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="measure these candidates only")
    parser.add_argument("--query", nargs="+", choices=PEOPLE, default=list(PEOPLE))
    parser.add_argument("--inflight", nargs="+", type=int, help="of the rows, those with so many")
    parser.add_argument("--delay-ms", nargs="+", type=int, help="of the rows, those so delayed")
    parser.add_argument("--out", type=Path, default=RESULTS / "latest.json", help="file to write")
    return parser.parse_args()


def _candidates(folder: Path, options: argparse.Namespace) -> list[Candidate]:
    """Those to be measured; each hub has a world of its own."""
    found = []
    for port, (name, apart) in enumerate((("hub", False), ("hub-alone", True)), start=9301):
        if not options.only or name in options.only:
            world = make_world(folder / name, port, apart=apart)
            url = f"http://127.0.0.1:{port}/graphql"
            found.append(Candidate(name, tuple(world.command), url, world))
    beside = peers()
    chosen = options.only or ("hive-gateway", "mercurius-jit", "strawberry-aiohttp", *_sole(beside))
    return found + [one for one in beside if one.name in chosen]


def _sole(beside: Sequence[Candidate]) -> Iterator[str]:
    """The one peer where there is no other."""
    if len(beside) == 1:
        yield beside[0].name


def _chosen(row: Row, options: argparse.Namespace) -> bool:
    return (
        row.query in options.query
        and (not options.inflight or row.inflight in options.inflight)
        and (not options.delay_ms or row.delay_ms in options.delay_ms)
    )


def _tell_time(number: int, rows: Sequence[Row], options: argparse.Namespace) -> None:
    """Say how long it will take: a load, a second of the same before, and what settles between."""
    delays = len({row.delay_ms for row in rows})
    loads = number * len(rows) * options.rounds * (options.seconds + 2.5)
    ready = number * delays * (10 + len({row.query for row in rows}) * options.warm_up)
    minutes = (loads + ready) / 60
    told = f"{number} candidates, {len(rows)} rows, {options.rounds} rounds: "
    print(f"{told}about {minutes:.0f} minutes", file=sys.stderr)


def _measure(
    folder: Path, candidates: Sequence[Candidate], rows: Sequence[Row], options: argparse.Namespace
) -> list[dict[str, Any]]:
    """The runs of the rows of one delay."""
    stub = Running(stub_command(rows[0].delay_ms), CLIENT_CORE, folder / "stub.log")
    running: dict[Candidate, Running] = {}
    first = itertools.count(0, CASES // 97)
    try:
        for candidate in candidates:
            running[candidate] = start(candidate, folder)
        time.sleep(0.5)
        if stub.process.poll() is not None:
            raise SystemExit("the stand-in agencies did not start: is their port taken?")
        for candidate in candidates:
            if not _ready(folder, candidate, {row.query for row in rows}):
                running.pop(candidate).stop()
                continue
            for query in sorted({row.query for row in rows}):
                _load(candidate, Row(0, query, 32), options.warm_up, next(first))
        return [
            _run(candidate, process, row, turn, options.seconds, next(first))
            for turn in range(options.rounds)
            for row in rows
            for candidate, process in running.items()
        ]
    finally:
        for process in (*running.values(), stub):
            process.stop()


def _ready(folder: Path, candidate: Candidate, queries: set[str]) -> bool:
    """Whether a candidate answers what the agencies hold, within a minute of its start."""
    deadline = time.monotonic() + 60
    for query in sorted(queries):
        while (found := fault(candidate, query)) and time.monotonic() < deadline:
            time.sleep(0.3)
        if found:
            log = (folder / f"{candidate.name}.log").read_text(errors="replace")
            print(f"{candidate.name} is left out: {query}: {found}\n{log[-500:]}", file=sys.stderr)
            return False
    return True


def _load(candidate: Candidate, row: Row, seconds: float, first: int) -> dict[str, Any]:
    return load(candidate, row.query, PEOPLE[row.query], row.inflight, seconds, first, CASES)


def _run(
    candidate: Candidate, process: Running, row: Row, turn: int, seconds: float, first: int
) -> dict[str, Any]:
    """One load, after a second of the same that does not count."""
    _load(candidate, row, 1, first)
    process.settle()
    before = process.cpu_seconds()
    found = _load(candidate, row, seconds, first + CASES // 3)
    used = process.cpu_seconds() - before
    run = {
        "candidate": candidate.name,
        "query": row.query,
        "inflight": row.inflight,
        "delay_ms": row.delay_ms,
        "round": turn,
        "rps": round(found["rps"], 1),
        "p50_ms": found["p50_ms"],
        "p99_ms": found["p99_ms"],
        "rss_mb": round(process.resident_mib(), 1),
        "cpu": round(used / found["seconds"], 3),
        "cpu_us": round(used / max(found["requests"], 1) * 1e6, 1),
        "errors": found["errors"],
        "load": round(os.getloadavg()[0], 1),
    }
    print(json.dumps(run), file=sys.stderr, flush=True)
    process.settle()
    return run


def _medians(runs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    keys = ("candidate", "query", "inflight", "delay_ms")
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for run in runs:
        groups.setdefault(tuple(run[key] for key in keys), []).append(run)
    values = ("rps", "p50_ms", "p99_ms", "rss_mb", "cpu", "cpu_us")
    return [
        dict(zip(keys, key, strict=True))
        | {value: round(statistics.median(run[value] for run in group), 3) for value in values}
        | {"errors": sum(run["errors"] for run in group)}
        for key, group in groups.items()
    ]


def _commit() -> str:
    found = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip()


def _machine() -> str:
    model = "processor unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    python = platform.python_version()
    return f"{os.cpu_count()} cores of {model}, Python {python}, load {os.getloadavg()[0]:.1f}"


def _print(result: dict[str, Any]) -> None:
    """The medians, with the ratios of their rates to those people would pick."""
    table = Table(
        *("delay", "query", "in flight", "candidate", "a second", "p50 ms", "p99 ms"),
        *("MiB", "core", "CPU µs", *(f"x {base}" for base in BASES), "errors"),
        title=f"{result['commit']} on {result['machine']}",
    )
    rates = {_place(row, row["candidate"]): row["rps"] for row in result["rows"]}
    for row in sorted(result["rows"], key=lambda row: _place(row, "")):
        ratios = []
        for base in BASES:
            of = rates.get(_place(row, base))
            ratios.append(f"{row['rps'] / of:.2f}" if of else "-")
        table.add_row(
            *(str(row[key]) for key in ("delay_ms", "query", "inflight", "candidate")),
            *(f"{row[key]:.1f}" for key in ("rps", "p50_ms", "p99_ms", "rss_mb")),
            *(f"{row['cpu']:.2f}", f"{row['cpu_us']:.0f}", *ratios, str(row["errors"])),
        )
    Console(width=150).print(table)


def _place(row: dict[str, Any], candidate: str) -> tuple[Any, ...]:
    return row["delay_ms"], row["query"], row["inflight"], candidate


if __name__ == "__main__":
    sys.exit(main())
