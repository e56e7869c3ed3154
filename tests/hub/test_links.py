"""Sources found by what other sources say: which keys are used, in which round, logged before."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from authz.purpose import Decision
from authz.register import Register, read_register
from hub.admission import Denied
from hub.app import read_plans
from hub.config import Limits, read_settings
from hub.documents import Documents
from hub.errors import RequestRefused
from hub.explain import explain
from hub.gather import Ask, Gatherer
from hub.links import Link, links, scheduled
from hub.projecting.compiled import Projections
from hub.querylog.quota import Quota
from hub.querylog.record import Log, Pseudonyms
from hub.querylog.store import Store
from hub.visible import Visibility
from schema.build import HubSchema, build
from sources.declaration import Catalogue
from sources.reading import read_catalogue
from tests.hub.memory import CASE, SOURCES, Agency, World, hub_over

LINKED = ["buildingLedger", "businessRegister"]
ARCHITECTS = """\
[source]
agency = "Institute of Registered Architects"
description = "Designs by structure"
adapter = "rest"
found_by = "buildingLedger.structure"

[item.standard]
description = "Standard that the structure follows"
type = "String"
category = "asset"
"""
QUERY = """query($id: ID!) { recipient(id: $id) {
  property { land { officialPrice buildingLedger { mainUse } } } } }"""
PURPOSE = "basic-livelihood.application"


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    folder = tmp_path_factory.mktemp("links") / "catalogue"
    shutil.copytree("sources/catalogue", folder)
    (folder / "architects.toml").write_text(ARCHITECTS)
    names = [*SOURCES, *LINKED, "architects"]
    found, faults = read_catalogue(folder, names, "resident", "benefits")
    assert faults == []
    return found


@pytest.fixture(scope="module")
def schema(catalogue: Catalogue) -> HubSchema:
    return build(catalogue)


@pytest.fixture(scope="module")
def register(catalogue: Catalogue, schema: HubSchema) -> Register:
    found, faults = read_register(Path("authz/purposes"), catalogue, schema.derivations)
    assert faults == []
    return found


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    found = Store(f"sqlite+aiosqlite:///{tmp_path / 'log.db'}", 10, bytes(32))
    await found.open()
    yield found
    await found.close()


def person(*, protected: bool = False) -> dict[str, Any]:
    return {
        "householdId": "h-1",
        "district": "1",
        "safeAddress": protected,
        "members": [{"id": key, "safeAddress": protected} for key in ("r-1", "r-2")],
    }


def parcel(number: str | None, price: int = 1) -> dict[str, Any]:
    return {"parcel": number, "officialPrice": price}


@pytest.fixture
def over(store: Store, schema: HubSchema, register: Register) -> Any:
    """Makes a hub over agencies in memory."""

    def made(land: Mapping[str, Sequence[Any]], **more: Any) -> World:
        recipient = more.pop("recipient", person())
        agencies = {name: Agency({}) for name in schema.catalogue.sources} | {
            "resident": Agency({"r-1": recipient, "r-2": recipient}),
            "benefits": Agency({"c-1": CASE}),
            "property": Agency({key: {"land": rows} for key, rows in land.items()}),
            "buildingLedger": Agency(
                {
                    "p-1": {"mainUse": "dwelling", "structure": "timber", "households": 1},
                    "p-2": {"mainUse": "shop", "structure": "brick", "households": 2},
                }
            ),
            "architects": Agency({"timber": {"standard": "T1"}}),
        }
        hub = replace(
            hub_over(store, {name: agencies[name] for name in SOURCES}),
            register=more.get("register", register),
            schema=schema,
            documents=Documents(schema.graphql, Limits()),
            projections=Projections(schema),
            visibility=Visibility(schema, register),
            gatherer=Gatherer(schema.catalogue, agencies),
            log=Log(store, Quota(store.engine), Pseudonyms(b"key"), schema.catalogue),
            limits=more.get("limits", Limits()),
        )
        return World(hub, agencies)

    return made


def asked(world: World, source: str) -> list[tuple[tuple[str, ...], set[str]]]:
    return [
        (question.keys, {item.name for item in question.items})
        for question in world.agencies[source].asked
    ]


async def records(store: Store, kind: str) -> list[dict[str, Any]]:
    return [record async for record in store.records() if record["kind"] == kind]


async def keyed_intents(store: Store) -> list[dict[str, Any]]:
    return [record for record in await records(store, "INTENT") if record.get("keys")]


def denying(register: Register, item: str) -> Register:
    """The register with an item denied to the purpose."""
    purpose = register.purposes[PURPOSE]
    denied = Decision(item, False, "a rule", "a remedy")
    changed = replace(purpose, decisions={**purpose.decisions, item: denied})
    return replace(register, purposes={**register.purposes, PURPOSE: changed})


async def test_a_source_is_asked_by_the_keys_that_another_answered_in_one_call(over: Any) -> None:
    world = over({"r-1": [parcel("p-1"), parcel("p-2"), parcel("p-1"), parcel("p-9")]})
    found = await world.ask(PURPOSE, QUERY)
    uses = [row["buildingLedger"] for row in found["data"]["recipient"]["property"]["land"]]
    dwelling = {"mainUse": "dwelling"}
    assert uses == [dwelling, {"mainUse": "shop"}, dwelling, {"mainUse": None}]
    exact = {"buildingLedger.exists", "buildingLedger.mainUse"}
    assert asked(world, "buildingLedger") == [(("p-1", "p-2", "p-9"), exact)]
    calls = [call[:2] for call in found["calls"]]
    assert calls[2:] == [["property", "data 1"], ["buildingLedger", "data 2"]]


async def test_without_a_key_nothing_is_asked(over: Any) -> None:
    world = over({"r-1": [parcel(None)]})
    found = await world.ask(PURPOSE, QUERY)
    assert found["data"]["recipient"]["property"]["land"][0]["buildingLedger"] is None
    assert world.agencies["buildingLedger"].asked == []


@pytest.mark.parametrize("key", ["", "p\n1", "x" * 101])
async def test_what_cannot_be_a_key_is_not_sent(over: Any, key: str) -> None:
    world = over({"r-1": [parcel(key)]})
    found = await world.ask(PURPOSE, QUERY)
    assert world.agencies["buildingLedger"].asked == []
    assert found["data"]["recipient"]["property"]["land"][0]["buildingLedger"] is None
    assert found["errors"][0]["extensions"]["code"] == "SOURCE_UNAVAILABLE"


async def test_a_chain_takes_a_round_a_step(over: Any) -> None:
    world = over({"r-1": [parcel("p-1")]})
    query = QUERY.replace("mainUse", "architects { standard }")
    found = await world.ask(PURPOSE, query)
    (row,) = found["data"]["recipient"]["property"]["land"]
    assert row["buildingLedger"] == {"architects": {"standard": "T1"}}
    assert [call[:2] for call in found["calls"]][3:] == [
        ["buildingLedger", "data 2"],
        ["architects", "data 3"],
    ]
    assert asked(world, "architects") == [
        (("timber",), {"architects.exists", "architects.standard"})
    ]


async def test_nobodys_things_are_asked_for_anothers_items(over: Any) -> None:
    world = over({"r-1": [parcel("p-1"), parcel("p-3")], "r-2": [parcel("p-2"), parcel("p-3")]})
    query = """query($id: ID!) { recipient(id: $id) {
      property { land { buildingLedger { mainUse } } }
      household { members { property { land { buildingLedger { households } } } } } } }"""
    await world.ask(PURPOSE, query)
    base = {"buildingLedger.exists"}
    use, number = {"buildingLedger.mainUse"}, {"buildingLedger.households"}
    assert asked(world, "buildingLedger") == [
        (("p-1", "p-3"), base | use | number),
        (("p-2",), base | number),
    ]


async def test_a_denied_key_refuses_the_operation_before_anyone_is_asked(
    over: Any, register: Register
) -> None:
    world = over({"r-1": [parcel("p-1")]}, register=denying(register, "property.land.parcel"))
    with pytest.raises(Denied):
        await world.ask(PURPOSE, QUERY)
    assert all(agency.asked == [] for agency in world.agencies.values())


async def test_what_a_withheld_key_leads_to_is_withheld_and_not_asked(
    over: Any, register: Register
) -> None:
    world = over({"r-1": [parcel("p-1")]}, register=denying(register, "property.land.parcel"))
    found = await world.ask(PURPOSE, QUERY, withhold=True)
    assert found["data"]["recipient"]["property"]["land"] == [
        {"officialPrice": 1, "buildingLedger": None}
    ]
    assert found["errors"][0]["extensions"]["code"] == "PURPOSE_DENIED"
    assert world.agencies["buildingLedger"].asked == []


async def test_a_key_that_is_shown_reduced_is_not_used_whole(
    over: Any, catalogue: Catalogue, schema: HubSchema, tmp_path: Path
) -> None:
    folder = shutil.copytree("authz/purposes", tmp_path / "purposes")
    path = folder / f"{PURPOSE}.toml"
    masked = '[[reduce]]\nitems = ["property.land.parcel"]\nto = { mask = 2 }\n'
    path.write_text(path.read_text().replace("[prohibit]", masked + "\n[prohibit]"))
    register, faults = read_register(folder, catalogue, schema.derivations)
    assert faults == []
    world = over({"r-1": [parcel("p-1")]}, register=register)
    found = await world.ask(PURPOSE, QUERY)
    assert world.agencies["buildingLedger"].asked == []
    assert found["errors"][0]["extensions"]["code"] == "PURPOSE_DENIED"


async def test_the_keys_are_in_the_log_as_pseudonyms_before_they_are_used(
    over: Any, store: Store
) -> None:
    world = over({"r-1": [parcel("p-1")]})
    seen: list[int] = []
    ledger = world.agencies["buildingLedger"]
    before = ledger.ask

    async def ask(question: Any) -> Any:
        seen.append(len(await keyed_intents(store)))
        return await before(question)

    ledger.ask = ask  # type: ignore[method-assign]
    await world.ask(PURPOSE, QUERY)
    assert seen == [1]
    (intent,) = await keyed_intents(store)
    assert intent["keys"] == [Pseudonyms(b"key").of("p-1")]
    assert "buildingLedger.mainUse" in intent["granted"]


async def test_what_is_found_is_disclosed_of_the_person_whose_it_is(
    over: Any, store: Store
) -> None:
    world = over({"r-1": [parcel("p-1")]})
    await world.ask(PURPOSE, QUERY)
    (outcome,) = await records(store, "OUTCOME")
    subject = Pseudonyms(b"key").of("r-1")
    assert outcome["disclosed"]["buildingLedger"] == [
        {"items": ["buildingLedger.exists", "buildingLedger.mainUse"], "subjects": [subject]}
    ]


async def test_a_source_that_is_down_leaves_what_it_leads_to_unasked(over: Any) -> None:
    world = over({})
    found = await world.ask(PURPOSE, QUERY)
    assert found["data"]["recipient"]["property"]["land"] is None
    assert world.agencies["buildingLedger"].asked == []


async def test_a_protected_persons_parcels_lead_nowhere(over: Any) -> None:
    world = over({"r-1": [parcel("p-1")]}, recipient=person(protected=True))
    found = await world.ask(PURPOSE, QUERY)
    assert found["data"]["recipient"]["property"] is None
    assert world.agencies["property"].asked == []
    assert world.agencies["buildingLedger"].asked == []
    assert [call[0] for call in found["calls"]][2:] == ["property"]


async def test_more_keys_than_the_limit_are_refused(over: Any) -> None:
    limits = Limits(ids=2)
    world = over({"r-1": [parcel(f"p-{number}") for number in range(3)]}, limits=limits)
    with pytest.raises(RequestRefused) as caught:
        await world.ask(PURPOSE, QUERY)
    assert caught.value.codes == ["TOO_COSTLY"]
    assert world.agencies["buildingLedger"].asked == []


def test_a_linked_source_is_no_record_of_a_person(schema: HubSchema) -> None:
    assert "buildingLedger" not in schema.graphql.type_map["Recipient"].fields  # type: ignore[union-attr]
    records = schema.needs["Recipient", "records"].items
    assert not {item.source for item in records} & {*LINKED, "architects"}


def test_explaining_shows_the_rounds_and_the_keys(
    catalogue: Catalogue, schema: HubSchema, register: Register
) -> None:
    plans = read_plans(read_settings(Path("hub.toml"), {}), environment=False)
    plans = replace(plans, catalogue=catalogue, schema=schema, register=register)
    found = explain(plans, Limits(), register.purposes[PURPOSE], QUERY)
    assert [(step.round, step.source, step.about) for step in found.steps][2:] == [
        ("officials", "officials", "the caller's office"),
        ("data 1", "property", "each recipient named"),
        ("data 2", "buildingLedger", "each `property.land.parcel` of each recipient named"),
    ]


def test_links_are_followed_as_soon_as_their_keys_are_there(catalogue: Catalogue) -> None:
    items = catalogue.items
    wants = {
        ("person", "r-1"): frozenset(
            {"tax.businesses.registrationNumber", "businessRegister.state"}
            | {"property.land.parcel", "buildingLedger.structure", "architects.standard"}
        )
    }
    found = links(catalogue, wants, reduced=())  # type: ignore[arg-type]
    once = (Ask("tax", "person", ("r-1",), (items["tax.exists"],)),)
    both = (*once, Ask("property", "person", ("r-1",), (items["property.exists"],)))
    slots = scheduled((both, once), found)
    assert [[link.source for link in slot.links] for slot in slots] == [
        [],
        ["buildingLedger"],
        ["businessRegister", "architects"],
    ]
    assert [len(slot.asks) for slot in slots] == [2, 1, 0]


def test_a_link_whose_key_is_not_wanted_is_not_followed(catalogue: Catalogue) -> None:
    wants = {("person", "r-1"): frozenset({"buildingLedger.mainUse"})}
    assert links(catalogue, wants, reduced=()) == ()  # type: ignore[arg-type]
    wants = {("person", "r-1"): frozenset({"buildingLedger.mainUse", "property.land.parcel"})}
    (link,) = links(catalogue, wants, reduced=())  # type: ignore[arg-type]
    assert isinstance(link, Link)
    assert links(catalogue, wants, reduced={"property.land.parcel"}) == ()  # type: ignore[arg-type]
