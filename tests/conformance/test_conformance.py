"""The conformance suite holds a good source, and falls on every bad one with the right line."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from hub.app import ADAPTERS
from sources.adapter import BROKEN, Adapter, Question, Record, Reply, SourceUnavailable, expand
from sources.conformance.checks import CHECKS
from sources.conformance.run import Result, grade
from sources.declaration import Source
from tests.conformance.conftest import Examine


def failed(results: dict[str, Result]) -> dict[str, str]:
    return {name: one.reason for name, one in results.items() if one.verdict == "failed"}


QUICK = ("answers", "gives items", "gives people", "gives types", "asks items", "values")
EVERY_ADAPTER = {
    "rest": "labour",
    "graphql": "education",
    "xroad": "courtRegistry",
    "dci": "agriculture",
    "soap": "corrections",
    "sql": "childcare",
    "file": "banks",
    "rest, found by a key": "businessRegister",
}


@pytest.mark.parametrize("adapter", EVERY_ADAPTER)
async def test_a_good_source_of_every_adapter_passes_every_check(
    examine: Examine, adapter: str
) -> None:
    results = await examine(EVERY_ADAPTER[adapter])
    # What an agency is told is a matter of its declaration.
    assert failed(results).keys() <= {"asks openly"}
    assert grade(list(results.values())) in ("silver", "gold")
    assert len(results) == len(CHECKS)


@pytest.mark.parametrize(
    ("adapter", "fault", "line"),
    [
        ("graphql", "other-person", "gives people"),
        ("xroad", "extra-item", "gives items"),
        ("dci", "wrong-type", "gives types"),
        ("soap", "garbage", "answers"),
        ("sql", "missing-item", "answers"),
        ("sql", "personal-error", "answers"),
        ("file", "wrong-type", "gives types"),
        ("file", "half-body", "answers"),
    ],
)
async def test_an_agency_of_any_adapter_that_breaks_falls_on_its_line(
    examine: Examine, adapter: str, fault: str, line: str
) -> None:
    results = await examine(EVERY_ADAPTER[adapter], always=fault, checks=QUICK)
    assert line in failed(results)
    assert grade(list(results.values())) is None


@pytest.mark.parametrize(
    ("fault", "line", "reason"),
    [
        ("extra-item", "gives items", "in an answer about 3: extra-item 3"),
        ("other-person", "gives people", "in an answer about 3: other-person 1"),
        ("wrong-type", "gives types", "in an answer about 3: wrong-type 90"),
        ("missing-item", "gives types", "in an answer about 3: missing-item 3"),
        ("redirect", "answers", "the source answered 302"),
        ("huge", "answers", "the answer has more than 8388608 bytes"),
        ("half-body", "answers", "the source cannot be reached"),
        ("error-in-200", "answers", "no records at `result.taxpayers` of the answer"),
        ("slow:3000", "answers", "the source did not answer in time"),
        ("personal-error", "answers", "the source answered 500"),
        ("duplicate", "gives people", "in an answer about 3: duplicate 1"),
        ("nobody", "answers", "those whom the agency knows have no record"),
    ],
)
async def test_an_agency_that_always_breaks_so_falls_on_one_line(
    examine: Examine, fault: str, line: str, reason: str
) -> None:
    results = await examine(always=fault, checks=QUICK)
    assert failed(results)[line] == reason
    assert set(failed(results)) <= {line, "values"}
    assert grade(list(results.values())) is None


class Wrapped:
    """The good adapter, which a bad one spoils."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.good = ADAPTERS[source.adapter](source)
        self.url = expand(source.adapter_table["url"])

    check = staticmethod(lambda _: [])

    async def ask(self, question: Question) -> Reply:
        return await self.good.ask(question)

    async def close(self) -> None:
        await self.good.close()


class AsksForMore(Wrapped):
    async def ask(self, question: Question) -> Reply:
        items = tuple(item for item in self.source.items if item.subject == question.subject)
        return await self.good.ask(question._replace(items=items))


class AsksEachAlone(Wrapped):
    async def ask(self, question: Question) -> Reply:
        each = (self.good.ask(question._replace(keys=(key,))) for key in question.keys)
        replies = await asyncio.gather(*each, return_exceptions=True)
        found: dict[str, Record] = {}
        for reply in replies:
            if isinstance(reply, BaseException):
                raise reply
            found |= reply.records
        return Reply(found)


class AsksAboutOneMore(Wrapped):
    async def ask(self, question: Question) -> Reply:
        return await self.good.ask(question._replace(keys=(*question.keys, "820101-1000000")))


class TakesFailureForNobody(Wrapped):
    async def ask(self, question: Question) -> Reply:
        try:
            return await self.good.ask(question)
        except Exception:  # noqa: BLE001 - the fault that is to be found
            return Reply({})


class TakesSpoiltForZero(Wrapped):
    async def ask(self, question: Question) -> Reply:
        reply = await self.good.ask(question)
        records = {
            key: Record({name: _or_zero(value) for name, value in one.values.items()}, one.as_of)
            for key, one in reply.records.items()
        }
        return Reply(records, reply.breaches)


def _or_zero(value: Any) -> Any:
    if isinstance(value, list):
        return [{name: _or_zero(one) for name, one in row.items()} for row in value]
    return 0 if value is BROKEN else value


class TellsWhatTheAgencySaid(Wrapped):
    async def ask(self, question: Question) -> Reply:
        try:
            return await self.good.ask(question)
        except Exception as error:
            raise SourceUnavailable(f"no record of {question.keys[0]}") from error


class LogsWhomItAsks(Wrapped):
    async def ask(self, question: Question) -> Reply:
        logging.getLogger("adapter").info("asking", extra={"people": question.keys})
        return await self.good.ask(question)


class RaisesWhatItGets(Wrapped):
    async def ask(self, question: Question) -> Reply:
        try:
            return await self.good.ask(question)
        except Exception as error:
            raise ValueError("oops") from error


class Stubborn(Wrapped):
    async def ask(self, question: Question) -> Reply:
        started = time.monotonic()
        try:
            return await self.good.ask(question)
        except asyncio.CancelledError:
            await asyncio.sleep(4 - (time.monotonic() - started))
            raise


class Blocking(Wrapped):
    async def ask(self, question: Question) -> Reply:
        time.sleep(0.2)  # noqa: ASYNC251 - the fault that is to be found
        return await self.good.ask(question)


class SaysNothingOfWhy(Wrapped):
    async def ask(self, question: Question) -> Reply:
        told = question.context._replace(purpose="", legal_basis="")
        return await self.good.ask(question._replace(context=told))


class MixesOperations(Wrapped):
    last: Question | None = None

    async def ask(self, question: Question) -> Reply:
        context = question.context if self.last is None else self.last.context
        self.last = question
        return await self.good.ask(question._replace(context=context))


class GivesTheFirstToAll(Wrapped):
    async def ask(self, question: Question) -> Reply:
        reply = await self.good.ask(question)
        first = next(iter(reply.records.values()), None)
        return Reply(dict.fromkeys(reply.records, first) if first else {})  # type: ignore[arg-type]


class PutsPeopleIntoAddresses(Wrapped):
    """Asks as an old service would want it: the ids in the query."""

    async def ask(self, question: Question) -> Reply:
        async with httpx.AsyncClient(trust_env=False) as client:
            await client.post(f"{self.url}/v1/taxpayers/search?id={question.keys[0]}", json={})
        return await self.good.ask(question)


@pytest.mark.parametrize(
    ("adapter", "line", "reason"),
    [
        (AsksForMore, "asks items", "asked for more than was granted: `arrears`"),
        (AsksEachAlone, "asks once", "calls for one batch of"),
        (AsksAboutOneMore, "asks people", "asked about 1 people of no question"),
        (TakesFailureForNobody, "fault garbage", "was taken for an answer: nobody has a record"),
        (TakesFailureForNobody, "fault error", "was taken for an answer: nobody has a record"),
        (TakesSpoiltForZero, "fault wrong-type", "spoilt values were taken as they came"),
        (TellsWhatTheAgencySaid, "privacy", "an error's text tells of a person"),
        (TellsWhatTheAgencySaid, "fault redirect", "gave SourceUnavailable; is to be ContractBr"),
        (LogsWhomItAsks, "privacy", "a line of the log tells of a person"),
        (RaisesWhatItGets, "fault error", "the adapter raised ValueError, which is no SourceE"),
        (Stubborn, "fault slow", "let go "),
        (Blocking, "apart", "of 100 operations at once failed"),
        (SaysNothingOfWhy, "asks openly", "is not told purpose, legalBasis"),
        (MixesOperations, "apart", "calls were made in another operation's name"),
        (GivesTheFirstToAll, "values", "(declared "),
        (PutsPeopleIntoAddresses, "addresses", "a person's id stands in the address of a request"),
    ],
)
async def test_an_adapter_that_is_wrong_so_falls_on_that_line(
    examine: Examine, adapter: Callable[[Source], Adapter], line: str, reason: str
) -> None:
    results = await examine(adapter=adapter, checks=("answers", line))
    assert list(failed(results)) == [line]
    assert reason in failed(results)[line]


def test_a_grade_needs_all_checks_of_its_own_and_of_the_lower_ones() -> None:
    by_grade = {
        level: [Result(one, "passed") for one in CHECKS if one.grade == level]
        for level in ("bronze", "silver", "gold")
    }
    passed = [one for results in by_grade.values() for one in results]
    assert grade(passed) == "gold"
    for level, reached in (("gold", "silver"), ("silver", "bronze"), ("bronze", None)):
        one = by_grade[level][-1]
        spoilt = [Result(one.check, "failed") if each is one else each for each in passed]
        assert grade(spoilt) == reached
