"""Asks the sources: one call a source a round, all sources of a round at the same time.

A source that is down, slow or wrong costs only its own items. Nothing is asked here that the
round does not name.
"""

from __future__ import annotations

import asyncio
import datetime
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from prometheus_client import Counter, Histogram

from hub.budget import Budgets
from hub.cache import Answers, Given
from hub.guard import Guard
from schema.access import Health
from schema.view import Answer, Failure, State
from sources.adapter import (
    Adapter,
    Context,
    ContractBroken,
    OverBudget,
    Question,
    Record,
    Reply,
    SourceError,
    SourceTimeout,
    SourceUnavailable,
)
from sources.declaration import Catalogue, Item, Subject

_log = logging.getLogger("hub.gather")
_CALLS = Counter("hub_source_calls", "Calls to sources", ["source", "state"])
_SECONDS = Histogram("hub_source_seconds", "Seconds a call to a source took", ["source"])
_BREACHES = Counter("hub_source_breaches", "Breaches of contract by kind", ["source", "kind"])

TOLD = frozenset({"legal_basis", "case", "user"})
"""The parts of the context that an adapter may transmit, beside the purpose, unless it says less
(`told`): answers are kept apart by them."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One source's part of a round."""

    source: str
    subject: Subject
    keys: tuple[str, ...]
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """What a source was asked in a round and how it went, as `extensions.sources` shows it."""

    source: str
    round: str
    items: int
    people: int
    state: str
    milliseconds: float
    evidence: tuple[Mapping[str, str], ...] = ()


@dataclass
class Gathered:
    """The answers of an operation by source and key, and the calls that gave them."""

    answers: dict[tuple[str, str], Answer] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)


@dataclass
class SourceHealth:
    """How a source answered last."""

    state: Health = Health.UNTRIED
    last_answered: datetime.datetime | None = None


class Gatherer:
    """The enabled sources, each asked on its terms, and how they answered last."""

    def __init__(
        self,
        catalogue: Catalogue,
        adapters: Mapping[str, Adapter],
        budgets: Budgets | None = None,
        kept: Answers | None = None,
    ) -> None:
        self._sources = catalogue.sources
        self._guards = {
            name: Guard(catalogue.sources[name], adapter) for name, adapter in adapters.items()
        }
        self._told = {name: getattr(adapter, "told", TOLD) for name, adapter in adapters.items()}
        self._budgets = budgets
        self._kept = kept
        self.health = {name: SourceHealth() for name in catalogue.sources}

    async def round(self, name: str, asks: Sequence[Ask], context: Context) -> Gathered:
        """Ask every source of a round at the same time, each once within its batch size.

        Nothing that was kept serves here: access rests on what is so now. Raises LogUnavailable.
        """
        return await self._round(name, asks, context, None)

    async def data(self, number: int, asks: Sequence[Ask], context: Context) -> Gathered:
        """The same for a round of data: what was kept serves where a source's terms say so."""
        return await self._round(f"data {number}", asks, context, self._kept)

    async def _round(
        self, name: str, asks: Sequence[Ask], context: Context, kept: Answers | None
    ) -> Gathered:
        gathered = Gathered()
        asked = [self._asked(ask, context) for ask in asks]
        fresh = await asyncio.gather(
            *(_fresh(given, ask.keys, kept) for given, ask in zip(asked, asks, strict=True))
        )
        left = [
            replace(ask, keys=tuple(key for key in ask.keys if (ask.source, key) not in found))
            for ask, found in zip(asks, fresh, strict=True)
        ]
        over = await self._over(left, context)
        results = await asyncio.gather(
            *(
                self._source(name, ask, given, kept, over.get(ask.source))
                for ask, given in zip(left, asked, strict=True)
            )
        )
        for ask, found, (answers, call) in zip(asks, fresh, results, strict=True):
            gathered.answers |= found | answers
            gathered.calls.append(replace(call, people=len(ask.keys)))
        return gathered

    def _asked(self, ask: Ask, context: Context) -> Given:
        source = self._sources[ask.source]
        return Given(source, ask.subject, ask.items, context, self._told[ask.source])

    async def _over(self, asks: Sequence[Ask], context: Context) -> Mapping[str, OverBudget]:
        """The sources that may not be asked about these people; those of the others are counted.

        All are counted before any is asked. Raises LogUnavailable.
        """
        over: dict[str, OverBudget] = {}
        for ask in asks:
            source = self._sources[ask.source]
            if not ask.keys or not source.terms.budget.bounded:
                continue
            if self._budgets is None:
                over[ask.source] = OverBudget("nothing counts the source's budget")
                continue
            try:
                self._guards[ask.source].breaker.check()
                await self._budgets.take(source, context, len(ask.keys))
            except OverBudget as error:
                over[ask.source] = error
            except SourceUnavailable:
                continue  # It is left alone, and what it is not asked does not count.
        return over

    async def _source(
        self, name: str, ask: Ask, given: Given, kept: Answers | None, over: OverBudget | None
    ) -> tuple[dict[tuple[str, str], Answer], Call]:
        started = time.perf_counter()
        size = given.source.batch
        batches = [ask.keys[start : start + size] for start in range(0, len(ask.keys), size)]
        parts = await asyncio.gather(*(self._batch(given, keys, kept, over) for keys in batches))
        answers: dict[tuple[str, str], Answer] = {}
        state, evidence = "OK", []
        for part in parts:
            answers |= part.answers
            state = part.failure or state
            evidence += [part.evidence] if part.evidence else []
        elapsed = time.perf_counter() - started
        _CALLS.labels(ask.source, state).inc()
        _SECONDS.labels(ask.source).observe(elapsed)
        took = round(elapsed * 1000, 3)
        people = len(ask.keys)
        call = Call(ask.source, name, len(ask.items), people, state, took, tuple(evidence))
        return answers, call

    async def _batch(
        self, given: Given, keys: tuple[str, ...], kept: Answers | None, over: OverBudget | None
    ) -> _Part:
        source, health = given.source, self.health[given.source.name]
        try:
            if over is not None:
                raise over
            question = Question(given.subject, keys, given.items, given.context)
            reply = await self._guards[source.name].ask(question)
        except SourceError as error:
            if not isinstance(error, OverBudget):
                health.state = Health.FAILING
            _log.warning("source failed: %s", error.reason, extra={"source": source.name})
            if isinstance(error, ContractBroken):
                _BREACHES.labels(source.name, "answer").inc()
            failed = _failed(source.name, error)
            answers = {(source.name, key): failed for key in keys}
            return _Part(answers | await _standing_in(given, keys, kept, error), error.code)
        health.state, health.last_answered = Health.UP, _now()
        for kind, number in reply.breaches.items():
            _BREACHES.labels(source.name, kind).inc(number)
            extra = {"source": source.name, "kind": kind, "number": number}
            _log.warning("source breaks its contract", extra=extra)
        answers = await _answers(given, keys, reply, kept)
        sound = all(answer.failure is None for answer in answers.values())
        return _Part(answers, None if sound else ContractBroken.code, reply.evidence)

    async def close(self) -> None:
        """Close every adapter, and what was kept."""
        await asyncio.gather(*(guard.close() for guard in self._guards.values()))
        if self._kept is not None:
            await self._kept.close()


@dataclass(frozen=True, slots=True)
class _Part:
    """What one call gave: its answers, the code of its failure, and what proves the exchange."""

    answers: dict[tuple[str, str], Answer]
    failure: str | None
    evidence: Mapping[str, str] = field(default_factory=dict)


async def _answers(
    given: Given, keys: Sequence[str], reply: Reply, kept: Answers | None
) -> dict[tuple[str, str], Answer]:
    """A reply as answers by source and key; what can be relied on is kept."""
    source, now = given.source.name, _now()
    answers: dict[tuple[str, str], Answer] = {}
    sound: dict[str, Record | None] = {}
    for key in keys:
        record = reply.records.get(key)
        # Where another's record came in the place of one, that is no "there is none".
        mixed_up = record is None and "other-person" in reply.breaches
        if mixed_up or key in reply.broken:
            answers[source, key] = _failed(source, ContractBroken("not relied on"))
        else:
            sound[key] = record
            answers[source, key] = _answered(source, record, now, None)
    if kept is not None:
        await kept.keep(given, sound)
    return answers


def _answered(source: str, record: Record | None, at: datetime.datetime, age: int | None) -> Answer:
    if record is None:
        return Answer(source, State.ABSENT, {}, None, at, cache_age=age)
    return Answer(source, State.KNOWN, record.values, record.as_of, at, cache_age=age)


async def _fresh(
    given: Given, keys: Sequence[str], kept: Answers | None
) -> dict[tuple[str, str], Answer]:
    """What need not be asked, as it is fresh enough by the source's terms."""
    source, within = given.source.name, given.source.terms.fresh
    if kept is None or within is None:
        return {}
    found = await kept.find(given, keys, within)
    return {
        (source, key): _answered(source, entry.record, entry.at, entry.age)
        for key, entry in found.items()
    }


async def _standing_in(
    given: Given, keys: Sequence[str], kept: Answers | None, error: SourceError
) -> dict[tuple[str, str], Answer]:
    """What was kept of a source that is down, labelled; that there is none never stands in.

    One that refuses, or that broke its contract or its budget, is not down.
    """
    source, within = given.source.name, given.source.terms.stale
    if kept is None or within is None or not isinstance(error, SourceUnavailable | SourceTimeout):
        return {}
    found = await kept.find(given, keys, within)
    return {
        (source, key): Answer(
            source,
            State.STALE,
            entry.record.values,
            entry.record.as_of,
            entry.at,
            cache_age=entry.age,
        )
        for key, entry in found.items()
        if entry.record is not None
    }


def _failed(source: str, error: SourceError) -> Answer:
    failure = Failure(error.code, error.retry_after)
    return Answer(source, State.UNAVAILABLE, {}, None, _now(), failure)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
