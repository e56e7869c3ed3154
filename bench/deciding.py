"""`python -m bench.deciding`: what deciding an operation of 60 and of 385 items takes.

Over the whole catalogue, the document planned already; medians of several rounds. The limits are
10 µs and 50 µs where all is granted. Beside it what it takes where some items are reduced, and
where some are denied.
"""

from __future__ import annotations

import argparse
import datetime
import statistics
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from authz.caller import Caller
from authz.decide import Asked, decide
from authz.purpose import Purpose
from authz.register import read_register
from hub.app import read_plans
from hub.config import read_settings
from sources.category import CATEGORIES
from sources.declaration import Catalogue

HEAD = """
title = "Decide"
legal_basis = { act = "An Act", article = "Article 1", mark = "K" }
roles = ["caseworker"]
relation = "case"
programmes = ["livelihood"]
"""
DAY = datetime.date(2026, 11, 1)
CALLER = Caller("p", "r", frozenset({"caseworker"}), "office", "district", "issuer")
SIZES = (60, 385)


def purpose(catalogue: Catalogue, rules: str) -> Purpose:
    """A purpose of its own, that sees every category but as the rules say."""
    with tempfile.TemporaryDirectory() as folder:
        allowed = f"[allow]\ncategories = {sorted(CATEGORIES)}\n"
        (Path(folder) / "bench.toml").write_text(HEAD + allowed + rules)
        register, faults = read_register(Path(folder), catalogue)
    if faults:
        raise SystemExit("\n".join(map(str, faults)))
    return register.purposes["bench"]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.deciding", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    plans = read_plans(read_settings(Path("hub.full.toml")), environment=False)
    seen = purpose(plans.catalogue, "").open_items
    people = [item for item in plans.catalogue.items.values() if item.name in seen]
    table = Table("Purpose", "items", "µs", title="Deciding, the document planned already")
    for size in SIZES:
        names = tuple(item.name for item in people[:size])
        money = [item.name for item in people[:size] if item.type == "Won"][:5]
        band = f"[[reduce]]\nto = {{ band = [0, 1000] }}\nitems = {money}\n"
        closed = f"[prohibit]\nitems = {money[:3]}\n"
        for name, rules in (("all granted", ""), ("5 reduced", band), ("3 denied", closed)):
            found = purpose(plans.catalogue, rules)
            asked = Asked(own=names, others=(), case=())
            table.add_row(name, str(size), f"{_microseconds(found, asked, options.rounds):.1f}")
    Console().print(table)
    return 0


def _microseconds(found: Purpose, asked: Asked, rounds: int) -> float:
    """The median over the rounds, of one decision."""
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        for _ in range(2000):
            decide(CALLER, found, asked, DAY)
        times.append((time.perf_counter() - started) / 2000 * 1e6)
    return statistics.median(times)


if __name__ == "__main__":
    sys.exit(main())
