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
from typing import NamedTuple

from hub.budget import Budgets
from hub.cache import Answers, Given
from hub.guard import Guard
from hub.together import Outcome, SourceHealth, Together
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

TOLD = frozenset({"legal_basis", "case", "user"})
"""The parts of the context that an adapter may transmit, beside the purpose, unless it says less
(`told`): answers are kept apart by them."""


class Ask(NamedTuple):
    """One source's part of a round."""

    source: str
    subject: Subject
    keys: tuple[str, ...]
    items: tuple[Item, ...]


class Call(NamedTuple):
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
        self._told = {name: getattr(adapter, "told", TOLD) for name, adapter in adapters.items()}
        self._guards = {
            name: Guard(catalogue.sources[name], adapter) for name, adapter in adapters.items()
        }
        self._together = {
            name: Together(
                catalogue.sources[name],
                self._guards[name],
                self._told[name] if getattr(adapter, "together", False) else None,
            )
            for name, adapter in adapters.items()
        }
        self._budgets = budgets
        self._kept = kept
        untried = {name: SourceHealth() for name in catalogue.sources}
        self.health = untried | {name: one.health for name, one in self._together.items()}

    async def round(self, name: str, asks: Sequence[Ask], context: Context) -> Gathered:
        """Ask every source of a round at the same time, each once within its batch size.

        Nothing that was kept serves here: access rests on what is so now. Raises LogUnavailable.
        """
        return await self._round(name, asks, context)

    async def data(self, number: int, asks: Sequence[Ask], context: Context) -> Gathered:
        """The same for a round of data: what was kept serves where a source's terms say so.

        What another operation is asking for just now will do too, unless it is to be asked anew.
        """
        return await self._round(f"data {number}", asks, context, self._kept, join=not context.anew)

    async def _round(
        self,
        name: str,
        asks: Sequence[Ask],
        context: Context,
        kept: Answers | None = None,
        *,
        join: bool = False,
    ) -> Gathered:
        gathered = Gathered()
        asked = [self._asked(ask, context) for ask in asks]
        sent: list[_Sent] = []
        try:
            fresh = await _fresh(asked, asks, None if context.anew else kept)
            left = [
                ask._replace(keys=tuple(key for key in ask.keys if key not in found))
                if found
                else ask
                for ask, found in zip(asks, fresh, strict=True)
            ]
            over = await self._over(left, context)
            # All are asked before any is waited for.
            for ask, given in zip(left, asked, strict=True):
                sent.append(self._sent(ask, given, over.get(ask.source), join=join))
            for ask, given, found, part in zip(asks, asked, fresh, sent, strict=True):
                gathered.answers |= {(ask.source, key): one for key, one in found.items()}
                call = await self._came(name, given, kept, part, gathered)
                gathered.calls.append(call._replace(people=len(ask.keys)) if found else call)
        finally:
            if kept is not None:
                await _release(asked, asks, kept)
            left_over = [each for part in sent for _, each in part.parts if not each.done()]
            if left_over:
                await _give_up(left_over)
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

    def _sent(self, ask: Ask, given: Given, over: OverBudget | None, *, join: bool) -> _Sent:
        """Ask a source for all of an ask, within its batch size."""
        started, size, keys = time.perf_counter(), given.source.batch, ask.keys
        batches = [keys[start : start + size] for start in range(0, len(keys), size)]
        parts = []
        for keys in batches:
            if over is None:
                question = Question(given.subject, keys, given.items, given.context)
                outcome = self._together[ask.source].ask(question, join=join)
            else:
                _log.warning("source failed: %s", over.reason, extra={"source": ask.source})
                outcome = asyncio.get_running_loop().create_future()
                outcome.set_result(Outcome(None, over, started, _now()))
            parts.append((keys, outcome))
        return _Sent(started, len(ask.keys), parts)

    async def _came(
        self, name: str, given: Given, kept: Answers | None, sent: _Sent, gathered: Gathered
    ) -> Call:
        """Put the answers to an ask to those gathered; the account of it."""
        source = given.source.name
        state, evidence, ended = "OK", [], sent.started
        for keys, future in sent.parts:
            outcome = await future
            ended = max(ended, outcome.ended)
            if outcome.reply is None:
                error = outcome.error or SourceUnavailable("nothing came")
                state = error.code
                failed = _failed(source, error, outcome.at)
                gathered.answers |= {(source, key): failed for key in keys}
                gathered.answers |= await _standing_in(given, keys, kept, error)
                continue
            sound = _answered(source, keys, outcome.reply, outcome.at, gathered.answers)
            if len(sound) < len(keys):
                state = ContractBroken.code
            if outcome.reply.evidence:
                evidence.append(outcome.reply.evidence)
            if kept is not None and (given.source.terms.fresh or given.source.terms.stale):
                await kept.keep(given, sound)
        took = round((ended - sent.started) * 1000, 3)
        items = len(given.items)
        return Call(source, name, items, sent.people, state, took, tuple(evidence))

    async def close(self) -> None:
        """Close every adapter, and what was kept."""
        await asyncio.gather(*(one.close() for one in self._together.values()))
        if self._kept is not None:
            await self._kept.close()


class _Sent(NamedTuple):
    """What a source was asked in a round, and what will come of it: since when, of how many."""

    started: float
    people: int
    parts: list[tuple[tuple[str, ...], asyncio.Future[Outcome]]]


async def _give_up(futures: Sequence[asyncio.Future[Outcome]]) -> None:
    """Give up what nobody waits for any more, and see its calls end."""
    for future in futures:
        future.cancel()
    await asyncio.wait(futures)


def _answered(
    source: str,
    keys: Sequence[str],
    reply: Reply,
    at: datetime.datetime,
    answers: dict[tuple[str, str], Answer],
) -> dict[str, Record | None]:
    """Put a reply to the answers by source and key; those of its records that can be relied on."""
    records, broken = reply.records, reply.broken
    strays = "other-person" in reply.breaches
    sound: dict[str, Record | None] = {}
    for key in keys:
        record = records.get(key)
        # Where another's record came in the place of one, that is no "there is none".
        if (strays and record is None) or key in broken:
            answers[source, key] = _failed(source, ContractBroken("not relied on"), at)
        else:
            sound[key] = record
            answers[source, key] = _answer(source, record, at)
    return sound


def _answer(
    source: str, record: Record | None, at: datetime.datetime, age: int | None = None
) -> Answer:
    if record is None:
        return Answer(source, State.ABSENT, {}, None, at, None, age)
    return Answer(source, State.KNOWN, record.values, record.as_of, at, None, age)


async def _fresh(
    asked: Sequence[Given], asks: Sequence[Ask], kept: Answers | None
) -> list[dict[str, Answer]]:
    """What need not be asked, as it is fresh enough by the source's terms; by ask and key."""
    if kept is None or all(given.source.terms.fresh is None for given in asked):
        return [{} for _ in asks]
    return list(
        await asyncio.gather(
            *(_fresh_of(given, ask.keys, kept) for given, ask in zip(asked, asks, strict=True))
        )
    )


async def _fresh_of(given: Given, keys: Sequence[str], kept: Answers) -> dict[str, Answer]:
    source, within = given.source.name, given.source.terms.fresh
    if within is None:
        return {}
    found = await kept.find(given, keys, within)
    missing = [key for key in keys if key not in found]
    if missing:
        found |= await kept.wait(given, missing, within, given.source.timeout)
    return {key: _answer(source, entry.record, entry.at, entry.age) for key, entry in found.items()}


async def _release(asked: Sequence[Given], asks: Sequence[Ask], kept: Answers) -> None:
    """Let other replicas ask for what was asked for here."""
    for given, ask in zip(asked, asks, strict=True):
        if given.source.terms.fresh is not None:
            await kept.release(given, ask.keys)


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


def _failed(source: str, error: SourceError, at: datetime.datetime) -> Answer:
    failure = Failure(error.code, error.retry_after)
    return Answer(source, State.UNAVAILABLE, {}, None, at, failure)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
