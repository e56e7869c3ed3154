"""Approvals: somebody of another office agrees that the caller asks about recipients, or a case."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from authz.caller import Caller
from authz.purpose import Purpose
from authz.register import Register
from hub.errors import refused
from hub.oversight.ledger import (
    Ledger,
    name_parties,
    name_subjects,
    parties_of,
    records_of,
    subjects_of,
)
from hub.oversight.retention import expires
from hub.oversight.tables import APPROVALS
from hub.oversight.uses import DAY, check_reason

HOURS = 24
"""Hours that an approval holds where the purpose does not say."""
WAITS_DAYS = 7
"""Days after which a request that nobody decided can no longer be approved."""
LEAST_REASON = 20
"""Characters of the reason of a request, where the purpose does not ask for more."""
MOST_RECIPIENTS = 50
"""Recipients of one request."""
MOST_SHOWN = 100

State = Literal["WAITING", "APPROVED", "REFUSED", "EXPIRED"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody asks to be approved: these recipients or this case, and why."""

    recipients: tuple[str, ...]
    case: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Approval:
    """A request for approval, and how it was decided. Times as in the ledger."""

    id: str
    purpose: str
    person: str
    office: str
    reason: str
    at: float
    state: State
    until: float | None
    approver: str | None
    recipients: int
    of_case: bool


@dataclass(frozen=True, slots=True)
class Approved:
    """What is approved for somebody: pseudonyms of recipients and cases, and by which requests."""

    recipients: frozenset[str] = frozenset()
    cases: frozenset[str] = frozenset()
    requests: tuple[str, ...] = ()


async def request_approval(
    ledger: Ledger, caller: Caller, purpose: Purpose, wanted: Wanted
) -> Approval:
    """Ask for an approval. Raises LogUnavailable, RequestRefused."""
    check_reason(wanted.reason, max(purpose.obligations.reason or 0, LEAST_REASON))
    if not wanted.recipients and wanted.case is None:
        raise refused("BAD_VARIABLES", "name `recipients` or a `case` to be approved")
    if len(wanted.recipients) > MOST_RECIPIENTS:
        raise refused("TOO_MANY_IDS", f"one request names {MOST_RECIPIENTS} recipients at most")
    if caller.office is None:
        raise refused("OVERSIGHT_REFUSED", "the token does not say the caller's office")
    now, request = ledger.clock(), str(uuid.uuid4())
    row = {
        "id": request,
        "purpose": purpose.code,
        "person": caller.person,
        "office": caller.office,
        "case": None if wanted.case is None else ledger.pseudonyms.of(wanted.case),
        "reason": wanted.reason,
        "at": now,
        "expires": expires(purpose, now),
    }
    async with ledger.changing() as connection:
        await connection.execute(sa.insert(APPROVALS), row)
        await name_parties(connection, request, "asked", ledger.person(caller))
        await name_subjects(connection, request, map(ledger.pseudonyms.of, wanted.recipients))
        (made,) = await _approvals(connection, APPROVALS.c.id == request, now)
    return made


@dataclass(frozen=True, slots=True)
class Decided:
    """What an approver says of a request, naming again whom it is about."""

    request: str
    recipients: tuple[str, ...]
    case: str | None
    granted: bool
    note: str


async def approve(ledger: Ledger, caller: Caller, register: Register, decided: Decided) -> Approval:
    """Decide a request. Raises LogUnavailable, RequestRefused.

    The approver names the recipients or the case too: nobody approves of whom they do not know.
    """
    now = ledger.clock()
    async with ledger.changing() as connection:
        found = await _approvals(connection, APPROVALS.c.id == decided.request, now)
        if not found or found[0].state != "WAITING":
            message = "nothing of this id waits to be approved"
            raise refused("OVERSIGHT_REFUSED", message, remedy="take one from `waiting`")
        (request,) = found
        purpose = register.purposes.get(request.purpose)
        rule = (await _why_not(connection, ledger, caller, register, found))[request.id]
        if rule is not None or purpose is None:
            raise refused("OVERSIGHT_REFUSED", f"you may not approve it: {rule}")
        await _check_named(connection, ledger, decided)
        approver = purpose.obligations.second_approver
        hours = HOURS if approver is None else approver.hours
        change = sa.update(APPROVALS).where(APPROVALS.c.id == request.id)
        await connection.execute(
            change.values(
                decided=now,
                granted=decided.granted,
                until=now + hours * 3600 if decided.granted else None,
                approver=caller.person,
                approver_office=caller.office,
                approver_roles=" ".join(sorted(caller.roles)),
                note=decided.note.strip(),
            )
        )
        await name_parties(connection, request.id, "answered", ledger.person(caller))
        (made,) = await _approvals(connection, APPROVALS.c.id == request.id, now)
    return made


async def _check_named(connection: AsyncConnection, ledger: Ledger, decided: Decided) -> None:
    row = (
        await connection.execute(sa.select(APPROVALS).where(APPROVALS.c.id == decided.request))
    ).one()
    subjects = (await subjects_of(connection, [decided.request])).get(decided.request, frozenset())
    named = frozenset(map(ledger.pseudonyms.of, decided.recipients))
    case = None if decided.case is None else ledger.pseudonyms.of(decided.case)
    if named != subjects or case != row.case:
        message = "the request is about others than the recipients and the case you name"
        raise refused(
            "OVERSIGHT_REFUSED", message, remedy="learn from the requester whom it is about"
        )


async def approvals_to_decide(ledger: Ledger, caller: Caller, register: Register) -> list[Approval]:
    """The requests that wait for the caller. Raises LogUnavailable."""
    now = ledger.clock()
    async with ledger.reading() as connection:
        found = await _approvals(connection, APPROVALS.c.decided.is_(None), now)
        waiting = [request for request in found if request.state == "WAITING"]
        rules = await _why_not(connection, ledger, caller, register, waiting)
    return [request for request in waiting if rules[request.id] is None][:MOST_SHOWN]


async def own_approvals(ledger: Ledger, caller: Caller) -> list[Approval]:
    """What the caller has asked to be approved. Raises LogUnavailable."""
    mine = APPROVALS.c.id.in_(records_of(ledger.person(caller), "asked"))
    async with ledger.reading() as connection:
        return (await _approvals(connection, mine, ledger.clock()))[:MOST_SHOWN]


async def approved(
    connection: AsyncConnection, ledger: Ledger, caller: Caller, purpose: Purpose
) -> Approved:
    """What somebody of another office has approved for the caller and purpose, while it holds.

    It holds as long as the register says now, and no longer than it said when it was approved.
    """
    now, person = ledger.clock(), ledger.person(caller)
    demanded = purpose.obligations.second_approver
    since = now - (HOURS if demanded is None else demanded.hours) * 3600
    mine = APPROVALS.c.id.in_(records_of(person, "asked")) & (APPROVALS.c.purpose == purpose.code)
    holds = APPROVALS.c.granted.is_(True) & (APPROVALS.c.until > now)
    holds &= APPROVALS.c.decided > since
    other = (APPROVALS.c.office == caller.office) & (APPROVALS.c.approver_office != caller.office)
    rows = (await connection.execute(sa.select(APPROVALS).where(mine & holds & other))).all()
    asked = await parties_of(connection, [row.id for row in rows], "asked")
    rows = [row for row in rows if person <= asked[row.id] and _may(row.approver_roles, purpose)]
    subjects = await subjects_of(connection, [row.id for row in rows])
    return Approved(
        recipients=frozenset().union(*subjects.values()),
        cases=frozenset(row.case for row in rows if row.case is not None),
        requests=tuple(sorted(row.id for row in rows)),
    )


def _may(roles: str | None, purpose: Purpose) -> bool:
    """Whether somebody of these roles may approve what the purpose demands now."""
    demanded = purpose.obligations.second_approver
    return demanded is None or not {*(roles or "").split()}.isdisjoint(demanded.roles)


async def _why_not(
    connection: AsyncConnection,
    ledger: Ledger,
    caller: Caller,
    register: Register,
    requests: Collection[Approval],
) -> Mapping[str, str | None]:
    """Why the caller may not decide each of these requests; None where they may."""
    ids = [request.id for request in requests]
    approver, residents = ledger.person(caller), ledger.residents(caller)
    askers = await parties_of(connection, ids, "asked")
    subjects = await subjects_of(connection, ids)
    rules: dict[str, str | None] = {}
    for request in requests:
        purpose = register.purposes.get(request.purpose)
        demanded = purpose.obligations.second_approver if purpose is not None else None
        rules[request.id] = None
        if purpose is None:
            rules[request.id] = "its purpose is no longer there"
        elif demanded is not None and not caller.roles & {*demanded.roles}:
            rules[request.id] = f"it is for {', '.join(sorted(demanded.roles))}"
        elif not approver.isdisjoint(askers[request.id]):
            rules[request.id] = "it is your own"
        elif caller.office is None or caller.office == request.office:
            rules[request.id] = "it is of your own office, or yours is not known"
        elif not residents.isdisjoint(subjects.get(request.id, ())):
            rules[request.id] = "it is about yourself"
    return rules


async def _approvals(
    connection: AsyncConnection, chosen: sa.ColumnElement[bool], now: float
) -> list[Approval]:
    query = sa.select(APPROVALS).where(chosen).order_by(APPROVALS.c.at)
    rows = (await connection.execute(query)).all()
    subjects = await subjects_of(connection, [row.id for row in rows])
    return [
        Approval(
            id=row.id,
            purpose=row.purpose,
            person=row.person,
            office=row.office,
            reason=row.reason,
            at=row.at,
            state=_state(row.decided, row.granted, row.until or row.at + WAITS_DAYS * DAY, now),
            until=row.until,
            approver=row.approver,
            recipients=len(subjects.get(row.id, ())),
            of_case=row.case is not None,
        )
        for row in rows
    ]


def _state(decided: float | None, granted: bool | None, until: float, now: float) -> State:
    if decided is not None and not granted:
        return "REFUSED"
    if until <= now:
        return "EXPIRED"
    return "WAITING" if decided is None else "APPROVED"
