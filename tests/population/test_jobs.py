"""Questions that take long: started, looked after, given up, and answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hub.config import Limits
from hub.errors import RequestRefused
from hub.population.engine import Engine
from hub.querylog.store import Store
from tests.hub.querylog import SEALING_KEY
from tests.population.delivering import POLICY, Team, deliver, engine_on, hub_on, people

QUESTION = "{ population { count by(dimensions: [resident_sex]) { rows { count } } } }"
START = "mutation($q: String!) { startPopulation(query: $q) { id state } }"
LOOK = "query($id: ID!) { populationJob(id: $id) { state progress answer error } }"
CANCEL = "mutation($id: ID!) { cancelPopulation(id: $id) { state answer } }"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    deliver(tmp_path_factory.mktemp("deliveries"), people(500))
    return engine_on(tmp_path_factory.mktemp("drawn"))


@pytest.fixture
async def team(engine: Engine, tmp_path: Path) -> AsyncIterator[Team]:
    store = Store(f"sqlite+aiosqlite:///{tmp_path / 'log.db'}", 512, SEALING_KEY)
    await store.open()
    made = Team(hub_on(store, engine))
    yield made
    assert made.hub.statistics is not None
    assert made.hub.statistics.jobs is not None
    await made.hub.statistics.jobs.close()
    await store.close()


async def started(team: Team, question: str = QUESTION) -> str:
    found = (await team.ask(START, q=question))["startPopulation"]
    return str(found["id"])


async def ended(team: Team, job: str) -> dict[str, Any]:
    assert team.hub.statistics is not None
    assert team.hub.statistics.jobs is not None
    task = team.hub.statistics.jobs.found[job].task
    assert task is not None
    await asyncio.wait([task])
    found: dict[str, Any] = (await team.ask(LOOK, id=job))["populationJob"]
    return found


async def codes(team: Team, query: str, **variables: Any) -> list[str]:
    with pytest.raises(RequestRefused) as found:
        await team.ask(query, **variables)
    return found.value.codes


async def test_a_job_has_the_answer_that_the_question_has_at_once(team: Team) -> None:
    found = await ended(team, await started(team))
    assert found == {
        "state": "DONE",
        "progress": 1.0,
        "answer": {"data": await team.ask(QUESTION)},
        "error": None,
    }


async def test_a_job_that_is_refused_says_so(team: Team) -> None:
    found = await ended(
        team, await started(team, "{ population(where: {tax_earnedIncome: {ge: 5}}) { count } }")
    )
    assert found["state"] == "FAILED"
    assert found["error"].startswith("UNSAFE_FILTER: `tax.earnedIncome` is compared")


async def test_a_job_that_waits_can_be_given_up(team: Team) -> None:
    assert team.hub.statistics is not None
    async with team.hub.statistics.turn:
        job = await started(team)
        look = (await team.ask(LOOK, id=job))["populationJob"]
        assert (look["state"], look["progress"], look["answer"]) == ("RUNNING", 0.0, None)
        found = (await team.ask(CANCEL, id=job))["cancelPopulation"]
    assert found == {"state": "CANCELLED", "answer": None}


async def test_a_question_is_broken_off_while_it_is_counted(team: Team) -> None:
    statistics = team.hub.statistics
    assert statistics is not None
    started_, engine = asyncio.Event(), statistics.engine
    loop = asyncio.get_running_loop()

    class Watched:
        deliveries, sources, interrupt = engine.deliveries, engine.sources, engine.interrupt

        @staticmethod
        def count(*given: Any) -> Any:
            loop.call_soon_threadsafe(started_.set)
            given[-1].stopped.wait(20)
            return engine.count(*given)

    slow: Any = Watched()
    hub = replace(team.hub, statistics=replace(statistics, engine=slow))
    job = await started(Team(hub))
    async with asyncio.timeout(60):
        await started_.wait()
    found = (await team.ask(CANCEL, id=job))["cancelPopulation"]
    assert found == {"state": "CANCELLED", "answer": None}
    records = [record async for record in team.hub.log.store.records()]
    outcomes = [r["outcome"] for r in records if r["kind"] == "OUTCOME" and "population" in r]
    assert outcomes == ["abandoned"]
    assert (await team.ask(QUESTION))["population"]["count"]


async def test_a_job_is_its_persons_own_and_one_question_and_nothing_else(team: Team) -> None:
    job = await started(team)
    other = Team(team.hub, replace(POLICY, person="another"))
    assert await codes(other, LOOK, id=job) == ["BAD_VARIABLES"]
    assert await codes(other, CANCEL, id=job) == ["BAD_VARIABLES"]
    nested = 'mutation { startPopulation(query: "{ population { count } }") { id } }'
    assert await codes(team, START, q=nested) == ["BAD_VARIABLES"]
    assert await codes(team, START, q="{ savedQuestions { name } }") == ["BAD_VARIABLES"]


async def test_an_office_has_a_few_jobs_under_way(team: Team) -> None:
    assert team.hub.statistics is not None
    async with team.hub.statistics.turn:
        jobs = [await started(team) for _ in range(3)]
        assert await codes(team, START, q=QUESTION) == ["QUESTION_BUDGET"]
        for job in jobs:
            await team.ask(CANCEL, id=job)


async def test_at_once_a_question_has_the_time_of_an_operation(team: Team) -> None:
    hub = replace(team.hub, limits=Limits(seconds=0.05))
    assert hub.statistics is not None
    async with hub.statistics.turn:
        assert await codes(Team(hub), QUESTION) == ["TOO_COSTLY"]
