"""Tokens: which stand for a caller, and the reason each other one is refused; never its content."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import socket
import time
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from authz.caller import Caller
from hub.config import Issuer
from hub.identity import Identity, Presented
from hub.keys import REFETCH_AFTER
from hub.tokens import TokenRefused
from tests.hub.issuing import claims
from tests.hub.keyserver import KeyServer, serving

ISSUER = "https://id.example"
SIGNED = {"ES256": "es", "EdDSA": "ed", "RS256": "rs"}


@pytest.fixture(scope="module")
def keys() -> KeySet:
    """An issuer's keys, one for each accepted algorithm."""
    return KeySet(
        [
            ECKey.generate_key("P-256", {"kid": "es"}),
            OKPKey.generate_key("Ed25519", {"kid": "ed"}),
            RSAKey.generate_key(2048, {"kid": "rs"}),
        ]
    )


def key_of(keys: KeySet, kid: str) -> Any:
    return next(key for key in keys.keys if key.kid == kid)


def public(*keys: Any) -> dict[str, Any]:
    return {"keys": [key.as_dict(private=False) for key in keys]}


def signed(key: Any, alg: str = "ES256", header: Any = None, **changes: Any) -> str:
    """A token of good claims with these changes."""
    said = {"alg": alg, "typ": "at+jwt", "kid": key.kid, **(header or {})}
    said = {name: value for name, value in said.items() if value is not None}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "EdDSA is deprecated via RFC 9864")
        registry = JWSRegistry(algorithms=[alg], strict_check_header=False)
        return jwt.encode(said, claims(**changes), key, registry=registry)


def raw(header: Any, payload: Any, signature: bytes = b"") -> str:
    """A token of whatever parts, not signed by anything that can sign."""
    parts = (
        part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, payload)
    )
    return ".".join(
        base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (*parts, signature)
    )


def issuer(keys: str, **changes: Any) -> Issuer:
    return Issuer(issuer=ISSUER, audience="welfare-hub", keys=keys, **changes)


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory, keys: KeySet) -> str:
    path = tmp_path_factory.mktemp("keys") / "issuer.jwks.json"
    path.write_text(json.dumps(public(*keys.keys)))
    return str(path)


@pytest.fixture(scope="module")
async def identity(key_file: str) -> AsyncIterator[Identity]:
    """An identity that knows one issuer, its keys in a file."""
    made = Identity([issuer(key_file)])
    yield made
    await made.close()


@pytest.fixture
def es(keys: KeySet) -> Any:
    return key_of(keys, "es")


async def person(identity: Identity, token: str) -> str:
    return (await identity.caller(Presented(f"Bearer {token}"))).person


async def refusal(identity: Identity, token: str) -> str:
    with pytest.raises(TokenRefused) as caught:
        await identity.caller(Presented(f"Bearer {token}"))
    return str(caught.value)


# What was verified before


async def test_a_token_verified_before_is_refused_once_it_has_expired(
    identity: Identity, es: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, now = signed(es, exp=int(time.time()) + 600), time.time()
    assert [await person(identity, token) for _ in range(2)] == ["official-7"] * 2
    monkeypatch.setattr("hub.identity.time", SimpleNamespace(time=lambda: now + 600 + 31))
    assert await refusal(identity, token) == "it has expired"


async def test_the_signature_of_a_token_is_checked_once(
    identity: Identity, es: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = signed(es)
    first = await identity.caller(Presented(f"Bearer {token}"))
    monkeypatch.setattr("hub.identity.verified", None)
    assert await identity.caller(Presented(f"Bearer {token}")) is first


async def test_no_more_tokens_are_remembered_than_so_many(
    identity: Identity, es: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.identity.MOST_TOKENS", 1)
    token = signed(es)
    await person(identity, token)
    await person(identity, signed(es, sub="another"))
    monkeypatch.setattr("hub.identity.verified", None)
    with pytest.raises(TypeError):
        await person(identity, token)


# Whom a token stands for


@pytest.mark.parametrize("alg", ["ES256", "EdDSA", "RS256"])
async def test_a_good_token_stands_for_a_caller(identity: Identity, keys: KeySet, alg: str) -> None:
    token = signed(key_of(keys, SIGNED[alg]), alg)
    assert await identity.caller(Presented(f"Bearer {token}")) == Caller(
        person="official-7",
        recipient="900101-1000001",
        roles=frozenset({"caseworker"}),
        office="office-1",
        district="11110",
        issuer=ISSUER,
    )


async def test_the_word_bearer_is_read_in_any_case(identity: Identity, es: Any) -> None:
    assert (await identity.caller(Presented(f"bEARER {signed(es)}"))).person == "official-7"


@pytest.mark.parametrize("kind", ["at+jwt", "AT+JWT", "application/at+jwt"])
async def test_the_type_of_an_access_token_is_read_as_rfc_9068_writes_it(
    identity: Identity, es: Any, kind: str
) -> None:
    token = signed(es, header={"typ": kind})
    assert await person(identity, token) == "official-7"


async def test_one_audience_of_several_is_enough(identity: Identity, es: Any) -> None:
    token = signed(es, aud=["other", "welfare-hub"])
    assert await person(identity, token) == "official-7"


async def test_what_a_token_does_not_say_of_the_caller_is_not_made_up(
    identity: Identity, es: Any
) -> None:
    caller = await identity.caller(
        Presented(f"Bearer {signed(es, recipient=None, office=None, district=None, roles=[])}")
    )
    assert (caller.recipient, caller.office, caller.district) == (None, None, None)
    assert caller.roles == frozenset()


async def test_an_issuer_may_use_other_claims(key_file: str, es: Any) -> None:
    names = {"roles_claim": "groups", "recipient_claim": "rid", "office_claim": "unit"}
    identity = Identity([issuer(key_file, **names)])
    token = signed(es, groups=["auditor"], rid="r", unit="u")
    caller = await identity.caller(Presented(f"Bearer {token}"))
    await identity.close()
    assert (*caller.roles, caller.recipient, caller.office) == ("auditor", "r", "u")


@pytest.mark.parametrize("changes", [{"exp": -20}, {"nbf": 20}, {"iat": 20}])
async def test_clocks_may_differ_by_half_a_minute(
    identity: Identity, es: Any, changes: dict[str, Any]
) -> None:
    times: dict[str, Any] = {name: int(time.time()) + seconds for name, seconds in changes.items()}
    assert await person(identity, signed(es, **times)) == "official-7"


# Who is refused


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (None, "there is none: send `Authorization: Bearer` with an access token"),
        ("", "there is none: send `Authorization: Bearer` with an access token"),
        ("Bearer", "`Authorization` is neither a bearer token nor a DPoP token"),
        ("Bearer ", "`Authorization` is neither a bearer token nor a DPoP token"),
        ("Basic dXNlcjpwYXNz", "`Authorization` is neither a bearer token nor a DPoP token"),
        ("Bearer x", "it is no signed JWT"),
        ("Bearer a.b.c", "it is no signed JWT"),
        ("Bearer a.b.c.d.e", "it is no signed JWT"),
        ("Bearer ...", "it is no signed JWT"),
        ("Bearer é.é.é", "it is no signed JWT"),
        ("Bearer " + "A" * 200_000, "it is no signed JWT"),
    ],
)
async def test_what_is_no_token_is_refused(
    identity: Identity, header: str | None, reason: str
) -> None:
    with pytest.raises(TokenRefused) as caught:
        await identity.caller(Presented(header))
    assert str(caught.value) == reason


HEADER = {"alg": "ES256", "typ": "at+jwt", "kid": "es"}
NO_JWT = "it is no signed JWT"
UNKNOWN_ISSUER = "its issuer is not one this hub knows"


@pytest.mark.parametrize(
    ("header", "payload", "reason"),
    [
        (HEADER, [], "its payload holds no claims"),
        (HEADER, "x", "its payload holds no claims"),
        (HEADER, b"{", NO_JWT),
        (HEADER, b"\xff", NO_JWT),
        (HEADER, b"[" * 50_000, NO_JWT),
        (HEADER, {}, UNKNOWN_ISSUER),
        (HEADER, {"iss": [ISSUER]}, UNKNOWN_ISSUER),
        ([], {"iss": ISSUER}, NO_JWT),
        ("x", {"iss": ISSUER}, NO_JWT),
        (5, {"iss": ISSUER}, NO_JWT),
        (None, {"iss": ISSUER}, NO_JWT),
        (b"{", {"iss": ISSUER}, NO_JWT),
        (b"\xff", {"iss": ISSUER}, NO_JWT),
        ({}, {"iss": ISSUER}, NO_JWT),
    ],
)
async def test_a_token_of_odd_parts_is_refused(
    identity: Identity, header: Any, payload: Any, reason: str
) -> None:
    assert await refusal(identity, raw(header, payload, b"sig")) == reason


NOT_ACCEPTED = "its signature algorithm is not accepted"


@pytest.mark.parametrize("alg", ["none", "None", "HS256", "ES384", "PS256", "es256", ["ES256"], 5])
async def test_an_algorithm_that_is_not_accepted_is_refused(identity: Identity, alg: Any) -> None:
    token = raw({**HEADER, "alg": alg}, claims(), b"sig")
    assert await refusal(identity, token) in {NOT_ACCEPTED, NO_JWT}


async def test_a_token_without_signature_is_refused(identity: Identity) -> None:
    assert await refusal(identity, raw({**HEADER, "alg": "none"}, claims())) == NOT_ACCEPTED


@pytest.mark.parametrize("kid", ["es", "rs"])
async def test_the_public_key_used_as_a_shared_secret_is_refused(
    identity: Identity, keys: KeySet, kid: str
) -> None:
    secret = key_of(keys, kid).as_pem(private=False)
    body = raw({**HEADER, "alg": "HS256", "kid": kid}, claims()).rpartition(".")[0]
    mac = hmac.new(secret, body.encode(), hashlib.sha256).digest()
    token = f"{body}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    assert await refusal(identity, token) == NOT_ACCEPTED


BAD_SIGNATURE = "its signature does not hold"


async def test_a_token_of_another_key_by_the_same_name_is_refused(identity: Identity) -> None:
    token = signed(ECKey.generate_key("P-256", {"kid": "es"}))
    assert await refusal(identity, token) == BAD_SIGNATURE


async def test_a_changed_claim_breaks_the_signature(identity: Identity, es: Any) -> None:
    header, _, signature = signed(es).split(".")
    payload = raw({}, claims(roles=["officer"])).split(".")[1]
    assert await refusal(identity, f"{header}.{payload}.{signature}") == BAD_SIGNATURE


async def test_a_signature_cut_off_is_refused(identity: Identity, es: Any) -> None:
    body = signed(es).rpartition(".")[0]
    assert await refusal(identity, f"{body}.") == BAD_SIGNATURE


@pytest.mark.parametrize(
    ("alg", "kid"), [("RS256", "es"), ("ES256", "rs"), ("EdDSA", "es"), ("ES256", "ed")]
)
async def test_a_key_of_another_kind_than_the_algorithm_is_refused(
    identity: Identity, alg: str, kid: str
) -> None:
    token = raw({**HEADER, "alg": alg, "kid": kid}, claims(), b"s" * 64)
    assert await refusal(identity, token) == BAD_SIGNATURE


async def test_a_key_that_the_token_brings_along_is_not_used(identity: Identity) -> None:
    own = ECKey.generate_key("P-256", {"kid": "es"})
    token = signed(own, header={"jwk": own.as_dict(private=False)})
    assert await refusal(identity, token) == BAD_SIGNATURE


async def test_a_critical_extension_that_is_not_understood_is_refused(
    identity: Identity, es: Any
) -> None:
    head, payload, signature = signed(es).split(".")
    header = json.loads(base64.urlsafe_b64decode(head + "==")) | {"crit": ["x"], "x": 1}
    forged = raw(header, {}).split(".")[0]
    assert await refusal(identity, f"{forged}.{payload}.{signature}") == BAD_SIGNATURE


@pytest.mark.parametrize("name", ["x5t", "nonce", "x5c"])
async def test_a_header_that_need_not_be_understood_is_left_alone(
    identity: Identity, es: Any, name: str
) -> None:
    value = ["A" * 3_000] if name == "x5c" else "x"
    assert await person(identity, signed(es, header={name: value})) == "official-7"


EXPIRED = "it has expired"
OTHER_AUDIENCE = "it is meant for another audience"
NO_PERSON = "it names no person (`sub`)"
PROGRAM = "it stands for a program, and a natural person is needed"
NO_ROLES = "its `roles` is no list of roles"
AHEAD = 4_000_000_000

CLAIMS: list[tuple[dict[str, Any], str]] = [
    ({"iss": "https://other.example"}, UNKNOWN_ISSUER),
    ({"iss": ISSUER + "/"}, UNKNOWN_ISSUER),
    ({"iss": None}, UNKNOWN_ISSUER),
    ({"aud": "other"}, OTHER_AUDIENCE),
    ({"aud": "welfare-hub2"}, OTHER_AUDIENCE),
    ({"aud": ["other"]}, OTHER_AUDIENCE),
    ({"aud": []}, OTHER_AUDIENCE),
    ({"aud": {"welfare-hub": 1}}, OTHER_AUDIENCE),
    ({"aud": None}, OTHER_AUDIENCE),
    ({"exp": 1}, EXPIRED),
    ({"exp": int(time.time()) - 60}, EXPIRED),
    ({"exp": None}, EXPIRED),
    ({"exp": str(AHEAD)}, EXPIRED),
    ({"exp": True}, EXPIRED),
    ({"exp": [AHEAD]}, EXPIRED),
    ({"exp": float("nan")}, EXPIRED),
    ({"exp": float("inf")}, EXPIRED),
    ({"nbf": AHEAD}, "its `nbf` lies ahead"),
    ({"nbf": "now"}, "its `nbf` lies ahead"),
    ({"nbf": float("nan")}, "its `nbf` lies ahead"),
    ({"iat": AHEAD}, "its `iat` lies ahead"),
    ({"iat": True}, "its `iat` lies ahead"),
    ({"sub": None}, NO_PERSON),
    ({"sub": ""}, NO_PERSON),
    ({"sub": 7}, NO_PERSON),
    ({"sub": "app"}, PROGRAM),
    ({"sub": "portal", "azp": "portal"}, PROGRAM),
    ({"roles": None}, NO_ROLES),
    ({"roles": "caseworker"}, NO_ROLES),
    ({"roles": {"caseworker": True}}, NO_ROLES),
    ({"roles": ["caseworker", 5]}, NO_ROLES),
    ({"recipient": 9001011000001}, "its `recipient` is no text"),
    ({"recipient": ""}, "its `recipient` is no text"),
    ({"office": ["office-1"]}, "its `office` is no text"),
    ({"district": ""}, "its `district` is no text"),
]


@pytest.mark.parametrize(("changes", "reason"), CLAIMS)
async def test_claims_that_do_not_hold_are_refused_with_the_reason(
    identity: Identity, es: Any, changes: dict[str, Any], reason: str
) -> None:
    assert await refusal(identity, signed(es, **changes)) == reason


@pytest.mark.parametrize("kind", ["JWT", "id_token", "dpop+jwt", "", None])
async def test_another_type_than_an_access_token_is_refused(
    identity: Identity, es: Any, kind: str | None
) -> None:
    token = signed(es, header={"typ": kind})
    assert await refusal(identity, token) == "its `typ` is not that of an access token"


NOT_PUBLISHED = "it is signed with a key that its issuer does not publish"


async def test_a_token_that_names_no_key_is_refused(identity: Identity, es: Any) -> None:
    token = signed(es, header={"kid": None})
    assert await refusal(identity, token) == "its header names no key (`kid`)"


async def test_a_token_of_a_key_that_is_not_published_is_refused(identity: Identity) -> None:
    token = signed(ECKey.generate_key("P-256", {"kid": "stranger"}))
    assert await refusal(identity, token) == NOT_PUBLISHED


async def test_issuers_do_not_vouch_for_each_other(key_file: str, tmp_path: Path) -> None:
    other = ECKey.generate_key("P-256", {"kid": "es"})
    (tmp_path / "other.json").write_text(json.dumps(public(other)))
    second = Issuer(
        issuer="https://other.example", audience="welfare-hub", keys=str(tmp_path / "other.json")
    )
    identity = Identity([issuer(key_file), second])
    assert await refusal(identity, signed(other)) == BAD_SIGNATURE
    assert await person(identity, signed(other, iss="https://other.example")) == "official-7"
    await identity.close()


SECRETS: dict[str, Any] = {
    "iss": "SECRETVALUE",
    "aud": "SECRETVALUE",
    "sub": {"name": "SECRETVALUE"},
    "exp": "SECRETVALUE",
    "iat": "SECRETVALUE",
    "nbf": "SECRETVALUE",
    "roles": "SECRETVALUE",
    "recipient": ["SECRETVALUE"],
    "office": ["SECRETVALUE"],
    "district": ["SECRETVALUE"],
}


@pytest.mark.parametrize("claim", SECRETS)
async def test_a_refusal_repeats_nothing_of_the_token(
    identity: Identity, es: Any, claim: str
) -> None:
    token = signed(es, **{claim: SECRETS[claim]})
    reason = await refusal(identity, token)
    assert "SECRET" not in reason
    assert not any(part in reason for part in token.split("."))


@pytest.mark.parametrize("part", ["kid", "typ", "alg"])
async def test_a_refusal_repeats_nothing_of_the_header(identity: Identity, part: str) -> None:
    token = raw({**HEADER, part: "SECRETVALUE"}, claims(), b"sig")
    assert "SECRET" not in await refusal(identity, token)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=5,
)
headers = st.builds(
    lambda known, more: {**more, **known},
    st.fixed_dictionaries(
        {},
        optional={
            "alg": st.sampled_from(["ES256", "EdDSA", "RS256", "none", "HS256"]) | json_values,
            "typ": st.just("at+jwt") | json_values,
            "kid": st.sampled_from(["es", "ed", "rs"]) | json_values,
            "b64": json_values,
            "crit": json_values,
        },
    ),
    st.dictionaries(st.text(max_size=8), json_values, max_size=2),
)
payloads = st.builds(
    lambda known, more: {**more, **known},
    st.fixed_dictionaries({"iss": st.just(ISSUER)}),
    st.dictionaries(st.text(max_size=8), json_values, max_size=3),
)


@example({"alg": "ES256", "crit": [None], "kid": "es", "typ": "at+jwt"}, {"iss": ISSUER}, b"")
@given(headers | json_values, payloads | json_values, st.binary(max_size=80))
async def test_whatever_is_not_signed_is_refused_and_never_an_error(
    identity: Identity, header: Any, payload: Any, signature: bytes
) -> None:
    with pytest.raises(TokenRefused):
        await identity.caller(Presented(f"Bearer {raw(header, payload, signature)}"))


# Key sets


Over = Callable[..., Identity]


@pytest.fixture
async def over() -> AsyncIterator[Over]:
    """Makes identities whose issuer publishes its keys at a key server."""
    async with AsyncExitStack() as stack:

        def make(keyserver: KeyServer, refetch_after: float = REFETCH_AFTER) -> Identity:
            identity = Identity([issuer(keyserver.url)], refetch_after)
            stack.push_async_callback(identity.close)
            return identity

        yield make


@pytest.fixture
async def keyserver(keys: KeySet) -> AsyncIterator[KeyServer]:
    async with serving(public(*keys.keys)) as server:
        yield server


NOT_TO_BE_HAD = "its issuer's keys cannot be had at present"


async def test_keys_are_fetched_once_and_kept(over: Over, keyserver: KeyServer, es: Any) -> None:
    identity = over(keyserver)
    for _ in range(3):
        assert await person(identity, signed(es)) == "official-7"
    assert keyserver.fetched == 1


async def test_callers_who_come_while_keys_are_fetched_wait_for_them(
    over: Over, keyserver: KeyServer, es: Any
) -> None:
    identity, keyserver.gate = over(keyserver), asyncio.Event()
    waiting = [
        asyncio.create_task(identity.caller(Presented(f"Bearer {signed(es)}"))) for _ in range(5)
    ]
    await asyncio.sleep(0.05)
    keyserver.gate.set()
    assert [caller.person for caller in await asyncio.gather(*waiting)] == ["official-7"] * 5
    assert keyserver.fetched == 1


async def test_an_unknown_key_has_the_set_fetched_again_at_most_once_a_minute(
    over: Over, keyserver: KeyServer, es: Any
) -> None:
    identity = over(keyserver)
    stranger = signed(ECKey.generate_key("P-256", {"kid": "stranger"}))
    await identity.caller(Presented(f"Bearer {signed(es)}"))
    for _ in range(3):
        assert await refusal(identity, stranger) == NOT_PUBLISHED
    assert (keyserver.fetched, REFETCH_AFTER) == (1, 60)


async def test_a_key_that_the_issuer_adds_is_found_when_the_set_may_be_fetched_again(
    over: Over, keyserver: KeyServer, es: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = over(keyserver, refetch_after=3600)
    await identity.caller(Presented(f"Bearer {signed(es)}"))
    added = ECKey.generate_key("P-256", {"kid": "added"})
    keyserver.publish(public(es, added))
    assert await refusal(identity, signed(added)) == NOT_PUBLISHED
    later = time.monotonic() + 3600
    monkeypatch.setattr("hub.keys.monotonic", lambda: later)
    assert await person(identity, signed(added)) == "official-7"
    assert keyserver.fetched == 2


async def test_a_key_that_the_issuer_took_back_is_refused_once_the_set_is_fetched_again(
    over: Over, keyserver: KeyServer, es: Any
) -> None:
    identity = over(keyserver, refetch_after=0)
    await identity.caller(Presented(f"Bearer {signed(es)}"))
    added = ECKey.generate_key("P-256", {"kid": "added"})
    keyserver.publish(public(added))
    await identity.caller(Presented(f"Bearer {signed(added)}"))
    assert await refusal(identity, signed(es)) == NOT_PUBLISHED


async def test_a_token_verified_before_is_refused_once_another_key_has_the_id(
    over: Over, keyserver: KeyServer, es: Any
) -> None:
    identity = over(keyserver, refetch_after=0)
    token = signed(es)
    assert await person(identity, token) == "official-7"
    keyserver.publish(public(ECKey.generate_key("P-256", {"kid": es.kid})))
    stranger = signed(ECKey.generate_key("P-256", {"kid": "stranger"}))
    assert await refusal(identity, stranger) == NOT_PUBLISHED
    assert await refusal(identity, token) == "its signature does not hold"


async def test_known_keys_serve_while_the_key_server_is_down(
    over: Over, keyserver: KeyServer, es: Any
) -> None:
    identity = over(keyserver, refetch_after=0)
    await identity.caller(Presented(f"Bearer {signed(es)}"))
    keyserver.status = "503 Down"
    stranger = signed(ECKey.generate_key("P-256", {"kid": "stranger"}))
    assert await refusal(identity, stranger) == NOT_TO_BE_HAD
    assert await person(identity, signed(es)) == "official-7"


async def test_a_key_server_that_comes_back_is_asked_again_after_a_while(
    over: Over, keyserver: KeyServer, es: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = over(keyserver, refetch_after=3600)
    keyserver.status = "503 Down"
    for _ in range(3):
        assert await refusal(identity, signed(es)) == NOT_TO_BE_HAD
    assert keyserver.fetched == 1
    keyserver.status = "200 OK"
    later = time.monotonic() + 3600
    monkeypatch.setattr("hub.keys.monotonic", lambda: later)
    assert await person(identity, signed(es)) == "official-7"


async def test_a_key_server_that_is_not_there_has_its_tokens_refused(over: Over, es: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        url = f"http://127.0.0.1:{probe.getsockname()[1]}/jwks"
    assert await refusal(over(KeyServer(b"", url=url)), signed(es)) == NOT_TO_BE_HAD


@pytest.mark.parametrize("status", ["404 None", "500 Oops", "302 Found", "hello"])
async def test_a_key_server_that_answers_otherwise_has_its_tokens_refused(
    over: Over, keyserver: KeyServer, es: Any, status: str
) -> None:
    keyserver.status = status
    assert await refusal(over(keyserver), signed(es)) == NOT_TO_BE_HAD
    assert keyserver.fetched == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff",
        b"[" * 50_000,
        b"[]",
        b"{}",
        b"null",
        b'{"keys": null}',
        b'{"keys": {}}',
        b'{"keys": []}',
        b'{"keys": [5]}',
        b'{"keys": [{}]}',
        b'{"keys": [{"kty": "EC"}]}',
        b'{"keys": [{"kty": "EC", "crv": 5, "x": "A", "y": "A"}]}',
        b'{"keys": [{"kty": "EC", "crv": "P-256", "x": "A", "y": "A"}]}',
        b'{"keys": [{"kty": "RSA", "n": "", "e": ""}]}',
        b'{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "A"}]}',
        b'{"keys": [{"kty": "quantum"}]}',
        b'{"keys": [{"kty": ["EC"]}]}',
    ],
)
async def test_what_is_no_key_set_has_its_tokens_refused(
    over: Over, keyserver: KeyServer, es: Any, content: bytes
) -> None:
    keyserver.content = content
    reason = await refusal(over(keyserver, refetch_after=0), signed(es))
    assert reason == NOT_TO_BE_HAD


async def test_a_key_file_that_is_not_there_has_its_tokens_refused(tmp_path: Path, es: Any) -> None:
    identity = Identity([issuer(str(tmp_path / "none.json"))])
    assert await refusal(identity, signed(es)) == NOT_TO_BE_HAD
    await identity.close()


async def test_a_symmetric_key_in_the_set_signs_nothing(
    over: Over, keyserver: KeyServer, es: Any
) -> None:
    shared = OctKey.generate_key(256, {"kid": "shared"})
    keyserver.publish({"keys": [es.as_dict(private=False), shared.as_dict(private=True)]})
    assert await refusal(over(keyserver), signed(shared, "HS256")) == NOT_ACCEPTED
