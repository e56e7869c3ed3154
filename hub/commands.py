"""What the commands of `hub` do. Each returns the exit code."""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import sys
from pathlib import Path

from authz.purpose import Purpose
from hub import explain as explaining
from hub import logs, purposes, purposes_diff, tables
from hub.app import Plans, read_plans
from hub.config import PurposeRegister, Settings, read_settings
from hub.errors import RequestRefused
from hub.explain import Explanation, explain, rounds_of
from hub.lint import NotAdded, add, lint, text_of
from hub.manifest import Manifest, read_manifest, written
from hub.serving import serve
from hub.visible import sdl
from sources.fault import FaultyConfiguration, nearest


def run_serve(options: argparse.Namespace) -> int:
    """Serve GraphQL over the configured agencies."""
    logs.set_up()
    settings = read_settings(options.config)
    return serve(settings, options.config, options.host, options.port, options.workers)


def run_check(options: argparse.Namespace) -> int:
    """Print every fault of the configuration, or that there is none."""
    settings = read_settings(options.config)
    plans = read_plans(settings, environment=not options.no_environment)
    items = sum(not item.is_exists for item in plans.catalogue.items.values())
    print(
        f"no faults: {len(plans.catalogue.sources)} sources, {items} data items, "
        f"{len(plans.register.purposes)} purposes, register {plans.register.version[:12]}, "
        f"{len(plans.book.programmes)} programmes, rules {plans.book.version[:12]}"
    )
    return 0


def run_purposes(options: argparse.Namespace) -> int:
    """List, show or compare purposes."""
    settings = read_settings(options.config)
    if options.old is not None:
        return _purposes_diff(settings, options)
    register = read_plans(settings, environment=False).register
    if options.code is not None and options.code not in register.purposes:
        remedy = nearest(options.code, register.purposes)
        print(f"there is no purpose `{options.code}`: {remedy}", file=sys.stderr)
        return 2
    purpose = None if options.code is None else register.purposes[options.code]
    if options.json:
        whole = purposes.register_json(register)
        shown = whole if purpose is None else purposes.purpose_json(purpose)
        print(json.dumps(shown, indent=2, ensure_ascii=False))
    elif purpose is not None:
        purposes.print_purpose(purpose)
    else:
        purposes.print_list(register)
    return 0


def _purposes_diff(settings: Settings, options: argparse.Namespace) -> int:
    registers = []
    for folder in (options.old, options.new):
        of_folder = settings.model_copy(update={"register_": PurposeRegister(folder=folder)})
        registers.append(read_plans(of_folder, environment=False).register)
    changes = purposes_diff.differences(*registers)
    if options.json:
        print(json.dumps([dataclasses.asdict(change) for change in changes], indent=2))
    else:
        for change in changes:
            print(f"{change.effect}: {change.text}")
        plural = "s" if len(changes) > 1 else ""
        count = f"{len(changes)} difference{plural}" if changes else "no differences"
        print(count, file=sys.stderr)
    return int(any(change.effect == "exposes" for change in changes))


def run_explain(options: argparse.Namespace) -> int:
    """Print what would be decided and asked for a query, 1 if an item is denied; or its code."""
    settings = read_settings(options.config)
    plans = read_plans(settings, environment=False)
    purpose = _purpose(plans, options.purpose)
    if purpose is None:
        return 2
    try:
        piped = str(options.query) == "-"
        text = text_of(sys.stdin.buffer.read() if piped else options.query.read_bytes())
        if options.code:
            print(explaining.code(plans, settings.limits, text, options.operation))
            return 0
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


def run_schema(options: argparse.Namespace) -> int:
    """Print the schema, whole or as a purpose sees it."""
    plans = read_plans(read_settings(options.config), environment=False)
    purpose = None
    if options.purpose is not None:
        purpose = _purpose(plans, options.purpose)
        if purpose is None:
            return 2
    print(sdl(plans.schema, purpose))
    return 0


def run_documents_add(options: argparse.Namespace) -> int:
    """Write documents into a manifest."""
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
    except NotAdded as faulty:
        print(faulty, file=sys.stderr)
        return 1
    print(f"{len(made)} documents in the manifest, {len(made) - len(manifest)} of them new")
    return 0


def run_documents_check(options: argparse.Namespace) -> int:
    """Print what would be denied to the operations of a folder; 1 if any is."""
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
    decisions = sorted(found.decisions, key=lambda decision: decision.allowed)
    tables.show(
        f"Decisions, under {legal_basis}",
        ("Item", "For", "Decision", "Rule", "Remedy"),
        [
            (
                entry.item,
                entry.use or "",
                "allow" if entry.allowed else "deny",
                entry.rule,
                entry.remedy,
            )
            for entry in decisions
        ],
    )
    tables.show(
        f"Calls, in {len(rounds_of(found.steps))} rounds",
        ("Round", "Source", "About", "Items"),
        [(step.round, step.source, step.about, ", ".join(step.items)) for step in found.steps],
    )


def run_demo(options: argparse.Namespace) -> int:
    """Run the demo until it is stopped."""
    from hub import demo  # noqa: PLC0415 - what it needs would only make `hub serve` larger

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
