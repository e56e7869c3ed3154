"""A review batch by batch: facts laid out by whole households, each batch tested and logged.

A batch is on disk before it is logged, logged once, and found only when it is logged.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub.population.deliveries import KEY, Delivery
from hub.population.examining import receipts_of
from hub.population.fact_columns import HOUSEHOLD, Column
from hub.population.facts import Facts, everybody
from hub.population.findings import findings
from hub.population.review_engine import Engine
from hub.population.reviewed import DATES, Reviewed, Tables
from hub.population.testing import applicants, results
from hub.population.undecided import decide_by_bounds
from hub.population.wanted import Place, Progress

_AT_ONCE = 4
"""Batches' worth of people whose facts are joined at once."""


def lay_out(
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
    place.engine.write_parts(_everyone(place, facts, batches), folder / "people")
    progress.stage("laying out receipts")
    receipts = receipts_of(place, deliveries)
    whose = place.engine.read(folder / "people").select(KEY, "batch")
    placed = receipts.left_join(whose, KEY).drop(f"{KEY}_right")
    unknown = place.engine.place_of(placed[KEY], batches)
    placed = placed.mutate(batch=placed.batch.cast("int64").coalesce(unknown))
    place.engine.write_parts([placed], folder / "receipts")
    write_json(folder / "laid-out.json", {"batches": batches})
    return batches


def _everyone(place: Place, facts: Facts, batches: int) -> Iterator[Any]:
    """Everyone's facts in shares by key: what is joined at once has to fit into memory."""
    engine, shares = place.engine, -(-batches // _AT_ONCE)

    def of_share(number: int) -> Column:
        return lambda rows: rows.filter(engine.place_of(rows[KEY], shares) == number)

    for number in range(shares):
        people = facts.people(DATES, of_share(number) if shares > 1 else everybody)
        yield people.mutate(batch=engine.place_of(people[HOUSEHOLD], batches))


@dataclass(frozen=True)
class Work:
    """What is done with every batch, compiled once: tables by name, and queries over them."""

    reviewed: Reviewed
    tables: Tables
    tested: Any
    applicants: str
    results: str
    findings: str


def prepared(engine: Engine, reviewed: Reviewed, folder: Path) -> Work:
    """The queries of a review whose people are laid out."""
    import ibis  # noqa: PLC0415 - heavy, and needed only where populations are read

    def named(name: str, table: Any) -> Any:
        return ibis.table(table.schema(), name=name)

    people, receipts = (engine.read(folder / name).drop("batch") for name in ("people", "receipts"))
    tables = Tables(named("batch_people", people), named("batch_receipts", receipts))
    applying = applicants(reviewed, tables)
    tested = results(reviewed, tables, named("applying", applying))
    done = named("tested", tested)
    return Work(
        reviewed=reviewed,
        tables=tables,
        tested=done,
        applicants=engine.compiled(applying),
        results=engine.compiled(tested),
        findings=engine.compiled(findings(reviewed, tables, done)),
    )


def do_batch(place: Place, work: Work, folder: Path, number: int, called: uuid.UUID) -> None:
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


def _digest(path: Path) -> str:
    whole = hashlib.sha256()
    for file in [path] if path.is_file() else sorted(path.glob("*.parquet")):
        whole.update(file.read_bytes())
    return whole.hexdigest()


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a file whole: it is there with all it says, or not there."""
    part = path.with_suffix(".part")
    with part.open("w", encoding="utf-8") as file:
        json.dump(content, file, indent=2, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)
