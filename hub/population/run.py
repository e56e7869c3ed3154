"""Runs a review: deliveries examined, facts laid out in batches, each batch tested and logged.

A review is known by what it is of: the same programmes, day, rules and deliveries give the same, in
the same folder. Killed at any moment, it goes on with the batch after the last that was finished: a
batch is on disk before it is logged, logged once, and found only when it is logged.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from authz.register import Purpose
from hub.population import quality
from hub.population.deliveries import (
    KEY,
    Delivery,
    DeliveryRefused,
    delivering,
    newest,
    table,
)
from hub.population.facts import HOUSEHOLD, Facts
from hub.population.review import DATES, RECEIPT, NotReviewable, Reviewed, Tables
from hub.population.review import applicants as find_applicants
from hub.population.review import findings as find_findings
from hub.population.review import results as find_results
from hub.population.review_engine import Engine
from hub.population.undecided import decide_by_bounds
from schema.law import law
from schema.rules.book import Book
from sources.declaration import Catalogue, Item

PURPOSE = "confirmation-survey"
_PER_BATCH = 500_000
"""People of one batch, about."""
_ITEMS = ("programme", "office", "month", "amount", "state")
_CALLED = uuid.UUID("8d6f4d1e-63c1-4f7c-9f8e-2c1f0f3f6f10")


class ReviewLog(Protocol):
    """What a review writes to the query log."""

    def begin(self, operation: uuid.UUID, facts: Mapping[str, Any]) -> None:
        """Make it durable what will be read, and why, before it is. Raises LogUnavailable."""

    def batch(self, operation: uuid.UUID, facts: Mapping[str, Any], people: Path) -> None:
        """Make it durable once, whatever is tried again, whom a batch is about."""


@dataclass(frozen=True)
class Wanted:
    """What is to be reviewed, where reviews are kept, in how many batches (None: as are due)."""

    programmes: tuple[str, ...]
    day: datetime.date
    folder: Path
    batches: int | None = None


@dataclass(frozen=True)
class Place:
    """What a review rests on."""

    catalogue: Catalogue
    book: Book
    purpose: Purpose
    register_version: str
    engine: Engine
    log: ReviewLog


@dataclass(frozen=True)
class Progress:
    """Told of what is being done: a stage by name, then batches done of all."""

    stage: Callable[[str], None]
    batch: Callable[[int, int], None]


@dataclass(frozen=True)
class Done:
    """A finished review: where it is, how many recipients it reviewed, findings by kind."""

    folder: Path
    reviewed: int
    people: int
    findings: Mapping[str, int]
    not_told: tuple[str, ...]
    reports: tuple[quality.Report, ...]


class Refused(Exception):
    """A review that may not be made, or has no good deliveries: every reason with its remedy."""

    def __init__(self, reasons: Sequence[str], reports: Sequence[quality.Report] = ()) -> None:
        super().__init__("\n".join(reasons))
        self.reasons, self.reports = tuple(reasons), tuple(reports)


def review(place: Place, wanted: Wanted, progress: Progress) -> Done:
    """Make a review, or go on with it. Raises Refused, NotReviewable, LogUnavailable."""
    progress.stage("looking for deliveries")
    deliveries, lacking = _deliveries(place, wanted)
    if lacking:
        raise Refused(lacking)
    reviewed = _reviewed(place, wanted)
    facts = Facts(
        place.engine.backend, place.catalogue, deliveries, place.book, reviewed.facts, wanted.day
    )
    items = _may_use(place, facts)
    progress.stage("examining deliveries")
    reports, reasons = _examined(place, wanted, deliveries)
    if reasons:
        raise Refused(reasons, reports)
    reviewed = replace(reviewed, month=_month(place, deliveries, reviewed, wanted.day))
    identity = _identity(place, reviewed, reports)
    folder = wanted.folder / identity[:16]
    if (folder / "done.json").exists():
        return _done(folder, reports)
    folder.mkdir(parents=True, exist_ok=True)
    called = uuid.uuid5(_CALLED, identity)
    _begin(place, reviewed, items, reports, called, folder)
    batches = wanted.batches or max(1, -(-reports[0].parts[""].rows // _PER_BATCH))
    batches = _lay_out(place, facts, deliveries, folder, batches, progress)
    work = _prepared(place.engine, reviewed, folder)
    for number in range(batches):
        progress.batch(number, batches)
        if not (folder / "findings" / f"{number:04}.parquet").exists():
            _batch(place, work, folder, number, called)
    progress.batch(batches, batches)
    shutil.rmtree(folder / "people", ignore_errors=True)
    shutil.rmtree(folder / "receipts", ignore_errors=True)
    _finish(place, deliveries, items, folder)
    return _done(folder, reports)


def examine(place: Place, wanted: Wanted) -> tuple[tuple[quality.Report, ...], tuple[str, ...]]:
    """The quality of every newest delivery, kept, and every reason why one is not used."""
    deliveries, lacking = _deliveries(place, wanted)
    reports, reasons = _examined(place, wanted, deliveries)
    return reports, (*lacking, *reasons)


def _deliveries(place: Place, wanted: Wanted) -> tuple[dict[str, Delivery], list[str]]:
    """The newest delivery of each source, the register of identity first; and those that lack."""
    found, reasons = {}, []
    sources = delivering(place.catalogue)
    for source in sorted(sources, key=lambda one: one.name != place.catalogue.identity):
        try:
            found[source.name] = newest(source, wanted.day, wanted.folder / "drawn")
        except DeliveryRefused as refusal:
            reasons.append(str(refusal))
    reasons += [
        f"{name}: it declares no `[bulk]`; no review goes without it"
        for name in (place.catalogue.identity, *_receipt_sources(place.catalogue))
        if name not in {source.name for source in sources}
    ]
    return found, reasons


def _receipt_sources(catalogue: Catalogue) -> list[str]:
    items = catalogue.at(f"{RECEIPT}programme")
    return list(dict.fromkeys(item.source for item in items)) or [catalogue.cases]


def _reviewed(place: Place, wanted: Wanted) -> Reviewed:
    reviewed = Reviewed(place.book, law().receipts, wanted.programmes, wanted.day, "")
    outside = [key for key in wanted.programmes if key not in place.purpose.programmes]
    if place.purpose.programmes and outside:
        raise NotReviewable(f"`{PURPOSE}` is not for {', '.join(f'`{key}`' for key in outside)}")
    for key in wanted.programmes:
        reviewed.programme(key)
    return reviewed


def _may_use(place: Place, facts: Facts) -> tuple[Item, ...]:
    """The items that the review reads, every one of which the purpose allows. Raises Refused."""
    catalogue, purpose = place.catalogue, place.purpose
    of_tests = facts.items()
    of_receipts = [
        *(item for name in _ITEMS for item in catalogue.at(RECEIPT + name)),
        *(item for at in DATES.values() for item in catalogue.at(at)),
    ]
    refusals = []
    for derivation, items in (("meansTest.result", of_tests), ("duplicateReceipts", of_receipts)):
        decision = purpose.derivations.get(derivation)
        derived = decision is not None and decision.allowed
        refusals += [
            f"{item.name}: `{purpose.code}` does not allow it; allow it or `{derivation}`"
            for item in items
            if item.name in purpose.prohibited
            or not (derived or purpose.decisions[item.name].allowed)
        ]
    if refusals:
        raise Refused(sorted(set(refusals)))
    return tuple({item.name: item for item in (*of_tests, *of_receipts)}.values())


def _examined(
    place: Place, wanted: Wanted, deliveries: Mapping[str, Delivery]
) -> tuple[tuple[quality.Report, ...], tuple[str, ...]]:
    """The quality of every delivery, kept; and why some are not used."""
    backend, folder = place.engine.backend, wanted.folder / "quality"
    reports, reasons = [], []
    register = None
    for name, delivery in deliveries.items():
        try:
            if register is None:
                register = table(backend, delivery).select(KEY)
            last = quality.kept_before(folder, name, delivery.day)
            report = quality.examine(backend, delivery, register, last)
        except DeliveryRefused as refusal:
            reasons.append(str(refusal))
            if register is None or name == place.catalogue.identity:
                break  # Nothing can be said of the others without whom they are compared with.
            continue
        quality.keep_report(folder, report)
        reports.append(report)
        reasons += [f"{name}: {one.reason}; {one.remedy}" for one in report.refusals]
    return tuple(reports), tuple(reasons)


def _receipts(place: Place, deliveries: Mapping[str, Delivery]) -> Any:
    """Every receipt delivered, whatever the sources."""
    found = None
    for name in _receipt_sources(place.catalogue):
        columns = {}
        for column in _ITEMS:
            [item] = [item for item in place.catalogue.at(RECEIPT + column) if item.source == name]
            columns[column] = item.path[-1]
        rows = table(place.engine.backend, deliveries[name], item.path[0])
        rows = rows.select(KEY, **{column: rows[path] for column, path in columns.items()})
        found = rows if found is None else found.union(rows)
    return found


def _month(
    place: Place, deliveries: Mapping[str, Delivery], reviewed: Reviewed, day: datetime.date
) -> str:
    """The month that is reviewed: the last of which anything is paid, up to the day's."""
    rows = _receipts(place, deliveries)
    paid = rows.filter(
        rows.programme.isin(reviewed.programmes)
        & (rows.state == "paid")
        & (rows.month <= f"{day:%Y-%m}")
    )
    month = place.engine.backend.to_pyarrow(paid.month.max()).as_py()
    if month is None:
        named = ", ".join(f"`{key}`" for key in reviewed.programmes)
        raise NotReviewable(f"nobody is paid {named} until {day}: there is nothing to review")
    return str(month)


def _identity(place: Place, reviewed: Reviewed, reports: Sequence[quality.Report]) -> str:
    about = {
        "programmes": reviewed.programmes,
        "day": str(reviewed.day),
        "rules": reviewed.book.version,
        "register": place.register_version,
        "deliveries": {report.source: [report.day, report.digest] for report in reports},
    }
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()


def _begin(
    place: Place,
    reviewed: Reviewed,
    items: Sequence[Item],
    reports: Sequence[quality.Report],
    called: uuid.UUID,
    folder: Path,
) -> None:
    facts = {
        "review": folder.name,
        "programmes": list(reviewed.programmes),
        "asOf": str(reviewed.day),
        "rules": reviewed.book.version,
        "requested": sorted(item.name for item in items),
        "deliveries": {report.source: report.day for report in reports},
    }
    place.log.begin(called, facts)
    whole = {**facts, "month": reviewed.month, "steps": list(reviewed.steps)}
    _write(folder / "review.json", whole)


def _lay_out(
    place: Place,
    facts: Facts,
    deliveries: Mapping[str, Delivery],
    folder: Path,
    batches: int,
    progress: Progress,
) -> int:
    """Everyone's facts and receipts on disk, household by household in batches; how many."""
    if (folder / "laid-out.json").exists():
        return int(json.loads((folder / "laid-out.json").read_text("utf-8"))["batches"])
    progress.stage("laying out everyone's facts")
    people = facts.people(DATES)
    place.engine.write_parts(
        people.mutate(batch=place.engine.place_of(people[HOUSEHOLD], batches)), folder / "people"
    )
    progress.stage("laying out receipts")
    receipts = _receipts(place, deliveries)
    whose = place.engine.read(folder / "people").select(KEY, "batch")
    placed = receipts.left_join(whose, KEY).drop(f"{KEY}_right")
    unknown = place.engine.place_of(placed[KEY], batches)
    placed = placed.mutate(batch=placed.batch.cast("int64").coalesce(unknown))
    place.engine.write_parts(placed, folder / "receipts")
    _write(folder / "laid-out.json", {"batches": batches})
    return batches


def _batch(place: Place, work: Work, folder: Path, number: int, called: uuid.UUID) -> None:
    """Test and log one batch, or log the one that was tested when the review was killed."""
    engine = place.engine
    found, tested = (folder / name / f"{number:04}.parquet" for name in ("findings", "results"))
    ready = found.with_suffix(".ready")
    if not ready.exists():
        for path in (found, tested):
            path.parent.mkdir(exist_ok=True)
        for name in ("people", "receipts"):
            engine.bind(f"batch_{name}", folder / name, number)
        engine.keep("applying", work.applicants)
        engine.keep("tested", work.results)
        decide_by_bounds(
            engine, work.reviewed, work.tables, work.tested, tested.with_suffix(".decided")
        )
        engine.write("SELECT * FROM tested", tested)
        engine.write(work.findings, ready)
    facts = {
        "review": folder.name,
        "programmes": list(work.reviewed.programmes),
        "batch": number,
        "results": _digest(tested),
        "findings": _digest(ready),
    }
    people = folder / "people" / f"batch={number}"
    place.log.batch(uuid.uuid5(called, str(number)), facts, people)
    # Invariant: nothing is found by anyone before it is logged whom the batch is about.
    ready.rename(found)


@dataclass(frozen=True)
class Work:
    """What is done with every batch, compiled once: tables by name, and queries over them."""

    reviewed: Reviewed
    tables: Tables
    tested: Any
    applicants: str
    results: str
    findings: str


def _prepared(engine: Engine, reviewed: Reviewed, folder: Path) -> Work:
    import ibis  # noqa: PLC0415 - heavy, and needed only where populations are read

    def named(name: str, table: Any) -> Any:
        return ibis.table(table.schema(), name=name)

    people, receipts = (engine.read(folder / name).drop("batch") for name in ("people", "receipts"))
    tables = Tables(named("batch_people", people), named("batch_receipts", receipts))
    applying = find_applicants(reviewed, tables)
    tested = find_results(reviewed, tables, named("applying", applying))
    done = named("tested", tested)
    return Work(
        reviewed=reviewed,
        tables=tables,
        tested=done,
        applicants=engine.compiled(applying),
        results=engine.compiled(tested),
        findings=engine.compiled(find_findings(reviewed, tables, done)),
    )


def _digest(path: Path) -> str:
    whole = hashlib.sha256()
    for file in [path] if path.is_file() else sorted(path.glob("*.parquet")):
        whole.update(file.read_bytes())
    return whole.hexdigest()


def _finish(
    place: Place,
    deliveries: Mapping[str, Delivery],
    items: Sequence[Item],
    folder: Path,
) -> None:
    engine = place.engine
    results, found = engine.read(folder / "results"), engine.read(folder / "findings")
    counted = engine.backend.to_pyarrow(found.group_by("kind").aggregate(count=found.count()))
    tested = results.received.notnull().sum()
    whole = results.count()
    [row] = engine.backend.to_pyarrow(results.aggregate(reviewed=tested, tested=whole)).to_pylist()
    not_told = sorted(
        item.name
        for item in items
        if item.source not in deliveries or not deliveries[item.source].bulk.delivers(item.path)
    )
    summary = {
        "reviewed": row["reviewed"] or 0,
        "tested": row["tested"],
        "findings": {one["kind"]: one["count"] for one in counted.to_pylist()},
        "notTold": not_told,
    }
    _write(folder / "done.json", summary)


def _done(folder: Path, reports: tuple[quality.Report, ...]) -> Done:
    found = json.loads((folder / "done.json").read_text("utf-8"))
    return Done(
        folder=folder,
        reviewed=found["reviewed"],
        people=reports[0].parts[""].rows,
        findings=found["findings"],
        not_told=tuple(found["notTold"]),
        reports=reports,
    )


def _write(path: Path, content: Mapping[str, Any]) -> None:
    """Write a file whole: it is there with all it says, or not there."""
    part = path.with_suffix(".part")
    with part.open("w", encoding="utf-8") as file:
        json.dump(content, file, indent=2, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)
