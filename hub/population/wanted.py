"""What a review is asked for and rests on, and how it is refused."""

from __future__ import annotations

import asyncio
import datetime
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from authz.purpose import Purpose
from hub.gather import Gatherer
from hub.population.quality import Report
from hub.population.review_engine import Engine
from schema.rules.book import Book
from sources.declaration import Catalogue

PURPOSE = "confirmation-survey"


class ReviewLog(Protocol):
    """What a review writes to the query log."""

    def begin(self, operation: uuid.UUID, facts: Mapping[str, Any]) -> None:
        """Make it durable what will be read, and why, before it is. Raises LogUnavailable."""

    def asking(self, operation: uuid.UUID, facts: Mapping[str, Any], people: Path) -> None:
        """Make it durable once whom agencies will be asked about. Raises LogUnavailable."""

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
class Progress:
    """Told of what is being done: a stage by name, then batches done of all."""

    stage: Callable[[str], None]
    batch: Callable[[int, int], None]


@dataclass(frozen=True)
class Agencies:
    """The agencies that deliver nothing in bulk, by name, and how they are asked."""

    sources: frozenset[str]
    gatherer: Gatherer
    runner: asyncio.Runner
    user: str


@dataclass(frozen=True)
class Place:
    """What a review rests on; `agencies` where some are asked live."""

    catalogue: Catalogue
    book: Book
    purpose: Purpose
    register_version: str
    engine: Engine
    log: ReviewLog
    agencies: Agencies | None = None


class NotYet(Exception):
    """A review that has to wait for agencies: what is lacking, why, and when to go on."""


class Refused(Exception):
    """A review that may not be made, or has no good deliveries: every reason with its remedy."""

    def __init__(self, reasons: Sequence[str], reports: Sequence[Report] = ()) -> None:
        super().__init__("\n".join(reasons))
        self.reasons, self.reports = tuple(reasons), tuple(reports)
