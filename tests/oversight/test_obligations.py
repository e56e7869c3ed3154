"""What a purpose demands beside an allow, met in the way of an operation; whom relations reach."""

from __future__ import annotations

import datetime
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from authz.caller import Caller
from authz.obligations import Obligations, SecondApprover
from authz.register import Register
from hub.errors import RequestRefused
from hub.operation import Hub, Request
from hub.oversight.approvals import Decided, Wanted, approve, request_approval
from hub.oversight.notices import notices_to_send
from hub.oversight.tables import NOTICES, USES
from hub.oversight.uses import own_uses, uses_to_review
from hub.pipeline import answer
from hub.querylog.store import LogUnavailable, Store
from hub.trusted import Sent
from tests.hub.memory import CALLER, CASE, REGISTER, Agency, encode, hub_over

PURPOSE = "basic-livelihood.application"
NAMES = "query($id: ID!) { recipient(id: $id) { identity { name } } }"
WITH_MEMBERS = (
    "query($id: ID!) { recipient(id: $id) { household { members { identity { name } } } } }"
)
HOME = {
    "householdId": "h-1",
    "district": "1",
    "safeAddress": False,
    "members": [{"id": "r-1", "safeAddress": False}, {"id": "r-2", "safeAddress": False}],
}
PARENT = {
    **HOME,
    "name": "a parent",
    "relationToHead": "spouse",
    "birthDate": datetime.date(1985, 2, 3),
}
REVIEWER = replace(CALLER, person="reviewer", recipient="r-reviewer", office="office-2")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    found = Store(f"sqlite+aiosqlite:///{tmp_path / 'log.db'}", 10, bytes(32))
    await found.open()
    yield found
    await found.close()


def demanding(obligations: Obligations) -> Register:
    """The register, where one purpose demands this."""
    purpose = replace(REGISTER.purposes[PURPOSE], obligations=obligations)
    return replace(REGISTER, purposes={**REGISTER.purposes, PURPOSE: purpose})


def hub(store: Store, register: Register = REGISTER, **case: Any) -> tuple[Hub, Agency]:
    """A hub over a household of a parent, `r-1`, and a child, `r-2`; and its resident register."""
    born = datetime.date(2015, 6, 7)
    people = {
        "r-1": PARENT,
        "r-2": {**HOME, "name": "a child", "relationToHead": "child", "birthDate": born},
        "r-3": {**HOME, "name": "another", "householdId": "h-3", "members": [{"id": "r-3"}]},
    }
    resident = Agency(people)
    agencies = {
        "resident": resident,
        "tax": Agency({}),
        "labour": Agency({}),
        "property": Agency({}),
        "benefits": Agency({"c-1": {**CASE, **case}}),
    }
    return hub_over(store, agencies, register), resident


async def ask(
    made: Hub, query: str = NAMES, *, caller: Caller = CALLER, purpose: str = PURPOSE, **given: Any
) -> dict[str, Any]:
    variables = {"id": "r-1"} | given
    cases = None if "recipient" in caller.roles else "c-1"
    request = Request(Sent(query, None), variables, None, purpose, cases, "", False, False)
    found: dict[str, Any] = json.loads(await answer(made, caller, request, encode))
    return found


async def test_everyone_whose_data_are_released_is_told(store: Store) -> None:
    made, _ = hub(store, demanding(Obligations(notice=True)))
    await ask(made, WITH_MEMBERS)
    letters = await notices_to_send(made.ledger)
    assert {letter.recipient for letter in letters} == {"r-1", "r-2"}
    assert {letter.purpose for letter in letters} == {PURPOSE}


async def test_nobody_is_told_of_what_was_not_released(store: Store) -> None:
    made, _ = hub(store, demanding(Obligations(notice=True, review_days=3)))
    assert (await ask(made, id="r-3"))["data"] == {"recipient": None}
    assert await notices_to_send(made.ledger) == []
    assert await own_uses(made.ledger, CALLER) == []


async def test_a_use_is_reviewed_by_another_office_within_its_days(store: Store) -> None:
    made, _ = hub(store, demanding(Obligations(review_days=3)))
    await ask(made)
    (use,) = await uses_to_review(made.ledger, REVIEWER)
    assert (use.kind, use.purpose, use.office) == ("use", PURPOSE, "office-1")
    assert "resident.name" in use.seen[0].items
    assert use.due == pytest.approx(use.at + 3 * 24 * 3600)
    assert await uses_to_review(made.ledger, CALLER) == []


async def test_what_demands_nothing_leaves_nothing(store: Store) -> None:
    made, _ = hub(store)
    await ask(made)
    async with store.engine.connect() as connection:
        for table in (USES, NOTICES):
            assert await connection.scalar(sa.select(sa.func.count()).select_from(table)) == 0


@pytest.mark.parametrize("obligations", [Obligations(notice=True), Obligations(review_days=3)])
async def test_what_cannot_be_noted_is_not_released(store: Store, obligations: Obligations) -> None:
    made, _ = hub(store, demanding(obligations))
    async with store.engine.begin() as connection:
        await connection.execute(sa.text("DROP TABLE oversight_lock"))
    with pytest.raises(LogUnavailable):
        await ask(made)


async def test_no_agency_is_asked_before_the_second_approver_has_approved(store: Store) -> None:
    demanded = Obligations(second_approver=SecondApprover(roles=("supervisor",)))
    made, resident = hub(store, demanding(demanded))
    with pytest.raises(RequestRefused, match="APPROVAL_REQUIRED"):
        await ask(made)
    assert resident.asked == []
    reason = "The household is known to no other office, and its official is ill."
    purpose = made.register.purposes[PURPOSE]
    wanted = Wanted((), "c-1", reason)
    request = await request_approval(made.ledger, CALLER, purpose, wanted)
    approver = replace(REVIEWER, roles=frozenset({"supervisor"}))
    decided = Decided(request.id, (), "c-1", granted=True, note="")
    await approve(made.ledger, approver, made.register, decided)
    assert (await ask(made))["data"]["recipient"]["identity"]["name"] == "a parent"


async def test_the_official_in_charge_looks_after_a_household_and_nobody_else_does(
    store: Store,
) -> None:
    made, _ = hub(store, official="official")
    assert (await ask(made, purpose="case-management"))["errors"] == []
    other = replace(CALLER, person="another")
    with pytest.raises(RequestRefused, match="CASE_REFUSED"):
        await ask(made, caller=other, purpose="case-management")
    nobodys, _ = hub(store, official=None)
    with pytest.raises(RequestRefused, match="CASE_REFUSED"):
        await ask(nobodys, purpose="case-management")


def as_recipient(recipient: str) -> Caller:
    return Caller("a resident", recipient, frozenset({"recipient"}), None, None, "issuer")


@pytest.mark.parametrize(
    ("caller", "whom", "seen"),
    [
        ("r-1", "r-2", "a child"),
        ("r-1", "r-1", "a parent"),
        ("r-2", "r-1", None),
        ("r-3", "r-2", None),
        ("r-1", "r-3", None),
        ("r-1", "r-9", None),
        ("r-9", "r-2", None),
    ],
)
async def test_a_parent_reads_a_childs_record_and_no_others(
    store: Store, caller: str, whom: str, seen: str | None
) -> None:
    made, _ = hub(store)
    found = await ask(made, caller=as_recipient(caller), purpose="child-access", id=whom)
    assert found["data"]["recipient"] == (seen and {"identity": {"name": seen}})
    assert [call[1] for call in found["calls"]][:1] == ["household"]


async def test_a_childs_record_leads_to_nobody(store: Store) -> None:
    made, _ = hub(store)
    with pytest.raises(RequestRefused, match="PURPOSE_DENIED"):
        await ask(made, WITH_MEMBERS, caller=as_recipient("r-1"), purpose="child-access", id="r-2")
