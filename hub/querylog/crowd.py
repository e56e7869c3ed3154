"""Records about crowds: whole batches of people, committed to by one hash, found by each of them.

Such a record names its people by the root of a tree (RFC 6962) whose leaves are chunks of their
sorted pseudonyms; the chunks stand in the store by the record's operation, to be looked through.
"""

from __future__ import annotations

import bisect
import hashlib
from collections.abc import Iterator, Sequence

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from hub.querylog.store import LogUnavailable
from hub.querylog.tables import CROWD
from hub.querylog.tree import root_of

CHUNK = 4096
"""Pseudonyms in one leaf."""
_WIDTH = 16


def chunks_of(pseudonyms: bytes) -> Iterator[bytes]:
    """The leaves: sorted pseudonyms, 16 bytes each, in chunks."""
    for start in range(0, len(pseudonyms), CHUNK * _WIDTH):
        yield pseudonyms[start : start + CHUNK * _WIDTH]


def commitment_to(chunks: Sequence[bytes]) -> str:
    """The root over the chunks, in hexadecimal digits."""
    return root_of([hashlib.sha256(b"\0" + chunk).digest() for chunk in chunks]).hex()


async def keep(engine: AsyncEngine, operation: bytes, chunks: Sequence[bytes]) -> None:
    """Keep whom a record will be about, before it is written. Raises LogUnavailable."""
    rows = [
        {
            "operation": operation,
            "number": number,
            "first": chunk[:_WIDTH],
            "last": chunk[-_WIDTH:],
            "pseudonyms": chunk,
        }
        for number, chunk in enumerate(chunks)
    ]
    try:
        async with engine.begin() as connection:
            await connection.execute(sa.delete(CROWD).where(CROWD.c.operation == operation))
            if rows:
                await connection.execute(sa.insert(CROWD), rows)
    except (SQLAlchemyError, OSError) as error:
        raise LogUnavailable("whom a record is about cannot be kept") from error


async def crowds_with(connection: AsyncConnection, pseudonym: bytes) -> tuple[bytes, ...]:
    """The operations whose records are about crowds that this pseudonym is in."""
    near = sa.select(CROWD.c.operation, CROWD.c.pseudonyms).where(
        CROWD.c.first <= pseudonym, CROWD.c.last >= pseudonym
    )
    return tuple(
        bytes(row.operation)
        for row in await connection.execute(near)
        if _within(bytes(row.pseudonyms), pseudonym)
    )


def _within(chunk: bytes, pseudonym: bytes) -> bool:
    """Whether a sorted chunk has the pseudonym."""
    count = len(chunk) // _WIDTH
    place = bisect.bisect_left(
        range(count), pseudonym, key=lambda at: chunk[at * _WIDTH : (at + 1) * _WIDTH]
    )
    return chunk[place * _WIDTH : (place + 1) * _WIDTH] == pseudonym


async def kept(connection: AsyncConnection, operation: bytes) -> list[bytes]:
    """The chunks that are kept of an operation's record, in order."""
    query = sa.select(CROWD.c.pseudonyms).where(CROWD.c.operation == operation)
    rows = await connection.execute(query.order_by(CROWD.c.number))
    return [bytes(row.pseudonyms) for row in rows]
