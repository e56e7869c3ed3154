"""Keeps the terms on which one source is asked: places, deadline, tries, and when to leave it be.

All adapters are asked through here, so that none has to look after itself. All calls are reads:
what failed in passing may be asked again.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client import Counter, Gauge

from sources.adapter import (
    Adapter,
    Question,
    Reply,
    SourceError,
    SourceRefused,
    SourceTimeout,
    SourceUnavailable,
)
from sources.declaration import Source
from sources.terms import Terms

_log = logging.getLogger("hub.guard")
_OPEN = Gauge("hub_source_left_alone", "Whether a source is left alone", ["source"])
_RETRIES = Counter("hub_source_retries", "Calls to sources that were tried again", ["source"])
_HEDGES = Counter("hub_source_hedges", "Second calls to sources slow to answer", ["source"])
_WAITING = Gauge("hub_source_waiting", "Calls that wait for a place", ["source"])

LONGEST_HOLD = 300.0
"""Seconds: no `Retry-After` keeps the hub from a source for longer."""
_RETRIES_AT_ONCE = 5.0
"""How many retries a source may have saved up, and how many second calls."""


@dataclass
class Breaker:
    """Leaves a source alone after failures in a row, then lets a few calls try whether it is back.

    `until` is when it may be tried again, None while it is asked as usual; `held` until when it
    asked to be left alone. Both are on the clock of `time.monotonic`.
    """

    source: str
    terms: Terms
    failures: int = 0
    until: float | None = None
    probing: int = 0
    held: float = 0.0

    def check(self) -> None:
        """Raise SourceUnavailable while the source is to be left alone."""
        now = time.monotonic()
        if self.held > now:
            raise SourceUnavailable("the source asked to be left alone", self.held - now)
        if self.until is None:
            return
        if now < self.until:
            raise SourceUnavailable("the source is left alone after failures", self.until - now)
        if self.probing >= self.terms.breaker.probes:
            raise SourceUnavailable("the source is being tried", self.terms.breaker.pause)

    @contextlib.contextmanager
    def call(self) -> Iterator[None]:
        """One call. Raises SourceUnavailable where none may be made."""
        self.check()
        probe = self.until is not None
        self.probing += probe
        try:
            yield
        finally:
            self.probing -= probe

    def answered(self) -> None:
        """The source answered, if only to refuse."""
        self.failures = 0
        if self.until is not None:
            self.until = None
            _OPEN.labels(self.source).set(0)
            _log.warning("source is back", extra={"source": self.source})

    def failed(self, error: SourceError) -> None:
        """The source failed, or broke its contract."""
        now, terms = time.monotonic(), self.terms.breaker
        if error.retry_after is not None:
            self.held = now + min(error.retry_after, LONGEST_HOLD)
        self.failures += 1
        if self.failures < terms.failures and self.until is None:
            return
        if self.until is None:
            _log.warning("source is left alone", extra={"source": self.source})
            _OPEN.labels(self.source).set(1)
        self.until = now + terms.pause


class Guard:
    """Asks one source through its adapter, on its terms."""

    def __init__(self, source: Source, adapter: Adapter) -> None:
        self._source = source
        self._adapter = adapter
        self._terms = source.terms
        self._places = asyncio.Semaphore(source.terms.pool.connections)
        self._waiting = 0
        self._retries = _RETRIES_AT_ONCE if source.terms.retry.share else 0.0
        self._hedges = _RETRIES_AT_ONCE if source.terms.hedge.share else 0.0
        self.breaker = Breaker(source.name, source.terms)

    async def ask(self, question: Question) -> Reply:
        """Ask within the source's deadline and the operation's. Raises SourceError, no other."""
        self.breaker.check()
        now = asyncio.get_running_loop().time()
        own = now + self._source.timeout
        until = min(own, question.context.deadline)
        if until <= now:
            raise SourceTimeout("the operation has no time left for the source")
        await self._place(until)
        try:
            return await self._tries(question, until, whole=until == own)
        finally:
            self._places.release()

    async def _place(self, until: float) -> None:
        """Take one of the places for calls under way, waiting no longer than the deadline."""
        if not self._places.locked():
            await self._places.acquire()
            return
        if self._waiting >= self._terms.pool.waiting:
            raise SourceUnavailable("too many calls wait for the source", 1.0)
        self._waiting += 1
        _WAITING.labels(self._source.name).inc()
        try:
            async with asyncio.timeout_at(until):
                await self._places.acquire()
        except TimeoutError as error:
            raise SourceTimeout("no place was free for the call in time") from error
        finally:
            self._waiting -= 1
            _WAITING.labels(self._source.name).dec()

    async def _tries(self, question: Question, until: float, *, whole: bool) -> Reply:
        """Ask, and again where that may help. `whole`: the source has all of its own time."""
        terms = self._terms.retry
        self._retries = min(self._retries + terms.share, _RETRIES_AT_ONCE)
        for tried in itertools.count():
            try:
                with self.breaker.call():
                    reply = await self._once(question, until)
            except SourceRefused:
                self.breaker.answered()
                raise
            except SourceError as error:
                # A source that was given less than its own time has not failed.
                if whole or not isinstance(error, SourceTimeout):
                    self.breaker.failed(error)
                pause = self._pause(error, tried, until)
                if pause is None:
                    raise
                await asyncio.sleep(pause)
            else:
                self.breaker.answered()
                return reply
        raise AssertionError

    def _pause(self, error: SourceError, tried: int, until: float) -> float | None:
        """The seconds to wait before trying again; None where that is not to be done."""
        terms = self._terms.retry
        if not error.passing or tried >= terms.times or self._retries < 1:
            return None
        # Drawn by chance, lest all who failed together come back together.
        drawn = random.uniform(0, 2 * terms.pause * 2**tried)  # noqa: S311 - no secret
        pause = drawn if error.retry_after is None else error.retry_after + drawn
        if asyncio.get_running_loop().time() + pause >= until:
            return None
        self._retries -= 1
        _RETRIES.labels(self._source.name).inc()
        return pause

    async def _once(self, question: Question, until: float) -> Reply:
        """One call. Raises SourceError and nothing else."""
        try:
            async with asyncio.timeout_at(until):
                return await self._answer(question)
        except TimeoutError as error:
            raise SourceTimeout("the source did not answer in time") from error
        except SourceError:
            raise
        except Exception as error:
            # An adapter's own fault costs its source's items only; its text may be personal.
            _log.error(
                "adapter failed",
                extra={"source": self._source.name, "error": type(error).__qualname__},
            )
            raise SourceUnavailable("the adapter failed") from error

    async def _answer(self, question: Question) -> Reply:
        """The first answer of a call, and of a second one where a slow source allows it."""
        terms = self._terms.hedge
        if terms.after is None:
            return await self._adapter.ask(question)
        self._hedges = min(self._hedges + terms.share, _RETRIES_AT_ONCE)
        calls = {asyncio.ensure_future(self._adapter.ask(question))}
        try:
            await asyncio.wait(calls, timeout=terms.after)
            (first,) = calls
            # It takes one of the places for calls, and waits for none.
            if first.done() or self._hedges < 1 or self._places.locked():
                return await first
            async with self._places:
                self._hedges -= 1
                _HEDGES.labels(self._source.name).inc()
                calls.add(asyncio.ensure_future(self._adapter.ask(question)))
                done, left = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
                sound = [call for call in done if call.exception() is None]
                return await (sound or [*left] or [first])[0]
        finally:
            for call in calls:
                call.cancel()
            await asyncio.wait(calls)

    async def close(self) -> None:
        """Close the adapter."""
        await self._adapter.close()
