"""Reading by GraphQL through the whole way of an operation, over agencies in memory."""

from __future__ import annotations

import base64
import datetime
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from authz.caller import Caller
from hub.errors import RequestRefused
from hub.operation import Request
from hub.pipeline import answer
from hub.querylog.checkpoint import Checkpoints, LogKey, checked
from hub.querylog.leaf import leaf_hash
from hub.querylog.note import Signer
from hub.querylog.proof import Proof
from hub.querylog.store import Store
from hub.querylog.tree import check_inclusion
from hub.trusted import Sent
from tests.hub.memory import CASE, Agency, World, encode, hub_over

SEEN = "query($id: ID!) { recipient(id: $id) { identity { name } } }"
OWN = "{ ownAccesses { accesses { at office official purpose items place leaf receipt } } }"
FIND = (
    "query($s: ID) { accesses(subject: $s, proofs: true, purpose: "
    '"basic-livelihood.application") { records { place person flagged { flags } proof } } }'
)
AUDITOR = Caller("ada", "r-ada", frozenset({"auditor"}), "office-9", "1", "issuer")
RECIPIENT = Caller("me", "r-1", frozenset({"recipient"}), None, None, "issuer")
OTHER = Caller("other", "r-2", frozenset({"recipient"}), None, None, "issuer")
DELAY = (
    "mutation($p: ID!, $u: DateTime!, $r: String!) {"
    " delayTelling(place: $p, until: $u, reason: $r) { place } }"
)
REASON = "An investigation of the official is under way."


def person(name: str, address: str, household: str) -> dict[str, Any]:
    return {
        "name": name,
        "address": address,
        "householdId": household,
        "district": "1",
        "safeAddress": False,
        "members": [{"id": "r-1", "safeAddress": False}],
    }


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    found = Store(f"sqlite+aiosqlite:///{tmp_path / 'log.db'}", 10, bytes(32))
    await found.open()
    yield found
    await found.close()


@pytest.fixture
def world(store: Store) -> World:
    people = {
        "r-1": person("김은윤", "1 Main Street", "h-1"),
        "r-official": person("김철수", "2 Main Street", "h-2"),
    }
    agencies = {name: Agency({}) for name in ("tax", "labour", "property")}
    agencies |= {"resident": Agency(people), "benefits": Agency({"c-1": CASE})}
    return World(hub_over(store, agencies), agencies)


async def ask(
    world: World, caller: Caller, purpose: str, query: str, **variables: Any
) -> dict[str, Any]:
    """The data of the answer. Raises RequestRefused."""
    request = Request(
        sent=Sent(query, None),
        variables=variables,
        operation_name=None,
        purpose=purpose,
        cases=None,
        reason="",
        withhold=False,
        by_url=False,
    )
    found = json.loads(await answer(world.hub, caller, request, encode))
    assert found["errors"] == []
    data: dict[str, Any] = found["data"]
    return data


async def look(world: World) -> None:
    await world.ask("basic-livelihood.application", SEEN)


async def own(world: World, caller: Caller = RECIPIENT) -> list[dict[str, Any]]:
    data = await ask(world, caller, "subject-access", OWN)
    accesses: list[dict[str, Any]] = data["ownAccesses"]["accesses"]
    return accesses


async def records(store: Store) -> list[dict[str, Any]]:
    return [entry async for entry in store.records()]


async def test_attack_24_a_namesake_is_flagged_by_the_call_that_is_made_anyway(
    world: World, store: Store
) -> None:
    await look(world)
    intent, *_, outcome = await records(store)
    pseudonym = world.hub.log.pseudonyms.of
    assert outcome["flags"] == [{"subject": pseudonym("r-1"), "flags": ["sameSurname"]}]
    assert intent["lookers"] == [pseudonym("r-official")]
    assert pseudonym("r-official") not in outcome["subjects"]
    looked_up, data = world.agencies["resident"].asked
    assert looked_up.keys == ("r-1", "r-official")
    assert data.keys == ("r-1",)
    assert "김" not in str(await records(store))
    assert "Main Street" not in str(await records(store))


async def test_attack_35_an_auditor_gets_proofs_and_is_logged(world: World, store: Store) -> None:
    await look(world)
    signer = Signer.make("log.example")
    await Checkpoints(store.engine, signer).grow()
    data = await ask(world, AUDITOR, "audit", FIND, s="r-1")
    (record,) = data["accesses"]["records"]
    assert (record["person"], record["flagged"]) == ("official", [{"flags": ["sameSurname"]}])
    _, proved, _ = Proof.read(record["proof"]).check([LogKey(signer.verifier)])
    assert proved["person"] == "official"
    intent, outcome = (await records(store))[-2:]
    assert (intent["person"], intent["subjects"]) == ("ada", [world.hub.log.pseudonyms.of("r-1")])
    assert outcome["records"] == [int(record["place"])]
    assert "r-1" not in str((intent, outcome))
    for caller in (RECIPIENT, Caller("x", "r-x", frozenset({"caseworker"}), "o", "1", "issuer")):
        with pytest.raises(RequestRefused):
            await ask(world, caller, "audit", FIND, s="r-1")


async def test_a_recipient_is_told_with_a_receipt_and_not_by_whom(
    world: World, store: Store
) -> None:
    await look(world)
    signer = Signer.make("log.example")
    await Checkpoints(store.engine, signer).grow()
    (access,) = await own(world)
    assert (access["office"], access["official"]) == ("office-1", None)
    assert access["purpose"] == "basic-livelihood.application"
    assert access["items"] == ["resident.exists", "resident.name"]
    proof, _, checkpoint = access["receipt"].partition("\n\n")
    first, index, *hashes = proof.split("\n")
    assert (first, index) == ("c2sp.org/tlog-proof@v1", f"index {access['place']}")
    head = checked(checkpoint, [LogKey(signer.verifier)])
    content = leaf_hash(base64.b64decode(access["leaf"]))
    path = [base64.b64decode(each) for each in hashes]
    check_inclusion(int(access["place"]), head.size, content, path, head.root)
    assert await own(world, OTHER) == []


async def test_an_access_under_investigation_is_told_later(world: World, store: Store) -> None:
    await look(world)
    (access,) = await own(world)
    now = datetime.datetime.now(datetime.UTC)

    async def delay(until: datetime.datetime, reason: str = REASON) -> None:
        given = {"p": access["place"], "u": until.isoformat(), "r": reason}
        await ask(world, AUDITOR, "audit", DELAY, **given)

    await delay(now + datetime.timedelta(days=30))
    assert (await records(store))[-1]["reason"] == REASON
    assert await own(world) == []
    await delay(now - datetime.timedelta(seconds=1))
    assert [each["place"] for each in await own(world)] == [access["place"]]
    for until, reason in ((now + datetime.timedelta(days=400), REASON), (now, "because")):
        with pytest.raises(RequestRefused):
            await delay(until, reason)
