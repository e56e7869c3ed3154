"""What a store keeps beside its records, compared with what the records say of it."""

from __future__ import annotations

import hashlib
import time
from array import array
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.querylog.crowd import commitment_to
from hub.querylog.finding import Finding
from hub.querylog.index import milliseconds, set_of
from hub.querylog.sealing import Keep, KeyOf
from hub.querylog.tables import CROWD, HOLD, INDEX_RECORD, LEAF, RUN, TILE
from hub.querylog.told import Told
from hub.querylog.tree import WIDTH

_STEP = 4096
"""Tiles read at once."""
_MOST_COPIES = 1000
"""Copies of one record that are named."""


def check_items(items: Mapping[int, tuple[str, ...]]) -> Iterator[Finding]:
    """Check that each set of items has the members that its number says."""
    for key, names in items.items():
        if set_of(names) != key:
            what = f"set {key} has other members than its number"
            yield Finding("index_items", -1, "altered", what)


def check_destroyed(
    rows: Mapping[int, Any],
    told: Told,
    without: Mapping[int, Sequence[int]],
    standing: Mapping[int, Sequence[int]],
    *,
    whole: bool,
) -> tuple[list[Finding], int]:
    """Check that what lacks details was destroyed as logged; of how many records that is true.

    `rows` are those of the keys, `without` the places that lack details by key, and `standing`
    those of destroyed keys that still have rows. `whole` says that all records were read.
    """
    found, destroyed = list[Finding](), 0
    for key, row in rows.items():
        if row.wrapped is not None and row.destroyed is not None:
            what = "it says that a key is destroyed which stands there"
            found.append(Finding("details_key", key, "altered", what))
    for key, places in without.items():
        wrong = list(_wrongly_destroyed(key, rows.get(key), places, told.shredded.get(key), whole))
        found += wrong
        destroyed += 0 if wrong else len(places)
    for key, places in standing.items():
        what = (
            f"rows of {len(places)} records stand whose details are destroyed, the first of record "
            f"{places[0]}, and nobody can say whether they are theirs"
        )
        found.append(Finding("details_key", key, "unsure", what))
    return found, destroyed


def _wrongly_destroyed(
    key: int, row: Any, places: Sequence[int], event: Mapping[str, Any] | None, whole: bool
) -> Iterator[Finding]:
    """What is wrong with details that are not there: they are to be as logged, and overdue."""
    if row is not None and row.wrapped is not None and event is not None:
        what = "it was logged that it is destroyed, and it stands: run `hub log shred`"
        yield Finding("details_key", key, "unsure", what)
        return
    if row is None or row.wrapped is not None or event is None:
        for place in places:
            yield Finding("details", place, "cut", "the details are missing")
        return
    digest = hashlib.sha256(b"".join(place.to_bytes(8, "big") for place in places))
    if _is_another(row, event):
        what = "the row is not that of the key that was destroyed"
        yield Finding("details_key", key, "altered", what)
    elif whole and digest.hexdigest() != event["places"]:
        what = "other records lack their details than those that were to be destroyed"
        yield Finding("details_key", key, "cut", what)
    elif event["at"][:10] < KeyOf(row.period, Keep(row.subjects, row.years)).expires.isoformat():
        what = "the details were destroyed before their time"
        yield Finding("details_key", key, "cut", what)


def _is_another(row: Any, event: Mapping[str, Any]) -> bool:
    """Whether the row of a destroyed key says otherwise than the record of its destruction."""
    logged = (event["period"], event["subjectClass"], event["years"], milliseconds(event["at"]))
    return (row.period, row.subjects, row.years, row.destroyed) != logged


async def check_crowds(
    connection: AsyncConnection, told: Told, *, whole: bool
) -> tuple[list[Finding], list[str]]:
    """Check whom records about crowds are about. `whole` says that all records were read."""
    found, waiting = list[Finding](), 0
    left = dict(told.crowds)
    async for operation, rows in _crowds(connection):
        where, crowd = f"index_crowd {operation.hex()}", left.pop(operation, None)
        if crowd is not None:
            if commitment_to([bytes(row.pseudonyms) for row in rows]) != crowd:
                found.append(Finding(where, -1, "altered", "they are not whom the record is about"))
            elif any(
                (row.number, row.first, row.last) != (number, *_ends(row.pseudonyms))
                for number, row in enumerate(rows)
            ):
                what = "number or ends of a chunk are not those of its pseudonyms"
                found.append(Finding(where, -1, "altered", what))
            continue
        query = sa.select(sa.func.max(INDEX_RECORD.c.idx)).where(
            INDEX_RECORD.c.operation == operation
        )
        place = await connection.scalar(query)
        if place is None:
            waiting += 1
        elif whole:
            found.append(Finding(where, place, "altered", "the record is about no crowd"))
    for operation in left:
        where = f"index_crowd {operation.hex()}"
        found.append(Finding(where, -1, "cut", "whom the record is about is missing"))
    note = f"{waiting} crowds are kept of which no record says anything (yet)"
    return found, [note] if waiting else []


async def _crowds(connection: AsyncConnection) -> AsyncIterator[tuple[bytes, list[Any]]]:
    """The rows of crowds by operation, one operation after another."""
    operations = (await connection.execute(sa.select(CROWD.c.operation).distinct())).scalars().all()
    for operation in operations:
        query = sa.select(CROWD).where(CROWD.c.operation == operation).order_by(CROWD.c.number)
        yield bytes(operation), list((await connection.execute(query)).all())


def _ends(pseudonyms: bytes) -> tuple[bytes, bytes]:
    return pseudonyms[:16], pseudonyms[-16:]


async def check_holds(
    connection: AsyncConnection, told: Told, *, whole: bool
) -> AsyncIterator[Finding]:
    """Check that what recipients are told later is what was logged to be, no more and no less."""
    now, wanted = round(time.time() * 1000), dict[int, int]()
    for delay in told.delays.values():
        if delay is not None:
            wanted[delay[0]] = delay[1]
    query = sa.select(HOLD).where(HOLD.c.until > now)
    kept = {row.idx: row.until for row in await connection.execute(query)}
    for place in sorted(kept.keys() | wanted.keys()):
        have, want = kept.get(place), wanted.get(place)
        if have is not None and want is None and whole:
            yield Finding("log_hold", place, "altered", "nobody is logged to have delayed it")
        elif want is not None and want > now and have is None:
            yield Finding("log_hold", place, "cut", "it was delayed, and the delay is missing")
        elif want is not None and have is not None and have != want:
            yield Finding(
                "log_hold", place, "altered", "it is delayed until another time than logged"
            )


async def check_under_way(
    connection: AsyncConnection, told: Told
) -> tuple[list[Finding], list[str]]:
    """Look at the operations without an OUTCOME: the hub they are of runs, or is settled yet."""
    runs = set((await connection.execute(sa.select(RUN.c.id))).scalars())
    found, open_ = list[Finding](), 0
    for operation, count in told.begun.items():
        if count <= 0:
            continue
        place, hub = told.by[operation]
        if hub is None or hub in runs:
            open_ += 1
        else:
            what = "its operation has no OUTCOME, and its hub is none of those that run"
            found.append(Finding("record", place, "cut", what))
    note = f"{open_} operations have no OUTCOME yet: hubs are at them, or will settle them"
    return found, [note] if open_ else []


async def check_twice(connection: AsyncConnection, hashes: array[int], start: int) -> list[Finding]:
    """Find records that stand twice. Each has a salt of its own: the later one is a copy.

    `hashes` are the first 8 bytes of those of the leaves, of the records before `start` by the
    lowest tiles (0 where there is none).
    """
    twice = {one for one, other in pairwise(sorted(hashes)) if one == other} - {0}
    places: dict[int, list[int]] = {}
    for place, one in enumerate(hashes) if twice else ():
        if one in twice:
            places.setdefault(one, []).append(place)
    found = []
    for first, *copies in places.values():
        others = copies[:_MOST_COPIES]
        query = sa.select(LEAF.c.idx, LEAF.c.leaf).where(LEAF.c.idx.in_([first, *others]))
        leaves = {row.idx: row.leaf for row in await connection.execute(query)}
        found += [
            Finding("record", place, "altered", f"it is a copy of record {first}")
            for place in others
            if place >= start
            and leaves.get(place) is not None
            and leaves[place] == leaves.get(first)
        ]
    return found


async def hashes_before(connection: AsyncConnection, start: int) -> array[int]:
    """The first 8 bytes of the hashes of the leaves before a place, by the lowest tiles."""
    found = array("Q", bytes(8 * start))
    for first in range(0, start // WIDTH, _STEP):
        query = sa.select(TILE.c.number, TILE.c.hashes).where(
            TILE.c.level == 0, TILE.c.number >= first, TILE.c.number < first + _STEP
        )
        for row in await connection.execute(query):
            at = row.number * WIDTH
            short = beginnings(bytes(row.hashes[: 32 * WIDTH]))
            if at + len(short) <= start:
                found[at : at + len(short)] = short
    return found


def beginnings(hashes: bytes) -> array[int]:
    """The first 8 bytes of hashes that stand one after another."""
    whole = memoryview(hashes)[: len(hashes) // 32 * 32]
    return array("Q", whole.cast("Q")[::4].tolist())
