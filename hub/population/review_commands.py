"""What the commands of `hub review` do. Each returns the exit code."""

from __future__ import annotations

import argparse
import dataclasses
import json
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from hub import tables
from hub.app import Plans, read_plans
from hub.budget import Budgets
from hub.config import Settings, read_settings
from hub.gather import Gatherer
from hub.population import quality
from hub.population.examining import examine
from hub.population.log import QueryLog, opened, operator
from hub.population.review_demo import run_demo
from hub.population.review_engine import DuckDB, Engine
from hub.population.reviewed import NotReviewable
from hub.population.run import Done, review
from hub.population.wanted import PURPOSE, Agencies, NotYet, Place, Progress, Refused, Wanted
from hub.querylog.store import LogUnavailable
from schema.working_days import today
from sources.fault import FaultyConfiguration


def run_review_run(options: argparse.Namespace) -> int:
    """Review a caseload, or go on with it."""
    if options.demo:
        return run_demo(options)
    if not options.programmes:
        print("name the programmes: by `--programme`, or try `--demo`", file=sys.stderr)
        return 2
    started = time.perf_counter()
    settings = read_settings(options.config)
    folder = options.folder or settings.reviews.folder
    wanted = Wanted(
        tuple(dict.fromkeys(options.programmes)),
        options.day or today(),
        folder.resolve(),
        options.batches,
    )
    try:
        with _place(settings, options, wanted.folder) as place, _bars() as progress:
            done = review(place, wanted, progress)
    except NotYet as error:
        print(error, file=sys.stderr)
        print(f"run it again later, with `--as-of {wanted.day}`: it goes on", file=sys.stderr)
        return 3
    except (Refused, NotReviewable, LogUnavailable) as error:
        _show_quality(getattr(error, "reports", ()), sys.stderr)
        print(error, file=sys.stderr)
        return 1
    _show(done, options, time.perf_counter() - started)
    return 0


def run_review_quality(options: argparse.Namespace) -> int:
    """Examine the newest deliveries and show their quality; 1 if one is refused."""
    settings = read_settings(options.config)
    folder = options.folder or settings.reviews.folder
    wanted = Wanted((), options.day or today(), folder.resolve())
    options.engine, options.memory, options.reason = "duckdb", "3GB", "quality of deliveries"
    options.live = False
    try:
        with _place(settings, options, wanted.folder) as place:
            reports, reasons = examine(place, wanted)
    except Refused as error:
        reports, reasons = error.reports, error.reasons
    if options.json:
        print(json.dumps([dataclasses.asdict(report) for report in reports], ensure_ascii=False))
    else:
        _show_quality(reports, sys.stdout)
    print(*reasons, sep="\n", file=sys.stderr)
    return 1 if reasons else 0


@contextmanager
def _place(settings: Settings, options: argparse.Namespace, folder: Path) -> Iterator[Place]:
    plans = read_plans(settings, environment=False)
    purpose = plans.register.purposes.get(PURPOSE)
    if purpose is None:
        raise Refused([f"the register has no purpose `{PURPOSE}`: reviews are made for it"])
    engine = _engine(options, folder)
    with opened(settings, purpose, plans.register.version, options.reason) as log:
        place = Place(plans.catalogue, plans.book, purpose, plans.register.version, engine, log)
        if not options.live:
            yield place
            return
        agencies = log.runner.run(_agencies(plans, log))
        try:
            yield dataclasses.replace(place, agencies=agencies)
        finally:
            log.runner.run(agencies.gatherer.close())


async def _agencies(plans: Plans, log: QueryLog) -> Agencies:
    """The agencies that deliver nothing in bulk, ready to be asked. Raises FaultyConfiguration."""
    catalogue = plans.catalogue
    sources = {
        name: source
        for name, source in catalogue.sources.items()
        if source.bulk is None and source.found_by is None
    }
    kinds = {name: plans.adapters[source.adapter] for name, source in sources.items()}
    faults = [fault for name, source in sources.items() for fault in kinds[name].check(source)]
    if faults:
        raise FaultyConfiguration(faults)
    adapters = {name: kinds[name](source) for name, source in sources.items()}
    gatherer = Gatherer(catalogue, adapters, Budgets(log.store.engine))
    return Agencies(frozenset(sources), gatherer, log.runner, operator())


def _engine(options: argparse.Namespace, folder: Path) -> Engine:
    if options.engine == "spark":
        from hub.population.spark import Spark  # noqa: PLC0415 - an extra, asked for by name

        return Spark(folder / "spill", options.memory)
    return DuckDB(folder / "spill", options.memory)


@contextmanager
def _bars() -> Iterator[Progress]:
    with Bars(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    ) as bars:
        task = bars.add_task("starting", total=None)
        yield Progress(
            stage=lambda name: bars.update(task, description=name),
            batch=lambda done, total: bars.update(
                task, description="testing", completed=done, total=total
            ),
        )


def peak_megabytes() -> int:
    """The most memory that this process has had, its children's too, in megabytes."""
    of_both = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(who).ru_maxrss for who in of_both) // 1024


def _show(done: Done, options: argparse.Namespace, seconds: float) -> None:
    if options.json:
        told = {
            "reviewed": done.reviewed,
            "seconds": round(seconds, 1),
            "cpu_seconds": round(time.process_time(), 1),
            "peak_mb": peak_megabytes(),
            "people": done.people,
            "findings": done.findings,
            "asked": done.asked,
            "folder": str(done.folder),
            "not_told": list(done.not_told),
        }
        print(json.dumps(told, ensure_ascii=False))
        return
    _show_quality(done.reports, sys.stdout)
    rows = [(kind, f"{count:,}") for kind, count in sorted(done.findings.items())]
    tables.show(f"{done.reviewed:,} recipients reviewed", ("Finding", "People"), rows)
    asked = [(name, f"{one['people']:,}", f"{one['told']:,}") for name, one in done.asked.items()]
    if asked:
        tables.show("Agencies asked", ("Source", "People", "Told"), asked)
    for name in done.not_told:
        print(f"not told by any delivery: {name}", file=sys.stderr)
    print(f"findings and results: {done.folder}")


def _show_quality(reports: Sequence[quality.Report], stream: TextIO) -> None:
    if not reports:
        return
    rows = [
        (
            report.source,
            report.day,
            name or "people",
            f"{part.rows:,}",
            f"{part.people:,}",
            f"{part.unmatched:,}",
            _changed(report),
            "; ".join(refusal.reason for refusal in report.refusals) or "good",
        )
        for report in reports
        for name, part in report.parts.items()
    ]
    names = ("Source", "Of", "Part", "Rows", "People", "Unmatched", "Since", "Quality")
    tables.show("Deliveries", names, rows, stream=stream)


def _changed(report: quality.Report) -> str:
    return report.since or "the first"
