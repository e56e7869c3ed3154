"""How `hub log` is asked to read. What is done stands in `hub/reading/commands.py`."""

from __future__ import annotations

import argparse
import datetime
from pathlib import Path
from typing import Any

MODULES = {
    f"log_{name}": "hub.reading.commands" for name in ("show", "find", "export", "watch", "cases")
}
"""Where these commands are done."""


def add(log: Any) -> None:
    """The commands that read the log; their reading is logged."""
    showing = log.add_parser("show", help="one record as JSON; that it was read is logged")
    showing.add_argument("place", type=int, help="the record's place in the tree")
    _common(showing, "show")

    finding = log.add_parser("find", help="find records; what is searched for is logged")
    _search(finding)
    finding.add_argument(
        "--limit", type=int, default=20, metavar="N", help="the newest so many (%(default)s)"
    )
    finding.add_argument("--json", action="store_true", help="print JSON, one record a line")
    finding.add_argument("--follow", action="store_true", help="go on with what is written next")
    _common(finding, "find")

    exporting = log.add_parser("export", help="hand records out; the reason is logged")
    _search(exporting)
    exporting.add_argument(
        "--format", choices=("jsonl", "csv", "fhir"), default="jsonl", help="(%(default)s)"
    )
    exporting.add_argument("--reason", required=True, help="why, in 20 characters or more")
    exporting.add_argument("--into", type=Path, metavar="FILE", help="a new file (standard output)")
    exporting.add_argument("--follow", action="store_true", help="go on with what is written next")
    _common(exporting, "export")

    watching = log.add_parser(
        "watch",
        help="compute indicators of misuse; exit code 1 where somebody has to look",
        description="Exit code 0: nothing over its bound; 1: something is; 2: a fault.",
    )
    watching.add_argument(
        "--indicator", dest="names", action="append", metavar="NAME", help="this one (all)"
    )
    watching.add_argument(
        "--over",
        action="append",
        default=[],
        metavar="NAME=COUNT",
        help="how many records of an indicator are no reason to look",
    )
    watching.add_argument("--since", type=_time, help="over the records from this time on")
    watching.add_argument("--until", type=_time, help="over the records before this time")
    watching.add_argument("--json", action="store_true", help="print JSON")
    _common(watching, "watch")

    noting = log.add_parser(
        "cases",
        help="log what became of cases, as the case register tells it",
        description='JSON Lines from standard input: {"case": REFERENCE, "outcome": OUTCOME}, where'
        " OUTCOME is decided, closed, or brief for one closed within days of its opening.",
    )
    _common(noting, "cases")


def _search(parser: argparse.ArgumentParser) -> None:
    for name, says in (
        ("person", "who asked"),
        ("office", "of this office"),
        ("purpose", "for this purpose"),
        ("outcome", "answered, refused, failed or abandoned"),
        ("item", "this data item"),
        ("case", "operations that named this case"),
    ):
        parser.add_argument(f"--{name}", help=says)
    parser.add_argument(
        "--subject",
        action="store_true",
        help="about the recipient whose id is the first line of standard input",
    )
    parser.add_argument("--since", type=_time, help="from this time on")
    parser.add_argument("--until", type=_time, help="before this time")


def _common(parser: argparse.ArgumentParser, name: str) -> None:
    parser.add_argument("--store", metavar="ADDRESS", help="the store (default: the demo's)")
    parser.add_argument("--config", type=Path, help="settings that name store and keys (hub.toml)")
    parser.add_argument(
        "--folder", type=Path, default=Path(".demo"), help="the demo's folder (%(default)s)"
    )
    parser.set_defaults(run=f"log_{name}")


def _time(text: str) -> datetime.datetime:
    try:
        found = datetime.datetime.fromisoformat(text)
    except ValueError as error:
        message = f"`{text}` is no time: write it as 2026-11-23 or 2026-11-23T09:00+09:00"
        raise argparse.ArgumentTypeError(message) from error
    return found if found.tzinfo is not None else found.replace(tzinfo=datetime.UTC)
