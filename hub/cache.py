"""Sources' answers, kept sealed: to serve while fresh, and to stand in while a source is down.

Invariant: an answer is found again only for what it was given for: the same source, person or
case, set of items, purpose, case that gave the reason, and whatever else the source was told. So it
never reaches a purpose that could not have asked for just this, only for items that are granted
anew each time, and serves no more once its case has closed.
"""

from __future__ import annotations

import asyncio
import datetime
import hashlib
import hmac
import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from prometheus_client import Counter

from hub.shelf import Shelf
from sources.adapter import BROKEN, Context, Record
from sources.declaration import Item, Source, Subject

_log = logging.getLogger("hub.cache")
_FOUND = Counter("hub_cache_found", "Answers looked for in the cache", ["source", "found"])
_NONCE = 12
PAUSE = 0.02
"""Seconds between two looks at whether another replica has got an answer."""

NONE_SECONDS = 60
"""Seconds that "there is none" serves at most: a record may be made at any time."""


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer as it was kept: a record, or that there is none; and when it was given."""

    record: Record | None
    at: datetime.datetime

    @property
    def age(self) -> int:
        """Its age in seconds."""
        return max(int((datetime.datetime.now(datetime.UTC) - self.at).total_seconds()), 0)


class Given(NamedTuple):
    """What answers were given for, but for the person: all that they are told apart by.

    `told` are the parts of the context that the source's adapter transmits.
    """

    source: Source
    subject: Subject
    items: tuple[Item, ...]
    context: Context
    told: frozenset[str]

    def named(self, key: str) -> bytes:
        """The same with the person, in a form that is equal only for what is the same."""
        context = self.context
        said = {name: getattr(context, name) for name in sorted(self.told)}
        return orjson.dumps(
            [
                self.source.name,
                self.subject,
                key,
                sorted((item.name, item.type, ".".join(item.wire)) for item in self.items),
                context.purpose,
                context.case,
                said,
            ]
        )


class Answers:
    """Keeps answers sealed with AES-256-GCM, by names that tell nothing (HMAC-SHA-256)."""

    def __init__(
        self, shelf: Shelf, key: bytes, withdrawn: Callable[[Source, str], float] | None = None
    ) -> None:
        """`withdrawn` says until when (seconds since 1970) what is kept of a key serves no more."""
        self._shelf = shelf
        self._withdrawn = withdrawn
        self._names = hmac.new(_derived(key, b"names"), b"", hashlib.sha256)
        self._seal = AESGCM(_derived(key, b"answers"))
        self._claimed: set[str] = set()

    async def keep(self, given: Given, records: Mapping[str, Record | None]) -> None:
        """Keep what a source answered just now, for as long as its terms let it serve."""
        terms = given.source.terms
        seconds = int(max(terms.fresh or 0, terms.stale or 0))
        whole = {key: record for key, record in records.items() if _whole(record)}
        if not seconds or not whole:
            return
        now = datetime.datetime.now(datetime.UTC)
        sealed = {}
        for key, record in whole.items():
            name = self._name(given, key)
            nonce = os.urandom(_NONCE)
            body = orjson.dumps(
                {
                    "at": now,
                    "asOf": record.as_of if record is not None else None,
                    "values": record.values if record is not None else None,
                }
            )
            sealed[name] = nonce + self._seal.encrypt(nonce, body, name.encode())
        await self._shelf.put(sealed, seconds)

    async def find(self, given: Given, keys: Iterable[str], within: float) -> dict[str, Kept]:
        """What is kept of these people and is younger than so many seconds."""
        names = {key: self._name(given, key) for key in keys}
        if not names:
            return {}
        found = await self._find(given, names, within)
        _FOUND.labels(given.source.name, "yes").inc(len(found))
        _FOUND.labels(given.source.name, "no").inc(len(names) - len(found))
        return found

    async def _find(self, given: Given, names: Mapping[str, str], within: float) -> dict[str, Kept]:
        entries = await self._shelf.get(list(names.values()))
        found = {}
        for (key, name), entry in zip(names.items(), entries, strict=True):
            kept = None if entry is None else self._opened(given, name, entry)
            if kept is None or kept.age >= _serving(kept.record, within):
                continue
            until = 0.0 if self._withdrawn is None else self._withdrawn(given.source, key)
            if kept.at.timestamp() > until:
                found[key] = kept
        return found

    async def wait(
        self, given: Given, keys: Sequence[str], within: float, seconds: float
    ) -> dict[str, Kept]:
        """What other replicas are asking a source for just now, once they have kept it.

        Who is in nobody's hands is in this replica's then, for so many seconds or until `release`.
        """
        loop, found, left = asyncio.get_running_loop(), dict[str, Kept](), list(keys)
        names = {key: self._name(given, key) for key in keys}
        until = loop.time() + seconds
        while True:
            taken = await self._shelf.claim([names[key] for key in left], seconds)
            self._claimed |= taken
            left = [key for key in left if names[key] not in self._claimed]
            # Another may have kept it and let go between the look and the claim.
            found |= await self._find(given, names, within)
            left = [key for key in left if key not in found]
            if not left or loop.time() >= until:
                return found
            await asyncio.sleep(PAUSE)

    async def release(self, given: Given, keys: Iterable[str]) -> None:
        """Let others ask about these, as their answers are kept or there are none to keep."""
        names = [name for key in keys if (name := self._name(given, key)) in self._claimed]
        if names:
            self._claimed.difference_update(names)
            await self._shelf.release(names)

    def _name(self, given: Given, key: str) -> str:
        named = self._names.copy()
        named.update(given.named(key))
        return f"hub:answer:{named.hexdigest()}"

    def _opened(self, given: Given, name: str, entry: bytes) -> Kept | None:
        """The answer in an entry; None where it was sealed with another key, or for another."""
        try:
            body = self._seal.decrypt(entry[:_NONCE], entry[_NONCE:], name.encode())
        except (InvalidTag, ValueError):
            _log.warning("an answer kept is not of this hub's key")
            return None
        kept = orjson.loads(body)
        at = datetime.datetime.fromisoformat(kept["at"])
        if kept["values"] is None:
            return Kept(None, at)
        as_of = kept["asOf"]
        day = datetime.date.fromisoformat(as_of) if as_of is not None else None
        return Kept(Record(_restored(given.items, kept["values"]), day), at)

    async def close(self) -> None:
        """Close the shelf."""
        await self._shelf.close()


def _serving(record: Record | None, within: float) -> float:
    return within if record is not None else min(within, NONE_SECONDS)


def _derived(key: bytes, use: bytes) -> bytes:
    return HKDF(SHA256(), 32, None, b"welfare-hub cache " + use).derive(key)


def _whole(record: Record | None) -> bool:
    """Whether every value may be kept: one that broke the contract is asked for anew."""
    return record is None or not any(
        value is BROKEN
        or (isinstance(value, list) and any(BROKEN in row.values() for row in value))
        for value in record.values.values()
    )


def _restored(items: Iterable[Item], values: dict[str, Any]) -> dict[str, Any]:
    """The values with their days as days again: JSON has none."""
    days = [item.path for item in items if item.type == "Date"]
    for path in days:
        rows = [values] if len(path) == 1 else values.get(path[0]) or []
        for row in rows:
            text = row.get(path[-1])
            if text is not None:
                row[path[-1]] = datetime.date.fromisoformat(text)
    return values
