"""`python -m bench.hedge`: how long a source with a slow tail takes, asked once and with a hedge.

One call in fifty takes the agency a fifth of a second, the others two milliseconds. Both ways take
turns, over real HTTP.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import tempfile
import time
from pathlib import Path

import uvloop
from rich.console import Console
from rich.table import Table

from bench.stub import Connection
from bench.world import HERE
from hub.guard import Guard
from sources.adapter import Context, Question
from sources.declaration import Source
from sources.reading import read_catalogue
from sources.rest import RestAdapter

CONTEXT = Context("bench", "Act of the benchmark", "", "op")


class Tailed(Connection):
    """Answers in two milliseconds, but for one call in fifty."""

    def on_message_complete(self) -> None:
        """Answer by and by."""
        self._seconds = 0.2 if random.random() < 0.02 else 0.002
        super().on_message_complete()


def declared(folder: Path, terms: str) -> Source:
    """The tax office of the benchmark on these terms."""
    text = (HERE / "declarations" / "tax.toml").read_text()
    (folder / "tax.toml").write_text(text.replace("[source]", f"[source]\n{terms}", 1))
    catalogue, faults = read_catalogue(folder, ["tax"], "tax", "tax")
    if faults:
        raise SystemExit("\n".join(map(str, faults)))
    return catalogue.sources["tax"]


async def measure(calls: int) -> dict[str, list[float]]:
    """Milliseconds of each call, by way of asking."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Tailed(0), "127.0.0.1", 0)
    os.environ["STUB"] = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    ways = {"once": "", "hedged after 20 ms": 'hedge = { after = "20ms", share = 0.05 }'}
    took: dict[str, list[float]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as folder:
        guards = {}
        for way, terms in ways.items():
            source = declared(Path(folder), terms)
            guards[way] = Guard(source, RestAdapter(source))
        question = Question("person", ("9000000000000",), source.items, CONTEXT)
        for _ in range(calls):
            for way, guard in guards.items():
                started = time.perf_counter()
                await guard.ask(question)
                took[way].append((time.perf_counter() - started) * 1000)
        for guard in guards.values():
            await guard.close()
    server.close()
    return took


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1_000)
    took = uvloop.run(measure(parser.parse_args().calls))
    table = Table("asked", "p50 ms", "p95 ms", "p99 ms", "most ms")
    for way, times in took.items():
        ordered = sorted(times)
        cells = [ordered[int(len(ordered) * share)] for share in (0.5, 0.95, 0.99)]
        table.add_row(way, *(f"{value:.1f}" for value in (*cells, ordered[-1])))
    Console().print(table)


if __name__ == "__main__":
    main()
