"""What was signed of a store: its checkpoints, and the cosignatures of witnesses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.querylog.checkpoint import Head, LogKey, checked
from hub.querylog.finding import Finding
from hub.querylog.note import Note, NoteRefused, Verifier, signature_of
from hub.querylog.ranges import Several
from hub.querylog.tables import CHECKPOINT, COSIGNATURE

STEP = 2_000
"""Checkpoints whose signatures are checked at once; a day has 170,000."""


@dataclass
class Signed:
    """The checkpoints that verify, by size: those the store has leaves for, and all there are."""

    heads: dict[int, Head] = field(default_factory=dict)
    checkpoints: int = 0
    cosignatures: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def last(self) -> Head | None:
        """The one of most leaves."""
        return self.heads.get(max(self.heads, default=-1))


async def read_signed(
    connection: AsyncConnection,
    processes: Several | None,
    keys: Sequence[LogKey],
    witnesses: Sequence[Verifier],
    size: int,
) -> Signed:
    """What was signed, and what does not verify, of a store of a size."""
    found = Signed()
    query = sa.select(CHECKPOINT.c.size, CHECKPOINT.c.note).order_by(CHECKPOINT.c.size)
    rows = [tuple(row) for row in await connection.execute(query)]
    given = [rows[at : at + STEP] for at in range(0, len(rows), STEP)]
    work = partial(_heads, keys)
    if processes is None:
        made = [work(some) for some in given]
    else:
        made = [each async for each in processes.each(work, given)]
    for of, head in (pair for pairs in made for pair in pairs):
        if isinstance(head, str):
            found.findings.append(Finding("checkpoint", of, "altered", head))
            continue
        found.checkpoints += 1
        if head.size > size:
            what = f"{head.size} leaves were signed, the store has {size}"
            found.findings.append(Finding("checkpoint", head.size, "cut", what))
        else:
            found.heads[head.size] = head
    await _check_cosignatures(connection, found, dict(rows), witnesses)
    if not found.heads and size:
        what = "there is no signed checkpoint"
        found.findings.append(Finding("checkpoint", -1, "cut", what))
    return found


def _heads(keys: Sequence[LogKey], rows: Sequence[tuple[int, str]]) -> list[tuple[int, Head | str]]:
    """The heads of checkpoints by the size they stand under, or what is wrong with them."""
    found: list[tuple[int, Head | str]] = []
    for size, note in rows:
        try:
            head = checked(note, keys)
            found.append((size, head if head.size == size else f"it is of {head.size} leaves"))
        except NoteRefused as error:
            found.append((size, str(error)))
    return found


async def _check_cosignatures(
    connection: AsyncConnection,
    found: Signed,
    notes: dict[int, str],
    witnesses: Sequence[Verifier],
) -> None:
    known = {f"{each.name}+{each.identity.hex()}": each for each in witnesses}
    for row in await connection.execute(sa.select(COSIGNATURE)):
        witness = known.get(row.verifier)
        try:
            name, signature = signature_of(row.line)
            if f"{name}+{signature[:4].hex()}" != row.verifier:
                raise NoteRefused("the cosignature is of another witness")
            if row.size not in notes:
                raise NoteRefused("there is no such checkpoint")
            text = Note.read(notes[row.size]).text
            if witness is not None and not witness.verifies(text, signature[4:]):
                raise NoteRefused(f"the cosignature of `{name}` does not verify")
            found.cosignatures += witness is not None
        except NoteRefused as error:
            found.findings.append(Finding("cosignature", row.size, "altered", str(error)))
