"""Runs the checks against one source, and grades what it found."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import httpx

from sources.adapter import Adapter, SourceError, SourceTimeout
from sources.conformance.checks import CHECKS, Check, Grade
from sources.conformance.setting import Failed, NotApplicable, Outcome, Setting
from sources.declaration import Source
from sources.standins import StandIn

GRADES: tuple[Grade, ...] = ("bronze", "silver", "gold")


@dataclass(frozen=True)
class Result:
    """How a check ended, and why where it did not pass."""

    check: Check
    verdict: Literal["passed", "failed", "not applicable", "left out"]
    reason: str = ""


@contextlib.asynccontextmanager
async def setting(
    source: Source, adapter: Callable[[Source], Adapter], stand_in: StandIn
) -> AsyncIterator[Setting]:
    """A source under examination, its adapter open and all that is logged heard."""
    # All the while: credentials are read from it when they are needed.
    with _environment(stand_in):
        async with _opened(source, adapter(source), stand_in) as found:
            yield found


@contextlib.asynccontextmanager
async def _opened(source: Source, made: Adapter, stand_in: StandIn) -> AsyncIterator[Setting]:
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        found = Setting(source, made, stand_in.control, stand_in.about, client)
        root = logging.getLogger()
        level = root.level
        root.addHandler(found.said)
        # A hub logs from this level on; what is told below it, nobody keeps.
        root.setLevel(min(level, logging.INFO) or logging.INFO)
        try:
            found.first = await _first(found)
            yield found
        finally:
            root.setLevel(level)
            root.removeHandler(found.said)
            await made.close()


async def _first(setting: Setting) -> Outcome:
    """How a first question ends; what is slow because it is cold is asked again."""
    try:
        first = await setting.ask(setting.batch(3), setting.items())
        if isinstance(first.error, SourceTimeout):
            return await setting.ask(setting.batch(3), setting.items())
    except Failed as failed:
        return Outcome(None, SourceError(str(failed)), 0.0)
    return first


@contextlib.contextmanager
def _environment(stand_in: StandIn) -> Iterator[None]:
    """The declaration's variables lead to the stand-in."""
    before = {name: os.environ.get(name) for name in stand_in.environment}
    os.environ.update(stand_in.environment)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


async def examine(check: Check, setting: Setting) -> Result:
    """Run one check; the agency works when it begins, or else the check is left out."""
    if setting.first.error is not None and check is not CHECKS[0]:
        return Result(check, "left out", "the source does not answer")
    await setting.fault("none")
    try:
        await check.run(setting)
    except Failed as failed:
        return Result(check, "failed", str(failed))
    except NotApplicable as reason:
        return Result(check, "not applicable", str(reason))
    return Result(check, "passed")


async def examine_all(setting: Setting, checks: Sequence[Check] = CHECKS) -> AsyncIterator[Result]:
    """Run the checks in order, each result as it comes."""
    for check in checks:
        yield await examine(check, setting)


def grade(results: Sequence[Result]) -> Grade | None:
    """The highest grade all of whose checks, and those of the lower ones, held; or none."""
    reached: Grade | None = None
    for candidate in GRADES:
        if any(one.verdict == "failed" for one in results if one.check.grade == candidate):
            break
        reached = candidate
    return reached
