"""How `hub review` is asked. What is done stands in `hub/population/review_commands.py`."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

MODULES = {f"review_{name}": "hub.population.review_commands" for name in ("run", "quality")}
"""Where these commands are done."""


def add(commands: Any, config: Path) -> None:
    """The commands that review a caseload."""
    review = commands.add_parser("review", help="test a whole caseload again")
    actions = review.add_subparsers(required=True, metavar="COMMAND")

    running = actions.add_parser(
        "run",
        help="test every recipient of programmes again, on the agencies' bulk deliveries",
        description="Exit code 0: done, whatever was found; 1: refused or failed; 2: wrong use; "
        "3: agencies have still to be asked. "
        "Run it again after it was stopped, and it goes on where it was.",
    )
    running.add_argument(
        "--programme", dest="programmes", action="append", metavar="KEY", help="may be given again"
    )
    running.add_argument(
        *("--as-of", "--asOf"),
        dest="day",
        type=datetime.date.fromisoformat,
        metavar="DAY",
        help="the day of the tests (today)",
    )
    running.add_argument(
        "--live",
        action="store_true",
        help="ask the agencies that deliver nothing in bulk about recipients and their households",
    )
    running.add_argument("--reason", default="", help="why, for the query log")
    running.add_argument("--folder", type=Path, help="where reviews are kept (the setting)")
    running.add_argument("--engine", choices=("duckdb", "spark"), default="duckdb")
    running.add_argument("--memory", default="4GB", help="most memory of the engine (%(default)s)")
    running.add_argument(
        "--batches", type=int, metavar="N", help="how many (one in 1,000,000 people)"
    )
    running.add_argument("--json", action="store_true", help="print one line of JSON")
    running.add_argument("--config", type=Path, default=config, help="the settings (hub.toml)")
    running.add_argument(
        "--demo", action="store_true", help="a caseload of its own, with a known truth in it"
    )
    running.add_argument(
        "--people", type=int, default=100_000, help="recipients of the demo (%(default)s)"
    )
    running.add_argument("--seed", type=int, default=1, help="seed of the demo (%(default)s)")
    running.set_defaults(run="review_run")

    showing = actions.add_parser("quality", help="the quality of the newest deliveries")
    showing.add_argument("--folder", type=Path, help="where reviews are kept (the setting)")
    showing.add_argument("--as-of", dest="day", type=datetime.date.fromisoformat, metavar="DAY")
    showing.add_argument("--json", action="store_true", help="print JSON")
    showing.add_argument("--config", type=Path, default=config, help="the settings (hub.toml)")
    showing.set_defaults(run="review_quality")
