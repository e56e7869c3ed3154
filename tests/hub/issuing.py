"""An issuer with one key, in a file: the tokens that tests of identity present."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey

from hub.config import Issuer

ISSUER = "https://id.example"
KEY = ECKey.generate_key("P-256", {"kid": "es"})


def known_issuer(folder: Path, **settings: Any) -> Issuer:
    """The issuer as the hub knows it, with its keys written to the folder."""
    path = folder / "issuer.jwks.json"
    path.write_text(json.dumps({"keys": [KEY.as_dict(private=False)]}))
    return Issuer(issuer=ISSUER, audience="welfare-hub", keys=str(path), **settings)


def claims(**changes: Any) -> dict[str, Any]:
    """Good claims with these changes; None takes a claim out."""
    now = int(time.time())
    good = {
        "iss": ISSUER,
        "aud": "welfare-hub",
        "sub": "official-7",
        "exp": now + 600,
        "iat": now,
        "roles": ["caseworker"],
        "recipient": "900101-1000001",
        "office": "office-1",
        "district": "11110",
        "client_id": "app",
    }
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def issued(**changes: Any) -> str:
    """A good token with these claims changed; None takes a claim out."""
    return jwt.encode({"alg": "ES256", "typ": "at+jwt", "kid": KEY.kid}, claims(**changes), KEY)
