"""Credentials to caller: an access token (JWT, RFC 7519 and RFC 9068) is verified.

Nothing of a token is ever echoed or logged. A token that names no natural person is refused.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from joserfc.jwk import KeySet

from authz.caller import Actor, Caller
from hub.config import Issuer
from hub.dpop import ALGORITHMS, Proofs, bound_to
from hub.keys import REFETCH_AFTER, KeySets
from hub.places import Places
from hub.tokens import LEEWAY, TokenMissing, TokenRefused, is_number, kind, peek, verified

MOST_ACTORS = 3
"""A delegation passed on more often than so is refused."""


MOST_TOKENS = 20_000
"""Tokens whose verification is remembered, by their hash; the longest unused is forgotten first."""


@dataclass(frozen=True, slots=True)
class Presented:
    """What a request says of who makes it; `address` is the client's, where it is known."""

    authorization: str | None
    proofs: tuple[str, ...] = ()
    method: str = "POST"
    address: str | None = None


@dataclass(frozen=True, slots=True)
class _Verified:
    """What a token says that was verified, until it `expires` (seconds since 1970).

    `keys` are those its issuer had then, where they were kept.
    """

    caller: Caller
    thumbprint: str | None
    issuer: Issuer
    keys: KeySet | None
    expires: float


class Identity:
    """Verifies tokens of the configured issuers.

    `address` is the one of the endpoint that proofs of possession must be made for.
    """

    def __init__(
        self,
        issuers: Sequence[Issuer],
        refetch_after: float = REFETCH_AFTER,
        address: str | None = None,
        places: Places | None = None,
    ) -> None:
        self._issuers = {issuer.issuer: issuer for issuer in issuers}
        self._keys = KeySets(refetch_after)
        self._proofs = Proofs(address)
        self._places = places
        self._verified: OrderedDict[bytes, _Verified] = OrderedDict()
        dpop = "" if address is None else f'DPoP algs="{" ".join(ALGORITHMS)}"'
        bearer = any(issuer.dpop == "optional" for issuer in issuers)
        self._schemes = [scheme for scheme in ("Bearer" if bearer else "", dpop) if scheme]

    async def caller(self, presented: Presented) -> Caller:
        """The caller that a request's credentials stand for. Raises TokenRefused."""
        if not presented.authorization:
            raise TokenMissing("there is none: send `Authorization: Bearer` with an access token")
        scheme, _, token = presented.authorization.partition(" ")
        if scheme.lower() not in ("bearer", "dpop") or not token:
            raise TokenRefused("`Authorization` is neither a bearer token nor a DPoP token")
        verified_token = await self._token(token)
        caller, thumbprint = verified_token.caller, verified_token.thumbprint
        if thumbprint is None:
            if verified_token.issuer.dpop == "required":
                raise TokenRefused("it is bound to no key (`cnf`), and its issuer's must be")
            if scheme.lower() == "dpop":
                raise TokenRefused("it is bound to no key (`cnf`): send it as a bearer token")
        elif scheme.lower() == "bearer":
            raise TokenRefused("it is bound to a key: send `Authorization: DPoP` with a proof")
        else:
            self._proofs.verify(presented.proofs, token, presented.method, thumbprint)
        if self._places is not None:
            self._places.note(caller, presented.address)
        return caller

    async def _token(self, token: str) -> _Verified:
        """What a token says, verified now, or before by the keys that its issuer still has.

        Raises TokenRefused.
        """
        digest = hashlib.sha256(token.encode(errors="replace")).digest()
        known = self._verified.get(digest)
        if (
            known is not None
            and time.time() < known.expires
            and known.keys is not None
            and self._keys.kept(known.issuer) is known.keys
        ):
            self._verified.move_to_end(digest)
            return known
        self._verified.pop(digest, None)
        found = self._verified[digest] = await self._verify(token)
        if len(self._verified) > MOST_TOKENS:
            self._verified.popitem(last=False)
        return found

    async def _verify(self, token: str) -> _Verified:
        header, claims = peek(token)
        issuer = self._issuers.get(str(claims.get("iss")))
        if issuer is None:
            raise TokenRefused("its issuer is not one this hub knows")
        if header.get("alg") not in issuer.algorithms:
            raise TokenRefused("its signature algorithm is not accepted")
        if kind(header) not in issuer.token_types:
            raise TokenRefused("its `typ` is not that of an access token")
        if not isinstance(header.get("kid"), str):
            raise TokenRefused("its header names no key (`kid`)")
        key = await self._keys.find(issuer, header["kid"])
        claims = verified(token, key, issuer.algorithms)
        caller = _caller(claims, issuer)
        keys = self._keys.kept(issuer)
        return _Verified(caller, bound_to(claims), issuer, keys, claims["exp"])

    def challenge(self, refused: TokenRefused, authorization: str | None) -> str:
        """What `WWW-Authenticate` answers to a refusal (RFC 6750, RFC 9449 section 7.1)."""
        used = (authorization or "").partition(" ")[0].lower()
        challenges = []
        for scheme in self._schemes:
            name, _, parameters = scheme.partition(" ")
            told = name.lower() == used and refused.error is not None
            error = f'error="{refused.error}"' if told else ""
            values = ", ".join(part for part in (error, parameters) if part)
            challenges.append(f"{name} {values}".strip())
        return ", ".join(challenges)

    async def close(self) -> None:
        """Close what verifying holds open."""
        await self._keys.close()


def _caller(claims: Mapping[str, Any], issuer: Issuer) -> Caller:
    now = time.time()
    expiry = claims.get("exp")
    if not is_number(expiry) or expiry < now - LEEWAY:
        raise TokenRefused("it has expired")
    for name in ("nbf", "iat"):
        if name in claims and (not is_number(claims[name]) or claims[name] > now + LEEWAY):
            raise TokenRefused(f"its `{name}` lies ahead")
    audience = claims.get("aud")
    if issuer.audience not in (audience if isinstance(audience, list) else [audience]):
        raise TokenRefused("it is meant for another audience")
    programs = (claims.get("client_id"), claims.get("azp"))
    person = _person(claims, programs, "it")
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
        actors=tuple(_actors(claims, programs, issuer)),
    )


def _person(claims: Mapping[str, Any], programs: Sequence[Any], whose: str) -> str:
    """The natural person that claims name: not one of the programs, which have ids too."""
    person = claims.get("sub")
    if not isinstance(person, str) or not person:
        raise TokenRefused(f"{whose} names no person (`sub`)")
    if person in programs:
        raise TokenRefused(f"{whose} stands for a program, and a natural person is needed")
    return person


def _actors(claims: Mapping[str, Any], programs: Sequence[Any], issuer: Issuer) -> Iterator[Actor]:
    """Who acts for the token's person, the last first (RFC 8693, section 4.1)."""
    for _ in range(MOST_ACTORS):
        if "act" not in claims:
            return
        claims = claims["act"]
        if not isinstance(claims, dict):
            raise TokenRefused("its `act` is no object of claims")
        programs = (*programs, claims.get("client_id"), claims.get("azp"))
        yield Actor(
            person=_person(claims, programs, "its `act`"),
            recipient=_text(claims, issuer.recipient_claim),
            issuer=_text(claims, "iss") or issuer.issuer,
        )
    if "act" in claims:
        raise TokenRefused(f"its `act` names more than {MOST_ACTORS} persons one after the other")


def _text(claims: Mapping[str, Any], name: str) -> str | None:
    value = claims.get(name)
    if value is not None and (not isinstance(value, str) or not value):
        raise TokenRefused(f"its `{name}` is no text")
    return value
