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
from dataclasses import dataclass, field

from prometheus_client import Counter, Histogram

from hub.config import Limits
from hub.errors import refused
from schema.access import Health
from schema.view import Answer, Failure, State
from sources.adapter import (
    Adapter,
    Context,
    ContractBroken,
    Question,
    Reply,
    SourceError,
    SourceTimeout,
    SourceUnavailable,
)
from sources.declaration import Catalogue, Item, Source, Subject

_log = logging.getLogger("hub.gather")
_CALLS = Counter("hub_source_calls", "Calls to sources", ["source", "state"])
_SECONDS = Histogram("hub_source_seconds", "Seconds a call to a source took", ["source"])
_BREACHES = Counter("hub_source_breaches", "Breaches of contract by kind", ["source", "kind"])


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
    """The adapters of the enabled sources, and how they answered last."""

    def __init__(self, catalogue: Catalogue, adapters: Mapping[str, Adapter]) -> None:
        self._sources = catalogue.sources
        self._adapters = adapters
        self.health = {name: SourceHealth() for name in catalogue.sources}

    async def round(self, name: str, asks: Sequence[Ask], context: Context) -> Gathered:
        """Ask every source of a round at the same time, each once within its batch size."""
        gathered = Gathered()
        results = await asyncio.gather(*(self._source(name, ask, context) for ask in asks))
        for answers, call in results:
            gathered.answers |= answers
            gathered.calls.append(call)
        return gathered

    async def rounds(
        self, layers: Sequence[Sequence[Ask]], limits: Limits, context: Context
    ) -> Gathered:
        """Ask round after round; no more of them than the limits allow. Raises RequestRefused."""
        if len(layers) > limits.rounds:
            message = f"{len(layers)} different selections of one source, {limits.rounds} the most"
            raise refused("TOO_COSTLY", message)
        gathered = Gathered()
        for number, asks in enumerate(layers, start=1):
            found = await self.round(f"data {number}", asks, context)
            gathered.answers |= found.answers
            gathered.calls += found.calls
        return gathered

    async def _source(
        self, name: str, ask: Ask, context: Context
    ) -> tuple[dict[tuple[str, str], Answer], Call]:
        source = self._sources[ask.source]
        started = time.perf_counter()
        batches = [
            ask.keys[start : start + source.batch]
            for start in range(0, len(ask.keys), source.batch)
        ]
        parts = await asyncio.gather(*(self._batch(source, ask, keys, context) for keys in batches))
        answers: dict[tuple[str, str], Answer] = {}
        state = "OK"
        for part, failure in parts:
            answers |= part
            state = failure or state
        elapsed = time.perf_counter() - started
        _CALLS.labels(ask.source, state).inc()
        _SECONDS.labels(ask.source).observe(elapsed)
        call = Call(
            ask.source, name, len(ask.items), len(ask.keys), state, round(elapsed * 1000, 3)
        )
        return answers, call

    async def _batch(
        self, source: Source, ask: Ask, keys: tuple[str, ...], context: Context
    ) -> tuple[dict[tuple[str, str], Answer], str | None]:
        question = Question(ask.subject, keys, ask.items, context)
        health = self.health[source.name]
        try:
            reply = await self._ask(source, question)
        except SourceError as error:
            health.state = Health.FAILING
            _log.warning("source failed: %s", error.reason, extra={"source": source.name})
            if isinstance(error, ContractBroken):
                _BREACHES.labels(source.name, "answer").inc()
            failed = _failed(source.name, error)
            return {(source.name, key): failed for key in keys}, error.code
        now = _now()
        health.state, health.last_answered = Health.UP, now
        for kind, number in reply.breaches.items():
            _BREACHES.labels(source.name, kind).inc(number)
            extra = {"source": source.name, "kind": kind, "number": number}
            _log.warning("source breaks its contract", extra=extra)
        answers: dict[tuple[str, str], Answer] = {}
        for key in keys:
            record = reply.records.get(key)
            # Where another's record came in the place of one, that is no "there is none".
            mixed_up = record is None and "other-person" in reply.breaches
            if mixed_up or key in reply.broken:
                answers[source.name, key] = _failed(source.name, ContractBroken("not relied on"))
            elif record is None:
                answers[source.name, key] = Answer(source.name, State.ABSENT, {}, None, now)
            else:
                answers[source.name, key] = Answer(
                    source.name, State.KNOWN, record.values, record.as_of, now
                )
        return answers, None

    async def _ask(self, source: Source, question: Question) -> Reply:
        """One call within the source's deadline. Raises SourceError and nothing else."""
        try:
            async with asyncio.timeout(source.timeout):
                return await self._adapters[source.name].ask(question)
        except TimeoutError as error:
            raise SourceTimeout("the source did not answer in time") from error
        except SourceError:
            raise
        except Exception as error:
            # An adapter's own fault costs its source's items only; its text may be personal.
            _log.error(
                "adapter failed",
                extra={"source": source.name, "error": type(error).__qualname__},
            )
            raise SourceUnavailable("the adapter failed") from error

    async def close(self) -> None:
        """Close every adapter."""
        await asyncio.gather(*(adapter.close() for adapter in self._adapters.values()))


def _failed(source: str, error: SourceError) -> Answer:
    failure = Failure(error.code, error.retry_after)
    return Answer(source, State.UNAVAILABLE, {}, None, _now(), failure)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
