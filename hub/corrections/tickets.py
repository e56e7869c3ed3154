"""Tickets of values marked as wrong: filed, brought to the source, confirmed or rejected by it.

Act on the Use and Provision of Social Security Benefits, Article 26 (K): whoever finds that what
an agency holds is not so has it corrected there. The hub corrects nothing itself.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from authz.caller import Caller
from authz.purpose import Purpose
from hub.corrections.tables import OPEN, TICKETS
from hub.errors import refused
from hub.oversight.ledger import Ledger, name_parties, parties_of, records_of
from hub.oversight.retention import expires
from hub.oversight.tables import LOCK

MOVES = {
    "FILED": ("WITH_SOURCE", "CONFIRMED", "REJECTED"),
    "WITH_SOURCE": ("CONFIRMED", "REJECTED"),
}
"""What a ticket may become by what its source does."""
MOST_OPEN = 100
"""Tickets that one person may have open."""
MOST_SHOWN = 100
MOST_NOTE = 1_000
"""Characters of what is said of a value, or of a source's reply."""
LEAST_REPLY = 10
"""Characters of what a source replied."""


@dataclass(frozen=True, slots=True)
class Marking:
    """Whose value is marked as wrong: the item, why (a word), and a note for the source."""

    recipient: str
    source: str
    item: str
    why: str
    note: str


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket as it stands. `recipient` and `note` are set where they go to the source."""

    id: str
    source: str
    item: str
    why: str
    state: str
    filed: float
    changed: float
    reply: str | None
    recipient: str | None = None
    note: str | None = None


async def file(ledger: Ledger, caller: Caller, purpose: Purpose, marking: Marking) -> Ticket:
    """Mark a value as wrong that was shown for a purpose. Raises LogUnavailable, RequestRefused."""
    now, ticket = ledger.clock(), str(uuid.uuid4())
    person, subject = ledger.person(caller), ledger.pseudonyms.of(marking.recipient)
    told = orjson.dumps([marking.recipient, marking.note]).decode()
    mine = TICKETS.c.id.in_(records_of(person, "asked")) & TICKETS.c.state.in_(OPEN)
    async with ledger.changing() as connection:
        own = (await connection.execute(sa.select(TICKETS).where(mine))).all()
        if any((row.subject, row.item) == (subject, marking.item) for row in own):
            raise refused("CORRECTION_REFUSED", "you have marked this value already")
        if len(own) >= MOST_OPEN:
            raise refused("CORRECTION_REFUSED", f"you have {MOST_OPEN} tickets that are open")
        row = {
            "id": ticket,
            "subject": subject,
            "source": marking.source,
            "item": marking.item,
            "why": marking.why,
            "sealed": ledger.seal.close(told, ticket),
            "state": "FILED",
            "filed": now,
            "changed": now,
            "turn": await _turn(connection),
            "expires": expires(purpose, now),
        }
        await connection.execute(sa.insert(TICKETS), row)
        await name_parties(connection, ticket, "asked", person)
    return Ticket(ticket, marking.source, marking.item, marking.why, "FILED", now, now, None)


async def withdraw(ledger: Ledger, caller: Caller, ticket: str) -> Ticket:
    """Take back what one has marked oneself. Raises LogUnavailable, RequestRefused."""
    async with ledger.changing() as connection:
        row = await _row(connection, ticket)
        asked = await parties_of(connection, [ticket], "asked")
        if not ledger.person(caller) >= asked.get(ticket, frozenset([ticket])):
            raise refused("CORRECTION_REFUSED", "no ticket of yours has this id")
        if row is None or row.state not in OPEN:
            raise refused("CORRECTION_REFUSED", "the ticket is not open any more")
        return await _changed(connection, ledger, row, state="WITHDRAWN")


@dataclass(frozen=True, slots=True)
class Move:
    """What became of a ticket at its source, as whoever moves it was told."""

    ticket: str
    state: str
    reply: str
    mover: str


async def move(ledger: Ledger, caller: Caller | None, wanted: Move) -> Ticket:
    """Note what the source did. Raises LogUnavailable, RequestRefused.

    `caller` is none for an operator. Nobody moves a ticket of their own, or about themselves.
    """
    async with ledger.changing() as connection:
        row = await _row(connection, wanted.ticket)
        if row is None:
            raise refused("CORRECTION_REFUSED", "there is no ticket of this id")
        if caller is not None:
            asked = await parties_of(connection, [row.id], "asked")
            if not ledger.person(caller).isdisjoint(asked.get(row.id, frozenset())):
                raise refused("CORRECTION_REFUSED", "the ticket is your own")
            if row.subject in ledger.residents(caller):
                raise refused("CORRECTION_REFUSED", "the ticket is about yourself")
        if wanted.state not in MOVES.get(row.state, ()):
            message = f"a ticket that is {row.state} does not become {wanted.state}"
            raise refused("CORRECTION_REFUSED", message)
        if wanted.state != "WITH_SOURCE" and len(wanted.reply.strip()) < LEAST_REPLY:
            message = f"say what the source replied, in {LEAST_REPLY} characters or more"
            raise refused("CORRECTION_REFUSED", message)
        return await _changed(
            connection,
            ledger,
            row,
            state=wanted.state,
            mover=wanted.mover,
            reply=wanted.reply.strip()[:MOST_NOTE] or None,
        )


async def own_tickets(ledger: Ledger, caller: Caller) -> list[Ticket]:
    """What the caller has marked, the latest first. Raises LogUnavailable."""
    mine = TICKETS.c.id.in_(records_of(ledger.person(caller), "asked"))
    query = sa.select(TICKETS).where(mine).order_by(TICKETS.c.filed.desc()).limit(MOST_SHOWN)
    async with ledger.reading() as connection:
        return [_ticket(row) for row in await connection.execute(query)]


async def open_tickets(ledger: Ledger, source: str | None = None) -> list[Ticket]:
    """The tickets that no source has confirmed yet, the oldest first. Raises LogUnavailable."""
    query = sa.select(TICKETS).where(TICKETS.c.state.in_(OPEN)).order_by(TICKETS.c.filed)
    if source is not None:
        query = query.where(TICKETS.c.source == source)
    async with ledger.reading() as connection:
        return [_ticket(row) for row in await connection.execute(query)]


async def to_bring(ledger: Ledger, source: str | None) -> list[Ticket]:
    """The tickets to bring to sources, with whom they are about, the oldest first.

    Raises LogUnavailable, and Unsealable where the key is another.
    """
    query = sa.select(TICKETS).where(TICKETS.c.state == "FILED").order_by(TICKETS.c.filed)
    if source is not None:
        query = query.where(TICKETS.c.source == source)
    async with ledger.reading() as connection:
        rows = (await connection.execute(query)).all()
    return [_ticket(row, *orjson.loads(ledger.seal.open(row.sealed, row.id))) for row in rows]


async def bring(ledger: Ledger, tickets: Sequence[Ticket], mover: str) -> None:
    """Note that tickets are with their sources. Raises LogUnavailable."""
    async with ledger.changing() as connection:
        for ticket in tickets:
            row = await _row(connection, ticket.id)
            if row is not None and row.state == "FILED":
                await _changed(connection, ledger, row, state="WITH_SOURCE", mover=mover)


async def _row(connection: AsyncConnection, ticket: str) -> sa.Row[tuple[object, ...]] | None:
    return (
        await connection.execute(sa.select(TICKETS).where(TICKETS.c.id == ticket))
    ).one_or_none()


async def _turn(connection: AsyncConnection) -> int:
    """The number of the change under way: those after it have greater ones."""
    return int(await connection.scalar(sa.select(LOCK.c.turns)) or 0)


async def _changed(
    connection: AsyncConnection, ledger: Ledger, row: sa.Row[tuple[object, ...]], **values: object
) -> Ticket:
    values |= {"changed": ledger.clock(), "turn": await _turn(connection)}
    await connection.execute(sa.update(TICKETS).where(TICKETS.c.id == row.id).values(values))
    changed = await _row(connection, str(row.id))
    if changed is None:
        raise LookupError("a ticket is gone in the transaction that changes it")
    return _ticket(changed)


def _ticket(
    row: sa.Row[tuple[object, ...]], recipient: str | None = None, note: str | None = None
) -> Ticket:
    return Ticket(
        id=row.id,
        source=row.source,
        item=row.item,
        why=row.why,
        state=row.state,
        filed=row.filed,
        changed=row.changed,
        reply=row.reply,
        recipient=recipient,
        note=note,
    )
