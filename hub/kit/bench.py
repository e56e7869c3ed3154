"""Measures what asking a source costs the hub: its adapter, over a stand-in on this machine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from hub.kit.trying import CONTEXT
from sources.adapter import Adapter, Question
from sources.declaration import Source
from sources.standins import StandIn


@dataclass(frozen=True)
class Measured:
    """Calls of one size, so many at the same time; times in milliseconds."""

    people: int
    at_once: int
    calls: int
    middle: float
    slow: float
    people_a_second: float


async def measure(
    adapter: Adapter, source: Source, stand_in: StandIn, seconds: float
) -> AsyncIterator[Measured]:
    """Each size of call for some seconds, alone and many at once; then the adapter is closed.

    Raises SourceError.
    """
    subject = next(iter(stand_in.about["known"]))
    known = tuple(stand_in.about["known"][subject])
    items = tuple(item for item in source.items if item.subject == subject)
    try:
        for people in sorted({1, min(10, source.batch), min(source.batch, len(known))}):
            question = Question(subject, known[:people], items, CONTEXT)
            await adapter.ask(question)
            for at_once in (1, 16):
                times: list[float] = []
                started = time.perf_counter()

                async def worker(until: float, question: Question, times: list[float]) -> None:
                    while time.perf_counter() < until:
                        begun = time.perf_counter()
                        await adapter.ask(question)
                        times.append((time.perf_counter() - begun) * 1000)

                until = started + seconds
                await asyncio.gather(*(worker(until, question, times) for _ in range(at_once)))
                elapsed = time.perf_counter() - started
                times.sort()
                yield Measured(
                    people,
                    at_once,
                    len(times),
                    times[len(times) // 2],
                    times[int(len(times) * 0.95)],
                    people * len(times) / elapsed,
                )
    finally:
        await adapter.close()
