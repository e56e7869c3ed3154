"""The findings of a review as the worklist of an office: read a page at a time, and logged."""

from __future__ import annotations

import asyncio
import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from authz.caller import Caller
from authz.decide import Verdict
from hub.acting import Acting
from hub.errors import refused
from hub.population.wanted import PURPOSE
from schema import review as shown
from schema.rules.book import the_book
from schema.scalars import Won

MOST = 100
"""Findings of one page."""
_NEEDED = ("meansTest.result", "meansTest.amounts", "meansTest.trace", "duplicateReceipts")


@dataclass(frozen=True)
class _Review:
    folder: Path
    day: datetime.date
    steps: tuple[str, ...]


async def review_findings(acting: Acting) -> shown.ReviewFindings:
    """A page of the findings of the caller's own office. Raises RequestRefused."""
    caller, given = acting.about.caller, acting.arguments
    _check(acting)
    number, after = int(given["first"]), _place(given.get("after"))
    if not 1 <= number <= MOST:
        raise refused("BAD_VARIABLES", f"`first` is a number from 1 to {MOST}")
    review = await asyncio.to_thread(_newest, acting.hub.reviews, str(given["programme"]))
    if review is None:
        remedy = "name a programme by its key, once `hub review run` has reviewed it"
        raise refused("BAD_VARIABLES", "there is no review of this programme", remedy=remedy)
    wanted = {"programme": str(given["programme"]), "kind": given.get("kind")}
    officials, context = acting.hub.officials, acting.entry.context(())
    looked_up = officials.items(acting.purpose)
    await acting.entry.intend([], [], Verdict(frozenset(), ()), looked_up)
    colleagues = await officials.colleagues(caller, acting.purpose, context)
    if colleagues is None:
        raise refused("PURPOSE_DENIED", "it cannot be told who the caller's colleagues are")
    closed = colleagues.union(caller.residents)
    total, rows = await asyncio.to_thread(_read, review, caller, closed, wanted, number, after)
    people = tuple(dict.fromkeys(row["recipient"] for row in rows))
    # Invariant: whom a page names is counted and logged before it is released.
    await acting.entry.count(people, acting.purpose.limits.subjects_per_day)
    acting.entry.names(people, ())
    acting.entry.facts["review"] = review.folder.name
    end = after + len(rows)
    return shown.ReviewFindings(
        people=people,
        review=review.folder.name,
        as_of=review.day,
        total=total,
        findings=[_finding(row, review.steps) for row in rows],
        next=str(end) if end < total else None,
    )


def _check(acting: Acting) -> None:
    purpose, caller = acting.purpose, acting.about.caller
    named = [purpose.derivations.get(name) for name in _NEEDED]
    if purpose.code != PURPOSE or not all(one is not None and one.allowed for one in named):
        remedy = f"declare `{PURPOSE}`"
        raise refused("PURPOSE_DENIED", f"findings are not for `{purpose.code}`", remedy=remedy)
    if caller.office is None or caller.district is None or not caller.residents:
        rule = "the token does not say the caller's office, district and own id as a resident"
        raise refused("PURPOSE_DENIED", rule, remedy="ask with a token that does")


def _place(after: str | None) -> int:
    if after is None:
        return 0
    if not after.isdecimal() or len(after) > 9:
        raise refused("BAD_VARIABLES", "`after` is no cursor", remedy="take it from `next`")
    return int(after)


def _newest(folder: Path, programme: str) -> _Review | None:
    """The review of the latest day that is done and is about the programme."""
    found = []
    for done in folder.glob("*/done.json"):
        about = json.loads((done.parent / "review.json").read_text("utf-8"))
        if programme in about["programmes"]:
            found.append((about["asOf"], done.stat().st_mtime, done.parent, about["steps"]))
    if not found:
        return None
    day, _, place, steps = max(found, key=lambda one: one[:2])
    return _Review(place, datetime.date.fromisoformat(day), tuple(steps))


def _read(
    review: _Review,
    caller: Caller,
    closed: frozenset[str],
    wanted: Mapping[str, Any],
    number: int,
    after: int,
) -> tuple[int, list[dict[str, Any]]]:
    """How many findings the office has, and some of them: none of a household of those closed."""
    import duckdb  # noqa: PLC0415 - only where a worklist is read

    of_office = (
        "FROM read_parquet($files) WHERE programme = $programme "
        "AND (office = $office OR office IS NULL AND district = $district) "
        "AND ($kind IS NULL OR kind = $kind) "
        "AND NOT list_contains($closed, recipient) "
        "AND NOT coalesce(list_has_any(together, $closed::VARCHAR[]), false) "
    )
    bound = {
        "files": str(review.folder / "findings" / "*.parquet"),
        "office": caller.office,
        "district": caller.district,
        "closed": sorted(closed),
        **wanted,
    }
    with duckdb.connect(config={"threads": 1}) as database:
        [total] = database.execute(f"SELECT count(*) {of_office}", bound).fetchone() or (0,)
        found = database.execute(
            f"SELECT * {of_office} ORDER BY recipient, kind LIMIT $number OFFSET $after",
            {**bound, "number": number, "after": after},
        )
        names = [column[0] for column in found.description or ()]
        return total, [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def _finding(row: Mapping[str, Any], steps: Sequence[str]) -> shown.ReviewFinding:
    def won(name: str) -> Won | None:
        return None if row[name] is None else Won(row[name])

    book = the_book()
    return shown.ReviewFinding(
        recipient=row["recipient"],
        programme=row["programme"],
        kind=row["kind"],
        reason=row["reason"],
        months=row["months"],
        amount=won("amount"),
        result=row["result"],
        recognised_income=won("recognised"),
        threshold=won("threshold"),
        payable=won("payable"),
        received=won("received"),
        trace=[
            shown.ReviewStep(
                name=name,
                en=(step := book.steps[name]).en,
                ko=step.ko,
                formula=" ".join(step.formula.split()),
                value=None if row[name] is None else str(row[name]),
                source=step.source,
            )
            for name in steps
        ],
    )


WORKLIST = {"reviewFindings": review_findings}
