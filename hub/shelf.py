"""Where sealed answers are kept through aiocache: in memory, or in a Valkey that replicas share."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from aiocache import SimpleMemoryCache
from aiocache.serializers import NullSerializer

_log = logging.getLogger("hub.cache")
WAIT = 0.2
"""Seconds that the cache may take; then it is as if it had nothing."""


class Shelf(Protocol):
    """Where sealed answers are: in memory, or shared by replicas."""

    async def get(self, names: Sequence[str]) -> Sequence[bytes | None]:
        """What is kept by these names."""

    async def put(self, sealed: Mapping[str, bytes], seconds: int) -> None:
        """Keep these for so long."""

    async def claim(self, names: Sequence[str], seconds: float) -> set[str]:
        """Those of the names that nobody else is about to put; nobody else is, for so long."""

    async def release(self, names: Sequence[str]) -> None:
        """Give up claims."""

    async def close(self) -> None:
        """Give back connections."""


class Memory:
    """Keeps in memory, at most so many; what was longest unused goes first."""

    def __init__(self, most: int) -> None:
        self._cache = _Bounded(most)

    async def get(self, names: Sequence[str]) -> Sequence[bytes | None]:
        """What is kept by these names."""
        found: Sequence[bytes | None] = await self._cache.multi_get(names)
        return found

    async def put(self, sealed: Mapping[str, bytes], seconds: int) -> None:
        """Keep these for so long."""
        await self._cache.multi_set(list(sealed.items()), ttl=seconds)

    async def claim(self, names: Sequence[str], seconds: float) -> set[str]:  # noqa: ARG002
        """All of them: within a process, who asks the same joins the call under way."""
        return set(names)

    async def release(self, names: Sequence[str]) -> None:
        """Nothing was claimed from anybody."""

    async def close(self) -> None:
        """Forget everything."""
        await self._cache.clear()


class _Bounded(SimpleMemoryCache):  # type: ignore[misc]
    # A dictionary is in the order of putting: what is used is put anew.

    def __init__(self, most: int) -> None:
        super().__init__(serializer=NullSerializer(), timeout=0)
        self._most = most

    async def _multi_get(self, keys: Iterable[str], **options: Any) -> list[bytes | None]:
        found: list[bytes | None] = await super()._multi_get(keys, **options)
        for key in keys:
            if key in self._cache:
                self._cache[key] = self._cache.pop(key)
        return found

    async def _set(self, key: str, value: bytes, **options: Any) -> Any:
        self._cache.pop(key, None)
        done = await super()._set(key, value, **options)
        while len(self._cache) > self._most:
            await self._delete(next(iter(self._cache)))
        return done


class Valkey:
    """Keeps in a Valkey (or Redis) that replicas share, and that forgets by itself.

    A claim is a key of its own that is set only where there is none: aiocache's own lock holds
    within one process alone.
    """

    def __init__(self, address: str) -> None:
        import redis.asyncio  # noqa: PLC0415 - only where replicas share answers
        from aiocache import RedisCache  # noqa: PLC0415

        parts = urlsplit(address)
        named = {"username": unquote(parts.username)} if parts.username else {}
        self._cache = RedisCache(
            endpoint=parts.hostname or "",
            port=parts.port or 6379,
            db=int(parts.path.strip("/") or 0),
            password=unquote(parts.password) if parts.password else None,
            ssl=parts.scheme == "valkeys",
            create_connection_timeout=WAIT,
            connection_pool_kwargs=named,
            serializer=NullSerializer(encoding=None),
            timeout=WAIT,
        )
        self._client: Any = self._cache.client
        self._failing = (redis.exceptions.RedisError, OSError, TimeoutError)
        self._token = secrets.token_hex(16)
        self._release = self._client.register_script(_RELEASE)

    async def get(self, names: Sequence[str]) -> Sequence[bytes | None]:
        """What is kept by these names; nothing where the store is away."""
        try:
            found: Sequence[bytes | None] = await self._cache.multi_get(names)
        except self._failing as error:
            _away(error)
            return [None] * len(names)
        return found

    async def put(self, sealed: Mapping[str, bytes], seconds: int) -> None:
        """Keep these for so long; what cannot be kept is lost."""
        try:
            await self._cache.multi_set(list(sealed.items()), ttl=seconds)
        except self._failing as error:
            _away(error)

    async def claim(self, names: Sequence[str], seconds: float) -> set[str]:
        """Those that no other replica is about to put; all of them where the store is away."""
        try:
            async with self._client.pipeline(transaction=False) as pipe:
                for name in names:
                    pipe.set(_lock(name), self._token, nx=True, px=int(seconds * 1000))
                taken = await pipe.execute()
        except self._failing as error:
            _away(error)
            return set(names)
        return {name for name, done in zip(names, taken, strict=True) if done}

    async def release(self, names: Sequence[str]) -> None:
        """Give up claims; where the store is away, they end by themselves."""
        try:
            await self._release(keys=[_lock(name) for name in names], args=[self._token])
        except self._failing as error:
            _away(error)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


# Whose claim has ended meanwhile does not give up another's.
_RELEASE = """
for _, key in ipairs(KEYS) do
    if redis.call('get', key) == ARGV[1] then redis.call('del', key) end
end
"""


def _lock(name: str) -> str:
    return f"{name}:asking"


def _away(error: Exception) -> None:
    _log.warning("the cache is away", extra={"error": type(error).__qualname__})
