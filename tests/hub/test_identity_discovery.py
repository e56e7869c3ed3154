"""Issuers that are known by their name alone: their metadata say where their keys are."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from hub.config import Issuer
from hub.identity import Identity, Presented
from hub.keys import metadata_addresses
from hub.tokens import TokenRefused
from tests.hub.keyserver import KeyServer, serving

OPENID = "/.well-known/openid-configuration"
OAUTH = "/.well-known/oauth-authorization-server"
NOT_TO_BE_HAD = "its issuer's keys cannot be had at present"
KEY = ECKey.generate_key("P-256", {"kid": "es"})


def public(*keys: ECKey) -> dict[str, Any]:
    return {"keys": [key.as_dict(private=False) for key in keys]}


def token(issuer: str, key: ECKey = KEY) -> str:
    claims = {
        "iss": issuer,
        "aud": "welfare-hub",
        "sub": "official-7",
        "exp": int(time.time()) + 600,
        "roles": ["caseworker"],
    }
    return jwt.encode({"alg": "ES256", "typ": "at+jwt", "kid": key.kid}, claims, key)


@pytest.fixture
async def provider() -> AsyncIterator[KeyServer]:
    """An issuer on loopback, whose metadata stand where OpenID Connect puts them."""
    async with serving({}) as server:
        name = server.url.removesuffix("/jwks")
        server.url = name
        server.pages = {
            OPENID: {"issuer": name, "jwks_uri": f"{name}/k", "scopes_supported": ["openid"]},
            "/k": public(KEY),
        }
        yield server


Knowing = Callable[..., Identity]


@pytest.fixture
async def knowing() -> AsyncIterator[Knowing]:
    """Makes identities that know these issuers by name."""
    async with AsyncExitStack() as stack:

        def make(*names: str, refetch_after: float = 60) -> Identity:
            issuers = [Issuer(issuer=name, audience="welfare-hub") for name in names]
            identity = Identity(issuers, refetch_after)
            stack.push_async_callback(identity.close)
            return identity

        yield make


async def person(identity: Identity, sent: str) -> str:
    return (await identity.caller(Presented(f"Bearer {sent}"))).person


async def refusal(identity: Identity, sent: str) -> str:
    with pytest.raises(TokenRefused) as caught:
        await identity.caller(Presented(f"Bearer {sent}"))
    return str(caught.value)


async def test_the_keys_are_read_where_the_metadata_say(
    knowing: Knowing, provider: KeyServer
) -> None:
    identity = knowing(provider.url)
    for _ in range(3):
        assert await person(identity, token(provider.url)) == "official-7"
    assert provider.asked == [OPENID, "/k"]


async def test_metadata_of_rfc_8414_serve_where_there_are_none_of_openid(
    knowing: Knowing, provider: KeyServer
) -> None:
    provider.pages[OAUTH] = provider.pages.pop(OPENID)
    assert await person(knowing(provider.url), token(provider.url)) == "official-7"
    assert provider.asked == [OPENID, OAUTH, "/k"]


@pytest.mark.parametrize(
    ("issuer", "openid", "oauth"),
    [
        ("https://id.example", f"https://id.example{OPENID}", f"https://id.example{OAUTH}"),
        ("https://id.example/", f"https://id.example{OPENID}", f"https://id.example{OAUTH}"),
        (
            "https://id.example:8443/realms/r",
            f"https://id.example:8443/realms/r{OPENID}",
            f"https://id.example:8443{OAUTH}/realms/r",
        ),
    ],
)
def test_metadata_stand_after_the_path_or_before_it(issuer: str, openid: str, oauth: str) -> None:
    assert metadata_addresses(issuer) == (openid, oauth)


@pytest.mark.parametrize("name", ["https://other.example", "{url}/", "{url}/realm", ""])
async def test_metadata_of_another_issuer_are_refused(
    knowing: Knowing, provider: KeyServer, name: str
) -> None:
    provider.pages[OPENID]["issuer"] = name.replace("{url}", provider.url)
    reason = "its issuer's metadata are those of another issuer"
    assert await refusal(knowing(provider.url), token(provider.url)) == reason
    assert provider.asked == [OPENID]


@pytest.mark.parametrize(
    "address", ["http://id.example/k", "file:///k", "/k", "", "http://127.0.0.1@id.example/k"]
)
async def test_keys_are_not_read_where_somebody_on_the_way_could_change_them(
    knowing: Knowing, provider: KeyServer, address: str
) -> None:
    provider.pages[OPENID]["jwks_uri"] = address
    reason = "its issuer's metadata give an address of keys that is not `https`"
    assert await refusal(knowing(provider.url), token(provider.url)) == reason
    assert provider.asked == [OPENID]


@pytest.mark.parametrize(
    "metadata", [None, [], {}, {"issuer": 5, "jwks_uri": 5}, {"jwks_uri": "https://id.example/k"}]
)
async def test_what_is_no_metadata_has_the_tokens_refused(
    knowing: Knowing, provider: KeyServer, metadata: Any
) -> None:
    provider.pages[OPENID] = metadata
    assert await refusal(knowing(provider.url), token(provider.url)) == NOT_TO_BE_HAD


@pytest.mark.parametrize("status", ["500 Oops", "302 Found", "503 Down"])
async def test_metadata_that_cannot_be_had_have_the_tokens_refused(
    knowing: Knowing, provider: KeyServer, status: str
) -> None:
    provider.status = status
    assert await refusal(knowing(provider.url), token(provider.url)) == NOT_TO_BE_HAD
    assert provider.asked == [OPENID]


async def test_an_issuer_without_any_metadata_has_its_tokens_refused(
    knowing: Knowing, provider: KeyServer
) -> None:
    del provider.pages[OPENID]
    assert await refusal(knowing(provider.url), token(provider.url)) == NOT_TO_BE_HAD
    assert provider.asked == [OPENID, OAUTH]


async def test_an_issuer_that_is_down_is_asked_once_a_minute(
    knowing: Knowing, provider: KeyServer
) -> None:
    identity, provider.status = knowing(provider.url), "503 Down"
    for _ in range(3):
        assert await refusal(identity, token(provider.url)) == NOT_TO_BE_HAD
    assert provider.asked == [OPENID]


async def test_new_keys_at_a_new_address_are_followed(
    knowing: Knowing, provider: KeyServer
) -> None:
    identity = knowing(provider.url, refetch_after=0)
    await identity.caller(Presented(f"Bearer {token(provider.url)}"))
    added = ECKey.generate_key("P-256", {"kid": "added"})
    provider.pages[OPENID]["jwks_uri"] = f"{provider.url}/new"
    provider.pages["/new"] = public(added)
    assert await person(identity, token(provider.url, added)) == "official-7"
    assert await refusal(identity, token(provider.url)) == (
        "it is signed with a key that its issuer does not publish"
    )


async def test_several_issuers_are_known_each_by_its_own_metadata(
    knowing: Knowing, provider: KeyServer
) -> None:
    other = ECKey.generate_key("P-256", {"kid": "es"})
    async with serving({}) as second:
        name = second.url.removesuffix("/jwks")
        second.pages = {OPENID: {"issuer": name, "jwks_uri": f"{name}/k"}, "/k": public(other)}
        identity = knowing(provider.url, name)
        assert (await identity.caller(Presented(f"Bearer {token(name, other)}"))).issuer == name
        assert (
            await identity.caller(Presented(f"Bearer {token(provider.url)}"))
        ).issuer == provider.url
        for forged in (token(name, KEY), token(provider.url, other)):
            assert await refusal(identity, forged) == "its signature does not hold"


async def test_one_issuer_down_leaves_the_others(provider: KeyServer, tmp_path: Path) -> None:
    (tmp_path / "k.json").write_text(json.dumps(public(KEY)))
    by_file = Issuer(issuer="urn:other", audience="welfare-hub", keys=str(tmp_path / "k.json"))
    identity = Identity([Issuer(issuer=provider.url, audience="welfare-hub"), by_file])
    provider.status = "503 Down"
    assert await refusal(identity, token(provider.url)) == NOT_TO_BE_HAD
    assert await person(identity, token("urn:other")) == "official-7"
    await identity.close()
