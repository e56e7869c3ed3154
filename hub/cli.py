"""The `hub` command: what can be asked of it. What is done stands in `hub/commands.py`."""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from hub.kit import parser as kit
from hub.persons import TITLES, DemoFailed
from hub.population import review_parser
from hub.querylog import parser as querylog
from hub.reading import parser as reading
from sources.fault import FaultyConfiguration

_CONFIG = Path("hub.toml")
_MODULES = {
    "token": "hub.issuer",
    "programmes": "hub.programmes",
    "catalogue": "hub.catalogue",
    **kit.MODULES,
    **querylog.MODULES,
    **reading.MODULES,
    **review_parser.MODULES,
    "notices": "hub.oversight.command",
    "corrections": "hub.corrections.command",
    "corrections_settle": "hub.corrections.command",
    "schema_diff": "hub.schema_diff",
}
"""Where the commands stand that are not in `hub/commands.py`."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code is 0, 1 for a failure, 2 for a wrong use or configuration."""
    # Nearly all that is made while it starts stays: to look for circles in it takes a fifth longer.
    gc.set_threshold(100_000, 20, 100)
    options = _parser().parse_args(arguments)
    # What a command needs is imported when it is asked for: `hub token` is part of every `curl`.
    module = importlib.import_module(_MODULES.get(options.run, "hub.commands"))
    try:
        return int(getattr(module, f"run_{options.run}")(options))
    except FaultyConfiguration as error:
        for fault in error.faults:
            print(fault, file=sys.stderr)
        count = len(error.faults)
        print(f"{count} fault{'s' if count > 1 else ''} in the configuration", file=sys.stderr)
        return 2
    except DemoFailed as error:
        print(error, file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Whoever read the output has had enough of it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hub", description="A GraphQL federation hub over agency data sources."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="serve GraphQL over the configured agencies")
    serve.add_argument("--config", type=Path, default=_CONFIG, help="the settings (hub.toml)")
    serve.add_argument("--host", help="address to listen on (default: the setting)")
    serve.add_argument("--port", type=_port, help="port to listen on (default: the setting)")
    serve.add_argument(
        "--workers", type=_workers, default=1, help="processes that share the port (default: 1)"
    )
    serve.set_defaults(run="serve")

    check = commands.add_parser(
        "check", help="read settings, declarations and register; print every fault"
    )
    check.add_argument("--config", type=Path, default=_CONFIG, help="the settings (hub.toml)")
    check.add_argument(
        "--no-environment",
        action="store_true",
        help="leave out what only the deployed machine has: variables and keys",
    )
    check.set_defaults(run="check")

    explaining = commands.add_parser(
        "explain", help="what would be decided and asked for a query, without asking"
    )
    explaining.add_argument("query", type=Path, help="file with the document, - for standard input")
    explaining.add_argument("--purpose", required=True, help="code of the purpose")
    explaining.add_argument("--operation", help="name of the operation, where there are several")
    explaining.add_argument("--json", action="store_true", help="print JSON")
    explaining.add_argument(
        "--code", action="store_true", help="print the code that it is compiled to"
    )
    explaining.add_argument("--config", type=Path, default=_CONFIG, help="the settings (hub.toml)")
    explaining.set_defaults(run="explain")

    _schema_command(commands.add_parser("schema", help="print the schema, or compare two"))

    for name, says, add in (
        ("purposes", "list, show or compare purposes", _purposes_command),
        ("catalogue", "list every declaration", _catalogue_command),
        ("programmes", "list the programmes", _programmes_command),
        ("notices", "what recipients wait to be told", _notices_command),
        ("corrections", "values marked as wrong, for their sources", _corrections_command),
    ):
        add(commands.add_parser(name, help=says))

    documents = commands.add_parser("documents", help="the manifest of trusted documents")
    _document_commands(documents)

    kit.add(commands, _CONFIG)
    reading.add(querylog.add(commands))
    review_parser.add(commands, _CONFIG)

    trying = commands.add_parser("demo", help="simulated agencies, a hub over them, one question")
    trying.add_argument("--once", action="store_true", help="print the answer as JSON and stop")
    trying.add_argument(
        "--info", type=Path, metavar="FILE", help="write addresses and tokens there"
    )
    trying.add_argument(
        "--people", type=int, default=100_000, help="size of the population (%(default)s)"
    )
    trying.add_argument("--seed", type=int, default=1, help="seed of the population (%(default)s)")
    trying.add_argument(
        "--port",
        type=_port,
        default=os.environ.get("PORT") or "8000",
        help="port of the hub; 0 takes a free one (PORT in the environment, else 8000)",
    )
    trying.add_argument(
        "--folder", type=Path, default=Path(".demo"), help="where it keeps things (%(default)s)"
    )
    trying.add_argument("--config", type=Path, default=_CONFIG, help="the settings (hub.toml)")
    trying.set_defaults(run="demo")

    token = commands.add_parser("token", help="print an access token of the demo")
    token.add_argument("--as", dest="person", required=True, choices=list(TITLES), help="whose")
    token.add_argument("--folder", type=Path, default=Path(".demo"), help="the demo's folder")
    token.set_defaults(run="token")
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"`{text}` is no port: give a number from 0 to 65535")
    return int(text)


def _workers(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 64:
        raise argparse.ArgumentTypeError(f"`{text}` is no number of workers: give one from 1 to 64")
    return int(text)


def _schema_command(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--purpose", help="code of the purpose (default: the whole schema)")
    parser.add_argument("--config", type=Path, default=_CONFIG, help="the settings (hub.toml)")
    parser.set_defaults(run="schema")
    actions = parser.add_subparsers(metavar="ACTION")
    comparing = actions.add_parser(
        "diff", help="what a change of declarations does to clients; exit code 1 if it breaks any"
    )
    for name, when in (("old", "before"), ("new", "after")):
        comparing.add_argument(
            name, type=Path, help=f"folder of the declarations {when}, or a file of settings"
        )
    comparing.add_argument("--json", action="store_true", help="print JSON")
    comparing.set_defaults(run="schema_diff")


def _purposes_command(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, default=_CONFIG, help="the settings (hub.toml)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run="purposes", code=None, old=None)
    actions = parser.add_subparsers(metavar="ACTION")
    showing = actions.add_parser("show", help="one purpose: its terms, and the rule of every item")
    showing.add_argument("code", help="code of the purpose")
    comparing = actions.add_parser(
        "diff", help="what a change exposes or closes; exit code 1 if it exposes anything"
    )
    comparing.add_argument("old", type=Path, help="folder of the register before")
    comparing.add_argument("new", type=Path, help="folder of the register after")
    for action in (showing, comparing):
        # Also behind the action, where people write it; in front of it, it stands as given.
        action.add_argument(
            "--json", action="store_true", default=argparse.SUPPRESS, help="print JSON"
        )


def _catalogue_command(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", help="a source, to show its items")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--docs", type=Path, metavar="FOLDER", help="write the pages about the enabled sources"
    )
    parser.add_argument("--config", type=Path, default=_CONFIG, help="the settings (hub.toml)")
    parser.set_defaults(run="catalogue")


def _notices_command(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--export", type=Path, metavar="FILE", help="write them there, as JSON lines, and mark them"
    )
    parser.add_argument("--config", type=Path, default=_CONFIG, help="the settings (hub.toml)")
    parser.set_defaults(run="notices")


def _corrections_command(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--source", help="those of this source")
    parser.add_argument(
        "--export",
        type=Path,
        metavar="FILE",
        help="write those not brought to their source yet there, as JSON lines, and mark them",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--config", type=Path, default=_CONFIG, help="the settings (hub.toml)")
    parser.set_defaults(run="corrections")
    actions = parser.add_subparsers(metavar="ACTION")
    settling = actions.add_parser("settle", help="note what a source did about a ticket")
    settling.add_argument("ticket", help="the ticket's id")
    settling.add_argument("did", choices=("confirmed", "rejected"), help="what the source did")
    settling.add_argument("--reply", required=True, help="what the source replied")
    settling.set_defaults(run="corrections_settle")


def _programmes_command(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--year", type=int, help="as they are in a year (default: this one)")
    parser.set_defaults(run="programmes")


def _document_commands(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    adding = commands.add_parser("add", help="write documents into a manifest")
    adding.add_argument("files", type=Path, nargs="+", metavar="FILE", help="a GraphQL document")
    adding.add_argument(
        "--purpose",
        dest="purposes",
        action="append",
        required=True,
        help="code of a purpose that they are bound to; may be given again",
    )
    adding.add_argument("--manifest", type=Path, required=True, help="the manifest's file")
    adding.set_defaults(run="documents_add")
    checking = commands.add_parser(
        "check", help="what would be denied to the operations of a folder, and why"
    )
    checking.add_argument("folder", type=Path, help="folder of `.graphql` files")
    checking.add_argument("--purpose", help="code of the purpose (default: those of the manifest)")
    checking.add_argument("--manifest", type=Path, help="the manifest that must have them")
    checking.add_argument("--json", action="store_true", help="print JSON")
    checking.set_defaults(run="documents_check")
    for command in (adding, checking):
        command.add_argument("--config", type=Path, default=_CONFIG, help="the settings (hub.toml)")


if __name__ == "__main__":
    sys.exit(main())
