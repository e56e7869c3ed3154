"""What sources are told of an operation, how long it asks them, and what the log keeps of that."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from hub.budget import Budgets
from hub.cache import Answers
from hub.gather import Gatherer
from hub.querylog.store import Store
from hub.shelf import Memory
from sources.adapter import Question, Reply, SourceUnavailable
from sources.terms import Budget
from tests.hub.memory import CASE, CATALOGUE, Agency, World, hub_over

PURPOSE = "basic-livelihood.application"
QUERY = "query($id: ID!) { recipient(id: $id) { labour { insured } tax { arrears } } }"
RESIDENT = {
    "householdId": "h-1",
    "district": "1",
    "safeAddress": False,
    "members": [{"id": "r-1", "safeAddress": False}],
}


@dataclass
class Proving(Agency):
    """Proves each exchange."""

    evidence: dict[str, str] = field(default_factory=dict)

    async def ask(self, question: Question) -> Reply:
        return (await super().ask(question))._replace(evidence=self.evidence)


@dataclass
class Hanging(Agency):
    """Never answers."""

    async def ask(self, question: Question) -> Reply:
        await asyncio.Event().wait()
        return await super().ask(question)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    found = Store(f"sqlite+aiosqlite:///{tmp_path / 'log.db'}", 10, bytes(32))
    await found.open()
    yield found
    await found.close()


def world(store: Store, tax: Agency) -> World:
    agencies = {
        "resident": Agency({"r-1": RESIDENT}),
        "tax": tax,
        "labour": Agency({"r-1": {"insured": True}}),
        "property": Agency({}),
        "benefits": Agency({"c-1": CASE}),
    }
    return World(hub_over(store, agencies), agencies)


async def outcome(store: Store) -> dict[str, object]:
    return [entry async for entry in store.records()][-1]


async def test_the_proof_of_an_exchange_is_kept_in_the_log_and_shown_to_nobody(
    store: Store,
) -> None:
    proof = {"x-road-id": "m-1", "x-road-request-hash": "aGFzaA=="}
    found = await world(store, Proving({"r-1": {"arrears": 5}}, evidence=proof)).ask(PURPOSE, QUERY)
    assert found["errors"] == []
    assert "aGFzaA==" not in str(found)
    sources = (await outcome(store))["sources"]
    assert isinstance(sources, list)
    assert {"source": "tax", "round": "data 1", "state": "OK", "evidence": [proof]} in sources
    assert {"source": "labour", "round": "data 1", "state": "OK"} in sources


async def test_a_source_is_told_of_the_purpose_the_case_and_the_official(store: Store) -> None:
    tax = Agency({"r-1": {"arrears": 5}})
    await world(store, tax).ask(PURPOSE, QUERY)
    context = tax.asked[-1].context
    assert (context.purpose, context.case, context.user) == (PURPOSE, "c-1", "official")


async def test_an_operation_asks_no_longer_than_it_may(store: Store) -> None:
    made = world(store, Hanging({}))
    hub = replace(made.hub, log=replace(made.hub.log, seconds=0.3))
    started = time.monotonic()
    found = await World(hub, made.agencies).ask(PURPOSE, QUERY)
    assert time.monotonic() - started < 1.5
    assert found["data"]["recipient"]["tax"] is None
    assert found["data"]["recipient"]["labour"] == {"insured": True}
    assert {error["extensions"]["code"] for error in found["errors"]} == {"SOURCE_TIMEOUT"}


async def test_an_operation_without_time_left_asks_nobody(store: Store) -> None:
    made = world(store, Agency({}))
    hub = replace(made.hub, log=replace(made.hub.log, seconds=-1))
    with pytest.raises(Exception, match="SOURCE_TIMEOUT"):
        await World(hub, made.agencies).ask(PURPOSE, QUERY)
    assert all(agency.asked == [] for agency in made.agencies.values())


# What stands in, and what is over budget, as a client sees it


def on_terms(made: World, store: Store, **terms: object) -> World:
    """The same hub, with the tax office asked on other terms."""
    tax = CATALOGUE.sources["tax"]
    changed = replace(tax, terms=tax.terms.model_copy(update=terms))
    catalogue = replace(CATALOGUE, sources={**CATALOGUE.sources, "tax": changed})
    answers = Answers(Memory(100), bytes(32))
    gatherer = Gatherer(catalogue, made.agencies, Budgets(store.engine), answers)
    return World(replace(made.hub, gatherer=gatherer), made.agencies)


@dataclass
class Failing(Agency):
    """Answers until it is down."""

    down: bool = False

    async def ask(self, question: Question) -> Reply:
        if self.down:
            raise SourceUnavailable("down", 42.0)
        return await super().ask(question)


SHOWN = """query($id: ID!) { recipient(id: $id) {
  tax { arrears provenance { state cacheAge } }
  income { components { source amount provenance { state } } total complete
           missing { item state code } } } }"""
INCOME = {"arrears": 5, "earnedIncome": 12_000_000, "pensionIncome": 0} | {
    f"{kind}Income": 0 for kind in ("business", "interest", "dividend", "rental", "other")
}


async def test_what_stands_in_is_shown_with_its_age_and_counts_in_no_total(store: Store) -> None:
    tax = Failing({"r-1": INCOME})
    made = on_terms(world(store, tax), store, stale=3600.0)
    live = (await made.ask(PURPOSE, SHOWN))["data"]["recipient"]
    assert live["tax"] == {"arrears": 5, "provenance": {"state": "KNOWN", "cacheAge": None}}
    tax.down = True
    found = await made.ask(PURPOSE, SHOWN)
    shown = found["data"]["recipient"]
    assert shown["tax"]["arrears"] == 5
    assert shown["tax"]["provenance"]["state"] == "STALE"
    assert shown["tax"]["provenance"]["cacheAge"] >= 0
    earned = [part for part in shown["income"]["components"] if part["source"] == "tax"]
    assert {part["provenance"]["state"] for part in earned} == {"STALE"}
    assert (shown["income"]["total"], shown["income"]["complete"]) == (None, False)
    gaps = {(gap["state"], gap["code"]) for gap in shown["income"]["missing"]}
    assert ("STALE", "SOURCE_STALE") in gaps
    assert ["tax", "data 1", "SOURCE_UNAVAILABLE"] in found["calls"]
    disclosed = (await outcome(store))["disclosed"]
    assert isinstance(disclosed, dict)
    assert "tax.arrears" in disclosed["tax"][0]["items"]


async def test_over_budget_is_said_at_its_items_and_the_rest_is_answered(store: Store) -> None:
    made = on_terms(world(store, Agency({"r-1": INCOME})), store, budget=Budget(caller=1))
    assert (await made.ask(PURPOSE, QUERY))["errors"] == []
    found = await made.ask(PURPOSE, QUERY)
    assert found["data"]["recipient"] == {"labour": {"insured": True}, "tax": None}
    (error,) = found["errors"]
    assert error["extensions"]["code"] == "SOURCE_BUDGET"
    assert error["extensions"]["retryAfter"] == 3600
    assert error["message"] == "`tax` may be asked about no more people today"


async def test_how_long_a_source_is_down_is_not_told(store: Store) -> None:
    tax = Failing({"r-1": INCOME}, down=True)
    found = await world(store, tax).ask(PURPOSE, QUERY)
    assert [error["extensions"]["retryAfter"] for error in found["errors"]] == [5]
