"""How `hub source` and `hub sources` are asked for."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

ADAPTERS = ("rest", "graphql", "xroad", "dci", "soap", "sql", "file")
_KEPT = Path(".kit")


MODULES = {
    "sources": "hub.kit.commands",
    **{
        f"source_{name}": "hub.kit.commands"
        for name in ("new", "check", "try", "record", "test", "bench")
    },
}
"""Where these commands are done."""

Commands = Any
"""What argparse gives for adding commands to; it has no public name."""


def add(commands: Commands, config: Path) -> None:
    """The commands of an agency's integrator."""
    source = commands.add_parser("source", help="add a source: new, check, try, record, test, …")
    _add_source(source, config)
    listing = commands.add_parser("sources", help="list the declared sources, graded")
    listing.add_argument("--json", action="store_true", help="print JSON")
    _common(listing, config)
    listing.set_defaults(run="sources")


def _add_source(parser: argparse.ArgumentParser, config: Path) -> None:
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    new = commands.add_parser("new", help="write a declaration, its fixture, its line in hub.toml")
    new.add_argument("name", help="what the source is called, in camelCase")
    new.add_argument("--adapter", choices=ADAPTERS, default="rest", help="(%(default)s)")
    new.add_argument("--agency", help="the agency's name")
    new.add_argument("--agency-ko", help="the agency's name in Korean")
    checking = commands.add_parser("check", help="print every fault of declarations, with remedy")
    checking.add_argument("names", nargs="*", metavar="NAME", help="a source (default: all)")
    checking.add_argument(
        "--environment", action="store_true", help="also what only the deployed machine has"
    )
    trying = commands.add_parser("try", help="ask once; show request, response and record")
    recording = commands.add_parser("record", help="keep what went over the wire, redacted")
    for command in (trying, recording):
        command.add_argument("name", help="the source")
        command.add_argument("--person", metavar="ID", help="whom to ask about (default: anybody)")
        command.add_argument("--items", metavar="A,B", help="which items (default: all)")
        command.add_argument(
            "--test-system",
            action="store_true",
            help="ask the agency's own test system, whose people are made up, at the address in "
            "the environment (default: a stand-in)",
        )
    trying.add_argument("--case", metavar="REFERENCE", help="ask about a case")
    testing = commands.add_parser("test", help="run the conformance suite against a stand-in")
    testing.add_argument("names", nargs="*", metavar="NAME", help="a source (default: all)")
    testing.add_argument(
        "--grade",
        choices=("bronze", "silver", "gold"),
        default="bronze",
        help="exit with 1 below it (%(default)s)",
    )
    testing.add_argument(
        "--keep", action="store_true", help="keep the grade, for `hub sources` to show"
    )
    benching = commands.add_parser("bench", help="measure what asking a source costs the hub")
    benching.add_argument("name", help="the source")
    benching.add_argument(
        "--seconds", type=float, default=2.0, help="for each size of call (%(default)s)"
    )
    for command in (testing, benching):
        command.add_argument("--json", action="store_true", help="print JSON")
    for name, command in commands.choices.items():
        _common(command, config)
        command.set_defaults(run=f"source_{name}")


def _common(command: argparse.ArgumentParser, config: Path) -> None:
    command.add_argument("--config", type=Path, default=config, help="the settings (hub.toml)")
    command.add_argument(
        "--declarations",
        type=Path,
        metavar="DIR",
        help="folder of declarations (default: that of the settings)",
    )
    command.add_argument(
        "--folder", type=Path, default=_KEPT, help="where stand-ins keep things (%(default)s)"
    )
