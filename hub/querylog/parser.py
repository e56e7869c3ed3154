"""How `hub log` is asked for. What is done stands in `hub/querylog/commands.py`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

MODULES = {
    f"log_{name}": "hub.querylog.commands"
    for name in ("key", "migrate", "verify", "prove", "check_proof", "witness", "shred")
}
"""Where these commands are done."""

Commands = Any
"""What argparse gives for adding commands to; it has no public name."""


def add(commands: Commands) -> Commands:
    """The commands about the query log; more may be added to what is given back."""
    parser = commands.add_parser("log", help="the query log: verify, prove, witness, migrate, …")
    log = parser.add_subparsers(required=True, metavar="COMMAND")

    verifying = log.add_parser(
        "verify",
        help="read the whole store; say what was altered, cut, reordered or forked",
        description="Exit code 0: nothing was; 1: something was; 2: the store cannot be read.",
    )
    verifying.add_argument(
        "--from", dest="since", type=Path, metavar="CHECKPOINT", help="file of one kept before"
    )
    verifying.add_argument("--json", action="store_true", help="print JSON")
    _common(verifying, "verify")

    proving = log.add_parser("prove", help="a proof of a record that anyone can check offline")
    proving.add_argument("place", type=int, help="the record's place in the tree")
    proving.add_argument("--into", type=Path, metavar="FILE", help="where to (standard output)")
    _common(proving, "prove")

    checking = log.add_parser("check-proof", help="check a proof, offline; exit code 1 if it fails")
    checking.add_argument("proof", type=Path, help="file that `hub log prove` wrote")
    _verifiers(checking)
    checking.set_defaults(run="log_check_proof")

    witnessing = log.add_parser("witness", help="remember what a log signs; cosign, or find a fork")
    witnessing.add_argument("--log", required=True, metavar="URL", help="address, with `/log`")
    witnessing.add_argument("--key", type=Path, required=True, help="file of the witness's key")
    witnessing.add_argument("--state", type=Path, required=True, help="file of what it has seen")
    witnessing.add_argument(
        "--every", type=float, metavar="SECONDS", help="look again and again (default: once)"
    )
    _verifiers(witnessing)
    witnessing.set_defaults(run="log_witness")

    making = log.add_parser("key", help="make a key that signs a log, or a witness's")
    making.add_argument("name", help="name of the log: its address without scheme, or a witness's")
    making.add_argument("--into", type=Path, required=True, metavar="FILE", help="a new file")
    making.add_argument("--witness", action="store_true", help="a witness's")
    making.set_defaults(run="log_key")

    migrating = log.add_parser("migrate", help="bring a store to this hub's tables, while hubs run")
    _common(migrating, "migrate")

    shredding = log.add_parser("shred", help="destroy details that are not to be kept any longer")
    shredding.add_argument("--dry-run", action="store_true", help="only say which")
    _common(shredding, "shred")
    return log


def _common(parser: argparse.ArgumentParser, name: str) -> None:
    parser.add_argument("--store", metavar="ADDRESS", help="the store (default: the demo's)")
    parser.add_argument("--config", type=Path, help="settings that name store and keys (hub.toml)")
    parser.add_argument(
        "--folder", type=Path, default=Path(".demo"), help="the demo's folder (%(default)s)"
    )
    parser.add_argument("--sealing-key", type=Path, metavar="FILE", help="opens the details")
    _verifiers(parser)
    parser.set_defaults(run=f"log_{name}")


def _verifiers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--verifier", metavar="KEY", action="append", default=[], help="of the log: it, or a file"
    )
    parser.add_argument(
        "--witness-verifier", metavar="KEY", action="append", default=[], help="of a witness"
    )
