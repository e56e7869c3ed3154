"""Break-glass and reviews, on SQLite and PostgreSQL: attack 29 and what else is tried with them."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from authz.caller import Caller
from hub.errors import RequestRefused
from hub.oversight import tables
from hub.oversight.ledger import Ledger
from hub.oversight.notices import note_exported, notices_for, notices_to_send
from hub.oversight.uses import (
    Review,
    Use,
    close_review,
    open_glass,
    opened,
    own_uses,
    uses_to_review,
)
from tests.oversight.conftest import Clock, ledger_at
from tests.oversight.people import GLASS, REASONS, A, B, C, acting, official

NOTE = "The fire brigade confirms the call."


async def open_for(ledger: Ledger, caller: Caller, reason: int = 0, recipient: str = "r-1") -> Use:
    return await open_glass(ledger, caller, GLASS, recipient, REASONS[reason])


async def close(ledger: Ledger, caller: Caller, use: Use) -> Use:
    return await close_review(ledger, caller, Review(use.id, "break-glass", "JUSTIFIED", NOTE))


async def open_to(ledger: Ledger, caller: Caller) -> set[str]:
    """The pseudonyms of those whom a caller has a break-glass for."""
    async with ledger.reading() as connection:
        return set(await opened(connection, ledger, caller, GLASS))


async def test_a_break_glass_is_open_for_its_minutes_to_its_person_alone(
    ledger: Ledger, clock: Clock
) -> None:
    use = await open_for(ledger, A)
    assert (use.until, use.due) == (clock.now + 15 * 60, clock.now + 7 * 24 * 3600)
    assert await open_to(ledger, A) == {ledger.pseudonyms.of("r-1")}
    assert await open_to(ledger, B) == set()
    clock.pass_by(minutes=14.9)
    assert await open_to(ledger, A)
    clock.pass_by(minutes=0.2)
    assert await open_to(ledger, A) == set()


async def test_who_acts_with_the_person_was_not_let_in(ledger: Ledger) -> None:
    await open_for(ledger, A)
    assert await open_to(ledger, acting(A, B)) == set()
    await open_for(ledger, acting(A, B), 1, "r-2")
    assert await open_to(ledger, acting(A, B)) == {ledger.pseudonyms.of("r-2")}


async def test_attack_29_a_pasted_reason_is_refused_whoever_acts_and_for_whomever(
    ledger: Ledger, clock: Clock
) -> None:
    await open_for(ledger, A)
    clock.pass_by(days=3)
    other_account = replace(A, person="a-again", issuer="https://other.example")
    deputy = acting(official("else", resident="r-else"), A)
    for caller in (A, other_account, deputy, acting(A, C)):
        with pytest.raises(RequestRefused, match="REASON_REPEATED"):
            await open_for(ledger, caller, recipient="r-2")
    with pytest.raises(RequestRefused, match="REASON_REPEATED"):
        await open_glass(ledger, A, GLASS, "r-2", REASONS[0].replace("smoke", "flames"))
    await open_for(ledger, C)
    await open_for(ledger, A, 1)


async def test_attack_29_a_reason_too_short_opens_nothing(ledger: Ledger) -> None:
    for reason in ("urgent", "urgent " * 30, " " * 80):
        with pytest.raises(RequestRefused, match="REASON_REQUIRED"):
            await open_glass(ledger, A, GLASS, "r-1", reason)
    assert await own_uses(ledger, A) == []
    assert await notices_to_send(ledger) == []


async def test_attack_29_an_overdue_review_suspends_until_it_is_closed(
    ledger: Ledger, clock: Clock
) -> None:
    use = await open_for(ledger, A)
    clock.pass_by(days=7, minutes=1)
    (own,) = await own_uses(ledger, A)
    assert own.overdue
    for caller in (A, acting(B, A)):
        with pytest.raises(RequestRefused, match="BREAK_GLASS_SUSPENDED"):
            await open_for(ledger, caller, 1)
    await open_for(ledger, C, 1)
    await close(ledger, B, use)
    await open_for(ledger, A, 2)


@pytest.mark.parametrize(
    ("reviewer", "rule"),
    [
        (A, "it is your own"),
        (replace(A, person="second account", office="office-b"), "it is your own"),
        (acting(B, A), "it is your own"),
        (official("peer"), "it is of your own office, or an office is not known"),
        (replace(B, office=None), "it is of your own office, or an office is not known"),
        (official("subject", "office-b", resident="r-1"), "it is about yourself"),
    ],
    ids=["self", "second account", "acted for", "same office", "no office", "the recipient"],
)
async def test_attack_29_nobody_concerned_reviews(
    ledger: Ledger, reviewer: Caller, rule: str
) -> None:
    use = await open_for(ledger, A)
    assert await uses_to_review(ledger, reviewer) == []
    with pytest.raises(RequestRefused) as refusal:
        await close(ledger, reviewer, use)
    assert refusal.value.errors[0].message == f"you may not review it: {rule}"
    assert [found.id for found in await uses_to_review(ledger, B)] == [use.id]


async def test_attack_29_a_ring_of_two_does_not_review_each_other(
    ledger: Ledger, clock: Clock
) -> None:
    of_a, of_b = await open_for(ledger, A), await open_for(ledger, B, 1)
    await close(ledger, A, of_b)
    with pytest.raises(RequestRefused, match="OVERSIGHT_REFUSED"):
        await close(ledger, B, of_a)
    assert of_a.id not in {use.id for use in await uses_to_review(ledger, B)}
    await close(ledger, C, of_a)
    later = await open_for(ledger, A, 2)
    clock.pass_by(days=91)
    await close(ledger, B, later)


async def test_attack_29_a_ring_of_three_does_not_either(ledger: Ledger) -> None:
    of_a, of_b, of_c = [await open_for(ledger, who, n) for n, who in enumerate((A, B, C))]
    await close(ledger, B, of_a)
    await close(ledger, C, of_b)
    with pytest.raises(RequestRefused, match="OVERSIGHT_REFUSED"):
        await close(ledger, A, of_c)


async def test_two_who_review_each_other_at_the_same_time_do_not_both(
    address: str, clock: Clock
) -> None:
    async with ledger_at(address, clock) as one, ledger_at(address, clock) as two:
        of_a, of_b = await open_for(one, A), await open_for(two, B, 1)
        done = await asyncio.gather(
            close(one, A, of_b), close(two, B, of_a), return_exceptions=True
        )
    assert sum(isinstance(found, RequestRefused) for found in done) == 1


async def test_one_reason_given_at_the_same_time_at_two_replicas_opens_one(
    address: str, clock: Clock
) -> None:
    async with ledger_at(address, clock) as one, ledger_at(address, clock) as two:
        tries = (open_for(each, A, recipient=f"r-{n}") for n, each in enumerate([one, two] * 4))
        done = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(found, Use) for found in done) == 1
    assert sum(isinstance(found, RequestRefused) for found in done) == 7


async def test_a_review_is_closed_once(address: str, clock: Clock) -> None:
    async with ledger_at(address, clock) as one, ledger_at(address, clock) as two:
        use = await open_for(one, A)
        done = await asyncio.gather(close(one, B, use), close(two, C, use), return_exceptions=True)
    assert sum(isinstance(found, Use) for found in done) == 1


async def test_a_review_says_something_and_is_of_its_kind(ledger: Ledger) -> None:
    use = await open_for(ledger, A)
    with pytest.raises(RequestRefused, match="REASON_REQUIRED"):
        await close_review(ledger, B, Review(use.id, "break-glass", "JUSTIFIED", " ok "))
    with pytest.raises(RequestRefused, match="OVERSIGHT_REFUSED"):
        await close_review(ledger, B, Review(use.id, "use", "JUSTIFIED", NOTE))
    closed = await close_review(ledger, B, Review(use.id, "break-glass", "UNJUSTIFIED", NOTE))
    assert (closed.finding, closed.reviewer, closed.overdue) == ("UNJUSTIFIED", "b", False)


async def test_the_recipient_is_told_and_the_notice_is_exported_once(ledger: Ledger) -> None:
    await open_for(ledger, A)
    recipient = replace(official("resident", resident="r-1"), roles=frozenset({"recipient"}))
    (notice,) = await notices_for(ledger, recipient)
    assert (notice.purpose, notice.office, notice.recipient) == ("glass", "office-a", None)
    assert await notices_for(ledger, official("other")) == []
    assert await notices_for(ledger, acting(recipient, B)) == []
    (letter,) = await notices_to_send(ledger)
    assert letter.recipient == "r-1"
    await note_exported(ledger, [letter])
    assert await notices_to_send(ledger) == []
    assert len(await notices_for(ledger, recipient)) == 1


async def test_no_id_of_a_recipient_stands_in_the_store(ledger: Ledger) -> None:
    await open_for(ledger, A, recipient="829020-1705151")
    async with ledger.reading() as connection:
        for table in (tables.USES, tables.SUBJECTS, tables.PARTIES, tables.NOTICES):
            for row in await connection.execute(table.select()):
                assert "829020" not in str(tuple(row))
