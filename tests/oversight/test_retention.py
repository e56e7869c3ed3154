"""What is noted of approvals and reviews is deleted when the term is over, and logged before."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import sqlalchemy as sa

from hub.corrections.tables import TICKETS
from hub.corrections.tickets import Marking, Move, file, move
from hub.oversight import tables
from hub.oversight.approvals import Wanted, request_approval
from hub.oversight.ledger import Ledger
from hub.oversight.retention import forget, outdated
from hub.oversight.seal import Seal
from hub.oversight.uses import Review, close_review, note_sight, open_glass
from hub.querylog.record import Pseudonyms
from hub.querylog.store import Store
from tests.oversight.conftest import KEY, Clock
from tests.oversight.people import CASE, GLASS, REASONS, A, B

NOTE = "The fire brigade confirms the call."
YEAR = 366
OURS = [
    table
    for table in tables.METADATA.sorted_tables
    if table.name.startswith("oversight_") or table is TICKETS
]


@pytest.fixture
async def store(address: str) -> AsyncIterator[Store]:
    found = Store(address, 10, bytes(32))
    await found.open()
    yield found
    await found.close()


@pytest.fixture
async def noted(store: Store, clock: Clock) -> Ledger:
    """A reviewed break-glass, a request and a ticket, each of a purpose of one year."""
    ledger = Ledger(store.engine, Pseudonyms(KEY), Seal(KEY), clock)
    use = await open_glass(ledger, A, replace(GLASS, retention=1), "r-1", REASONS[0])
    async with ledger.changing() as connection:
        await note_sight(connection, ledger, [use.id], "operation", ["tax.pay"])
    await close_review(ledger, B, Review(use.id, "break-glass", "JUSTIFIED", NOTE))
    wanted = Wanted(("r-2",), "C-1", REASONS[1])
    await request_approval(ledger, A, replace(CASE, retention=1), wanted)
    marking = Marking("r-2", "tax", "tax.arrears", "OUTDATED", NOTE)
    ticket = await file(ledger, A, replace(CASE, retention=1), marking)
    await move(ledger, B, Move(ticket.id, "CONFIRMED", NOTE, "B"))
    return ledger


async def counted(ledger: Ledger) -> dict[str, int]:
    async with ledger.reading() as connection:
        return {
            table.name: await connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
            for table in OURS
            if table is not tables.LOCK
        }


async def test_all_of_it_is_deleted_when_the_term_is_over_and_not_before(
    store: Store, noted: Ledger, clock: Clock
) -> None:
    clock.pass_by(days=YEAR - 2)
    assert set((await forget(store, clock.now)).values()) == {0}
    assert min((await counted(noted)).values()) > 0
    clock.pass_by(days=3)
    over = {"uses": 1, "approvals": 1, "notices": 1, "corrections": 1}
    assert await outdated(store, clock.now) == over
    assert await forget(store, clock.now) == over
    assert set((await counted(noted)).values()) == {0}
    (event,) = [record async for record in store.records() if record["kind"] == "FORGOTTEN"]
    assert over.items() <= event.items()
    assert set((await forget(store, clock.now)).values()) == {0}


async def test_a_use_that_nobody_reviewed_is_kept_until_somebody_has(
    store: Store, noted: Ledger, clock: Clock
) -> None:
    glass = replace(GLASS, retention=1)
    use = await open_glass(noted, A, glass, "r-3", REASONS[2])
    clock.pass_by(days=YEAR + 1)
    assert (await forget(store, clock.now))["uses"] == 1
    async with noted.reading() as connection:
        left = (await connection.execute(sa.select(tables.USES.c.id))).scalars().all()
        parties = (await connection.execute(sa.select(tables.PARTIES.c.record))).scalars().all()
    assert left == [use.id]
    assert set(parties) == {use.id}
    await close_review(noted, B, Review(use.id, "break-glass", "JUSTIFIED", NOTE))
    assert (await forget(store, clock.now))["uses"] == 1


async def test_what_an_older_hub_wrote_meanwhile_is_kept_for_five_years(
    store: Store, noted: Ledger, clock: Clock
) -> None:
    async with noted.changing() as connection:
        for table in (tables.USES, tables.APPROVALS, tables.NOTICES, TICKETS):
            await connection.execute(sa.update(table).values(expires=0))
    clock.pass_by(days=4 * YEAR)
    assert set((await forget(store, clock.now)).values()) == {0}
    clock.pass_by(days=YEAR)
    assert set((await forget(store, clock.now)).values()) == {1}


async def test_a_ticket_is_kept_as_long_as_it_is_open(
    store: Store, noted: Ledger, clock: Clock
) -> None:
    marking = Marking("r-3", "tax", "tax.arrears", "OUTDATED", NOTE)
    ticket = await file(noted, A, replace(CASE, retention=1), marking)
    clock.pass_by(days=YEAR + 1)
    assert (await forget(store, clock.now))["corrections"] == 1
    async with noted.reading() as connection:
        left = (await connection.execute(sa.select(TICKETS.c.id))).scalars().all()
        parties = (await connection.execute(sa.select(tables.PARTIES.c.record))).scalars().all()
    assert left == [ticket.id]
    assert set(parties) == {ticket.id}
    await move(noted, B, Move(ticket.id, "REJECTED", NOTE, "B"))
    assert (await forget(store, clock.now))["corrections"] == 1
