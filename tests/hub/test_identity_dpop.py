"""Tokens bound to a key (DPoP, RFC 9449): of use to whoever holds the key, and to nobody else."""

from __future__ import annotations

import base64
import json
import time
import warnings
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from hub.dpop import ProofRefused, Proofs
from hub.identity import Identity, Presented
from hub.tokens import TokenMissing, TokenRefused
from tests.hub.issuing import issued, known_issuer
from tests.hub.proving import CLIENT, bound, proof

URL = "https://hub.example/graphql"
OTHER = ECKey.generate_key("P-256")


@pytest.fixture(scope="module")
async def identity(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Identity]:
    made = Identity([known_issuer(tmp_path_factory.mktemp("keys"))], address=URL)
    yield made
    await made.close()


@pytest.fixture(scope="module")
def token() -> str:
    return issued(cnf=bound())


async def person(identity: Identity, token: str, *proofs: str, method: str = "POST") -> str:
    return (await identity.caller(Presented(f"DPoP {token}", proofs, method))).person


async def refusal(
    identity: Identity, authorization: str, *proofs: str, method: str = "POST"
) -> TokenRefused:
    with pytest.raises(TokenRefused) as caught:
        await identity.caller(Presented(authorization, proofs, method))
    return caught.value


# What is accepted


@pytest.mark.parametrize(
    ("key", "alg"),
    [
        (CLIENT, "ES256"),
        (OKPKey.generate_key("Ed25519"), "EdDSA"),
        (RSAKey.generate_key(2048), "RS256"),
    ],
)
async def test_the_keys_holder_is_the_caller(identity: Identity, key: Any, alg: str) -> None:
    token = issued(cnf=bound(key))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "EdDSA is deprecated via RFC 9864")
        made = proof(token, URL, key, {"alg": alg})
    assert await person(identity, token, made) == "official-7"


async def test_the_method_is_the_requests_own(identity: Identity, token: str) -> None:
    made = proof(token, URL, htm="GET")
    assert await person(identity, token, made, method="GET") == "official-7"


@pytest.mark.parametrize(
    "address",
    [
        URL,
        "HTTPS://HUB.example/graphql",
        "https://hub.example:443/graphql",
        f"{URL}?query=x",
        f"{URL}#part",
    ],
)
async def test_addresses_are_compared_without_query_and_by_their_meaning(
    identity: Identity, token: str, address: str
) -> None:
    assert await person(identity, token, proof(token, address)) == "official-7"


@pytest.mark.parametrize("seconds", [-50, 50])
async def test_a_proof_of_the_last_minute_is_good(
    identity: Identity, token: str, seconds: int
) -> None:
    made = proof(token, URL, iat=time.time() + seconds)
    assert await person(identity, token, made) == "official-7"


async def test_a_token_bound_to_no_key_is_a_bearers_where_that_is_allowed(
    identity: Identity,
) -> None:
    assert (await identity.caller(Presented(f"Bearer {issued()}"))).person == "official-7"


# What is refused


async def test_a_bound_token_is_no_bearers_even_with_a_proof(
    identity: Identity, token: str
) -> None:
    for proofs in ((), (proof(token, URL),)):
        found = await refusal(identity, f"Bearer {token}", *proofs)
        assert str(found) == "it is bound to a key: send `Authorization: DPoP` with a proof"


async def test_a_token_bound_to_no_key_is_no_dpop_token(identity: Identity) -> None:
    token = issued()
    found = await refusal(identity, f"DPoP {token}", proof(token, URL))
    assert str(found) == "it is bound to no key (`cnf`): send it as a bearer token"


@pytest.mark.parametrize(
    "cnf",
    [
        {},
        [],
        "key",
        {"jkt": ""},
        {"jkt": 5},
        {"x5t#S256": "certificate"},
        {"jwk": {}},
        {**bound(), "x5t#S256": "certificate"},
    ],
)
@pytest.mark.parametrize("scheme", ["Bearer", "DPoP"])
async def test_a_binding_that_cannot_be_verified_is_never_ignored(
    identity: Identity, cnf: Any, scheme: str
) -> None:
    token = issued(cnf=cnf)
    found = await refusal(identity, f"{scheme} {token}", proof(token, URL))
    assert str(found) == "it is bound (`cnf`) to something else than a key's `jkt`"


ONE = "it is bound to a key: send one `DPoP` header with a proof"
OF_PROOF = "its proof of possession "
NO_KEY = OF_PROOF + "brings no usable key (`jwk`)"
NOT_PUBLIC = OF_PROOF + "brings a key that is not public (`jwk`)"
STALE = OF_PROOF + "is not of the last 60 s (`iat`)"
OTHER_ADDRESS = OF_PROOF + "is for another address (`htu`)"
OTHER_METHOD = OF_PROOF + "is for another method (`htm`)"
OTHER_TOKEN = OF_PROOF + "is for another token (`ath`)"
NO_ID = OF_PROOF + "has no id (`jti`)"
NO_JWT = OF_PROOF + "does not hold: it is no signed JWT"


async def test_one_proof_is_needed(identity: Identity, token: str) -> None:
    for proofs in ((), (proof(token, URL), proof(token, URL))):
        assert str(await refusal(identity, f"DPoP {token}", *proofs)) == ONE


@pytest.mark.parametrize("made", ["", "x", "a.b.c", "é.é.é", "a.b.c, d.e.f", "A" * 100_000])
async def test_what_is_no_proof_is_refused(identity: Identity, token: str, made: str) -> None:
    assert str(await refusal(identity, f"DPoP {token}", made)) == NO_JWT


CLAIMS: list[tuple[dict[str, Any], str]] = [
    ({"htm": "GET"}, OTHER_METHOD),
    ({"htm": "post"}, OTHER_METHOD),
    ({"htm": None}, OTHER_METHOD),
    ({"htu": "https://evil.example/graphql"}, OTHER_ADDRESS),
    ({"htu": "http://hub.example/graphql"}, OTHER_ADDRESS),
    ({"htu": "https://hub.example:8443/graphql"}, OTHER_ADDRESS),
    ({"htu": "https://hub.example/other"}, OTHER_ADDRESS),
    ({"htu": "https://hub.example/GraphQL"}, OTHER_ADDRESS),
    ({"htu": "https://hub.example@evil.example/graphql"}, OTHER_ADDRESS),
    ({"htu": "https://user@hub.example/graphql"}, OTHER_ADDRESS),
    ({"htu": "https://hub.example:x/graphql"}, OTHER_ADDRESS),
    ({"htu": "https://[/graphql"}, OTHER_ADDRESS),
    ({"htu": "/graphql"}, OTHER_ADDRESS),
    ({"htu": [URL]}, OTHER_ADDRESS),
    ({"htu": None}, OTHER_ADDRESS),
    ({"iat": 1}, STALE),
    ({"iat": int(time.time()) - 90}, STALE),
    ({"iat": 4_000_000_000}, STALE),
    ({"iat": True}, STALE),
    ({"iat": "now"}, STALE),
    ({"iat": float("nan")}, STALE),
    ({"iat": None}, STALE),
    ({"ath": "x"}, OTHER_TOKEN),
    ({"ath": 5}, OTHER_TOKEN),
    ({"ath": None}, OTHER_TOKEN),
    ({"jti": None}, NO_ID),
    ({"jti": ""}, NO_ID),
    ({"jti": 5}, NO_ID),
    ({"jti": "x" * 257}, NO_ID),
]


@pytest.mark.parametrize(("changes", "reason"), CLAIMS)
async def test_a_proof_for_something_else_is_refused(
    identity: Identity, token: str, changes: dict[str, Any], reason: str
) -> None:
    found = await refusal(identity, f"DPoP {token}", proof(token, URL, **changes))
    assert (str(found), found.error) == (reason, "invalid_dpop_proof")


async def test_a_proof_of_another_token_is_refused(identity: Identity, token: str) -> None:
    made = proof(issued(cnf=bound(), jti="other"), URL)
    assert str(await refusal(identity, f"DPoP {token}", made)) == OTHER_TOKEN


async def test_a_proof_by_another_key_is_refused(identity: Identity, token: str) -> None:
    found = await refusal(identity, f"DPoP {token}", proof(token, URL, OTHER))
    assert str(found) == "it is bound to another key than that of its proof of possession"


async def test_a_proof_that_names_the_key_and_is_signed_by_another_is_refused(
    identity: Identity, token: str
) -> None:
    made = proof(token, URL, OTHER, {"jwk": CLIENT.as_dict(private=False)})
    found = await refusal(identity, f"DPoP {token}", made)
    assert str(found) == OF_PROOF + "does not hold: its signature does not hold"


@pytest.mark.parametrize("typ", ["at+jwt", "JWT", "", None])
async def test_a_proof_of_another_type_is_refused(
    identity: Identity, token: str, typ: str | None
) -> None:
    found = await refusal(identity, f"DPoP {token}", proof(token, URL, header={"typ": typ}))
    assert str(found) == OF_PROOF + "has another `typ` than `dpop+jwt`"


async def test_a_token_is_no_proof_of_itself(identity: Identity, token: str) -> None:
    found = await refusal(identity, f"DPoP {token}", token)
    assert str(found) == OF_PROOF + "has another `typ` than `dpop+jwt`"


async def test_a_proof_signed_with_a_shared_secret_is_refused(
    identity: Identity, token: str
) -> None:
    shared = OctKey.generate_key(256)
    made = proof(token, URL, shared, {"alg": "HS256", "jwk": shared.as_dict(private=True)})
    found = await refusal(identity, f"DPoP {token}", made)
    assert str(found) == OF_PROOF + "is signed with an algorithm not accepted"


@pytest.mark.parametrize(
    ("jwk", "reason"),
    [
        (None, NO_KEY),
        ({}, NO_KEY),
        ({"kty": "EC"}, NO_KEY),
        ({"kty": "EC", "crv": "P-256", "x": "A", "y": "A"}, NO_KEY),
        ({"kty": "quantum"}, NO_KEY),
        ({"kty": ["EC"]}, NO_KEY),
        (CLIENT.as_dict(private=True), NOT_PUBLIC),
    ],
)
async def test_a_proof_without_a_public_key_is_refused(
    identity: Identity, token: str, jwk: Any, reason: str
) -> None:
    made = proof(token, URL, header={"jwk": jwk})
    assert str(await refusal(identity, f"DPoP {token}", made)) == reason


@pytest.mark.parametrize("jwk", ["key", [], {"kty": "oct", "k": "c2VjcmV0"}])
async def test_a_proof_without_any_jwk_is_refused(identity: Identity, token: str, jwk: Any) -> None:
    head, payload, signature = proof(token, URL).split(".")
    header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk}
    head = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
    found = await refusal(identity, f"DPoP {token}", f"{head}.{payload}.{signature}")
    assert str(found) in {NO_KEY, NOT_PUBLIC}


async def test_a_key_too_short_to_be_safe_is_refused(identity: Identity) -> None:
    short = {"kty": "RSA", "n": "_" * 171, "e": "AQAB"}
    token = issued(cnf={"jkt": "x"})
    made = proof(token, URL, header={"jwk": short})
    assert str(await refusal(identity, f"DPoP {token}", made)) == NO_KEY


async def test_a_bound_token_of_a_wrong_issuer_is_refused_before_its_proof_is_looked_at(
    identity: Identity,
) -> None:
    found = await refusal(identity, f"DPoP {issued(iss='https://other.example', cnf=bound())}")
    assert str(found) == "its issuer is not one this hub knows"


async def test_a_hub_that_does_not_know_its_address_takes_no_bound_token(
    tmp_path: Path, token: str
) -> None:
    identity = Identity([known_issuer(tmp_path)])
    found = await refusal(identity, f"DPoP {token}", proof(token, URL))
    assert str(found) == "this hub verifies no proof of possession: `server.url` is not set"
    await identity.close()


async def test_an_issuer_may_be_required_to_bind_its_tokens(tmp_path: Path, token: str) -> None:
    identity = Identity([known_issuer(tmp_path, dpop="required")], address=URL)
    assert await person(identity, token, proof(token, URL)) == "official-7"
    for scheme in ("Bearer", "DPoP"):
        found = await refusal(identity, f"{scheme} {issued()}")
        assert str(found) == "it is bound to no key (`cnf`), and its issuer's must be"
    await identity.close()


@given(st.dictionaries(st.text(max_size=6), st.integers() | st.text(max_size=9) | st.none()))
async def test_nothing_of_a_proof_is_repeated_and_nothing_in_it_is_an_error(
    identity: Identity, token: str, header: dict[str, Any]
) -> None:
    made = proof(token, URL, jti="SECRET", htu="SECRET", htm="SECRET")
    found = await refusal(identity, f"DPoP {token}", made)
    assert "SECRET" not in str(found)
    head = json.dumps({"typ": "dpop+jwt", "alg": "ES256", "jwk": header}).encode().hex()
    await refusal(identity, f"DPoP {token}", f"{head}.{made.partition('.')[2]}")


# Once only


async def test_a_proof_is_good_once(identity: Identity, token: str) -> None:
    made = proof(token, URL)
    assert await person(identity, token, made) == "official-7"
    found = await refusal(identity, f"DPoP {token}", made)
    assert str(found) == OF_PROOF + "was used before (`jti`)"


async def test_two_keys_may_give_their_proofs_the_same_id(identity: Identity, token: str) -> None:
    other = issued(cnf=bound(OTHER))
    assert await person(identity, token, proof(token, URL, jti="same")) == "official-7"
    assert await person(identity, other, proof(other, URL, OTHER, jti="same")) == "official-7"


async def test_a_proof_that_does_not_hold_uses_up_no_id(identity: Identity, token: str) -> None:
    await refusal(identity, f"DPoP {token}", proof(token, URL, jti="once", htm="GET"))
    assert await person(identity, token, proof(token, URL, jti="once")) == "official-7"


def test_what_is_remembered_is_bounded_and_fails_closed(token: str) -> None:
    proofs = Proofs(URL, most_seen=2)
    for _ in range(2):
        proofs.verify([proof(token, URL)], token, "POST", bound()["jkt"])
    with pytest.raises(ProofRefused) as caught:
        proofs.verify([proof(token, URL)], token, "POST", bound()["jkt"])
    reason = "too many proofs of possession are in use; try again in a minute"
    assert str(caught.value) == reason


def test_proofs_that_have_run_out_are_forgotten(
    token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    proofs, start = Proofs(URL, most_seen=1), time.monotonic()
    proofs.verify([proof(token, URL)], token, "POST", bound()["jkt"])
    monkeypatch.setattr(time, "monotonic", lambda: start + 125)
    proofs.verify([proof(token, URL)], token, "POST", bound()["jkt"])


# What is answered


ALGS = 'algs="ES256 EdDSA RS256"'
INVALID, UNPROVEN = TokenRefused("x"), ProofRefused("x")


@pytest.mark.parametrize(
    ("refused", "authorization", "challenge"),
    [
        (TokenMissing("x"), None, f"Bearer, DPoP {ALGS}"),
        (INVALID, "Bearer t", f'Bearer error="invalid_token", DPoP {ALGS}'),
        (INVALID, "DPoP t", f'Bearer, DPoP error="invalid_token", {ALGS}'),
        (UNPROVEN, "dpop t", f'Bearer, DPoP error="invalid_dpop_proof", {ALGS}'),
        (INVALID, "Basic t", f"Bearer, DPoP {ALGS}"),
    ],
)
def test_the_challenge_says_what_is_wrong(
    identity: Identity, refused: TokenRefused, authorization: str | None, challenge: str
) -> None:
    assert identity.challenge(refused, authorization) == challenge


async def test_the_challenge_names_what_the_hub_takes(tmp_path: Path) -> None:
    missing = TokenMissing("x")
    bearer = Identity([known_issuer(tmp_path)])
    required = Identity([known_issuer(tmp_path, dpop="required")], address=URL)
    assert bearer.challenge(missing, None) == "Bearer"
    assert required.challenge(missing, None) == f"DPoP {ALGS}"
    await bearer.close()
    await required.close()
