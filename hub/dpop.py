"""Proofs of possession (DPoP, RFC 9449): a token bound to a key is used by the key's holder only.

Proofs seen are remembered in this process alone.
"""

from __future__ import annotations

import hashlib
import time
import warnings
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, JWKRegistry, OKPKey, RSAKey
from joserfc.util import urlsafe_b64encode

from hub.tokens import TokenRefused, is_number, kind, peek, verified

ALGORITHMS = ("ES256", "EdDSA", "RS256")
"""The signature algorithms of proofs."""
WINDOW = 60
"""Seconds that a proof is good for, before and after it was made."""
MOST_SEEN = 100_000
"""Proofs remembered at most; beyond, proofs are refused until older ones have run out."""
_LONGEST_ID = 256


class ProofRefused(TokenRefused):
    """The proof of possession does not hold; the message says why, and nothing of it."""

    error = "invalid_dpop_proof"


class Proofs:
    """Verifies proofs made for one address, each once."""

    def __init__(self, address: str | None, most_seen: int = MOST_SEEN) -> None:
        self._address = None if address is None else _compared(address)
        self._most_seen = most_seen
        self._seen: OrderedDict[bytes, float] = OrderedDict()

    def verify(self, proofs: Sequence[str], token: str, method: str, thumbprint: str) -> None:
        """Make sure that whoever sent the token holds the key it is bound to.

        The checks are those of RFC 9449, section 4.3. Raises ProofRefused.
        """
        if self._address is None:
            raise ProofRefused("this hub verifies no proof of possession: `server.url` is not set")
        if len(proofs) != 1:
            raise ProofRefused("it is bound to a key: send one `DPoP` header with a proof")
        try:
            claims = _claims(proofs[0], thumbprint)
        except ProofRefused:
            raise
        except TokenRefused as error:
            raise ProofRefused(f"its proof of possession does not hold: {error}") from error
        if claims.get("htm") != method:
            raise ProofRefused("its proof of possession is for another method (`htm`)")
        address = claims.get("htu")
        if not isinstance(address, str) or _compared(address) != self._address:
            raise ProofRefused("its proof of possession is for another address (`htu`)")
        now, made = time.time(), claims.get("iat")
        if not is_number(made) or abs(now - made) > WINDOW:
            raise ProofRefused(f"its proof of possession is not of the last {WINDOW} s (`iat`)")
        if claims.get("ath") != _hash(token):
            raise ProofRefused("its proof of possession is for another token (`ath`)")
        name = claims.get("jti")
        if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_ID:
            raise ProofRefused("its proof of possession has no id (`jti`)")
        self._once(thumbprint, name)

    def _once(self, thumbprint: str, name: str) -> None:
        now = time.monotonic()
        while self._seen and next(iter(self._seen.values())) <= now:
            self._seen.popitem(last=False)
        proof = hashlib.sha256(f"{thumbprint} {name}".encode(errors="surrogatepass")).digest()
        if proof in self._seen:
            raise ProofRefused("its proof of possession was used before (`jti`)")
        if len(self._seen) >= self._most_seen:
            raise ProofRefused("too many proofs of possession are in use; try again in a minute")
        # One made by a clock that is ahead is good for as long after its making as before it.
        self._seen[proof] = now + 2 * WINDOW


def bound_to(claims: Mapping[str, Any]) -> str | None:
    """The thumbprint of the key a token is bound to (RFC 7800), None where it is to none.

    Raises TokenRefused for a binding that cannot be verified here: to take such a token for a
    bearer's would undo it.
    """
    if "cnf" not in claims:
        return None
    binding = claims["cnf"]
    thumbprint = binding.get("jkt") if isinstance(binding, dict) and len(binding) == 1 else None
    if not isinstance(thumbprint, str) or not thumbprint:
        raise TokenRefused("it is bound (`cnf`) to something else than a key's `jkt`")
    return thumbprint


def _claims(proof: str, thumbprint: str) -> Mapping[str, Any]:
    header, _ = peek(proof)
    if kind(header) != "dpop+jwt":
        raise ProofRefused("its proof of possession has another `typ` than `dpop+jwt`")
    if header.get("alg") not in ALGORITHMS:
        raise ProofRefused("its proof of possession is signed with an algorithm not accepted")
    try:
        with warnings.catch_warnings():
            # A key too short to be safe is no key.
            warnings.simplefilter("error", SecurityWarning)
            key = JWKRegistry.import_key(header["jwk"])
            found = key.thumbprint()
    except (JoseError, SecurityWarning, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ProofRefused("its proof of possession brings no usable key (`jwk`)") from error
    if not isinstance(key, ECKey | OKPKey | RSAKey) or key.is_private:
        raise ProofRefused("its proof of possession brings a key that is not public (`jwk`)")
    if found != thumbprint:
        raise ProofRefused("it is bound to another key than that of its proof of possession")
    return verified(proof, key, ALGORITHMS)


def _hash(token: str) -> str:
    return urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).decode()


def _compared(address: str) -> tuple[str, str, int | None, str] | None:
    """An address as addresses are compared (RFC 3986, section 6.2): without query and fragment."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return None
    if parts.username is not None or parts.password is not None:
        return None
    usual = {"https": 443, "http": 80}.get(parts.scheme)
    return parts.scheme, parts.hostname or "", port or usual, parts.path or "/"
