"""The command line: make a population, serve an agency."""

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
)

from sources.fault import FaultyConfiguration
from sources.simulator.declared.serve import Places
from sources.simulator.declared.serve import serve as serve_declared
from sources.simulator.place import Place
from sources.simulator.population import FEWEST, MOST, Recipe, generate, holds
from sources.simulator.serve import serve


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0 for success, 1 for a failure told in one line, 2 for wrong usage."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "generate":
            return _generate(options)
        if options.command == "bulk":
            return _bulk(options)
        if options.command == "stand-in":
            return _stand_in(options)
        if options.command in ("caseload", "score"):
            return _caseload(options)
        return _serve(options)
    except (OSError, RuntimeError, ValueError, FaultyConfiguration) as error:
        print(f"simulator: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sources.simulator",
        description="Stand-in agencies over a synthetic population. A model: nobody in it is real.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser(
        "generate",
        help="make a population",
        description="Make a population, or say that it is there already.",
    )
    make.add_argument("--people", type=int, default=100_000, help=f"{FEWEST} to {MOST}")
    make.add_argument("--seed", type=int, default=1, help="the same seed gives the same people")
    make.add_argument("--into", type=Path, required=True, metavar="DIR", help="where to write it")
    bulk = commands.add_parser(
        "bulk",
        help="deliver a population in bulk",
        description="Write what the agencies deliver in bulk of a population, or say that it is"
        " there already.",
    )
    bulk.add_argument("--population", type=Path, required=True, metavar="DIR")
    bulk.add_argument("--declarations", type=Path, required=True, metavar="DIR")
    bulk.add_argument("--into", type=Path, required=True, metavar="DIR", help="where to write it")
    serve = commands.add_parser(
        "serve",
        help="serve one agency",
        description="Serve one agency until SIGTERM or SIGINT; print one line of JSON when ready.",
        epilog="The environment variable SIMULATOR_TOKEN holds the token that callers must send.",
    )
    names = ("resident", "tax", "labour", "property", "benefits", "officials")
    serve.add_argument("name", choices=names)
    serve.add_argument("--port", type=int, default=0, help="0 takes any free port (the default)")
    stand_in = commands.add_parser(
        "stand-in",
        help="stand in for any declared agencies",
        description="Answer for agencies by their declarations alone until SIGTERM or SIGINT; "
        "print one line of JSON for each when it is ready.",
        epilog="The environment variable SIMULATOR_TOKEN holds the token that callers must send.",
    )
    stand_in.add_argument("names", nargs="+", metavar="NAME", help="name of a declaration")
    stand_in.add_argument("--declarations", type=Path, required=True, metavar="DIR")
    stand_in.add_argument("--always", default="none", metavar="FAULT", help="broken from the start")
    stand_in.add_argument(
        "--own",
        action="append",
        default=[],
        metavar="ADAPTER=MODULE:NAME",
        help="what speaks the protocol of an adapter that is not the hub's",
    )
    delivering = commands.add_parser(
        "caseload",
        help="deliver a caseload in bulk, with a truth in it",
        description="Write what every agency delivers of a caseload, and the truth planted in it, "
        "sealed by the key (64 hexadecimal digits) on standard input.",
    )
    delivering.add_argument("--recipients", type=int, required=True, metavar="N")
    delivering.add_argument("--seed", type=int, default=1)
    delivering.add_argument("--declarations", type=Path, required=True, metavar="DIR")
    scoring = commands.add_parser(
        "score",
        help="compare findings with the sealed truth",
        description="Print one line of JSON; the key is on standard input.",
    )
    scoring.add_argument("--findings", required=True, metavar="GLOB", help="Parquet files")
    for command in (delivering, scoring):
        command.add_argument("--folder", type=Path, required=True, metavar="DIR")
    for command in (serve, stand_in):
        command.add_argument("--population", type=Path, required=True, metavar="DIR")
        command.add_argument(
            "--run", type=Path, required=True, metavar="DIR", help="records and databases"
        )
        command.add_argument("--stop-with-stdin", action="store_true", help="stop when stdin ends")
    return parser


def _generate(options: argparse.Namespace) -> int:
    recipe = Recipe(options.people, options.seed)
    if not FEWEST <= recipe.people <= MOST:
        print(
            f"simulator: `--people {recipe.people}` is out of range, give {FEWEST} to {MOST}",
            file=sys.stderr,
        )
        return 2
    into: Path = options.into
    if holds(into, recipe):
        print(f"{into} holds this population already", file=sys.stderr)
        return 0
    with Progress(
        TextColumn("making people"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    ) as progress:
        task = progress.add_task("people", total=recipe.people)
        manifest = generate(recipe, into, lambda count: progress.advance(task, count))
    print(
        f"{into} holds {manifest['people']} people in {manifest['households']} households",
        file=sys.stderr,
    )
    return 0


def _bulk(options: argparse.Namespace) -> int:
    manifest = options.population / "manifest.json"
    there = options.into / "manifest.json"
    if there.is_file() and json.loads(there.read_text()) == json.loads(manifest.read_text()):
        print(f"{options.into} holds these deliveries already", file=sys.stderr)
        return 0
    from sources.simulator.bulk import deliver  # noqa: PLC0415 - it takes long to import

    deliver(options.population, options.declarations, options.into)
    return 0


def _serve(options: argparse.Namespace) -> int:
    place = Place(options.name, options.population.resolve(), options.run.resolve(), options.port)
    return serve(place, stop_with_stdin=options.stop_with_stdin)


def _stand_in(options: argparse.Namespace) -> int:
    places = Places(
        options.declarations.resolve(),
        options.population.resolve(),
        options.run.resolve(),
        options.names,
        options.always,
        dict(each.split("=", 1) for each in options.own),
    )
    return serve_declared(places, stop_with_stdin=options.stop_with_stdin)


def _caseload(options: argparse.Namespace) -> int:
    # DuckDB is heavy, and only these two commands need it.
    from sources.simulator import caseload  # noqa: PLC0415

    key = bytes.fromhex(sys.stdin.read().strip())
    if options.command == "score":
        print(json.dumps(dataclasses.asdict(caseload.score(options.folder, options.findings, key))))
        return 0
    if not caseload.FEWEST <= options.recipients <= caseload.RECIPIENTS:
        bounds = f"give {caseload.FEWEST} to {caseload.RECIPIENTS}"
        print(
            f"simulator: {options.recipients} recipients are out of range, {bounds}",
            file=sys.stderr,
        )
        return 2
    with Progress(
        TextColumn("making {task.description}"), TimeElapsedColumn(), console=Console(stderr=True)
    ) as progress:
        task = progress.add_task("a caseload", total=None)
        caseload.deliver(
            options.folder,
            caseload.Shape(options.recipients),
            options.seed,
            key,
            lambda name: progress.update(task, description=name),
            options.declarations,
        )
    return 0
