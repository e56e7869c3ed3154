"""Notices: what recipients are to be told of, where they ask, and in letters that others send.

Act on the Use and Provision of Social Security Benefits, Articles 5(5) and 11(5) (K): the person is
told on which ground and for what their data are asked for.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from authz.caller import Caller
from authz.purpose import Purpose
from hub.oversight.ledger import Ledger
from hub.oversight.retention import expires
from hub.oversight.tables import NOTICES

MOST = 200
"""Notices that a recipient is shown, the latest first."""


@dataclass(frozen=True, slots=True)
class Notice:
    """That a record was opened: when, why, on which ground, by which office.

    `recipient` is set where the notice is to be sent.
    """

    id: str
    at: float
    purpose: str
    title: str
    legal_basis: str
    office: str | None
    recipient: str | None = None


async def tell(
    connection: AsyncConnection,
    ledger: Ledger,
    caller: Caller,
    purpose: Purpose,
    recipients: Iterable[str],
) -> None:
    """Have recipients told that their record is opened."""
    rows = []
    for recipient in dict.fromkeys(recipients):
        notice = str(uuid.uuid4())
        rows.append(
            {
                "id": notice,
                "subject": ledger.pseudonyms.of(recipient),
                "sealed": ledger.seal.close(recipient, notice),
                "purpose": purpose.code,
                "title": purpose.title,
                "legal_basis": purpose.legal_basis.text,
                "office": caller.office,
                "at": ledger.clock(),
                "expires": expires(purpose, ledger.clock()),
            }
        )
    if rows:
        await connection.execute(sa.insert(NOTICES), rows)


async def notices_for(ledger: Ledger, caller: Caller) -> list[Notice]:
    """What somebody is told of their own record. Raises LogUnavailable.

    Nobody else's notices are shown to whoever acts for another.
    """
    if caller.recipient is None or any(each != caller.recipient for each in caller.recipients):
        return []
    own = NOTICES.c.subject == ledger.pseudonyms.of(caller.recipient)
    query = sa.select(NOTICES).where(own).order_by(NOTICES.c.at.desc()).limit(MOST)
    async with ledger.reading() as connection:
        return [_notice(row) for row in await connection.execute(query)]


async def notices_to_send(ledger: Ledger) -> list[Notice]:
    """The notices that nobody has exported yet, with whom they go to, oldest first.

    Raises LogUnavailable, and Unsealable where the key is another.
    """
    query = sa.select(NOTICES).where(NOTICES.c.exported.is_(None)).order_by(NOTICES.c.at)
    async with ledger.reading() as connection:
        rows = (await connection.execute(query)).all()
    return [_notice(row, ledger.seal.open(row.sealed, row.id)) for row in rows]


async def note_exported(ledger: Ledger, notices: Iterable[Notice]) -> None:
    """Note that notices were exported. Raises LogUnavailable."""
    async with ledger.changing() as connection:
        for notice in notices:
            change = sa.update(NOTICES).where(NOTICES.c.id == notice.id)
            await connection.execute(change.values(exported=ledger.clock()))


def _notice(row: sa.Row[tuple[object, ...]], recipient: str | None = None) -> Notice:
    return Notice(
        id=row.id,
        at=row.at,
        purpose=row.purpose,
        title=row.title,
        legal_basis=row.legal_basis,
        office=row.office,
        recipient=recipient,
    )
