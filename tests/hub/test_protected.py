"""A protected person's whereabouts: never asked for a purpose that does not name them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from hub.querylog.record import Pseudonyms
from hub.querylog.store import Store
from tests.hub.memory import CASE, REGISTER, Agency, World, hub_over

QUERY = """query($id: ID!) { recipient(id: $id) {
  id identity { name address } household { members { id } }
  labour { insured } tax { arrears withholdings { payer } } } }"""


def person(*, protected: bool | None, others: bool | None = False) -> dict[str, Any]:
    return {
        "name": "a name",
        "address": "an address",
        "householdId": "h-1",
        "district": "1",
        "safeAddress": protected,
        "members": [
            {"id": "r-1", "safeAddress": protected},
            {"id": "r-2", "safeAddress": others},
        ],
    }


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    found = Store(f"sqlite+aiosqlite:///{tmp_path / 'log.db'}", 10, bytes(32))
    await found.open()
    yield found
    await found.close()


def world(store: Store, recipient: Mapping[str, Any], programme: str = "livelihood") -> World:
    agencies = {
        "resident": Agency({"r-1": recipient, "r-2": recipient}),
        "tax": Agency({"r-1": {"arrears": 5, "withholdings": [{"payer": "an employer"}]}}),
        "labour": Agency({"r-1": {"insured": True}}),
        "property": Agency({}),
        "benefits": Agency({"c-1": {**CASE, "programme": programme}}),
    }
    return World(hub_over(store, agencies), agencies)


def data_items(agency: Agency) -> set[str]:
    return {item.path[-1] for question in agency.asked for item in question.items if item.path}


async def test_the_whereabouts_of_others_are_shown(store: Store) -> None:
    found = await world(store, person(protected=False)).ask("basic-livelihood.application", QUERY)
    assert found["errors"] == []
    assert found["data"]["recipient"]["identity"]["address"] == "an address"


@pytest.mark.parametrize(
    "recipient",
    [person(protected=True), person(protected=None), person(protected=False, others=True)],
    ids=["protected", "not known not to be", "of the household of one who is"],
)
async def test_what_could_lead_to_a_protected_person_looks_unavailable_and_is_not_asked(
    store: Store, recipient: Mapping[str, Any]
) -> None:
    made = world(store, recipient)
    found = await made.ask("basic-livelihood.application", QUERY)
    shown = found["data"]["recipient"]
    assert shown == {
        "id": "r-1",
        "identity": {"name": None, "address": None},
        "household": {"members": None},
        "labour": {"insured": True},
        "tax": None,
    }
    assert {error["extensions"]["code"] for error in found["errors"]} == {"SOURCE_UNAVAILABLE"}
    assert all(error["extensions"]["retryAfter"] == 5 for error in found["errors"])
    # The register is asked for it once, before anyone is known to be protected, to be compared.
    (compared,) = (
        question
        for question in made.agencies["resident"].asked
        if "address" in {item.path[-1] for item in question.items if item.path}
    )
    assert "district" in {item.path[-1] for item in compared.items if item.path}
    assert made.agencies["tax"].asked == []
    assert ["tax", "data 1", "SOURCE_UNAVAILABLE"] in found["calls"]
    assert ["resident", "data 1", "SOURCE_UNAVAILABLE"] in found["calls"]


async def test_a_source_that_is_kept_stands_where_one_that_is_down_would(store: Store) -> None:
    """Its place among the calls would else tell it from any other that is unavailable."""

    async def sources(recipient: Mapping[str, Any]) -> list[str]:
        found = await world(store, recipient).ask("basic-livelihood.application", QUERY)
        return [source for source, round_, _ in found["calls"] if round_ == "data 1"]

    asked = await sources(person(protected=False))
    assert asked == ["resident", "tax", "labour"]
    assert await sources(person(protected=True)) == asked


async def test_the_log_says_what_was_kept_and_that_it_was_not_disclosed(store: Store) -> None:
    await world(store, person(protected=True)).ask("basic-livelihood.application", QUERY)
    records = [entry async for entry in store.records()]
    outcome = records[-1]
    (entry,) = outcome["concealed"]
    assert entry == {"subject": Pseudonyms(b"key").of("r-1"), "sources": ["resident", "tax"]}
    assert set(outcome["disclosed"]) == {"labour", "resident"}
    (known,) = outcome["disclosed"]["resident"]
    assert known["items"] == ["resident.exists"]


async def test_a_purpose_that_names_protected_people_sees_them(store: Store) -> None:
    made = world(store, person(protected=True), "emergency-aid")
    query = "query($id: ID!) { recipient(id: $id) { identity { address } } }"
    found = await made.ask("emergency-aid.application", query)
    assert found["data"] == {"recipient": {"identity": {"address": "an address"}}}


def test_no_caseworker_is_told_that_somebody_is_protected() -> None:
    decisions = REGISTER.purposes["emergency-aid.application"].decisions
    assert not decisions["resident.safeAddress"].allowed
    assert not decisions["resident.members.safeAddress"].allowed
