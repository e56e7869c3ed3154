"""Provenance: where a value came from and how old it is."""

from __future__ import annotations

import datetime
from typing import Any

import strawberry

from schema.marked import Marked
from schema.needs import Covered, needing
from schema.view import Answer, Keyed, State


def _of(name: str, description: str) -> Any:
    def read(self: Any) -> Any:
        return getattr(self.answer, name)

    return needing(Covered(), read, description)


def _marked(self: Any) -> list[Marked]:
    return list(self.keyed.marked(self.answer.source))


@strawberry.type(description="Where a value came from and how old it is.")
class Provenance:
    """Shown for each agency record, each component and each report."""

    answer: strawberry.Private[Answer]
    keyed: strawberry.Private[Keyed]
    source: str = _of("source", "The source's name.")
    state: State = _of(
        "state",
        "KNOWN, ABSENT where the agency says there is none, or STALE while the source is down.",
    )
    as_of: datetime.date | None = _of("as_of", "The date the source says its data is of.")
    fetched_at: datetime.datetime = _of("fetched_at", "When the hub got the answer.")
    cache_age: int | None = _of("cache_age", "Seconds since it was fetched; null for a live one.")
    corrections: list[Marked] = needing(
        Covered(), _marked, "What of it is marked as wrong and waits for its source's answer."
    )
