"""The store of approvals, reviewed uses and notices: one change after the other, or none.

Invariant: what decides about a change is read in the transaction that makes it, and no two of
these run at the same time, on any replica.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from authz.caller import Caller
from hub.oversight.rings import Person
from hub.oversight.seal import Seal
from hub.oversight.tables import LOCK, PARTIES, SUBJECTS
from hub.querylog.engine import TIMEOUT
from hub.querylog.record import Pseudonyms
from hub.querylog.store import LogUnavailable


@dataclass(frozen=True)
class Ledger:
    """The store, the keys of what stands in it, and the clock (seconds since 1970)."""

    engine: AsyncEngine
    pseudonyms: Pseudonyms
    seal: Seal
    clock: Callable[[], float] = time.time

    @contextlib.asynccontextmanager
    async def changing(self) -> AsyncIterator[AsyncConnection]:
        """A transaction, committed on leaving without an error. Raises LogUnavailable."""
        on_postgresql = self.engine.dialect.name == "postgresql"
        insert = (postgresql if on_postgresql else sqlite).insert(LOCK).values(id=1, turns=1)
        turn = {"turns": LOCK.c.turns + 1}
        take = insert.on_conflict_do_update(index_elements=["id"], set_=turn)
        async with self._translated(), self.engine.begin() as connection:
            await connection.execute(take)
            yield connection

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection to read by. Raises LogUnavailable."""
        async with self._translated(), self.engine.connect() as connection:
            yield connection

    @contextlib.asynccontextmanager
    async def _translated(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(2 * TIMEOUT):
                yield
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            raise LogUnavailable("the store of approvals and reviews does not answer") from error

    def account(self, issuer: str, person: str) -> str:
        """The pseudonym of somebody by their account."""
        return self.pseudonyms.of(f"account {issuer} {person}")

    def person(self, caller: Caller) -> Person:
        """Everyone behind a request, by their accounts and as residents."""
        accounts = [self.account(caller.issuer, caller.person)]
        accounts += [self.account(actor.issuer, actor.person) for actor in caller.actors]
        return frozenset((*accounts, *self.residents(caller)))

    def residents(self, caller: Caller) -> frozenset[str]:
        """Everyone behind a request as residents: the pseudonyms that subjects have."""
        return frozenset(self.pseudonyms.of(each) for each in caller.recipients if each)


async def name_parties(connection: AsyncConnection, record: str, side: str, person: Person) -> None:
    """Note who takes a side in a record."""
    rows = [{"record": record, "side": side, "who": who} for who in sorted(person)]
    await connection.execute(sa.insert(PARTIES), rows)


async def name_subjects(connection: AsyncConnection, record: str, subjects: Iterable[str]) -> None:
    """Note whom a record is about."""
    rows = [{"record": record, "subject": subject} for subject in sorted(set(subjects))]
    if rows:
        await connection.execute(sa.insert(SUBJECTS), rows)


def records_of(person: Person, side: str) -> sa.Select[tuple[str]]:
    """The records in which somebody takes a side."""
    mine = PARTIES.c.who.in_(sorted(person)) & (PARTIES.c.side == side)
    return sa.select(PARTIES.c.record).where(mine).distinct()


async def parties_of(
    connection: AsyncConnection, records: Collection[str], side: str
) -> dict[str, Person]:
    """Who takes a side, by record."""
    found: dict[str, set[str]] = {}
    if not records:
        return {}
    chosen = PARTIES.c.record.in_(sorted(records)) & (PARTIES.c.side == side)
    for row in await connection.execute(sa.select(PARTIES).where(chosen)):
        found.setdefault(row.record, set()).add(row.who)
    return {record: frozenset(who) for record, who in found.items()}


async def subjects_of(
    connection: AsyncConnection, records: Collection[str]
) -> dict[str, frozenset[str]]:
    """Whom records are about."""
    found: dict[str, set[str]] = {}
    if not records:
        return {}
    chosen = SUBJECTS.c.record.in_(sorted(records))
    for row in await connection.execute(sa.select(SUBJECTS).where(chosen)):
        found.setdefault(row.record, set()).add(row.subject)
    return {record: frozenset(subjects) for record, subjects in found.items()}
