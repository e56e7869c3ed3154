"""Credentials to caller: a bearer token (JWT, RFC 7519; access tokens, RFC 9068) is verified.

Nothing of a token is ever echoed or logged. A token that names no natural person is refused.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import httpx_aiohttp
from aiocache import SimpleMemoryCache
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from authz.caller import Caller
from hub.config import Issuer

LEEWAY = 30
"""Seconds that clocks may differ."""
KEYS_KEPT = 600
"""Seconds that a fetched key set is used without asking again."""
REFETCH_AFTER = 60
"""A key set is fetched again for an unknown key at most once in so many seconds."""


class TokenRefused(Exception):
    """The token does not hold; the message says why, and nothing of the token."""


class KeySets:
    """The issuers' key sets, from files or addresses, cached."""

    def __init__(self) -> None:
        self._cache = SimpleMemoryCache()
        self._fetched: dict[str, float] = {}
        self._client = httpx.AsyncClient(
            transport=httpx_aiohttp.AiohttpTransport(trust_env=False), timeout=5.0, trust_env=False
        )

    async def find(self, issuer: Issuer, kid: str) -> Any:
        """The key with this id. Raises TokenRefused."""
        known: KeySet | None = await self._cache.get(issuer.keys)
        found = _by_id(known, kid)
        if found is None and (known is None or self._may_fetch(issuer.keys)):
            known = await self._read(issuer.keys)
            await self._cache.set(issuer.keys, known, ttl=KEYS_KEPT)
            found = _by_id(known, kid)
        if found is None:
            raise TokenRefused("it is signed with a key that its issuer does not publish")
        return found

    def _may_fetch(self, address: str) -> bool:
        return time.monotonic() - self._fetched.get(address, -REFETCH_AFTER) >= REFETCH_AFTER

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
            return KeySet.import_key_set(json.loads(content))
        except (httpx.HTTPError, OSError, ValueError, JoseError) as error:
            raise TokenRefused("its issuer's keys cannot be had at present") from error

    async def close(self) -> None:
        """Close the client."""
        await self._client.aclose()


def _by_id(known: KeySet | None, kid: str) -> Any:
    return next((key for key in known.keys if key.kid == kid), None) if known else None


class Identity:
    """Verifies tokens of the configured issuers."""

    def __init__(self, issuers: Sequence[Issuer]) -> None:
        self._issuers = {issuer.issuer: issuer for issuer in issuers}
        self._keys = KeySets()

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
    except (JoseError, ValueError) as error:
        raise TokenRefused("it is no signed JWT") from error
    if not isinstance(claims, dict):
        raise TokenRefused("its payload holds no claims")
    return header, claims


def _caller(claims: Mapping[str, Any], issuer: Issuer) -> Caller:
    now = time.time()
    expiry = claims.get("exp")
    if not isinstance(expiry, int | float) or expiry < now - LEEWAY:
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


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(claims: Mapping[str, Any], name: str) -> str | None:
    value = claims.get(name)
    if value is not None and (not isinstance(value, str) or not value):
        raise TokenRefused(f"its `{name}` is no text")
    return value
