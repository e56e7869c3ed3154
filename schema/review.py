"""`reviewFindings`: what a review of a caseload found, as a worklist of the caller's office."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

import strawberry

from schema.needs import Acts, covered, needing
from schema.scalars import Won

_RECEIPT = Acts(frozenset({"receipt"}))


@strawberry.type(description="One step of the test behind a finding.")
class ReviewStep:
    """A step of the household, with what it came to."""

    name: str = covered("The step.")
    en: str = covered("What it is.")
    ko: str = covered("The same in Korean.")
    formula: str = covered("How it is worked out.")
    value: str | None = covered("What it came to; null where that is not known.")
    source: str = covered("The act and article, or the guide.")


@strawberry.type(description="Something that a review found of a recipient.")
class ReviewFinding:
    """A finding, with the reason and the test behind it."""

    recipient: strawberry.ID = covered("Whom it is about.")
    programme: str = covered("Key of the programme.")
    kind: str = covered("What was found, as docs/review.md lists it.")
    reason: str | None = covered("Why.")
    months: str | None = covered("The months that it is about.")
    amount: Won | None = covered("What is at stake in these months.")
    result: str | None = covered("What the test came to.")
    recognised_income: Won | None = covered("Recognised income.")
    threshold: Won | None = covered("The threshold.")
    payable: Won | None = covered("What is due at most.")
    received: Won | None = covered("What is paid for the month.")
    trace: list[ReviewStep] = covered("Every step of the household, in order.")


@strawberry.type(description="A page of the findings of the newest review of a programme.")
class ReviewFindings:
    """Findings of the caller's own office, and how to go on."""

    people: strawberry.Private[Sequence[str]]
    review: str = covered("The review.")
    as_of: datetime.date = covered("The day of its tests.")
    total: int = covered("How many findings the office has.")
    findings: list[ReviewFinding] = covered("The findings, by recipient.")
    next: str | None = covered("What `after` takes for the next page; null on the last.")


def query_fields() -> dict[str, tuple[Any, Any]]:
    """The question of a caseworker who surveys recipients."""

    def review_findings(
        info: strawberry.Info,
        programme: strawberry.ID,  # noqa: ARG001 - what is done with arguments is done before
        kind: str | None = None,  # noqa: ARG001 - the same
        first: int = 20,  # noqa: ARG001 - the same
        after: str | None = None,  # noqa: ARG001 - the same
    ) -> ReviewFindings:
        found: ReviewFindings = info.context.done["reviewFindings"]
        return found

    return {
        "reviewFindings": (
            ReviewFindings,
            needing(
                _RECEIPT,
                review_findings,
                "What the newest review of a programme, by key, found among the recipients of the"
                " caller's own office, and who of its district may be entitled.",
            ),
        )
    }
