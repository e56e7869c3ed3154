"""The `hub` command."""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import uvicorn
from rich.console import Console
from rich.table import Table

from authz.register import Purpose
from hub import demo, logs, purposes
from hub.app import Plans, application, read_plans
from hub.config import PurposeRegister, Settings, read_settings
from hub.errors import RequestRefused
from hub.explain import Explanation, explain, rounds_of
from hub.lint import add, lint
from hub.manifest import Manifest, read_manifest, written
from hub.visible import sdl
from sources.fault import FaultyConfiguration, nearest

_CONFIG = Path("hub.toml")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code is 0, 1 for a failure, 2 for a wrong use or configuration."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except FaultyConfiguration as error:
        for fault in error.faults:
            print(fault, file=sys.stderr)
        count = len(error.faults)
        print(f"{count} fault{'s' if count > 1 else ''} in the configuration", file=sys.stderr)
        return 2
    except demo.DemoFailed as error:
        print(error, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hub", description="A GraphQL federation hub over agency data sources."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="serve GraphQL over the configured agencies")
    serve.add_argument("--config", type=Path, default=_CONFIG, help="the settings (hub.toml)")
    serve.add_argument("--host", help="address to listen on (default: the setting)")
    serve.add_argument("--port", type=int, help="port to listen on (default: the setting)")
    serve.set_defaults(run=_serve)

    check = commands.add_parser(
        "check", help="read settings, declarations and register; print every fault"
    )
    check.add_argument("--config", type=Path, default=_CONFIG, help="the settings (hub.toml)")
    check.add_argument(
        "--no-environment",
        action="store_true",
        help="leave out what only the deployed machine has: variables and keys",
    )
    check.set_defaults(run=_check)

    explaining = commands.add_parser(
        "explain", help="what would be decided and asked for a query, without asking"
    )
    explaining.add_argument("query", type=Path, help="file with the document, - for standard input")
    explaining.add_argument("--purpose", required=True, help="code of the purpose")
    explaining.add_argument("--operation", help="name of the operation, where there are several")
    explaining.add_argument("--json", action="store_true", help="print JSON")
    explaining.add_argument("--config", type=Path, default=_CONFIG, help="the settings (hub.toml)")
    explaining.set_defaults(run=_explain)

    schema = commands.add_parser("schema", help="print the schema, whole or as a purpose sees it")
    schema.add_argument("--purpose", help="code of the purpose (default: the whole schema)")
    schema.add_argument("--config", type=Path, default=_CONFIG, help="the settings (hub.toml)")
    schema.set_defaults(run=_schema)

    register = commands.add_parser("purposes", help="list, show or compare purposes")
    register.add_argument("--config", type=Path, default=_CONFIG, help="the settings (hub.toml)")
    register.add_argument("--json", action="store_true", help="print JSON")
    register.set_defaults(run=_purposes, code=None, old=None)
    actions = register.add_subparsers(metavar="ACTION")
    showing = actions.add_parser("show", help="one purpose, with the rule of every item")
    showing.add_argument("code", help="code of the purpose")
    comparing = actions.add_parser(
        "diff", help="what a change exposes or closes; exit code 1 if it exposes anything"
    )
    comparing.add_argument("old", type=Path, help="folder of the register before")
    comparing.add_argument("new", type=Path, help="folder of the register after")

    documents = commands.add_parser("documents", help="the manifest of trusted documents")
    _document_commands(documents)

    trying = commands.add_parser("demo", help="simulated agencies, a hub over them, one question")
    trying.add_argument("--once", action="store_true", help="print the answer as JSON and stop")
    trying.add_argument(
        "--info", type=Path, metavar="FILE", help="write addresses and tokens there"
    )
    trying.add_argument("--people", type=int, default=100_000, help="size of the population")
    trying.add_argument("--seed", type=int, default=1, help="seed of the population")
    trying.add_argument("--port", type=int, default=int(os.environ.get("PORT") or 8000))
    trying.add_argument("--folder", type=Path, default=Path(".demo"), help="where it keeps things")
    trying.add_argument("--config", type=Path, default=_CONFIG, help="the settings (hub.toml)")
    trying.set_defaults(run=_demo)

    token = commands.add_parser("token", help="print an access token of the demo")
    token.add_argument("--as", dest="person", required=True, choices=list(demo.TITLES))
    token.add_argument("--folder", type=Path, default=Path(".demo"), help="the demo's folder")
    token.set_defaults(run=_token)
    return parser


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
    adding.set_defaults(run=_documents_add)
    checking = commands.add_parser(
        "check", help="what would be denied to the operations of a folder, and why"
    )
    checking.add_argument("folder", type=Path, help="folder of `.graphql` files")
    checking.add_argument("--purpose", help="code of the purpose (default: those of the manifest)")
    checking.add_argument("--manifest", type=Path, help="the manifest that must have them")
    checking.add_argument("--json", action="store_true", help="print JSON")
    checking.set_defaults(run=_documents_check)
    for command in (adding, checking):
        command.add_argument("--config", type=Path, default=_CONFIG, help="the settings (hub.toml)")


def _serve(options: argparse.Namespace) -> int:
    logs.set_up()
    settings = read_settings(options.config)
    app = application(settings, read_plans(settings))
    uvicorn.run(
        app,
        host=options.host or settings.server.host,
        port=settings.server.port if options.port is None else options.port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # the application believes those it is told to, and no others
        timeout_graceful_shutdown=settings.server.drain,
    )
    return 0


def _check(options: argparse.Namespace) -> int:
    settings = read_settings(options.config)
    plans = read_plans(settings, environment=not options.no_environment)
    items = sum(not item.is_exists for item in plans.catalogue.items.values())
    print(
        f"no faults: {len(plans.catalogue.sources)} sources, {items} data items, "
        f"{len(plans.register.purposes)} purposes, register {plans.register.version[:12]}"
    )
    return 0


def _purposes(options: argparse.Namespace) -> int:
    settings = read_settings(options.config)
    if options.old is not None:
        return _purposes_diff(settings, options)
    register = read_plans(settings, environment=False).register
    if options.code is not None and options.code not in register.purposes:
        remedy = nearest(options.code, register.purposes)
        print(f"there is no purpose `{options.code}`: {remedy}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(purposes.as_json(register), indent=2, ensure_ascii=False))
    elif options.code is not None:
        purposes.print_purpose(register.purposes[options.code])
    else:
        purposes.print_list(register)
    return 0


def _purposes_diff(settings: Settings, options: argparse.Namespace) -> int:
    registers = []
    for folder in (options.old, options.new):
        of_folder = settings.model_copy(update={"register_": PurposeRegister(folder=folder)})
        registers.append(read_plans(of_folder, environment=False).register)
    changes = purposes.differences(*registers)
    if options.json:
        print(json.dumps([dataclasses.asdict(change) for change in changes], indent=2))
    else:
        for change in changes:
            print(f"{change.effect}: {change.text}")
        print(f"{len(changes)} differences" if changes else "no differences", file=sys.stderr)
    return int(any(change.effect == "exposes" for change in changes))


def _explain(options: argparse.Namespace) -> int:
    settings = read_settings(options.config)
    plans = read_plans(settings, environment=False)
    purpose = _purpose(plans, options.purpose)
    if purpose is None:
        return 2
    try:
        text = sys.stdin.read() if str(options.query) == "-" else options.query.read_text()
        found = explain(plans, settings.limits, purpose, text, options.operation)
    except OSError as error:
        print(f"`{options.query}` cannot be read: {error.strerror}", file=sys.stderr)
        return 2
    except RequestRefused as refusal:
        for entry in refusal.errors:
            print(entry, file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(dataclasses.asdict(found), indent=2))
    else:
        _print_explanation(found, purpose.legal_basis.text)
    return 0 if all(decision.allowed for decision in found.decisions) else 1


def _purpose(plans: Plans, code: str) -> Purpose | None:
    """The purpose of a code; where there is none, that is told."""
    purpose = plans.register.purposes.get(code)
    if purpose is None:
        remedy = nearest(code, plans.register.purposes)
        print(f"there is no purpose `{code}`: {remedy}", file=sys.stderr)
    return purpose


def _schema(options: argparse.Namespace) -> int:
    plans = read_plans(read_settings(options.config), environment=False)
    purpose = None
    if options.purpose is not None:
        purpose = _purpose(plans, options.purpose)
        if purpose is None:
            return 2
    print(sdl(plans.schema, purpose))
    return 0


def _documents_add(options: argparse.Namespace) -> int:
    settings = read_settings(options.config)
    plans = read_plans(settings, environment=False)
    if any(_purpose(plans, code) is None for code in options.purposes):
        return 2
    manifest = _manifest(options.manifest, plans) if options.manifest.exists() else {}
    try:
        made = add(plans, settings.limits, manifest, options.files, options.purposes)
        options.manifest.write_text(written(made), encoding="utf-8")
    except OSError as error:
        print(f"`{error.filename}`: {error.strerror}", file=sys.stderr)
        return 2
    except RequestRefused as refusal:
        for entry in refusal.errors:
            print(entry, file=sys.stderr)
        return 1
    print(f"{len(made)} documents in the manifest, {len(made) - len(manifest)} of them new")
    return 0


def _documents_check(options: argparse.Namespace) -> int:
    settings = read_settings(options.config)
    plans = read_plans(settings, environment=False)
    purpose = None
    if options.purpose is not None:
        purpose = _purpose(plans, options.purpose)
        if purpose is None:
            return 2
    if purpose is None and options.manifest is None:
        print("name the purposes: by `--purpose`, or by `--manifest`", file=sys.stderr)
        return 2
    manifest = _manifest(options.manifest, plans) if options.manifest else None
    findings = list(lint(plans, settings.limits, options.folder, purpose, manifest))
    if not findings:
        print(f"there is no `.graphql` file in `{options.folder}`", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps([dataclasses.asdict(finding) for finding in findings], indent=2))
    else:
        print(*findings, sep="\n")
    return 0 if all(finding.verdict == "allowed" for finding in findings) else 1


def _manifest(path: Path, plans: Plans) -> Manifest:
    manifest, faults = read_manifest(path, plans.register.purposes)
    if faults:
        raise FaultyConfiguration(faults)
    return manifest


def _print_explanation(found: Explanation, legal_basis: str) -> None:
    console = Console()
    decisions = Table("Item", "Decision", "Rule", "Remedy", title=f"Decisions, under {legal_basis}")
    for decision in found.decisions:
        word = "allow" if decision.allowed else "deny"
        decisions.add_row(decision.item, word, decision.rule, decision.remedy)
    console.print(decisions)
    rounds = rounds_of(found.steps)
    steps = Table("Round", "Source", "About", "Items", title=f"Calls, in {len(rounds)} rounds")
    for step in found.steps:
        steps.add_row(step.round, step.source, step.about, ", ".join(step.items))
    console.print(steps)


def _demo(options: argparse.Namespace) -> int:
    logs.set_up(logging.WARNING)
    return demo.run(
        demo.Options(
            folder=options.folder,
            port=options.port,
            people=options.people,
            seed=options.seed,
            once=options.once,
            info=options.info,
            config=options.config,
        )
    )


def _token(options: argparse.Namespace) -> int:
    print(demo.token(options.folder, options.person))
    return 0


if __name__ == "__main__":
    sys.exit(main())
