"""Proofs that a third party checks offline (C2SP tlog-proof), with the record where it is given.

A proof of a record has its salt and details as extra data; whoever has the log's verifier key
checks that these were logged, at which place, and under which signed tree.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.querylog.checkpoint import Head, LogKey, checked, proved, signed
from hub.querylog.engine import engine_of
from hub.querylog.leaf import commitment, leaf, leaf_hash
from hub.querylog.note import Note, NoteRefused, Verifier
from hub.querylog.sealing import NotOpened, Sealing, unseal
from hub.querylog.store import LogUnavailable, opened_keys
from hub.querylog.tables import DETAILS, LEAF
from hub.querylog.tree import ProofFails, check_inclusion, inclusion

_FIRST = "c2sp.org/tlog-proof@v1"
_RECORD = (
    sa.select(LEAF.c.key, DETAILS.c.sealed)
    .join(DETAILS, DETAILS.c.idx == LEAF.c.idx)
    .where(LEAF.c.idx == sa.bindparam("place"))
)


@dataclass(frozen=True, slots=True)
class Proof:
    """That a leaf is at a place of a signed tree. `salt` and `details` open its commitment."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: str
    salt: bytes
    details: bytes

    @property
    def text(self) -> str:
        """As C2SP tlog-proof writes it."""
        extra = json.dumps(
            {"details": self.details.decode(), "salt": base64.b64encode(self.salt).decode()},
            ensure_ascii=False,
        )
        lines = [
            _FIRST,
            f"extra {base64.b64encode(extra.encode()).decode()}",
            f"index {self.index}",
            *(base64.b64encode(each).decode() for each in self.hashes),
        ]
        return "\n".join(lines) + f"\n\n{self.checkpoint}"

    @property
    def receipt(self) -> str:
        """The same without the record: it shows that the leaf was logged, and not what it says."""
        head, _, rest = self.text.partition("\n")
        return f"{head}\n{rest.partition(chr(10))[2]}"

    @classmethod
    def read(cls, text: str) -> Proof:
        """Raises NoteRefused for what is no proof of a record."""
        head, _, checkpoint = text.partition("\n\n")
        lines = head.split("\n")
        try:
            first, extra, index, *hashes = lines
            if first != _FIRST or not extra.startswith("extra ") or not index.startswith("index "):
                raise ValueError(first)
            opened = json.loads(base64.b64decode(extra[6:], validate=True))
            return cls(
                int(index[6:]),
                tuple(base64.b64decode(each, validate=True) for each in hashes),
                checkpoint,
                base64.b64decode(opened["salt"], validate=True),
                opened["details"].encode(),
            )
        except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
            raise NoteRefused("it is no proof of a record, as `hub log prove` writes it") from error

    def check(
        self, keys: Sequence[LogKey], witnesses: Sequence[Verifier] = ()
    ) -> tuple[Head, dict[str, Any], tuple[Verifier, ...]]:
        """The signed head, the record and who cosigned, if all of it holds.

        Raises NoteRefused where no known key signed the checkpoint, ProofFails where the record
        is not what was logged there.
        """
        head = checked(self.checkpoint, keys)
        content = leaf(commitment(self.salt, self.details))
        check_inclusion(self.index, head.size, leaf_hash(content), self.hashes, head.root)
        try:
            record = json.loads(self.details)
        except ValueError as error:
            raise ProofFails("what was logged there is no record") from error
        return head, record, Note.read(self.checkpoint).signed_by(witnesses)


async def prove(address: str, sealing: Sealing, place: int) -> Proof:
    """A proof of a record, under the newest checkpoint a witness cosigned, or else the newest.

    Raises NoteRefused where there is no such record, LogUnavailable where the store does not open.
    """
    engine = engine_of(address)
    try:
        async with engine.connect() as connection:
            return await proof_from(connection, sealing, place)
    except (SQLAlchemyError, OSError, NotOpened) as error:
        raise LogUnavailable("the query log cannot be read") from error
    finally:
        await engine.dispose()


async def proof_from(connection: AsyncConnection, sealing: Sealing, place: int) -> Proof:
    """The same, by a connection. Raises NoteRefused, and whatever reading and opening raise."""
    row = (await connection.execute(_RECORD, {"place": place})).one_or_none()
    checkpoint = None
    for cosigned in (True, False):
        found = await signed(connection, cosigned=cosigned)
        if found is not None and Head.read(Note.read(found).text).size > place >= 0:
            checkpoint = found
            break
    if row is None or checkpoint is None:
        raise NoteRefused(f"there is no record {place} that is signed and not destroyed")
    key = (await opened_keys(connection, sealing))[row.key]
    salt, details = unseal(key, row.sealed)
    size = Head.read(Note.read(checkpoint).text).size
    hashes = await proved(connection, lambda read: inclusion(place, size, read))
    return Proof(place, tuple(hashes), checkpoint, salt, details)
