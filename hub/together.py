"""Asks one source for several operations in one call, where nothing tells their questions apart.

Questions of the same instant go together that are for the same items and of which the source is
told the same; a person is asked about once. What fails for one is asked again apart, so that no
operation pays for another's.

Invariant: every question is of an operation whose INTENT is durable, and each is given the answer
to what it asked itself, and no other.
"""

from __future__ import annotations

import asyncio
import datetime
import logging
import operator
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from prometheus_client import Counter, Histogram

from hub.guard import Guard
from schema.access import Health
from sources.adapter import (
    Context,
    ContractBroken,
    OverBudget,
    Question,
    Reply,
    SourceError,
    SourceRefused,
    SourceTimeout,
    SourceUnavailable,
)
from sources.declaration import Source

_log = logging.getLogger("hub.gather")
_CALLS = Counter("hub_source_calls", "Calls to sources", ["source", "state"])
_SECONDS = Histogram("hub_source_seconds", "Seconds a call to a source took", ["source"])
_BREACHES = Counter("hub_source_breaches", "Breaches of contract by kind", ["source", "kind"])


_NAME = operator.attrgetter("name")


@dataclass
class SourceHealth:
    """How a source answered last."""

    state: Health = Health.UNTRIED
    last_answered: datetime.datetime | None = None


class Outcome(NamedTuple):
    """What came of a question, and when (UTC): a reply or an error.

    `ended` is on the clock of `time.perf_counter`.
    """

    reply: Reply | None
    error: SourceError | None
    ended: float
    at: datetime.datetime


@dataclass(eq=False, slots=True)
class _Batch:
    """Questions that go in one call, each with who waits for its outcome, and their people."""

    waiting: list[tuple[Question, asyncio.Future[Outcome]]] = field(default_factory=list)
    keys: dict[str, None] = field(default_factory=dict)
    call: asyncio.Task[None] | None = None


_Likeness = tuple[bool, str, tuple[str, ...], str, tuple[str, ...]]
"""What must be the same of questions that go together; see `_likeness`."""


class Together:
    """Asks one source through its guard, and keeps how it answered last.

    `told` are the parts of the context that the source's adapter transmits; None where it transmits
    something of each operation, so that none go together.
    """

    def __init__(self, source: Source, guard: Guard, told: frozenset[str] | None) -> None:
        self._source = source
        self._guard = guard
        self._told = None if told is None else tuple(sorted(told))
        self._counted = _CALLS.labels(source.name, "OK")
        self._timed = _SECONDS.labels(source.name)
        self._gathering: dict[_Likeness, _Batch] = {}
        self._asking: dict[_Likeness, list[_Batch]] = {}
        self.health = SourceHealth()

    def ask(self, question: Question, *, join: bool) -> asyncio.Future[Outcome]:
        """What will come of a question; whoever gives it up cancels that.

        With `join` the answer to a question that is under way already will do.
        """
        loop = asyncio.get_running_loop()
        if self._told is None:
            return asyncio.create_task(self._call(question))
        alike = self._likeness(question, join=join)
        waiting: asyncio.Future[Outcome] = loop.create_future()
        if question.context.deadline < loop.time() + self._source.timeout:
            # The others may have more time left; this one is told when its own has passed.
            ends = loop.call_at(question.context.deadline, _too_late, waiting)
            waiting.add_done_callback(lambda _: ends.cancel())
        if join:
            for under_way in self._asking.get(alike, ()):
                if under_way.keys.keys() >= set(question.keys):
                    under_way.waiting.append((question, waiting))
                    waiting.add_done_callback(partial(_given_up, under_way))
                    return waiting
        batch = self._gathering.get(alike)
        if batch is not None and len(batch.keys) + len(question.keys) > self._source.batch:
            self._send(alike)
            batch = None
        if batch is None:
            batch = self._gathering[alike] = _Batch()
            # Whoever asks before the loop turns again comes along, and nobody waits for longer.
            loop.call_soon(self._send_batch, alike, batch)
        batch.waiting.append((question, waiting))
        batch.keys.update(dict.fromkeys(question.keys))
        waiting.add_done_callback(partial(_given_up, batch))
        return waiting

    def _likeness(self, question: Question, *, join: bool) -> _Likeness:
        context = question.context
        return (
            join,
            question.subject,
            tuple(map(_NAME, question.items)),
            context.purpose,
            tuple([getattr(context, name) for name in self._told]) if self._told else (),
        )

    def _send_batch(self, alike: _Likeness, batch: _Batch) -> None:
        if self._gathering.get(alike) is batch:
            self._send(alike)

    def _send(self, alike: _Likeness) -> None:
        batch = self._gathering.pop(alike)
        batch.waiting = [entry for entry in batch.waiting if not entry[1].done()]
        if not batch.waiting:
            return
        self._asking.setdefault(alike, []).append(batch)
        batch.call = asyncio.create_task(self._ask_batch(batch))
        batch.call.add_done_callback(lambda _: self._ended(alike, batch))

    def _ended(self, alike: _Likeness, batch: _Batch) -> None:
        under_way = self._asking[alike]
        under_way.remove(batch)
        if not under_way:
            del self._asking[alike]

    async def _ask_batch(self, batch: _Batch) -> None:
        """Ask for all of a batch; whoever it fails for is asked for again."""
        alone = len(batch.waiting) == 1
        try:
            outcome = await self._call(self._merged(batch.waiting))
            left = [entry for entry in batch.waiting if not _settled(entry, outcome, alone=alone)]
            await self._apart(left, outcome)
        finally:
            for _, waiting in batch.waiting:
                waiting.cancel()

    def _merged(self, entries: Sequence[tuple[Question, asyncio.Future[Outcome]]]) -> Question:
        """One question for all that these ask; alone it stays as it is."""
        first = entries[0][0]
        if len(entries) == 1:
            return first
        context = first.context
        told = {name: getattr(context, name) for name in self._told or ()}
        shared = Context(
            **{"legal_basis": "", "case": "", **told},
            purpose=context.purpose,
            operation="",
            deadline=max(question.context.deadline for question, _ in entries),
        )
        keys = dict.fromkeys(key for question, _ in entries for key in question.keys)
        return Question(first.subject, tuple(keys), first.items, shared)

    async def _apart(
        self, entries: Sequence[tuple[Question, asyncio.Future[Outcome]]], outcome: Outcome
    ) -> None:
        """Ask again for those whom a call failed, by halves, until one's fault is its own.

        After a timeout everyone is asked for alone, as halves would take too long.
        """
        entries = [entry for entry in entries if not entry[1].done()]
        if not entries:
            return
        size = 1 if isinstance(outcome.error, SourceTimeout) else (len(entries) + 1) // 2
        parts = [entries[start : start + size] for start in range(0, len(entries), size)]
        await asyncio.gather(*(self._again(part) for part in parts))

    async def _again(self, part: Sequence[tuple[Question, asyncio.Future[Outcome]]]) -> None:
        outcome = await self._call(self._merged(part))
        alone = len(part) == 1
        left = [entry for entry in part if not _settled(entry, outcome, alone=alone)]
        await self._apart(left, outcome)

    async def _call(self, question: Question) -> Outcome:
        """One call, counted and told of."""
        name, started = self._source.name, time.perf_counter()
        try:
            reply = await self._guard.ask(question)
        except SourceError as error:
            ended = time.perf_counter()
            if not isinstance(error, OverBudget):
                self.health.state = Health.FAILING
            _log.warning("source failed: %s", error.reason, extra={"source": name})
            if isinstance(error, ContractBroken):
                _BREACHES.labels(name, "answer").inc()
            _CALLS.labels(name, error.code).inc()
            self._timed.observe(ended - started)
            return Outcome(None, error, ended, _now())
        ended, now = time.perf_counter(), _now()
        self.health.state = Health.UP
        self.health.last_answered = now
        _breaches(name, reply.breaches)
        mixed_up = "other-person" in reply.breaches and len(reply.records) < len(question.keys)
        sound = not reply.broken and not mixed_up
        (self._counted if sound else _CALLS.labels(name, ContractBroken.code)).inc()
        self._timed.observe(ended - started)
        return Outcome(reply, None, ended, now)

    async def close(self) -> None:
        """Close the adapter."""
        await self._guard.close()


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _too_late(waiting: asyncio.Future[Outcome]) -> None:
    """Tell whoever waits that the operation has no time left."""
    if not waiting.done():
        error = SourceTimeout("the operation has no time left for the source")
        waiting.set_result(Outcome(None, error, time.perf_counter(), _now()))


def _given_up(batch: _Batch, outcome: asyncio.Future[Outcome]) -> None:
    """Give a call up that nobody waits for any more."""
    if (
        outcome.cancelled()
        and batch.call is not None
        and all(waiting.cancelled() for _, waiting in batch.waiting)
    ):
        batch.call.cancel()


def _settled(
    entry: tuple[Question, asyncio.Future[Outcome]], outcome: Outcome, *, alone: bool
) -> bool:
    """Give a question its part of an outcome, if that is for it to rely on."""
    question, waiting = entry
    if waiting.done():
        return True
    reply, error = outcome.reply, outcome.error
    if alone or (reply is None and not _may_be_anothers(error)):
        waiting.set_result(outcome)
        return True
    if reply is None:
        return False
    records = reply.records
    own = {key: records[key] for key in question.keys if key in records}
    if len(own) < len(question.keys) and "other-person" in reply.breaches:
        # Where another's record came in the place of one, that is no "there is none".
        return False
    broken = reply.broken.intersection(question.keys) if reply.broken else reply.broken
    part = Reply(own, {}, reply.evidence, broken)
    waiting.set_result(outcome._replace(reply=part))
    return True


def _may_be_anothers(error: SourceError | None) -> bool:
    """Whether a call may have failed for one of the questions in it alone."""
    if isinstance(error, SourceUnavailable):
        return not error.passing and error.retry_after is None
    return isinstance(error, SourceRefused | SourceTimeout | ContractBroken)


def _breaches(source: str, breaches: Mapping[str, int]) -> None:
    for kind, number in breaches.items():
        _BREACHES.labels(source, kind).inc(number)
        extra = {"source": source, "kind": kind, "number": number}
        _log.warning("source breaks its contract", extra=extra)
