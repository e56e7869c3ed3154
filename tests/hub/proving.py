"""A client's key and the proofs of possession (DPoP, RFC 9449) that it makes."""

from __future__ import annotations

import base64
import hashlib
import time
import uuid
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey

CLIENT = ECKey.generate_key("P-256")


def bound(key: Any = CLIENT) -> dict[str, Any]:
    """The claim `cnf` of a token that is bound to the key."""
    return {"jkt": key.thumbprint()}


def proof(
    token: str,
    address: str,
    key: Any = CLIENT,
    header: dict[str, Any] | None = None,
    **changes: Any,
) -> str:
    """A good proof for the token with these changes; None takes a claim out."""
    ath = base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()
    claims = {
        "jti": str(uuid.uuid4()),
        "htm": "POST",
        "htu": address,
        "iat": int(time.time()),
        "ath": ath,
        **changes,
    }
    said = {"typ": "dpop+jwt", "alg": "ES256", "jwk": key.as_dict(private=False), **(header or {})}
    said = {name: value for name, value in said.items() if value is not None}
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(said, claims, key, algorithms=[said["alg"]])
