"""Sources are asked on their terms: places, deadline, tries, and left alone when that is due."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from hub.guard import LONGEST_HOLD, Guard
from sources.adapter import (
    Context,
    ContractBroken,
    Question,
    Reply,
    SourceError,
    SourceRefused,
    SourceTimeout,
    SourceUnavailable,
)
from sources.declaration import Source
from sources.reading import read_catalogue

DECLARATION = """\
[source]
agency = "Agency"
description = "Data"
adapter = "memory"
timeout = "500ms"
TERMS

[item.pay]
description = "Pay"
type = "Won"
category = "income"
"""
CONTEXT = Context("pension", "Act", "C-1", "op-1")
PASSING = SourceUnavailable("busy", passing=True)
Answering = Callable[[int], Awaitable[Reply]]


class Agency:
    """Does with its n-th call, from 0, as it is told."""

    def __init__(self, answering: Answering) -> None:
        self.answering = answering
        self.calls = 0
        self.under_way = 0
        self.most = 0

    async def ask(self, _: Question) -> Reply:
        number, self.calls = self.calls, self.calls + 1
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            return await self.answering(number)
        finally:
            self.under_way -= 1

    async def close(self) -> None:
        raise NotImplementedError


def failing(*errors: Exception | None) -> Agency:
    """Fails so, call by call, the last for good; None is an answer."""

    async def fail(number: int) -> Reply:
        error = errors[min(number, len(errors) - 1)]
        if error is not None:
            raise error
        return Reply({})

    return Agency(fail)


async def hang(_: int) -> Reply:
    await asyncio.Event().wait()
    raise AssertionError


def source_on(folder: Path, terms: str = "") -> Source:
    (folder / "tax.toml").write_text(DECLARATION.replace("TERMS", terms))
    catalogue, faults = read_catalogue(folder, ["tax"], "tax", "tax")
    assert [str(fault) for fault in faults] == []
    return catalogue.sources["tax"]


class Asking:
    def __init__(self, source: Source, agency: Agency) -> None:
        self.agency = agency
        self.guard = Guard(source, agency)  # type: ignore[arg-type]
        self._items = source.items

    async def ask(self, context: Context = CONTEXT) -> Reply:
        return await self.guard.ask(Question("person", ("a",), self._items, context))

    async def outcome(self) -> str:
        try:
            await self.ask()
        except SourceError as error:
            return error.reason
        return "answered"


Make = Callable[..., Asking]


@pytest.fixture
def over(tmp_path: Path) -> Make:
    """Makes a guard over an agency, on terms."""
    return lambda agency, terms="": Asking(source_on(tmp_path, terms), agency)


# A second time


class Slow:
    """Answers when told to, call by call."""

    def __init__(self) -> None:
        self.answers = [asyncio.get_running_loop().create_future() for _ in range(9)]
        self.second = asyncio.Event()

    async def __call__(self, number: int) -> Reply:
        if number:
            self.second.set()
        return await self.answers[number]


HEDGED = 'hedge = { after = "10ms" }'


@pytest.mark.parametrize("faster", [0, 1])
async def test_the_first_of_two_answers_serves_and_the_other_is_given_up(
    over: Make, faster: int
) -> None:
    slow = Slow()
    asking = over(Agency(slow), HEDGED)
    asked = asyncio.create_task(asking.ask())
    await slow.second.wait()
    slow.answers[faster].set_result(Reply({}))
    await asked
    assert (asking.agency.calls, asking.agency.under_way) == (2, 0)


async def test_where_the_second_call_fails_the_first_may_still_answer(over: Make) -> None:
    slow = Slow()
    asking = over(Agency(slow), HEDGED)
    asked = asyncio.create_task(asking.outcome())
    await slow.second.wait()
    slow.answers[1].set_exception(SourceRefused("no"))
    await asyncio.sleep(0)
    slow.answers[0].set_result(Reply({}))
    assert await asked == "answered"


async def test_where_both_calls_fail_the_source_has_failed(over: Make) -> None:
    slow = Slow()
    asking = over(Agency(slow), HEDGED)
    asked = asyncio.create_task(asking.outcome())
    await slow.second.wait()
    slow.answers[1].set_exception(SourceRefused("no"))
    slow.answers[0].set_exception(SourceRefused("no either"))
    assert await asked in ("no", "no either")


@pytest.mark.parametrize(
    "terms",
    ["", 'hedge = { after = "10ms", share = 0.0 }', f"{HEDGED}\npool = {{ connections = 1 }}"],
    ids=["undeclared", "no share left", "no place free"],
)
async def test_nobody_is_asked_a_second_time_who_does_not_allow_it(over: Make, terms: str) -> None:
    asking = over(Agency(hang), terms)
    assert await asking.outcome() == "the source did not answer in time"
    assert asking.agency.calls == 1


# Again


async def test_what_failed_in_passing_is_asked_again(over: Make) -> None:
    asking = over(failing(PASSING, None))
    assert await asking.ask() == Reply({})
    assert asking.agency.calls == 2


@pytest.mark.parametrize(
    "error",
    [
        SourceUnavailable("down"),
        SourceRefused("no"),
        ContractBroken("odd"),
        SourceTimeout("slow"),
        KeyError("x"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_what_would_not_do_better_is_not_asked_again(over: Make, error: Exception) -> None:
    asking = over(failing(error, None), "retry.times = 3")
    with pytest.raises(SourceError):
        await asking.ask()
    assert asking.agency.calls == 1


@pytest.mark.parametrize("times", [0, 1, 2, 3])
async def test_it_is_asked_again_so_many_times_and_no_more(over: Make, times: int) -> None:
    asking = over(failing(PASSING), f'retry = {{ times = {times}, pause = "1ms" }}')
    assert await asking.outcome() == "busy"
    assert asking.agency.calls == 1 + times


async def test_what_is_tried_again_is_a_share_of_the_calls(over: Make) -> None:
    terms = 'retry = { share = 0.1, pause = "1ms" }\nbreaker.failures = 1000'
    asking = over(failing(PASSING), terms)
    for _ in range(100):
        await asking.outcome()
    # Five were saved up, and a tenth of a hundred came to them.
    assert 110 <= asking.agency.calls <= 115


async def test_without_a_share_nothing_is_tried_again(over: Make) -> None:
    asking = over(failing(PASSING), "retry.share = 0")
    await asking.outcome()
    assert asking.agency.calls == 1


async def test_the_pause_is_drawn_by_chance(over: Make) -> None:
    pauses = []
    for _ in range(8):
        asking = over(failing(PASSING, None), 'retry.pause = "10ms"')
        started = time.monotonic()
        await asking.ask()
        pauses.append(time.monotonic() - started)
    assert max(pauses) - min(pauses) > 0.002


async def test_a_source_that_asks_to_wait_is_waited_for_where_there_is_time(over: Make) -> None:
    soon = SourceUnavailable("busy", 0.02, passing=True)
    asking = over(failing(soon, None))
    started = time.monotonic()
    assert await asking.ask() == Reply({})
    assert time.monotonic() - started >= 0.02


async def test_a_source_that_asks_to_wait_longer_is_not_asked_meanwhile(over: Make) -> None:
    asking = over(failing(SourceUnavailable("busy", 30.0, passing=True), None))
    with pytest.raises(SourceUnavailable, match=r"^busy$"):
        await asking.ask()
    with pytest.raises(SourceUnavailable, match="asked to be left alone") as caught:
        await asking.ask()
    assert asking.agency.calls == 1
    assert 29 < (caught.value.retry_after or 0) <= 30


async def test_no_source_keeps_the_hub_away_for_good(over: Make) -> None:
    asking = over(failing(SourceUnavailable("busy", 1e8), None))
    await asking.outcome()
    with pytest.raises(SourceUnavailable) as caught:
        await asking.ask()
    assert (caught.value.retry_after or 0) <= LONGEST_HOLD


# Deadlines


async def test_tries_and_pauses_share_one_deadline(over: Make) -> None:
    async def late(_: int) -> Reply:
        await asyncio.sleep(0.4)
        raise PASSING

    asking = over(Agency(late), 'retry = { times = 3, pause = "1ms" }')
    started = time.monotonic()
    assert await asking.outcome() == "the source did not answer in time"
    assert time.monotonic() - started < 1.2


async def test_a_call_beyond_the_sources_deadline_is_cancelled(over: Make) -> None:
    asking = over(Agency(hang))
    with pytest.raises(SourceTimeout, match="the source did not answer in time"):
        await asking.ask()
    assert asking.agency.under_way == 0


async def test_the_operations_deadline_may_be_nearer(over: Make) -> None:
    asking = over(Agency(hang))
    started = asyncio.get_running_loop().time()
    with pytest.raises(SourceTimeout):
        await asking.ask(CONTEXT._replace(deadline=started + 0.02))
    assert asyncio.get_running_loop().time() - started < 0.4


async def test_a_call_that_had_little_time_is_no_failure_of_the_source(over: Make) -> None:
    asking = over(Agency(hang), "breaker.failures = 1")
    near = CONTEXT._replace(deadline=asyncio.get_running_loop().time() + 0.01)
    with pytest.raises(SourceTimeout):
        await asking.ask(near)
    asking.agency.answering = failing(None).answering
    assert await asking.outcome() == "answered"


async def test_an_operation_whose_time_is_over_asks_nobody(over: Make) -> None:
    asking = over(failing(None))
    past = CONTEXT._replace(deadline=asyncio.get_running_loop().time() - 1)
    with pytest.raises(SourceTimeout):
        await asking.ask(past)


# Places


async def test_no_more_calls_are_under_way_than_there_are_places(over: Make) -> None:
    async def shortly(_: int) -> Reply:
        await asyncio.sleep(0.005)
        return Reply({})

    asking = over(Agency(shortly), "pool.connections = 3")
    assert await asyncio.gather(*(asking.outcome() for _ in range(12))) == ["answered"] * 12
    assert asking.agency.most == 3


async def test_beyond_those_that_may_wait_calls_fail_at_once(over: Make) -> None:
    asking = over(Agency(hang), "pool = { connections = 1, waiting = 1 }")
    outcomes = await asyncio.gather(*(asking.outcome() for _ in range(4)))
    assert outcomes.count("too many calls wait for the source") == 2
    assert outcomes.count("no place was free for the call in time") == 1
    assert asking.agency.calls == 1


async def test_a_call_that_is_given_up_gives_its_place_back(over: Make) -> None:
    asking = over(Agency(hang), "pool.connections = 1")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await asking.ask()
    asking.agency.answering = failing(None).answering
    assert await asking.outcome() == "answered"


# Left alone


ALONE = "the source is left alone after failures"


@pytest.mark.parametrize(
    "error",
    [SourceUnavailable("the source answered 500"), ContractBroken("odd"), KeyError("x")],
    ids=["5xx", "contract", "adapter"],
)
async def test_after_failures_in_a_row_a_source_is_left_alone(over: Make, error: Exception) -> None:
    asking = over(failing(error), "breaker.failures = 3")
    outcomes = [await asking.outcome() for _ in range(5)]
    assert outcomes[3:] == [ALONE, ALONE]
    assert asking.agency.calls == 3


async def test_timeouts_are_failures_too(over: Make) -> None:
    asking = over(Agency(hang), "breaker.failures = 2")
    assert [await asking.outcome() for _ in range(3)][2] == ALONE


async def test_an_answer_between_failures_begins_the_count_anew(over: Make) -> None:
    down = SourceUnavailable("down")
    asking = over(failing(down, down, None, down, down, None), "breaker.failures = 3")
    outcomes = [await asking.outcome() for _ in range(6)]
    assert outcomes == ["down", "down", "answered", "down", "down", "answered"]


async def test_a_refusal_is_an_answer(over: Make) -> None:
    asking = over(failing(SourceRefused("no")), "breaker.failures = 2")
    assert [await asking.outcome() for _ in range(5)] == ["no"] * 5


async def test_after_its_pause_a_source_is_tried_and_asked_again_once_it_is_back(
    over: Make,
) -> None:
    asking = over(failing(SourceUnavailable("down")), 'breaker = { failures = 1, pause = "500ms" }')
    assert [await asking.outcome() for _ in range(2)] == ["down", ALONE]
    await asyncio.sleep(0.55)
    assert [await asking.outcome() for _ in range(2)] == ["down", ALONE]
    await asyncio.sleep(0.55)
    asking.agency.answering = failing(None).answering
    assert [await asking.outcome() for _ in range(3)] == ["answered"] * 3


async def test_no_more_calls_try_a_source_than_its_probes(over: Make) -> None:
    terms = 'breaker = { failures = 1, pause = "10ms", probes = 2 }'
    asking = over(failing(SourceUnavailable("down")), terms)
    await asking.outcome()
    await asyncio.sleep(0.02)
    gate = asyncio.Event()

    async def wait(_: int) -> Reply:
        await gate.wait()
        return Reply({})

    asking.agency.answering = wait
    trying = [asyncio.create_task(asking.outcome()) for _ in range(5)]
    await asyncio.sleep(0.01)
    gate.set()
    outcomes = await asyncio.gather(*trying)
    assert sorted(outcomes) == ["answered"] * 2 + ["the source is being tried"] * 3


async def test_a_probe_that_is_given_up_leaves_its_place_to_another(over: Make) -> None:
    asking = over(failing(SourceUnavailable("down")), 'breaker = { failures = 1, pause = "10ms" }')
    await asking.outcome()
    await asyncio.sleep(0.02)
    asking.agency.answering = hang
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await asking.ask()
    asking.agency.answering = failing(None).answering
    assert await asking.outcome() == "answered"


async def test_what_the_source_is_left_alone_for_is_said_in_seconds(over: Make) -> None:
    asking = over(failing(SourceUnavailable("down")), 'breaker = { failures = 1, pause = "10s" }')
    await asking.outcome()
    with pytest.raises(SourceUnavailable) as caught:
        await asking.ask()
    assert 9 < (caught.value.retry_after or 0) <= 10
