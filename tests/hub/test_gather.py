"""Gathering over adapters in memory: all at once, in batches, and each failure its own."""

from __future__ import annotations

import asyncio
import datetime
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from prometheus_client import REGISTRY

from hub.gather import Ask, Call, Gathered, Gatherer
from schema.access import Health
from schema.view import Answer, Failure, State
from sources.adapter import (
    BROKEN,
    Adapter,
    Context,
    ContractBroken,
    Question,
    Record,
    Reply,
    SourceRefused,
    SourceTimeout,
    SourceUnavailable,
)
from sources.declaration import Catalogue, Source
from sources.fault import Fault
from sources.reading import read_catalogue

DECLARATION = """\
[source]
agency = "Agency"
description = "Data"
adapter = "memory"
batch = 3
timeout = "50ms"

[item.pay]
description = "Pay"
type = "Won"
category = "income"
"""
DAY = datetime.date(2026, 10, 31)
CONTEXT = Context("pension", "Basic Pension Act, Article 11", "C-1", "op-1")
PERSON = "900101-1000001"

Answering = Callable[[Question], Awaitable[Reply]]


async def everyone(question: Question) -> Reply:
    """A record of everyone asked about."""
    return Reply({key: Record({"pay": len(key)}, DAY) for key in question.keys})


@dataclass
class Memory:
    """An adapter that answers from memory, and remembers what it was asked."""

    answering: Answering = everyone
    asked: list[Question] = field(default_factory=list)
    closed: bool = False

    @staticmethod
    def check(source: Source) -> list[Fault]:
        raise NotImplementedError

    async def ask(self, question: Question) -> Reply:
        self.asked.append(question)
        return await self.answering(question)

    async def close(self) -> None:
        self.closed = True


def raising(error: Exception) -> Memory:
    async def fail(_: Question) -> Reply:
        raise error

    return Memory(fail)


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    folder = tmp_path_factory.mktemp("catalogue")
    for name in ("tax", "labour", "land"):
        (folder / f"{name}.toml").write_text(DECLARATION)
    found, faults = read_catalogue(folder, ["tax", "labour", "land"], "tax", "tax")
    assert faults == []
    return found


@pytest.fixture
def gatherer(catalogue: Catalogue) -> Callable[..., Gatherer]:
    """Makes a gatherer over adapters by their source's name."""

    def make(**adapters: Any) -> Gatherer:
        usual: dict[str, Adapter] = {name: Memory() for name in catalogue.sources}
        return Gatherer(catalogue, {**usual, **adapters})

    return make


def ask(catalogue: Catalogue, source: str, *keys: str) -> Ask:
    return Ask(source, "person", keys or (PERSON,), catalogue.sources[source].items)


def asks(catalogue: Catalogue, *sources: str) -> list[Ask]:
    return [ask(catalogue, source) for source in sources]


def states(gathered: Gathered) -> dict[str, str]:
    return {call.source: call.state for call in gathered.calls}


Make = Callable[..., Gatherer]


# One source


async def test_an_answer_is_known_by_its_source_and_key(
    gatherer: Make, catalogue: Catalogue
) -> None:
    gathered = await gatherer().round("data 1", [ask(catalogue, "tax", "a")], CONTEXT)
    answer = gathered.answers["tax", "a"]
    expected = Answer("tax", State.KNOWN, {"pay": 1}, DAY, answer.fetched_at)
    assert gathered.answers == {("tax", "a"): expected}


async def test_whom_a_source_has_no_record_of_is_absent(
    gatherer: Make, catalogue: Catalogue
) -> None:
    async def nobody(_: Question) -> Reply:
        return Reply({})

    made = gatherer(tax=Memory(nobody))
    answer = (await made.round("data 1", asks(catalogue, "tax"), CONTEXT)).answers["tax", PERSON]
    assert (answer.state, answer.values, answer.failure) == (State.ABSENT, {}, None)


async def test_an_adapter_is_asked_just_what_the_round_says(
    gatherer: Make, catalogue: Catalogue
) -> None:
    tax = Memory()
    items = catalogue.sources["tax"].items
    await gatherer(tax=tax).round("data 1", [Ask("tax", "case", ("a", "b"), items[:1])], CONTEXT)
    assert tax.asked == [Question("case", ("a", "b"), items[:1], CONTEXT)]


async def test_a_person_whom_nobody_asked_about_is_dropped(
    gatherer: Make, catalogue: Catalogue
) -> None:
    async def more(question: Question) -> Reply:
        return await everyone(question._replace(keys=(*question.keys, "other")))

    made = gatherer(tax=Memory(more))
    gathered = await made.round("data 1", asks(catalogue, "tax"), CONTEXT)
    assert gathered.answers.keys() == {("tax", PERSON)}


async def test_a_call_says_what_was_asked_and_how_it_went(
    gatherer: Make, catalogue: Catalogue
) -> None:
    gathered = await gatherer().round("case", [ask(catalogue, "tax", "a", "b")], CONTEXT)
    (call,) = gathered.calls
    assert call == Call("tax", "case", 2, 2, "OK", call.milliseconds)
    assert 0 <= call.milliseconds < 50


# Batches


@pytest.mark.parametrize(
    ("people", "sizes"), [(1, [1]), (3, [3]), (4, [3, 1]), (7, [3, 3, 1]), (9, [3, 3, 3])]
)
async def test_people_are_asked_about_within_the_batch_size_and_once_each(
    gatherer: Make, catalogue: Catalogue, people: int, sizes: list[int]
) -> None:
    tax = Memory()
    keys = tuple(f"p{number}" for number in range(people))
    gathered = await gatherer(tax=tax).round("data 1", [ask(catalogue, "tax", *keys)], CONTEXT)
    assert [len(question.keys) for question in tax.asked] == sizes
    assert tuple(key for question in tax.asked for key in question.keys) == keys
    assert [key for _, key in gathered.answers] == list(keys)


async def test_several_batches_are_one_call_in_the_account(
    gatherer: Make, catalogue: Catalogue
) -> None:
    gathered = await gatherer().round("data 1", [ask(catalogue, "tax", *"abcdefg")], CONTEXT)
    assert [(call.source, call.people) for call in gathered.calls] == [("tax", 7)]


async def test_a_batch_that_fails_costs_only_its_own_people(
    gatherer: Make, catalogue: Catalogue
) -> None:
    async def not_d(question: Question) -> Reply:
        if "d" in question.keys:
            raise SourceUnavailable("down")
        return await everyone(question)

    made = gatherer(tax=Memory(not_d))
    gathered = await made.round("data 1", [ask(catalogue, "tax", *"abcdefg")], CONTEXT)
    known = {key for (_, key), answer in gathered.answers.items() if answer.state is State.KNOWN}
    assert known == set("abcg")
    assert states(gathered) == {"tax": "SOURCE_UNAVAILABLE"}


# All at the same time


def meeting(parties: int) -> Answering:
    """Answers once so many have asked at the same time."""
    barrier = asyncio.Barrier(parties)

    async def meet(question: Question) -> Reply:
        await barrier.wait()
        return await everyone(question)

    return meet


async def test_all_sources_of_a_round_are_asked_at_the_same_time(
    gatherer: Make, catalogue: Catalogue
) -> None:
    meet = meeting(3)
    made = gatherer(tax=Memory(meet), labour=Memory(meet), land=Memory(meet))
    gathered = await made.round("data 1", asks(catalogue, "tax", "labour", "land"), CONTEXT)
    assert states(gathered) == {"tax": "OK", "labour": "OK", "land": "OK"}


async def test_all_batches_of_a_source_are_asked_at_the_same_time(
    gatherer: Make, catalogue: Catalogue
) -> None:
    made = gatherer(tax=Memory(meeting(3)))
    gathered = await made.round("data 1", [ask(catalogue, "tax", *"abcdefg")], CONTEXT)
    assert states(gathered) == {"tax": "OK"}


# Failures


async def hang(_: Question) -> Reply:
    await asyncio.Event().wait()
    raise AssertionError


async def test_a_source_beyond_its_deadline_is_a_timeout(
    gatherer: Make, catalogue: Catalogue
) -> None:
    made = gatherer(tax=Memory(hang))
    async with asyncio.timeout(1):
        gathered = await made.round("data 1", asks(catalogue, "tax"), CONTEXT)
    answer = gathered.answers["tax", PERSON]
    assert (answer.state, answer.values) == (State.UNAVAILABLE, {})
    assert answer.failure == Failure("SOURCE_TIMEOUT")
    assert 50 <= gathered.calls[0].milliseconds < 500


async def test_an_adapter_is_cancelled_at_the_deadline(
    gatherer: Make, catalogue: Catalogue
) -> None:
    ended = asyncio.Event()

    async def hang_and_tell(question: Question) -> Reply:
        try:
            return await hang(question)
        finally:
            ended.set()

    await gatherer(tax=Memory(hang_and_tell)).round("data 1", asks(catalogue, "tax"), CONTEXT)
    assert ended.is_set()


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (SourceUnavailable("down"), Failure("SOURCE_UNAVAILABLE")),
        (SourceUnavailable("busy", 30.0), Failure("SOURCE_UNAVAILABLE", 30.0)),
        (SourceTimeout("slow"), Failure("SOURCE_TIMEOUT")),
        (SourceRefused("no"), Failure("SOURCE_UNAVAILABLE")),
        (ContractBroken("odd"), Failure("SOURCE_CONTRACT")),
        (TimeoutError(), Failure("SOURCE_TIMEOUT")),
        (KeyError(PERSON), Failure("SOURCE_UNAVAILABLE")),
        (ExceptionGroup("both", [ValueError(PERSON)]), Failure("SOURCE_UNAVAILABLE")),
        (RecursionError(PERSON), Failure("SOURCE_UNAVAILABLE")),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
async def test_a_failure_costs_only_its_source_and_says_its_kind(
    gatherer: Make, catalogue: Catalogue, error: Exception, failure: Failure
) -> None:
    made = gatherer(tax=raising(error))
    gathered = await made.round("data 1", asks(catalogue, "tax", "labour"), CONTEXT)
    failed, other = gathered.answers["tax", PERSON], gathered.answers["labour", PERSON]
    assert (failed.state, failed.values, failed.failure) == (State.UNAVAILABLE, {}, failure)
    assert (other.state, other.failure) == (State.KNOWN, None)
    assert states(gathered) == {"tax": failure.code, "labour": "OK"}


async def test_an_adapters_own_fault_is_logged_by_its_kind_and_never_by_its_text(
    gatherer: Make, catalogue: Catalogue, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    made = gatherer(tax=raising(KeyError(PERSON)))
    await made.round("data 1", asks(catalogue, "tax"), CONTEXT)
    said = [(entry.levelname, entry.getMessage()) for entry in caplog.records]
    assert said == [
        ("ERROR", "adapter failed"),
        ("WARNING", "source failed: the adapter failed"),
    ]
    assert [vars(entry).get("error") for entry in caplog.records] == ["KeyError", None]
    assert not any(PERSON in str(vars(entry)) for entry in caplog.records)
    assert PERSON not in caplog.text


async def test_a_failure_names_no_person_in_the_log(
    gatherer: Make, catalogue: Catalogue, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    made = gatherer(tax=raising(SourceUnavailable("the source answered 500")))
    await made.round("data 1", asks(catalogue, "tax"), CONTEXT)
    assert caplog.messages == ["source failed: the source answered 500"]
    assert not any(PERSON in str(vars(entry)) for entry in caplog.records)


async def test_an_operation_that_is_given_up_gives_up_its_calls(
    gatherer: Make, catalogue: Catalogue
) -> None:
    ended = asyncio.Event()

    async def hang_and_tell(question: Question) -> Reply:
        try:
            return await hang(question)
        finally:
            ended.set()

    tax = Memory(hang_and_tell)
    made = gatherer(tax=tax)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await made.round("data 1", asks(catalogue, "tax"), CONTEXT)
    assert ended.is_set()
    assert made.health["tax"].state is Health.UNTRIED


# Breaches


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_breaches_are_counted_by_kind_and_cost_no_more_than_their_values(
    gatherer: Make, catalogue: Catalogue, caplog: pytest.LogCaptureFixture
) -> None:
    async def breaking(question: Question) -> Reply:
        records = {key: Record({"pay": BROKEN}, None) for key in question.keys}
        return Reply(records, {"wrong-type": 2, "other-person": 1})

    before = counted("hub_source_breaches_total", source="tax", kind="wrong-type")
    made = gatherer(tax=Memory(breaking))
    gathered = await made.round("data 1", asks(catalogue, "tax"), CONTEXT)
    after = counted("hub_source_breaches_total", source="tax", kind="wrong-type")
    assert gathered.answers["tax", PERSON].state is State.KNOWN
    assert after - before == 2
    assert caplog.messages == ["source breaks its contract"] * 2


async def test_who_lacks_beside_another_persons_record_is_unavailable_and_not_absent(
    gatherer: Make, catalogue: Catalogue
) -> None:
    async def mixing_up(_: Question) -> Reply:
        return Reply({}, {"other-person": 1})

    made = gatherer(tax=Memory(mixing_up))
    gathered = await made.round("data 1", asks(catalogue, "tax"), CONTEXT)
    answer = gathered.answers["tax", PERSON]
    assert (answer.state, answer.failure) == (State.UNAVAILABLE, Failure("SOURCE_CONTRACT", None))


async def test_calls_are_counted_by_source_and_state(gatherer: Make, catalogue: Catalogue) -> None:
    before = counted("hub_source_calls_total", source="tax", state="SOURCE_CONTRACT")
    made = gatherer(tax=raising(ContractBroken("odd")))
    await made.round("data 1", asks(catalogue, "tax"), CONTEXT)
    after = counted("hub_source_calls_total", source="tax", state="SOURCE_CONTRACT")
    assert after - before == 1


# Health


async def test_a_source_is_as_it_answered_last(gatherer: Make, catalogue: Catalogue) -> None:
    tax = Memory()
    made = gatherer(tax=tax)
    seen = [made.health["tax"].state]
    for answering in (everyone, raising(SourceUnavailable("down")).answering, everyone):
        tax.answering = answering
        await made.round("data 1", asks(catalogue, "tax"), CONTEXT)
        seen.append(made.health["tax"].state)
    assert seen == [Health.UNTRIED, Health.UP, Health.FAILING, Health.UP]
    assert made.health["labour"].state is Health.UNTRIED


async def test_closing_closes_every_adapter(gatherer: Make) -> None:
    tax, labour = Memory(), Memory()
    await gatherer(tax=tax, labour=labour).close()
    assert (tax.closed, labour.closed) == (True, True)


async def test_of_whom_nothing_can_be_relied_on_is_unavailable_and_never_absent(
    gatherer: Make, catalogue: Catalogue
) -> None:
    async def breaking(_: Question) -> Reply:
        return Reply({}, {"duplicate": 1}, broken=frozenset({"a"}))

    made = gatherer(tax=Memory(breaking))
    gathered = await made.round("data 1", [ask(catalogue, "tax", "a", "b")], CONTEXT)
    answer = gathered.answers["tax", "a"]
    assert (answer.state, answer.failure) == (State.UNAVAILABLE, Failure("SOURCE_CONTRACT"))
    assert gathered.answers["tax", "b"].state is State.ABSENT
    assert states(gathered) == {"tax": "SOURCE_CONTRACT"}
