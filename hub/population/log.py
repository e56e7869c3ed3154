"""The query log of a review: what is read before it is, and of each batch whom it was about.

A batch's record commits to its people, and every one of them finds it; it is written once, whatever
is tried again.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import getpass
import hashlib
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from authz.purpose import Purpose
from hub.config import Settings
from hub.population.deliveries import KEY
from hub.querylog import crowd
from hub.querylog.keys import Keys, read_keys
from hub.querylog.sealing import Keep
from hub.querylog.store import Store
from hub.querylog.tables import INDEX_RECORD
from hub.reading.account import EVERYONE

REVIEW, ASKING, BATCH = "REVIEW", "REVIEW_ASKING", "REVIEW_BATCH"
"""The kinds of the records: of a review begun, of each batch to be asked about, of each tested."""
_BLOCK = 64


@dataclass(frozen=True)
class QueryLog:
    """The query log, open, with why and by whom it is reviewed."""

    store: Store
    runner: asyncio.Runner
    keys: Keys
    purpose: Purpose
    register_version: str
    reason: str

    def begin(self, operation: uuid.UUID, facts: Mapping[str, Any]) -> None:
        """Make it durable what will be read, and why, before it is. Raises LogUnavailable."""
        self.runner.run(self._once(REVIEW, operation, facts))

    def asking(self, operation: uuid.UUID, facts: Mapping[str, Any], people: Path) -> None:
        """Make it durable, once, whom agencies will be asked about. Raises LogUnavailable."""
        self.runner.run(self._crowd(ASKING, operation, facts, people))

    def batch(self, operation: uuid.UUID, facts: Mapping[str, Any], people: Path) -> None:
        """Make it durable, once, whom a batch is about. Raises LogUnavailable."""
        derived = dict.fromkeys(("meansTest.result", "duplicateReceipts"), EVERYONE)
        facts = {**facts, "outcome": "answered", "derived": derived}
        self.runner.run(self._crowd(BATCH, operation, facts, people))

    async def _crowd(
        self, kind: str, operation: uuid.UUID, facts: Mapping[str, Any], people: Path
    ) -> None:
        if await self._written(operation):
            return
        pseudonyms = pseudonyms_of(people, self.keys.pseudonym)
        chunks = list(crowd.chunks_of(pseudonyms))
        await crowd.keep(self.store.engine, operation.bytes, chunks)
        about = {
            "people": len(pseudonyms) // 16,
            "chunk": crowd.CHUNK,
            "root": crowd.commitment_to(chunks),
        }
        await self._once(kind, operation, {**facts, "crowd": about})

    async def _once(self, kind: str, operation: uuid.UUID, facts: Mapping[str, Any]) -> None:
        if await self._written(operation):
            return
        record = {
            "kind": kind,
            "operation": str(operation),
            "at": datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds"),
            "hub": self.store.run,
            "person": operator(),
            "purpose": self.purpose.code,
            "legalBasis": self.purpose.legal_basis.text,
            "reason": self.reason,
            "register": self.register_version,
            **facts,
        }
        await self.store.append(record, Keep("recipients", self.purpose.retention))

    async def _written(self, operation: uuid.UUID) -> bool:
        query = sa.select(INDEX_RECORD.c.idx).where(INDEX_RECORD.c.operation == operation.bytes)
        async with self.store.engine.connect() as connection:
            return (await connection.execute(query)).first() is not None


def operator() -> str:
    """Who runs this, as the query log and the agencies are told."""
    return f"operator:{getpass.getuser()}"


@contextlib.contextmanager
def opened(
    settings: Settings, purpose: Purpose, register_version: str, reason: str
) -> Iterator[QueryLog]:
    """The query log of a hub's settings. Raises FaultyConfiguration, LogUnavailable."""
    keys = read_keys(settings.log)
    with asyncio.Runner() as runner:
        store = runner.run(_open(settings, keys))
        try:
            yield QueryLog(store, runner, keys, purpose, register_version, reason)
        finally:
            runner.run(store.close())


async def _open(settings: Settings, keys: Keys) -> Store:
    store = Store(settings.log.store, settings.log.batch, keys.sealing)
    await store.open()
    return store


def pseudonyms_of(people: Path, key: bytes) -> bytes:
    """The keyed pseudonyms (HMAC-SHA-256, 16 bytes) of the people in a part's files, sorted.

    As `Pseudonyms.of` makes one, by RFC 2104, over columns.
    """
    import duckdb  # noqa: PLC0415 - only where populations are read

    files = [str(file) for file in sorted(people.glob("*.parquet"))]
    if not files:
        return b""
    padded = (hashlib.sha256(key).digest() if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
    pads = {
        "inner": bytes(byte ^ 0x36 for byte in padded),
        "outer": bytes(byte ^ 0x5C for byte in padded),
    }
    inner = f"unhex(sha256($inner::BLOB || encode({KEY})))"
    found = duckdb.connect().sql(
        f"SELECT left(sha256($outer::BLOB || {inner}), 32) AS p "  # noqa: S608 - no name is given
        "FROM read_parquet($files, hive_partitioning = false) ORDER BY p",
        params={**pads, "files": files},
    )
    chunks = found.to_arrow_table().column("p").chunks
    return b"".join(_values(chunk) for chunk in chunks)


def _values(chunk: Any) -> bytes:
    """The texts of an Arrow array of texts of one width, which lie in a row, as what they spell."""
    start, width = chunk.offset * 32, len(chunk) * 32
    return bytes.fromhex(chunk.buffers()[2].to_pybytes()[start : start + width].decode())
