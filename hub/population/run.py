"""Runs a review: deliveries examined, facts laid out in batches, each batch tested and logged.

A review is known by what it is of: the same programmes, day, rules and deliveries give the same, in
the same folder. Killed at any moment, it goes on with the batch after the last that was finished: a
batch is on disk before it is logged, logged once, and found only when it is logged.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hub.population import quality
from hub.population.asking import (
    ASKED,
    WHOM,
    Asked,
    ask,
    asked_of,
    divide,
    items_asked,
    told_by,
    whom,
)
from hub.population.batches import do_batch, lay_out, prepared, write_json
from hub.population.deliveries import Delivery
from hub.population.examining import (
    deliveries_of,
    examined,
    items_allowed,
    month_of,
    receipts_of,
)
from hub.population.facts import Facts
from hub.population.reviewed import NotReviewable, Reviewed
from hub.population.wanted import PURPOSE, Place, Progress, Refused, Wanted
from schema.law import law
from sources.declaration import Item

_PER_BATCH = 1_000_000
"""People of one batch, about."""
_CALLED = uuid.UUID("8d6f4d1e-63c1-4f7c-9f8e-2c1f0f3f6f10")


@dataclass(frozen=True)
class Done:
    """A finished review: where it is, how many recipients it reviewed, findings by kind.

    `asked` has, of each agency asked live, of how many `people` it answered and `told`.
    """

    folder: Path
    reviewed: int
    people: int
    findings: Mapping[str, int]
    not_told: tuple[str, ...]
    asked: Mapping[str, Mapping[str, int]]
    reports: tuple[quality.Report, ...]


def review(place: Place, wanted: Wanted, progress: Progress) -> Done:
    """Make a review, or go on with it. Raises Refused, NotReviewable, NotYet, LogUnavailable."""
    progress.stage("looking for deliveries")
    deliveries, lacking = deliveries_of(place, wanted)
    if lacking:
        raise Refused(lacking)
    reviewed = _reviewed(place, wanted)
    facts = Facts(
        place.engine.backend, place.catalogue, deliveries, place.book, reviewed.facts, wanted.day
    )
    items = items_allowed(place, facts)
    progress.stage("examining deliveries")
    reports, reasons = examined(place, wanted, deliveries)
    if reasons:
        raise Refused(reasons, reports)
    reviewed = replace(reviewed, month=month_of(place, deliveries, reviewed, wanted.day))
    identity = _identity(place, reviewed, items, reports)
    folder = wanted.folder / identity[:16]
    if (folder / "done.json").exists():
        return _done(folder, reports)
    folder.mkdir(parents=True, exist_ok=True)
    called = uuid.uuid5(_CALLED, identity)
    _begin(place, reviewed, items, reports, called, folder)
    asked = asked_of(place, items, folder, wanted.day)
    if asked and not (folder / "laid-out.json").exists():
        people = whom(facts, receipts_of(place, deliveries), reviewed)
        divide(place, people, folder, wanted.batches)
        ask(place, asked, folder, called, progress)
    deliveries |= {name: one.answers for name, one in asked.items()}
    facts = replace(facts, deliveries=deliveries, asked=frozenset(asked))
    batches = wanted.batches or max(1, -(-reports[0].parts[""].rows // _PER_BATCH))
    batches = lay_out(place, facts, deliveries, folder, batches, progress)
    work = prepared(place.engine, reviewed, folder)
    for number in range(batches):
        progress.batch(number, batches)
        if not (folder / "findings" / f"{number:04}.parquet").exists():
            do_batch(place, work, folder, number, called)
    progress.batch(batches, batches)
    _finish(place, deliveries, items, asked, folder)
    return _done(folder, reports)


def _reviewed(place: Place, wanted: Wanted) -> Reviewed:
    reviewed = Reviewed(place.book, law().receipts, wanted.programmes, wanted.day, "")
    outside = [key for key in wanted.programmes if key not in place.purpose.programmes]
    if place.purpose.programmes and outside:
        raise NotReviewable(f"`{PURPOSE}` is not for {', '.join(f'`{key}`' for key in outside)}")
    for key in wanted.programmes:
        reviewed.programme(key)
    return reviewed


def _identity(
    place: Place, reviewed: Reviewed, items: Sequence[Item], reports: Sequence[quality.Report]
) -> str:
    about: dict[str, Any] = {
        "programmes": reviewed.programmes,
        "day": str(reviewed.day),
        "rules": reviewed.book.version,
        "register": place.register_version,
        "deliveries": {report.source: [report.day, report.digest] for report in reports},
    }
    asked = items_asked(place, items)
    if asked:
        about["asked"] = {name: [item.name for item in some] for name, some in asked.items()}
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
        "asked": sorted(items_asked(place, items)),
    }
    place.log.begin(called, facts)
    whole = {**facts, "month": reviewed.month, "steps": list(reviewed.steps)}
    write_json(folder / "review.json", whole)


def _finish(
    place: Place,
    deliveries: Mapping[str, Delivery],
    items: Sequence[Item],
    asked: Mapping[str, Asked],
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
        "asked": told_by(asked),
    }
    write_json(folder / "done.json", summary)


def _done(folder: Path, reports: tuple[quality.Report, ...]) -> Done:
    """What a finished review found; what was laid out for it is removed."""
    for name in ("people", "receipts", WHOM, ASKED):
        shutil.rmtree(folder / name, ignore_errors=True)
    found = json.loads((folder / "done.json").read_text("utf-8"))
    return Done(
        folder=folder,
        reviewed=found["reviewed"],
        people=reports[0].parts[""].rows,
        findings=found["findings"],
        not_told=tuple(found["notTold"]),
        asked=found["asked"],
        reports=reports,
    )
