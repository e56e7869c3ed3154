"""Credentials to caller: a bearer token (JWT, RFC 7519; access tokens, RFC 9068) is verified.

Nothing of a token is ever echoed or logged. A token that names no natural person is refused.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeGuard

import aiohttp
import httpx
import httpx_aiohttp
from aiocache import SimpleMemoryCache
from joserfc import jws, jwt
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import KeySet
from pydantic import BaseModel

from authz.caller import Caller
from hub.config import Issuer

LEEWAY = 30
"""Seconds that clocks may differ."""
KEYS_KEPT = 600
"""Seconds that a fetched key set is used without asking again."""
REFETCH_AFTER = 60
"""A key set is fetched again for an unknown key at most once in so many seconds."""


_UNUSABLE = (httpx.HTTPError, aiohttp.ClientError, OSError, ValueError, TypeError, JoseError)
"""What becomes of a key set that cannot be had, or is none."""


class TokenRefused(Exception):
    """The token does not hold; the message says why, and nothing of the token."""


class _Published(BaseModel):
    """A key set as an issuer publishes it (RFC 7517, section 5)."""

    keys: list[dict[str, Any]]


class KeySets:
    """The issuers' key sets, from files or addresses, cached."""

    def __init__(self, refetch_after: float) -> None:
        self._cache = SimpleMemoryCache()
        self._refetch_after = refetch_after
        self._fetched: dict[str, float] = {}
        self._fetching: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._client = httpx.AsyncClient(
            transport=httpx_aiohttp.AiohttpTransport(trust_env=False), timeout=5.0, trust_env=False
        )

    async def find(self, issuer: Issuer, kid: str) -> Any:
        """The key with this id. Raises TokenRefused."""
        found = _by_id(await self._cache.get(issuer.keys), kid)
        if found is None:
            # Whoever comes while the keys are fetched waits for them.
            async with self._fetching[issuer.keys]:
                found = _by_id(await self._known(issuer.keys, kid), kid)
        if found is None:
            raise TokenRefused("it is signed with a key that its issuer does not publish")
        return found

    async def _known(self, address: str, kid: str) -> KeySet:
        known: KeySet | None = await self._cache.get(address)
        if known is None or (_by_id(known, kid) is None and self._may_fetch(address)):
            known = await self._read(address)
            await self._cache.set(address, known, ttl=KEYS_KEPT)
        return known

    def _may_fetch(self, address: str) -> bool:
        last = self._fetched.get(address)
        return last is None or time.monotonic() - last >= self._refetch_after

    async def _read(self, address: str) -> KeySet:
        if not self._may_fetch(address):
            raise TokenRefused("its issuer's keys cannot be had at present")
        self._fetched[address] = time.monotonic()
        try:
            if "://" in address:
                response = await self._client.get(address)
                response.raise_for_status()
                content = response.content
            else:
                content = await asyncio.to_thread(Path(address).read_bytes)
            published = _Published.model_validate_json(content)
            return KeySet.import_key_set({"keys": published.keys})
        except _UNUSABLE as error:
            raise TokenRefused("its issuer's keys cannot be had at present") from error

    async def close(self) -> None:
        """Close the client."""
        await self._client.aclose()


def _by_id(known: KeySet | None, kid: str) -> Any:
    return next((key for key in known.keys if key.kid == kid), None) if known else None


class Identity:
    """Verifies tokens of the configured issuers."""

    def __init__(self, issuers: Sequence[Issuer], refetch_after: float = REFETCH_AFTER) -> None:
        self._issuers = {issuer.issuer: issuer for issuer in issuers}
        self._keys = KeySets(refetch_after)

    async def caller(self, authorization: str | None) -> Caller:
        """The caller that an `Authorization` header stands for. Raises TokenRefused."""
        if not authorization:
            raise TokenRefused("there is none: send `Authorization: Bearer` with an access token")
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise TokenRefused("`Authorization` is no bearer token")
        header, claims = _peek(token)
        issuer = self._issuers.get(str(claims.get("iss")))
        if issuer is None:
            raise TokenRefused("its issuer is not one this hub knows")
        if header.get("alg") not in issuer.algorithms:
            raise TokenRefused("its signature algorithm is not accepted")
        kind = str(header.get("typ", "")).lower().removeprefix("application/")
        if kind not in issuer.token_types:
            raise TokenRefused("its `typ` is not that of an access token")
        if not isinstance(header.get("kid"), str):
            raise TokenRefused("its header names no key (`kid`)")
        key = await self._keys.find(issuer, header["kid"])
        try:
            with warnings.catch_warnings():
                # RFC 9864 renames EdDSA; which names are accepted is the operator's setting.
                warnings.simplefilter("ignore", SecurityWarning)
                verified = jwt.decode(token, key, algorithms=list(issuer.algorithms))
        except (JoseError, ValueError) as error:
            raise TokenRefused("its signature does not hold") from error
        return _caller(verified.claims, issuer)

    async def close(self) -> None:
        """Close what verifying holds open."""
        await self._keys.close()


def _peek(token: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Header and claims before verification, to find the issuer and its key; not to be trusted."""
    try:
        compact = jws.extract_compact(token.encode("ascii"))
        claims = json.loads(compact.payload)
        header = compact.headers()
    except (JoseError, ValueError, RecursionError) as error:
        raise TokenRefused("it is no signed JWT") from error
    if not isinstance(claims, dict):
        raise TokenRefused("its payload holds no claims")
    return header, claims


def _caller(claims: Mapping[str, Any], issuer: Issuer) -> Caller:
    now = time.time()
    expiry = claims.get("exp")
    if not _is_number(expiry) or expiry < now - LEEWAY:
        raise TokenRefused("it has expired")
    for name in ("nbf", "iat"):
        if name in claims and (not _is_number(claims[name]) or claims[name] > now + LEEWAY):
            raise TokenRefused(f"its `{name}` lies ahead")
    audience = claims.get("aud")
    if issuer.audience not in (audience if isinstance(audience, list) else [audience]):
        raise TokenRefused("it is meant for another audience")
    person = claims.get("sub")
    if not isinstance(person, str) or not person:
        raise TokenRefused("it names no person (`sub`)")
    if person in (claims.get("client_id"), claims.get("azp")):
        raise TokenRefused("it stands for a program, and a natural person is needed")
    roles = claims.get(issuer.roles_claim)
    if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        raise TokenRefused(f"its `{issuer.roles_claim}` is no list of roles")
    return Caller(
        person=person,
        recipient=_text(claims, issuer.recipient_claim),
        roles=frozenset(roles),
        office=_text(claims, issuer.office_claim),
        district=_text(claims, issuer.district_claim),
        issuer=issuer.issuer,
    )


def _is_number(value: Any) -> TypeGuard[int | float]:
    """A number as JSON has it: Python reads `NaN` and `Infinity` too, which never expire."""
    return type(value) is int or (type(value) is float and math.isfinite(value))


def _text(claims: Mapping[str, Any], name: str) -> str | None:
    value = claims.get(name)
    if value is not None and (not isinstance(value, str) or not value):
        raise TokenRefused(f"its `{name}` is no text")
    return value
