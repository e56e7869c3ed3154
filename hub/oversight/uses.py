"""Uses that others review: break-glasses, and operations of purposes that demand a review."""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from authz.caller import Caller
from authz.purpose import Purpose
from hub.errors import refused
from hub.oversight.ledger import (
    Ledger,
    name_parties,
    name_subjects,
    parties_of,
    records_of,
    subjects_of,
)
from hub.oversight.notices import tell
from hub.oversight.reasons import alike, lacks, marks
from hub.oversight.retention import expires
from hub.oversight.rings import WINDOW_DAYS, Person, Reviewed, closes_ring
from hub.oversight.tables import PARTIES, SIGHTS, SUBJECTS, USES

Finding = Literal["JUSTIFIED", "UNJUSTIFIED"]
Kind = Literal["break-glass", "use"]
DAY = 24 * 3600
REASONS_DAYS = 365
"""Days for which a reason given before counts."""
LEAST_NOTE = 10
"""Characters of what a reviewer notes."""
MOST_SHOWN, MOST_READ = 100, 1_000
"""Uses shown at once, and looked through for them, those due first."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What was released under a use, at one time."""

    at: float
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Use:
    """A use of a purpose by somebody, until it is reviewed and after. Times as in the ledger."""

    id: str
    kind: Kind
    purpose: str
    person: str
    office: str | None
    reason: str
    at: float
    until: float | None
    due: float
    closed: float | None
    finding: Finding | None
    reviewer: str | None
    overdue: bool
    seen: tuple[Sight, ...] = ()


async def open_glass(
    ledger: Ledger, caller: Caller, purpose: Purpose, recipient: str, reason: str
) -> Use:
    """Open a recipient for minutes; they are told, and a review is due.

    Raises LogUnavailable, and RequestRefused where the person's reviews are overdue, or the reason
    is none or one they gave before.
    """
    check_reason(reason, purpose.obligations.reason or 0)
    person, now = ledger.person(caller), ledger.clock()
    made = marks(reason, ledger.pseudonyms.of("reasons").encode())
    async with ledger.changing() as connection:
        await check_not_suspended(connection, person, now)
        await _check_new(connection, person, made, now)
        use = _row(caller, purpose, reason, now)
        use |= {"kind": "break-glass", "marks": made, "until": now + purpose.limits.minutes * 60}
        opening = await _put(connection, use, person, [ledger.pseudonyms.of(recipient)])
        await tell(connection, ledger, caller, purpose, [recipient])
        (made_use,) = await _uses(connection, USES.c.id == opening, now)
    return made_use


async def _put(
    connection: AsyncConnection, row: Mapping[str, object], person: Person, subjects: Iterable[str]
) -> str:
    use = str(uuid.uuid4())
    await connection.execute(sa.insert(USES), {"id": use, **row})
    await name_parties(connection, use, "asked", person)
    await name_subjects(connection, use, subjects)
    return use


def check_reason(reason: str, least: int) -> None:
    """Refuse a text that is no reason. Raises RequestRefused."""
    lack = lacks(reason, least)
    if lack is not None:
        raise refused("REASON_REQUIRED", f"the reason does not do: {lack}", remedy="say why")


async def check_not_suspended(connection: AsyncConnection, person: Person, now: float) -> None:
    """Refuse whoever has an overdue review of a break-glass. Raises RequestRefused."""
    overdue = (USES.c.kind == "break-glass") & USES.c.closed.is_(None) & (USES.c.due < now)
    mine = USES.c.id.in_(records_of(person, "asked"))
    count = await connection.scalar(sa.select(sa.func.count()).where(overdue & mine)) or 0
    if count:
        message = f"{count} of your break-glasses should have been reviewed by now"
        raise refused("BREAK_GLASS_SUSPENDED", message)


async def _check_new(connection: AsyncConnection, person: Person, made: bytes, now: float) -> None:
    mine = USES.c.id.in_(records_of(person, "asked")) & (USES.c.kind == "break-glass")
    recent = USES.c.at > now - REASONS_DAYS * DAY
    for row in await connection.execute(sa.select(USES.c.marks).where(mine & recent)):
        if alike(row.marks, made):
            raise refused("REASON_REPEATED", "you have given this reason, or nearly this, before")


def _row(caller: Caller, purpose: Purpose, reason: str, now: float) -> dict[str, object]:
    days = purpose.obligations.review_days or 0
    return {
        "kind": "use",
        "purpose": purpose.code,
        "person": caller.person,
        "office": caller.office,
        "reason": reason,
        "marks": b"",
        "at": now,
        "until": None,
        "due": now + days * DAY,
        "expires": expires(purpose, now),
    }


async def opened(
    connection: AsyncConnection, ledger: Ledger, caller: Caller, purpose: Purpose
) -> dict[str, str]:
    """The break-glasses that are open to the caller: the use by the recipient's pseudonym.

    One is open to those who opened it, and to nobody else who acts with them.
    """
    now, person = ledger.clock(), ledger.person(caller)
    open_now = (USES.c.kind == "break-glass") & (USES.c.until > now) & (USES.c.at <= now)
    mine = USES.c.id.in_(records_of(person, "asked")) & (USES.c.purpose == purpose.code)
    subject = SUBJECTS.c.record == USES.c.id
    query = sa.select(USES.c.id, SUBJECTS.c.subject).join(SUBJECTS, subject).where(open_now & mine)
    found = (await connection.execute(query)).all()
    asked = await parties_of(connection, [row.id for row in found], "asked")
    return {row.subject: row.id for row in found if person <= asked[row.id]}


async def note_use(
    connection: AsyncConnection,
    ledger: Ledger,
    caller: Caller,
    purpose: Purpose,
    reason: str,
    subjects: Iterable[str],
) -> str:
    """Note an operation that has to be reviewed; its id."""
    row = _row(caller, purpose, reason, ledger.clock())
    return await _put(connection, row, ledger.person(caller), subjects)


async def note_sight(
    connection: AsyncConnection,
    ledger: Ledger,
    uses: Collection[str],
    operation: str,
    items: Iterable[str],
) -> None:
    """Note what an operation releases under uses, for whoever reviews them."""
    names = json.dumps(sorted(set(items)))
    rows = [
        {"use": use, "operation": operation, "at": ledger.clock(), "items": names}
        for use in sorted(set(uses))
    ]
    if rows:
        await connection.execute(sa.insert(SIGHTS), rows)


@dataclass(frozen=True, slots=True)
class Review:
    """What a reviewer says of a use."""

    use: str
    kind: Kind
    finding: Finding
    note: str


async def close_review(ledger: Ledger, caller: Caller, review: Review) -> Use:
    """Close a review. Raises LogUnavailable, and RequestRefused where the caller may not."""
    if len(review.note.strip()) < LEAST_NOTE:
        message = f"note what you found, in {LEAST_NOTE} characters or more"
        raise refused("REASON_REQUIRED", message, remedy="say it in `note`")
    now = ledger.clock()
    async with ledger.changing() as connection:
        chosen = (USES.c.id == review.use) & (USES.c.kind == review.kind)
        found = await _uses(connection, chosen & USES.c.closed.is_(None), now)
        if not found:
            message = "nothing of this id waits to be reviewed"
            raise refused("OVERSIGHT_REFUSED", message, remedy="take one from `waiting`")
        rule = (await _why_not(connection, ledger, caller, found))[review.use]
        if rule is not None:
            raise refused("OVERSIGHT_REFUSED", f"you may not review it: {rule}")
        change = sa.update(USES).where(USES.c.id == review.use)
        await connection.execute(
            change.values(
                closed=now,
                finding=review.finding,
                reviewer=caller.person,
                reviewer_office=caller.office,
                note=review.note.strip(),
            )
        )
        await name_parties(connection, review.use, "answered", ledger.person(caller))
        (closed,) = await _uses(connection, USES.c.id == review.use, now)
    return closed


async def uses_to_review(ledger: Ledger, caller: Caller) -> list[Use]:
    """The uses that wait for the caller's review, those due first. Raises LogUnavailable."""
    async with ledger.reading() as connection:
        others = USES.c.closed.is_(None) & (USES.c.office != caller.office)
        waiting = await _uses(connection, others, ledger.clock())
        rules = await _why_not(connection, ledger, caller, waiting)
    return [use for use in waiting if rules[use.id] is None][:MOST_SHOWN]


async def own_uses(ledger: Ledger, caller: Caller) -> list[Use]:
    """The caller's own uses that are or were to be reviewed. Raises LogUnavailable."""
    mine = USES.c.id.in_(records_of(ledger.person(caller), "asked"))
    async with ledger.reading() as connection:
        return (await _uses(connection, mine, ledger.clock()))[:MOST_SHOWN]


async def _why_not(
    connection: AsyncConnection, ledger: Ledger, caller: Caller, uses: Collection[Use]
) -> Mapping[str, str | None]:
    """Why the caller may not review each of these uses; None where they may."""
    ids = [use.id for use in uses]
    reviewer, residents = ledger.person(caller), ledger.residents(caller)
    users = await parties_of(connection, ids, "asked")
    subjects = await subjects_of(connection, ids)
    past = await _past(connection, ledger.clock() - WINDOW_DAYS * DAY)
    rules: dict[str, str | None] = {}
    for use in uses:
        rules[use.id] = None
        if not reviewer.isdisjoint(users[use.id]):
            rules[use.id] = "it is your own"
        elif caller.office is None or use.office is None or caller.office == use.office:
            rules[use.id] = "it is of your own office, or an office is not known"
        elif not residents.isdisjoint(subjects.get(use.id, ())):
            rules[use.id] = "it is about yourself"
        elif closes_ring(reviewer, users[use.id], past):
            rules[use.id] = (
                f"it would close a ring of people who review each other within {WINDOW_DAYS} days"
            )
    return rules


async def _past(connection: AsyncConnection, since: float) -> list[Reviewed]:
    """Who has reviewed whom since a time, each pair once."""
    answered, asked = PARTIES.alias(), PARTIES.alias()
    pairs = (
        sa.select(answered.c.who, asked.c.who)
        .distinct()
        .join_from(answered, asked, answered.c.record == asked.c.record)
        .join(USES, USES.c.id == asked.c.record)
        .where((answered.c.side == "answered") & (asked.c.side == "asked"))
        .where(USES.c.closed > since)
    )
    return [(row[0], row[1]) for row in await connection.execute(pairs)]


async def _uses(
    connection: AsyncConnection, chosen: sa.ColumnElement[bool], now: float
) -> list[Use]:
    ordered = sa.select(USES).where(chosen).order_by(USES.c.closed.is_not(None), USES.c.due)
    query = ordered.limit(MOST_READ)
    rows = (await connection.execute(query)).all()
    seen: dict[str, list[Sight]] = {}
    of_these = SIGHTS.c.use.in_([row.id for row in rows])
    for sight in await connection.execute(sa.select(SIGHTS).where(of_these).order_by(SIGHTS.c.at)):
        seen.setdefault(sight.use, []).append(Sight(sight.at, tuple(json.loads(sight.items))))
    return [
        Use(
            id=row.id,
            kind=row.kind,
            purpose=row.purpose,
            person=row.person,
            office=row.office,
            reason=row.reason,
            at=row.at,
            until=row.until,
            due=row.due,
            closed=row.closed,
            finding=row.finding,
            reviewer=row.reviewer,
            overdue=row.closed is None and row.due < now,
            seen=tuple(seen.get(row.id, ())),
        )
        for row in rows
    ]
