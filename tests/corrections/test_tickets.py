"""A value marked as wrong: by whom, what is shown and logged, and what its source does."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from authz.caller import Caller
from hub.cache import Answers
from hub.corrections.marks import Marks
from hub.corrections.tickets import to_bring
from hub.errors import RequestRefused
from hub.gather import Gatherer
from hub.operation import Request
from hub.oversight.ledger import Ledger
from hub.oversight.seal import Seal
from hub.pipeline import answer
from hub.querylog.record import Pseudonyms
from hub.querylog.store import Store
from hub.shelf import Memory
from hub.trusted import Sent
from tests.hub.memory import CALLER, CASE, CATALOGUE, Agency, World, encode, hub_over

APPLICATION = "basic-livelihood.application"
SEEN = """query($id: ID!) { recipient(id: $id) {
  tax { arrears provenance { corrections { item why state } } }
  property { provenance { corrections { item } } }
} }"""
MARK = (
    "mutation($id: ID!, $item: String!, $note: String!) {"
    " markWrong(recipient: $id, item: $item, why: NOT_SO, note: $note)"
    " { id source agency item state } }"
)
MOVE = (
    "mutation($t: ID!, $to: SourceDid!, $r: String!) {"
    " moveCorrection(ticket: $t, to: $to, reply: $r) { state reply } }"
)
WITHDRAW = "mutation($t: ID!) { withdrawCorrection(ticket: $t) { state } }"
NOTE = "It says 4711; I paid it all in March."
REPLY = "Letter of 3 June: corrected, as asked."
SUPERVISOR = Caller("sue", "r-sue", frozenset({"supervisor"}), "office-9", "1", "issuer")
COLLEAGUE = Caller("carl", "r-carl", frozenset({"caseworker"}), "office-1", "1", "issuer")
RECIPIENT = Caller("me", "r-1", frozenset({"recipient"}), None, None, "issuer")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    found = Store(f"sqlite+aiosqlite:///{tmp_path / 'log.db'}", 10, bytes(32))
    await found.open()
    yield found
    await found.close()


@pytest.fixture
def world(store: Store) -> World:
    member = {
        "householdId": "h-1",
        "district": "1",
        "safeAddress": False,
        "members": [{"id": "r-1", "safeAddress": False}],
    }
    agencies = {name: Agency({}) for name in ("labour", "property")}
    agencies |= {
        "resident": Agency({"r-1": member}),
        "tax": Agency({"r-1": {"arrears": 4711, "withholdings": []}}),
        "benefits": Agency({"c-1": CASE}),
    }
    made = hub_over(store, agencies)
    kept = Answers(Memory(100), bytes(32), made.marks.withdrawn)
    tax = CATALOGUE.sources["tax"]
    tax = replace(tax, terms=tax.terms.model_copy(update={"fresh": 3600.0}))
    catalogue = replace(CATALOGUE, sources={**CATALOGUE.sources, "tax": tax})
    return World(replace(made, gatherer=Gatherer(catalogue, agencies, None, kept)), agencies)


async def ask(
    world: World, caller: Caller, purpose: str, query: str, **variables: Any
) -> dict[str, Any]:
    """The data of the answer. Raises RequestRefused."""
    request = Request(
        sent=Sent(query, None),
        variables=variables,
        operation_name=None,
        purpose=purpose,
        cases="c-1" if purpose == APPLICATION else None,
        reason="",
        withhold=False,
        by_url=False,
    )
    found = json.loads(await answer(world.hub, caller, request, encode))
    assert found["errors"] == []
    data: dict[str, Any] = found["data"]
    return data


async def marked(world: World) -> list[dict[str, str]]:
    """What the caseworker is shown as marked, with the value."""
    data = await ask(world, CALLER, APPLICATION, SEEN, id="r-1")
    tax = data["recipient"]["tax"]
    assert tax["arrears"] == 4711
    found: list[dict[str, str]] = tax["provenance"]["corrections"]
    return found


async def mark(world: World, caller: Caller = CALLER, purpose: str = APPLICATION) -> dict[str, Any]:
    given = {"id": "r-1", "item": "tax.arrears", "note": NOTE}
    made: dict[str, Any] = (await ask(world, caller, purpose, MARK, **given))["markWrong"]
    return made


async def move(world: World, ticket: str, to: str, caller: Caller = SUPERVISOR) -> dict[str, Any]:
    given = {"t": ticket, "to": to, "r": "" if to == "WITH_SOURCE" else REPLY}
    data = await ask(world, caller, "oversight", MOVE, **given)
    made: dict[str, Any] = data["moveCorrection"]
    return made


async def test_a_mark_is_shown_with_the_value_until_the_source_has_confirmed(world: World) -> None:
    assert await marked(world) == []
    made = await mark(world)
    assert (made["source"], made["item"], made["state"]) == ("tax", "tax.arrears", "FILED")
    assert made["agency"] == CATALOGUE.sources["tax"].agency
    shown = {"item": "tax.arrears", "why": "NOT_SO"}
    assert await marked(world) == [{**shown, "state": "FILED"}]
    await move(world, made["id"], "WITH_SOURCE")
    assert await marked(world) == [{**shown, "state": "WITH_SOURCE"}]
    assert await move(world, made["id"], "CONFIRMED") == {"state": "CONFIRMED", "reply": REPLY}
    assert await marked(world) == []
    query = "{ ownCorrections { state reply } }"
    data = await ask(world, CALLER, APPLICATION, query)
    assert data["ownCorrections"] == [{"state": "CONFIRMED", "reply": REPLY}]


async def test_the_log_says_which_item_was_marked_and_neither_value_nor_note(
    world: World, store: Store
) -> None:
    await marked(world)
    before = len([entry async for entry in store.records()])
    made = await mark(world)
    await move(world, made["id"], "REJECTED")
    records = [entry async for entry in store.records()][before:]
    assert [(entry["kind"], entry["acts"]) for entry in records] == [
        ("INTENT", {"markWrong": None}),
        ("OUTCOME", {"markWrong": made["id"]}),
        ("INTENT", {"moveCorrection": made["id"]}),
        ("OUTCOME", {"moveCorrection": made["id"]}),
    ]
    named = {"item": "tax.arrears", "source": "tax", "why": "NOT_SO"}
    assert [entry.get("marks") for entry in records] == [named, named, None, named]
    assert records[2]["moves"] == "REJECTED"
    pseudonym = world.hub.log.pseudonyms.of("r-1")
    assert records[1]["subjects"] == [pseudonym]
    for hidden in ("4711", "March", "r-1"):
        assert hidden not in str(records)


async def test_what_was_kept_of_the_item_serves_no_longer_once_it_is_marked_or_confirmed(
    world: World,
) -> None:
    tax = world.agencies["tax"]

    async def asked() -> int:
        tax.asked.clear()
        await marked(world)
        return len(tax.asked)

    assert [await asked(), await asked()] == [1, 0]
    made = await mark(world)
    assert [await asked(), await asked()] == [1, 0]
    await move(world, made["id"], "CONFIRMED")
    assert [await asked(), await asked()] == [1, 0]


async def test_only_what_one_was_shown_is_marked_and_only_once(world: World) -> None:
    with pytest.raises(RequestRefused, match="CORRECTION_REFUSED"):
        await mark(world)
    await marked(world)
    for caller, purpose in ((COLLEAGUE, APPLICATION), (RECIPIENT, "subject-access")):
        with pytest.raises(RequestRefused, match="CORRECTION_REFUSED"):
            await mark(world, caller, purpose)
    with pytest.raises(RequestRefused, match="BAD_VARIABLES"):
        await ask(world, CALLER, APPLICATION, MARK, id="r-1", item="tax.4711", note="")
    with pytest.raises(RequestRefused, match="CORRECTION_REFUSED"):
        await ask(world, CALLER, APPLICATION, MARK, id="r-1", item="tax.pensionIncome", note="")
    await mark(world)
    with pytest.raises(RequestRefused, match="CORRECTION_REFUSED"):
        await mark(world)


async def test_a_recipient_marks_what_they_were_shown_of_themselves(world: World) -> None:
    query = "query($id: ID!) { recipient(id: $id) { tax { arrears } } }"
    await ask(world, RECIPIENT, "subject-access", query, id="r-1")
    made = await mark(world, RECIPIENT, "subject-access")
    assert [found["item"] for found in await marked(world)] == ["tax.arrears"]
    data = await ask(world, RECIPIENT, "subject-access", WITHDRAW, t=made["id"])
    assert data["withdrawCorrection"] == {"state": "WITHDRAWN"}
    assert await marked(world) == []


async def test_nobody_moves_a_ticket_of_their_own_or_about_themselves_or_backwards(
    world: World,
) -> None:
    await marked(world)
    ticket = (await mark(world))["id"]
    both = replace(CALLER, roles=frozenset({"caseworker", "supervisor"}))
    for caller in (both, replace(SUPERVISOR, recipient="r-1")):
        with pytest.raises(RequestRefused, match="CORRECTION_REFUSED"):
            await move(world, ticket, "CONFIRMED", caller)
    with pytest.raises(RequestRefused, match="PURPOSE_DENIED"):
        await move(world, ticket, "CONFIRMED", RECIPIENT)
    with pytest.raises(RequestRefused, match="CORRECTION_REFUSED"):
        await ask(world, COLLEAGUE, APPLICATION, WITHDRAW, t=ticket)
    with pytest.raises(RequestRefused, match="CORRECTION_REFUSED"):
        await ask(world, SUPERVISOR, "oversight", MOVE, t=ticket, to="CONFIRMED", r="ok")
    await move(world, ticket, "REJECTED")
    for to in ("WITH_SOURCE", "CONFIRMED"):
        with pytest.raises(RequestRefused, match="CORRECTION_REFUSED"):
            await move(world, ticket, to)


async def test_a_mark_of_an_item_that_is_not_granted_is_not_shown(world: World) -> None:
    await marked(world)
    await mark(world)
    query = (
        "query($id: ID!) { recipient(id: $id) { tax { withholdings { payer }"
        " provenance { corrections { item } } } } }"
    )
    data = await ask(world, CALLER, APPLICATION, query, id="r-1")
    assert data["recipient"]["tax"]["provenance"]["corrections"] == []


async def test_another_replica_takes_a_mark_in_and_a_new_one_knows_it(
    world: World, store: Store
) -> None:
    ledger = Ledger(store.engine, Pseudonyms(b"key"), Seal(b"key"))
    other, tax = Marks(ledger), CATALOGUE.sources["tax"]
    await other.open()
    try:
        await marked(world)
        made = await mark(world)
        assert (other.of(["r-1"]), other.withdrawn(tax, "r-1")) == ({}, 0.0)
        await other.refresh()
        new = Marks(ledger)
        await new.refresh()
        for marks in (other, new):
            assert [mark.item for mark in marks.of(["r-1", "r-2"])["r-1"]] == ["tax.arrears"]
            assert marks.withdrawn(tax, "r-1") > marks.withdrawn(tax, "r-2") == 0.0
        await move(world, made["id"], "CONFIRMED")
        await other.refresh()
        assert other.of(["r-1"]) == {}
    finally:
        await other.close()


async def test_the_source_is_brought_whom_and_what_the_ticket_is_about(world: World) -> None:
    await marked(world)
    made = await mark(world)
    (ticket,) = await to_bring(world.hub.ledger, "tax")
    assert (ticket.id, ticket.recipient, ticket.note) == (made["id"], "r-1", NOTE)
    assert await to_bring(world.hub.ledger, "labour") == []
