"""The terms on which a source may be asked: how long its answers serve, how often, how much.

They stand in `[source]` of a declaration and hold for every adapter alike; the hub keeps them.
"""

from __future__ import annotations

import datetime
import re
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator


class Strict(BaseModel):
    """A table of a file: nothing unknown in it, nothing changed after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def _seconds(value: Any) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", str(value))
    if match is None:
        raise ValueError(f"`{value}` is no duration; write it like `500ms`, `2s`, `24h` or `7d`")
    return float(match[1]) * _UNITS[match[2]]


Seconds = Annotated[float, BeforeValidator(_seconds)]
"""A duration as declarations write it, in seconds."""


def _hours(value: Any) -> Any:
    match = re.fullmatch(r"(\d\d:\d\d)-(\d\d:\d\d)", str(value))
    if match is None or match[1] == match[2]:
        raise ValueError(f"`{value}` are no hours; write them like `20:00-07:00`")
    return tuple(datetime.time.fromisoformat(hour) for hour in match.groups())


Hours = Annotated[tuple[datetime.time, datetime.time], BeforeValidator(_hours)]
"""From one time of day in Korea up to another, which may be of the next day."""


def within(hours: Hours | None, at: datetime.time) -> bool:
    """Whether a time of day is one of these hours; without any, every one is."""
    if hours is None:
        return True
    first, last = hours
    return first <= at < last if first < last else at >= first or at < last


class Budget(Strict):
    """Most people asked about within 24 hours, whatever the replica; beyond is `SOURCE_BUDGET`."""

    all: int | None = Field(default=None, ge=1)
    caller: int | None = Field(default=None, ge=1)
    purpose: int | None = Field(default=None, ge=1)

    @property
    def bounded(self) -> bool:
        """Whether there is any bound."""
        return (self.all, self.caller, self.purpose) != (None, None, None)


class Retry(Strict):
    """How often a call that failed in passing is tried again; `share` is of the source's calls."""

    times: int = Field(default=1, ge=0, le=3)
    share: float = Field(default=0.1, ge=0, le=1)
    pause: Seconds = 0.05


class Hedge(Strict):
    """After how long without an answer a second call asks the same, and the first to answer serves.

    Declaring it says that the agency does no harm by answering twice. `share` is of its calls.
    """

    after: Seconds | None = None
    share: float = Field(default=0.05, ge=0, le=0.5)


class Pool(Strict):
    """How many calls are under way at once, and how many wait for that; further ones fail."""

    connections: int = Field(default=32, ge=1, le=1000)
    waiting: int = Field(default=1000, ge=0, le=100_000)


class Breaker(Strict):
    """After how many failures in a row a source is left alone, for how long, and how probed."""

    failures: int = Field(default=5, ge=1, le=1000)
    pause: Seconds = 10.0
    probes: int = Field(default=1, ge=1, le=100)


class Limits(Strict):
    """How large an answer may be: its bytes, how deep it nests, the rows of one list."""

    bytes: int = Field(default=8_388_608, ge=1024)
    depth: int = Field(default=32, ge=2, le=500)
    rows: int = Field(default=10_000, ge=1)


class Terms(Strict):
    """The terms of one source; durations in seconds.

    Another question for the same is answered from memory while an answer is younger than
    `fresh`; while the source is down, by one younger than `stale`, labelled so with its age.
    Reviews of whole caseloads ask it within the hours `reviews` only.
    """

    fresh: Seconds | None = None
    stale: Seconds | None = None
    reviews: Hours | None = None
    budget: Budget = Budget()
    retry: Retry = Retry()
    hedge: Hedge = Hedge()
    pool: Pool = Pool()
    breaker: Breaker = Breaker()
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _stands_in_after(self) -> Self:
        if self.fresh and self.stale and self.stale <= self.fresh:
            raise ValueError("`stale` is no longer than `fresh`; make it longer, or leave it out")
        return self
