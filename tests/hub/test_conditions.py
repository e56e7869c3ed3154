"""Items under a condition: asked for where it holds, and of those of whom it does."""

from __future__ import annotations

import datetime
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from authz.register import Register, read_register
from hub.errors import RequestRefused
from hub.querylog.record import Pseudonyms
from hub.querylog.store import Store
from tests.hub.memory import CASE, CATALOGUE, SCHEMA, Agency, World, hub_over

PURPOSE = "basic-livelihood.application"
QUERY = """query($id: ID!) { recipient(id: $id) {
  identity { name } labour { insured }
  household { members { id labour { insured } } } } }"""
ALONE = "query($id: ID!) { recipient(id: $id) { labour { insured } } }"
RESTRICTION = """
[[restrict]]
sources = ["labour"]
[restrict.only_if]
act = "An Act"
article = "Article 1"
mark = "K"
any = [{}]
"""
TODAY = datetime.datetime.now(datetime.UTC).date()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    found = Store(f"sqlite+aiosqlite:///{tmp_path / 'log.db'}", 10, bytes(32))
    await found.open()
    yield found
    await found.close()


def register(folder: Path, circumstance: str) -> Register:
    """The register, with labour data for this purpose under a condition."""
    shutil.copytree("authz/purposes", folder)
    file = folder / f"{PURPOSE}.toml"
    file.write_text(file.read_text() + RESTRICTION.replace("{}", f"{{ {circumstance} }}"))
    found, faults = read_register(folder, CATALOGUE, SCHEMA.derivations)
    assert faults == []
    return found


def person(born: datetime.date | None) -> dict[str, Any]:
    young = TODAY.replace(year=TODAY.year - 10, day=1)
    return {
        "name": "a name",
        "birthDate": born,
        "householdId": "h-1",
        "district": "1",
        "safeAddress": False,
        "members": [
            {"id": "r-1", "safeAddress": False, "birthDate": born},
            {"id": "r-2", "safeAddress": False, "birthDate": young},
        ],
    }


def world(
    store: Store, purposes: Register, stage: str | None = None, age: int | None = 70
) -> World:
    born = None if age is None else TODAY.replace(year=TODAY.year - age, day=1)
    agencies = {
        "resident": Agency({"r-1": person(born), "r-2": person(born)}),
        "tax": Agency({}),
        "labour": Agency({"r-1": {"insured": True}, "r-2": {"insured": True}}),
        "property": Agency({}),
        "benefits": Agency({"c-1": {**CASE, "stage": stage}}),
    }
    return World(hub_over(store, agencies, purposes), agencies)


async def outcome(store: Store) -> dict[str, Any]:
    return [entry async for entry in store.records()][-1]


async def test_what_is_under_a_condition_is_asked_for_where_it_holds(
    store: Store, tmp_path: Path
) -> None:
    made = world(store, register(tmp_path / "p", 'stages = ["review"]'), "review")
    found = await made.ask(PURPOSE, ALONE)
    assert found["data"] == {"recipient": {"labour": {"insured": True}}}
    assert (await outcome(store))["unmet"] == []


@pytest.mark.parametrize("stage", ["received", None])
async def test_it_refuses_the_operation_where_it_does_not_hold_and_the_agency_is_not_asked(
    store: Store, tmp_path: Path, stage: str | None
) -> None:
    made = world(store, register(tmp_path / "p", 'stages = ["review"]'), stage)
    with pytest.raises(RequestRefused) as refusal:
        await made.ask(PURPOSE, ALONE)
    told = [(error.extensions or {})["item"] for error in refusal.value.errors]
    assert told == ["labour.exists", "labour.insured"]
    assert str(refusal.value.errors[0]).startswith(
        "`labour.exists`: only if case at stage review (An Act, Article 1)"
    )
    assert made.agencies["labour"].asked == []
    log = await outcome(store)
    assert (log["outcome"], log["errors"]) == ("refused", ["PURPOSE_DENIED"])
    assert {entry["item"] for entry in log["denied"]} == {"labour.exists", "labour.insured"}


async def test_of_those_of_whom_it_does_not_hold_it_is_withheld_and_not_asked(
    store: Store, tmp_path: Path
) -> None:
    made = world(store, register(tmp_path / "p", "age = { since = 65 }"))
    found = await made.ask(PURPOSE, QUERY, withhold=True)
    own, members = found["data"]["recipient"]["labour"], found["data"]["recipient"]["household"]
    assert own == {"insured": True}
    assert members == {
        "members": [{"id": "r-1", "labour": {"insured": True}}, {"id": "r-2", "labour": None}]
    }
    (error,) = found["errors"]
    assert (error["path"], error["extensions"]["code"]) == (
        ["recipient", "household", "members", 1, "labour"],
        "PURPOSE_DENIED",
    )
    (question,) = made.agencies["labour"].asked
    assert question.keys == ("r-1",)
    log = await outcome(store)
    unmet = {(entry["subject"], entry["item"]) for entry in log["unmet"]}
    young = Pseudonyms(b"key").of("r-2")
    assert unmet == {(young, "labour.exists"), (young, "labour.insured")}


async def test_an_age_that_is_not_known_is_of_no_class(store: Store, tmp_path: Path) -> None:
    made = world(store, register(tmp_path / "p", "age = { below = 150 }"), age=None)
    with pytest.raises(RequestRefused):
        await made.ask(PURPOSE, ALONE)
    assert made.agencies["labour"].asked == []


async def test_what_a_condition_rests_on_is_looked_up_only_where_there_is_one(
    store: Store, tmp_path: Path
) -> None:
    made = world(store, register(tmp_path / "p", 'stages = ["review"]'), "review")
    await made.ask(PURPOSE, "query($id: ID!) { recipient(id: $id) { tax { arrears } } }")
    (question,) = made.agencies["benefits"].asked
    assert "benefits.case.stage" not in {item.name for item in question.items}
    await made.ask(PURPOSE, ALONE)
    assert "benefits.case.stage" in {item.name for item in made.agencies["benefits"].asked[1].items}


SOME_LAND = (
    "query($id: ID!) { recipient(id: $id) { property { land { parcel } } tax { arrears } } }"
)
WAITING = RESTRICTION.replace('"labour"', '"property"')


def nothing_of(source: str) -> dict[str, Any]:
    """A record of which the source knows every item to be absent."""
    items = CATALOGUE.sources[source].items
    return {item.path[0]: None for item in items if item.path and item.subject == "person"}


def over_waiting(store: Store, folder: Path, rent: int | None) -> World:
    """A hub that asks for property only if recognised income is 70 % of the threshold so far."""
    shutil.copytree("authz/purposes", folder)
    file = folder / f"{PURPOSE}.toml"
    test = "{ means_test = { recognised_income = 70 } }"
    file.write_text(file.read_text() + WAITING.replace("{}", test))
    found, faults = read_register(folder, CATALOGUE, SCHEMA.derivations)
    assert faults == []
    made = world(store, found)
    taxed = {**nothing_of("tax"), "rentalIncome": rent, "arrears": 5}
    if rent is None:
        del taxed["rentalIncome"]  # an agency that does not keep to what it declares
    earner = Agency({"r-1": taxed})
    owner = Agency({"r-1": {"land": [{"parcel": "p-1"}]}})
    worker = Agency(dict.fromkeys(("r-1", "r-2"), nothing_of("labour")))
    agencies = {**made.agencies, "tax": earner, "property": owner, "labour": worker}
    return World(hub_over(store, agencies, found), agencies)


async def test_what_waits_for_a_means_test_is_asked_for_in_a_later_round_where_it_gives_enough(
    store: Store, tmp_path: Path
) -> None:
    made = over_waiting(store, tmp_path / "p", 60_000_000)
    found = await made.ask(PURPOSE, SOME_LAND)
    assert found["errors"] == []
    assert found["data"]["recipient"]["property"] == {"land": [{"parcel": "p-1"}]}
    rounds = [name for source, name, _ in found["calls"] if source == "property"]
    assert rounds == [found["calls"][-1][1]]
    records = [entry async for entry in store.records()]
    intent = next(entry for entry in records if entry.get("conditional"))
    assert intent["conditional"] == ["property.exists", "property.land.parcel"]
    assert intent["subjects"] == [Pseudonyms(b"key").of("r-1")]
    assert "tax.rentalIncome" in intent["derivable"]["meansTest.soFar"]
    assert not any("property" in item for item in intent["derivable"]["meansTest.soFar"])
    assert "tax.rentalIncome" not in records[-1]["disclosed"]["tax"][0]["items"]


@pytest.mark.parametrize("rent", [0, 11_000_000, None])
async def test_it_is_not_asked_for_where_the_test_gives_less_or_is_not_known_to_give_enough(
    store: Store, tmp_path: Path, rent: int | None
) -> None:
    made = over_waiting(store, tmp_path / "p", rent)
    with pytest.raises(RequestRefused) as refusal:
        await made.ask(PURPOSE, SOME_LAND)
    assert {(error.extensions or {})["item"] for error in refusal.value.errors} == {
        "property.exists",
        "property.land.parcel",
    }
    assert made.agencies["property"].asked == []
    found = await made.ask(PURPOSE, SOME_LAND, withhold=True)
    assert found["data"]["recipient"] == {"property": None, "tax": {"arrears": 5}}
    assert made.agencies["property"].asked == []


async def test_nothing_is_tested_where_the_case_alone_lets_it_be_asked_for(
    store: Store, tmp_path: Path
) -> None:
    alternatives = 'stages = ["review"] }, { means_test = { recognised_income = 70 }'
    made = world(store, register(tmp_path / "p", alternatives), "review")
    found = await made.ask(PURPOSE, ALONE)
    assert found["data"] == {"recipient": {"labour": {"insured": True}}}
    assert made.agencies["tax"].asked == made.agencies["property"].asked == []
    assert [name for source, name, _ in found["calls"] if source == "labour"] == ["data 1"]


async def test_what_waits_is_not_asked_for_where_its_source_does_not_know(
    store: Store, tmp_path: Path
) -> None:
    made = over_waiting(store, tmp_path / "p", 60_000_000)
    made.agencies["property"].records = {}
    found = await made.ask(PURPOSE, SOME_LAND)
    assert found["data"]["recipient"]["property"] == {"land": None}
    assert found["errors"] == []
