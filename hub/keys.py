"""The issuers' key sets (RFC 7517): from a file, an address, or where their metadata say.

Metadata are those of OpenID Connect Discovery 1.0, or else of RFC 8414; they must name the issuer
that they were asked of, since anyone may publish metadata for another's name.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import httpx
import httpx_aiohttp
from aiocache import SimpleMemoryCache
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from pydantic import BaseModel

from hub.config import Issuer
from hub.tokens import TokenRefused
from sources.address import is_secure

KEYS_KEPT = 600
"""Seconds that a fetched key set is used without asking again."""
REFETCH_AFTER = 60
"""A key set is fetched again for an unknown key at most once in so many seconds."""

_NOT_TO_BE_HAD = "its issuer's keys cannot be had at present"
_UNUSABLE = (httpx.HTTPError, aiohttp.ClientError, OSError, ValueError, TypeError, JoseError)
"""What becomes of a key set that cannot be had, or is none."""
_log = logging.getLogger("hub.keys")


class _Published(BaseModel):
    """A key set as an issuer publishes it (RFC 7517, section 5)."""

    keys: list[dict[str, Any]]


class _Metadata(BaseModel):
    """What an issuer says of itself, as far as it is needed here."""

    issuer: str
    jwks_uri: str


class KeySets:
    """The issuers' key sets, cached; their metadata are read whenever the keys are."""

    def __init__(self, refetch_after: float) -> None:
        self._cache = SimpleMemoryCache()
        self._refetch_after = refetch_after
        self._kept: dict[str, tuple[KeySet, float]] = {}
        self._fetched: dict[str, float] = {}
        self._fetching: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._client = httpx.AsyncClient(
            transport=httpx_aiohttp.AiohttpTransport(trust_env=False), timeout=5.0, trust_env=False
        )

    async def find(self, issuer: Issuer, kid: str) -> Any:
        """The key with this id. Raises TokenRefused."""
        found = _by_id(await self._cache.get(issuer.issuer), kid)
        if found is None:
            # Whoever comes while the keys are fetched waits for them.
            async with self._fetching[issuer.issuer]:
                found = _by_id(await self._known(issuer, kid), kid)
        if found is None:
            raise TokenRefused("it is signed with a key that its issuer does not publish")
        return found

    async def _known(self, issuer: Issuer, kid: str) -> KeySet:
        known: KeySet | None = await self._cache.get(issuer.issuer)
        if known is None or (_by_id(known, kid) is None and self._may_fetch(issuer)):
            known = await self._read(issuer)
            await self._cache.set(issuer.issuer, known, ttl=KEYS_KEPT)
            self._kept[issuer.issuer] = (known, monotonic() + KEYS_KEPT)
        return known

    def kept(self, issuer: Issuer) -> KeySet | None:
        """The keys last read of an issuer, while they are kept: another object once read anew."""
        keys, until = self._kept.get(issuer.issuer, (None, 0.0))
        return keys if monotonic() < until else None

    def _may_fetch(self, issuer: Issuer) -> bool:
        last = self._fetched.get(issuer.issuer)
        return last is None or monotonic() - last >= self._refetch_after

    async def _read(self, issuer: Issuer) -> KeySet:
        if not self._may_fetch(issuer):
            raise TokenRefused(_NOT_TO_BE_HAD)
        self._fetched[issuer.issuer] = monotonic()
        try:
            if issuer.keys is None:
                content = await self._get(await self._discovered(issuer.issuer))
            elif "://" in issuer.keys:
                content = await self._get(issuer.keys)
            else:
                content = await asyncio.to_thread(Path(issuer.keys).read_bytes)
            published = _Published.model_validate_json(content)
            return KeySet.import_key_set({"keys": published.keys})
        except _UNUSABLE as error:
            facts = {"issuer": issuer.issuer, "reason": type(error).__name__}
            _log.warning("the keys of an issuer cannot be had", extra=facts)
            raise TokenRefused(_NOT_TO_BE_HAD) from error

    async def _discovered(self, issuer: str) -> str:
        """The address of the keys, as the issuer's metadata give it. Raises TokenRefused."""
        openid, oauth = metadata_addresses(issuer)
        try:
            content = await self._get(openid)
        except httpx.HTTPStatusError as error:
            if error.response.status_code != 404:
                raise
            content = await self._get(oauth)
        metadata = _Metadata.model_validate_json(content)
        if metadata.issuer != issuer:
            raise TokenRefused("its issuer's metadata are those of another issuer")
        if not is_secure(metadata.jwks_uri):
            raise TokenRefused("its issuer's metadata give an address of keys that is not `https`")
        return metadata.jwks_uri

    async def _get(self, address: str) -> bytes:
        response = await self._client.get(address)
        response.raise_for_status()
        return response.content

    async def close(self) -> None:
        """Close the client."""
        await self._client.aclose()


def metadata_addresses(issuer: str) -> tuple[str, str]:
    """Where an issuer publishes its metadata: by OpenID Connect Discovery 1.0, and by RFC 8414.

    The first puts the well-known part after the issuer's path, the second before it.
    """
    parts = urlsplit(issuer)
    path = parts.path.rstrip("/")
    root = f"{parts.scheme}://{parts.netloc}"
    return (
        f"{root}{path}/.well-known/openid-configuration",
        f"{root}/.well-known/oauth-authorization-server{path}",
    )


def _by_id(known: KeySet | None, kid: str) -> Any:
    return next((key for key in known.keys if key.kid == kid), None) if known else None
