"""Takes durable leaves into the tree and signs its head; keeps tiles, checkpoints, cosignatures.

Invariant: nothing is signed that does not begin with what was signed before. Where the store does
not have what the last checkpoint says, signing stops until somebody has looked into it.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from hub.querylog.note import Note, NoteRefused, Signer, Verifier, signature_of
from hub.querylog.tables import CHECKPOINT, COSIGNATURE, HEAD, LEAF, TILE
from hub.querylog.tree import WIDTH, Edge, Read, split

STEP = 50_000
"""Most leaves taken in before a checkpoint."""
KEPT_HOURS = 24
"""Checkpoints older than this are thinned to the last of each hour and those cosigned."""
_LOCK = 7_020_394_282
"""Of the advisory locks of PostgreSQL, the one of the hub that signs just now."""


class LogAltered(Exception):
    """The store does not have what was signed; the message says what differs."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a checkpoint says: whose tree, its size and its root."""

    origin: str
    size: int
    root: bytes

    @classmethod
    def read(cls, text: str) -> Head:
        """Of a note's text. Raises NoteRefused for what is no checkpoint."""
        lines = text.split("\n")
        try:
            origin, size, root = lines[0], lines[1], base64.b64decode(lines[2], validate=True)
        except (IndexError, ValueError) as error:
            raise NoteRefused("the note is no checkpoint: origin, size and root") from error
        plain = size.isascii() and size.isdecimal() and str(int(size)) == size
        if not origin or not plain or len(root) != 32 or "" in lines[:-1] or lines[-1]:
            raise NoteRefused("the note is no checkpoint: origin, size and root")
        return cls(origin, int(size), root)

    @property
    def text(self) -> str:
        """As the text of a note."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


@dataclass(frozen=True, slots=True)
class LogKey:
    """A key of a log; one that has retired signed no tree larger than `until`."""

    verifier: Verifier
    until: int | None = None


def checked(content: str, keys: Sequence[LogKey]) -> Head:
    """The head of a signed checkpoint. Raises NoteRefused unless one of these keys signed it."""
    note = Note.read(content)
    head = Head.read(note.text)
    held = [key.verifier for key in keys if key.until is None or head.size <= key.until]
    if not any(found.name == head.origin for found in note.signed_by(held)):
        raise NoteRefused("no key that is known, and had not retired, signed the checkpoint")
    return head


class Checkpoints:
    """The tree of a store, grown and signed."""

    def __init__(self, engine: AsyncEngine, signer: Signer, former: Sequence[LogKey] = ()) -> None:
        self._engine = engine
        self._signer = signer
        self._keys = (LogKey(signer.verifier), *former)
        self._postgresql = engine.dialect.name == "postgresql"
        self._edge = Edge()
        self._signed = -1
        self._hour = 0

    async def grow(self) -> int:
        """Take in what is durable and sign; the size signed. Raises LogAltered."""
        while True:
            async with self._engine.connect() as connection:
                if self._postgresql and not await connection.scalar(
                    sa.select(sa.func.pg_try_advisory_xact_lock(_LOCK))
                ):
                    return self._signed  # another hub is about it
                behind = await self._grow(connection)
            if not behind:
                return self._signed

    async def _grow(self, connection: AsyncConnection) -> bool:
        """One step; whether there is more to take in."""
        size = await connection.scalar(sa.select(HEAD.c.size)) or 0
        before = await self._last(connection)
        if before is not None and before.size == size:
            self._signed = size
            return False
        start = 0 if before is None else before.size
        end = min(size, start + STEP)
        query = sa.select(LEAF.c.leaf).where(LEAF.c.idx >= start, LEAF.c.idx < end)
        leaves = (await connection.execute(query.order_by(LEAF.c.idx))).scalars().all()
        if len(leaves) != end - start:
            raise LogAltered(f"leaves are missing from place {start} on")
        edge = self._edge
        tiles = await asyncio.to_thread(_taken_in, edge, leaves)
        head = Head(self._signer.verifier.name, edge.size, edge.root())
        try:
            await self._keep(connection, start if before else None, tiles, head)
        except BaseException:
            self._edge = Edge()  # to be read anew
            raise
        self._signed = head.size
        return end < size

    async def _last(self, connection: AsyncConnection) -> Head | None:
        """What was signed last, with the edge of its tree at hand. Raises LogAltered."""
        query = sa.select(CHECKPOINT.c.note).order_by(CHECKPOINT.c.size.desc()).limit(1)
        note = await connection.scalar(query)
        if note is None:
            self._edge = Edge()
            return None
        try:
            head = checked(note, self._keys)
        except NoteRefused as error:
            raise LogAltered(
                f"the last checkpoint does not verify ({error}); where the signing key is a new "
                "one, name the verifier key of the old one in `log.former_keys`"
            ) from error
        if head.size < self._signed:
            raise LogAltered(f"{self._signed} leaves were signed, the store has {head.size} signed")
        if self._edge.size != head.size or self._edge.root() != head.root:
            self._edge = await edge_at(connection, head.size)
        if self._edge.root() != head.root:
            raise LogAltered(f"the tiles do not have the root signed for {head.size} leaves")
        return head

    async def _keep(
        self,
        connection: AsyncConnection,
        before: int | None,
        tiles: Sequence[dict[str, Any]],
        head: Head,
    ) -> None:
        now = time.time()
        if not self._postgresql:
            await connection.rollback()  # what was read is old by now: take the lock to write
            await connection.exec_driver_sql("BEGIN IMMEDIATE")
            if await connection.scalar(sa.select(sa.func.max(CHECKPOINT.c.size))) != before:
                self._edge = Edge()
                return  # another hub of this machine was faster
        insert = (postgresql if self._postgresql else sqlite).insert(TILE)
        grown = insert.on_conflict_do_update(
            index_elements=["level", "number"], set_={"hashes": insert.excluded.hashes}
        )
        if tiles:
            await connection.execute(grown, tiles)
        note = Note(head.text, (self._signer.line(head.text),))
        row = {"size": head.size, "note": note.content, "at": int(now * 1000)}
        await connection.execute(sa.insert(CHECKPOINT), row)
        if now // 3600 != self._hour:
            self._hour = int(now // 3600)
            await connection.execute(_thinned(int(now * 1000)))
        await connection.commit()


def _taken_in(edge: Edge, leaves: Sequence[bytes]) -> list[dict[str, Any]]:
    """Let the edge take in leaves; the rows of the tiles that are new or have grown."""
    sha256 = hashlib.sha256
    full = list(edge.add([sha256(b"\0" + leaf).digest() for leaf in leaves]))
    return [
        {"level": level, "number": number, "hashes": hashes}
        for level, number, hashes in (*full, *edge.partial())
    ]


def _thinned(now: int) -> sa.Delete:
    hour = CHECKPOINT.c.at // sa.literal_column("3600000")
    return sa.delete(CHECKPOINT).where(
        CHECKPOINT.c.at < now - KEPT_HOURS * 3_600_000,
        CHECKPOINT.c.size.not_in(sa.select(sa.func.max(CHECKPOINT.c.size)).group_by(hour)),
        CHECKPOINT.c.size.not_in(sa.select(COSIGNATURE.c.size)),
    )


async def tile(connection: AsyncConnection, level: int, number: int) -> list[bytes]:
    """The hashes of a tile, as many as there are."""
    query = sa.select(TILE.c.hashes).where(TILE.c.level == level, TILE.c.number == number)
    return split(await connection.scalar(query) or b"")


async def edge_at(connection: AsyncConnection, size: int) -> Edge:
    """The edge of the tree of a size, from the tiles."""
    found, level, count = {}, 0, size
    while count:
        found[level, count // WIDTH] = await tile(connection, level, count // WIDTH)
        count //= WIDTH
        level += 1
    return Edge.at(size, lambda level, number, _: found[level, number])


class _Lacking(Exception):
    """A tile is asked for that has not been read yet."""


async def proved(connection: AsyncConnection, prove: Callable[[Read], list[bytes]]) -> list[bytes]:
    """A proof from the tiles of the store, which are read as the proof asks for them."""
    found: dict[tuple[int, int], list[bytes]] = {}

    def read(level: int, number: int, _: int) -> list[bytes]:
        if (level, number) not in found:
            raise _Lacking(level, number)
        return found[level, number]

    while True:
        try:
            return prove(read)
        except _Lacking as lacking:
            level, number = lacking.args
            found[level, number] = await tile(connection, level, number)


async def signed(connection: AsyncConnection, *, cosigned: bool = False) -> str | None:
    """The newest checkpoint (or the newest a witness cosigned), with its cosignatures."""
    query = sa.select(CHECKPOINT.c.size, CHECKPOINT.c.note).order_by(CHECKPOINT.c.size.desc())
    if cosigned:
        query = query.where(CHECKPOINT.c.size.in_(sa.select(COSIGNATURE.c.size)))
    row = (await connection.execute(query.limit(1))).one_or_none()
    if row is None:
        return None
    lines = sa.select(COSIGNATURE.c.line).where(COSIGNATURE.c.size == row.size)
    found = await connection.execute(lines.order_by(COSIGNATURE.c.verifier))
    return str(row.note) + "".join(found.scalars())


async def cosign(engine: AsyncEngine, content: str, witnesses: Sequence[Verifier]) -> int:
    """Keep the cosignatures of a checkpoint by witnesses that are known; how many there are.

    Raises NoteRefused where it is no checkpoint of the store's, or a cosignature does not verify.
    """
    note = Note.read(content)
    head = Head.read(note.text)
    by = note.signed_by(witnesses)
    async with engine.begin() as connection:
        query = sa.select(CHECKPOINT.c.note).where(CHECKPOINT.c.size == head.size)
        kept = await connection.scalar(query)
        if kept is None or Note.read(kept).text != note.text:
            raise NoteRefused("the log has no such checkpoint (any more)")
        rows = []
        for line in note.lines:
            name, signature = signature_of(line)
            rows += [
                {"size": head.size, "verifier": f"{name}+{found.identity.hex()}", "line": line}
                for found in by
                if (found.name, found.identity) == (name, signature[:4])
            ]
        insert = (postgresql if engine.dialect.name == "postgresql" else sqlite).insert(COSIGNATURE)
        newer = insert.on_conflict_do_update(
            index_elements=["size", "verifier"], set_={"line": insert.excluded.line}
        )
        if rows:
            await connection.execute(newer, rows)
    return len(rows)
