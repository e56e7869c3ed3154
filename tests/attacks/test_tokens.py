"""Attack 40: tokens that do not hold, with the keys of a running hub."""

from __future__ import annotations

import base64
import hmac
import json
import time
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from tests.attacks.attack import Attack
from tests.demo import Demo

QUERY = "query($id: ID!) { recipient(id: $id) { identity { name } } }"


def key_of(demo: Demo) -> ECKey:
    return ECKey.import_key(json.loads((demo.folder / "keys" / "issuer.key.json").read_text()))


def claims_of(demo: Demo, **changes: Any) -> dict[str, Any]:
    found = {**jwt.decode(demo.info["tokens"]["caseworker"], key_of(demo)).claims, **changes}
    return {name: value for name, value in found.items() if value is not None}


def signed(demo: Demo, header: dict[str, Any] | None = None, **changes: Any) -> str:
    key = key_of(demo)
    made = {"alg": "ES256", "typ": "at+jwt", "kid": key.kid, **(header or {})}
    given = {name: value for name, value in made.items() if value is not None}
    return jwt.encode(given, claims_of(demo, **changes), key)


def _text(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def _part(value: dict[str, Any]) -> str:
    return _text(json.dumps(value).encode())


def unsigned(demo: Demo) -> str:
    header = {"alg": "none", "typ": "at+jwt", "kid": key_of(demo).kid}
    return f"{_part(header)}.{_part(claims_of(demo))}."


def by_public_key(demo: Demo) -> str:
    """HS256 with the published key as the secret."""
    key = key_of(demo)
    header = {"alg": "HS256", "typ": "at+jwt", "kid": key.kid}
    text = f"{_part(header)}.{_part(claims_of(demo))}"
    mac = hmac.digest(key.as_pem(private=False), text.encode(), "sha256")
    return f"{text}.{_text(mac)}"


def by_another_key(demo: Demo) -> str:
    header = {"alg": "ES256", "typ": "at+jwt", "kid": key_of(demo).kid}
    return jwt.encode(header, claims_of(demo), ECKey.generate_key("P-256"))


def altered(demo: Demo) -> str:
    head, body, tail = demo.info["tokens"]["caseworker"].split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    claims["roles"] = ["caseworker", "officer"]
    return f"{head}.{_part(claims)}.{tail}"


def of_a_service(demo: Demo) -> str:
    """Client credentials: no person, `sub` is the client."""
    return signed(demo, sub=claims_of(demo)["client_id"])


CHANGED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "wrong issuer": ({}, {"iss": "https://evil.example"}),
    "no issuer": ({}, {"iss": None}),
    "wrong audience": ({}, {"aud": "another-hub"}),
    "expired": ({}, {"exp": int(time.time()) - 3600}),
    "no expiry": ({}, {"exp": None}),
    "not yet valid": ({}, {"nbf": int(time.time()) + 3600}),
    "no person": ({}, {"sub": None}),
    "an ID token": ({"typ": "JWT"}, {}),
    "no type": ({"typ": None}, {}),
    "unknown kid": ({"kid": "another"}, {}),
    "no kid": ({"kid": None}, {}),
}
MADE = {
    "alg none": unsigned,
    "HS256 with the public key": by_public_key,
    "another key under the same kid": by_another_key,
    "altered": altered,
    "a service with no person": of_a_service,
}


@pytest.mark.parametrize("what", [*CHANGED, *MADE])
def test_40_a_token_that_does_not_hold_opens_nothing(attack: Attack, what: str) -> None:
    if what in CHANGED:
        header, changes = CHANGED[what]
        token = signed(attack.demo, header, **changes)
    else:
        token = MADE[what](attack.demo)
    response = attack.send(
        json={"query": QUERY, "variables": {"id": attack.demo.recipient}},
        headers={"Authorization": f"Bearer {token}"},
    )
    assert response.status_code == 401
    (error,) = response.json()["errors"]
    assert error["extensions"]["code"] == "UNAUTHENTICATED"
    said = response.text + str(response.headers) + attack.transcript.new_errors()
    for part in token.split("."):
        assert not part or part not in said
    attack.nobody_was_asked()
    attack.held()


def test_40_the_same_token_made_right_is_answered(attack: Attack) -> None:
    """The refusals are for what was changed, and for nothing else."""
    assert attack.ask(QUERY, token=signed(attack.demo)).answer.codes == []
    attack.held()
