"""Approvals, on SQLite and PostgreSQL: who approves, of whom, for whom, and how long it holds."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from authz.caller import Caller
from authz.judge import CaseFacts, RecipientFacts
from authz.obligations import Obligations, SecondApprover
from authz.purpose import Purpose
from hub.errors import RequestRefused
from hub.oversight.allowances import Allowances, allowances, approvals
from hub.oversight.approvals import (
    Approval,
    Decided,
    Wanted,
    approvals_to_decide,
    approve,
    own_approvals,
    request_approval,
)
from hub.oversight.ledger import Ledger
from hub.plan import Subjects
from tests.oversight.conftest import Clock, ledger_at
from tests.oversight.people import CASE, PLAIN, REGISTER, A, B, C, acting, official

REASON = "The household is known to no other office, and the official in charge is ill."
NOBODY_NAMED = Subjects(())


async def ask(
    ledger: Ledger,
    caller: Caller,
    *recipients: str,
    case: str | None = None,
    purpose: Purpose = CASE,
) -> Approval:
    return await request_approval(ledger, caller, purpose, Wanted(recipients, case, REASON))


async def decide(
    ledger: Ledger,
    caller: Caller,
    request: Approval,
    *recipients: str,
    case: str | None = None,
    granted: bool = True,
) -> Approval:
    decided = Decided(request.id, recipients, case, granted, "")
    return await approve(ledger, caller, REGISTER, decided)


async def allowed(
    ledger: Ledger, caller: Caller, *cases: str, purpose: Purpose = CASE
) -> Allowances:
    return await allowances(ledger, caller, purpose, NOBODY_NAMED, cases)


async def test_an_approved_case_is_allowed_while_it_holds(ledger: Ledger, clock: Clock) -> None:
    request = await ask(ledger, A, case="C-1")
    with pytest.raises(RequestRefused, match="APPROVAL_REQUIRED"):
        await allowed(ledger, A, "C-1")
    done = await decide(ledger, B, request, case="C-1")
    assert (done.state, done.until, done.approver) == ("APPROVED", clock.now + 8 * 3600, "b")
    assert (await allowed(ledger, A, "C-1")).told == {"approvals": (request.id,)}
    for cases in (("C-2",), ("C-1", "C-2"), ()):
        with pytest.raises(RequestRefused, match="APPROVAL_REQUIRED"):
            await allowed(ledger, A, *cases)
    clock.pass_by(hours=8, minutes=1)
    with pytest.raises(RequestRefused, match="APPROVAL_REQUIRED"):
        await allowed(ledger, A, "C-1")
    assert [found.state for found in await own_approvals(ledger, A)] == ["EXPIRED"]


async def test_an_approval_is_for_its_person_purpose_and_office(ledger: Ledger) -> None:
    request = await ask(ledger, A, case="C-1")
    await decide(ledger, B, request, case="C-1")
    for caller in (C, acting(A, C), replace(A, office="office-b")):
        with pytest.raises(RequestRefused, match="APPROVAL_REQUIRED"):
            await allowed(ledger, caller, "C-1")
    other = replace(CASE, code="other")
    with pytest.raises(RequestRefused, match="APPROVAL_REQUIRED"):
        await allowed(ledger, A, "C-1", purpose=other)


async def test_an_approval_holds_no_longer_than_the_register_says_now(
    ledger: Ledger, clock: Clock
) -> None:
    request = await ask(ledger, A, case="C-1")
    await decide(ledger, B, request, case="C-1")
    clock.pass_by(hours=3)
    await allowed(ledger, A, "C-1")
    for roles, hours in ((("supervisor",), 2), (("officer",), 8)):
        demanded = Obligations(second_approver=SecondApprover(roles=roles, hours=hours))
        changed = replace(CASE, obligations=demanded)
        with pytest.raises(RequestRefused, match="APPROVAL_REQUIRED"):
            await allowed(ledger, A, "C-1", purpose=changed)
    undemanded = replace(CASE, obligations=Obligations())
    household = RecipientFacts("h", None, ("r-1",))
    facts = CaseFacts("C-1", "livelihood", "h", "r-1", "office-a", "open")
    for later, covered in ((5, True), (1, False)):
        found = await approvals(await allowed(ledger, A, purpose=undemanded), A, undemanded)
        assert found.covers("r-1", household, [facts]) is covered
        clock.pass_by(hours=later)


async def test_an_approver_who_has_moved_to_the_callers_office_no_longer_counts(
    ledger: Ledger,
) -> None:
    request = await ask(ledger, replace(A, office="office-z"), case="C-1")
    await decide(ledger, official("peer", "office-a"), request, case="C-1")
    with pytest.raises(RequestRefused, match="APPROVAL_REQUIRED"):
        await allowed(ledger, A, "C-1")


@pytest.mark.parametrize(
    ("approver", "rule"),
    [
        (replace(A, office="office-b"), "it is your own"),
        (acting(B, A), "it is your own"),
        (replace(A, person="other", office="office-b"), "it is your own"),
        (official("peer"), "it is of your own office, or yours is not known"),
        (replace(B, office=None), "it is of your own office, or yours is not known"),
        (official("subject", "office-b", resident="r-1"), "it is about yourself"),
        (replace(B, roles=frozenset({"caseworker"})), "it is for supervisor"),
    ],
    ids=["self", "acted for", "account", "same office", "no office", "the recipient", "role"],
)
async def test_nobody_concerned_approves(ledger: Ledger, approver: Caller, rule: str) -> None:
    request = await ask(ledger, A, "r-1")
    assert await approvals_to_decide(ledger, approver, REGISTER) == []
    with pytest.raises(RequestRefused) as refusal:
        await decide(ledger, approver, request, "r-1")
    assert refusal.value.errors[0].message == f"you may not approve it: {rule}"
    assert [each.id for each in await approvals_to_decide(ledger, B, REGISTER)] == [request.id]


async def test_a_request_is_decided_once_on_whatever_replica(address: str, clock: Clock) -> None:
    async with ledger_at(address, clock) as one, ledger_at(address, clock) as two:
        request = await ask(one, A, "r-1")
        tries = (
            decide(one, B, request, "r-1", granted=False),
            decide(two, C, request, "r-1", granted=True),
        )
        done = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(found, Approval) for found in done) == 1


async def test_a_request_too_old_is_not_approved(ledger: Ledger, clock: Clock) -> None:
    request = await ask(ledger, A, "r-1")
    clock.pass_by(days=7, minutes=1)
    assert await approvals_to_decide(ledger, B, REGISTER) == []
    with pytest.raises(RequestRefused, match="OVERSIGHT_REFUSED"):
        await decide(ledger, B, request, "r-1")


@pytest.mark.parametrize(
    ("named", "case"), [((), None), (("r-2",), None), (("r-1", "r-2"), None), (("r-1",), "C-1")]
)
async def test_whoever_approves_names_whom(
    ledger: Ledger, named: tuple[str, ...], case: str | None
) -> None:
    request = await ask(ledger, A, "r-1")
    with pytest.raises(RequestRefused, match="OVERSIGHT_REFUSED"):
        await decide(ledger, B, request, *named, case=case)


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        (Wanted((), None, REASON), "BAD_VARIABLES"),
        (Wanted(("r-1",), None, "because"), "REASON_REQUIRED"),
        (Wanted(tuple(f"r-{n}" for n in range(51)), None, REASON), "TOO_MANY_IDS"),
    ],
)
async def test_a_request_says_of_whom_and_why(ledger: Ledger, wanted: Wanted, code: str) -> None:
    with pytest.raises(RequestRefused, match=code):
        await request_approval(ledger, A, CASE, wanted)
    assert await own_approvals(ledger, A) == []


async def test_a_recipient_is_approved_by_name_or_by_the_household_of_an_approved_case(
    ledger: Ledger,
) -> None:
    by_name = await ask(ledger, A, "r-1", purpose=PLAIN)
    by_case = await ask(ledger, A, case="C-1", purpose=PLAIN)
    await decide(ledger, B, by_name, "r-1")
    await decide(ledger, B, by_case, case="C-1")
    found = await approvals(Allowances(ledger), A, PLAIN)
    case = CaseFacts("C-1", "livelihood", "H-1", "r-9", "office-a", "open")
    home, other = RecipientFacts("H-1", "1", ("r-2",)), RecipientFacts("H-2", "1", ("r-2",))
    assert found.covers("r-1", None, [])
    assert found.covers("r-2", home, [case])
    assert not found.covers("r-2", other, [case])
    assert not found.covers("r-2", home, [replace(case, reference="C-2")])
    assert not found.covers("r-2", replace(home, household=None), [replace(case, household=None)])
