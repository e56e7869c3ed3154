"""A real identity provider (npm `oidc-provider`): found by discovery, its tokens held to ours."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc.jwk import ECKey, RSAKey

from authz.caller import Caller
from hub.config import Issuer
from hub.identity import Identity, Presented
from hub.tokens import TokenRefused
from tests.hub.proving import CLIENT, proof
from tests.node import serving_node

HUB = "https://hub.example/graphql"
SIGNED_IN = "http://127.0.0.1/signed-in"


@dataclass(frozen=True)
class Provider:
    """A running provider, as an application uses it."""

    issuer: str

    @property
    def port(self) -> str:
        return self.issuer.rpartition(":")[2]

    def code_flow(self, person: str, alg: str = "ES256", **headers: str) -> dict[str, Any]:
        """Sign the person in by the authorization-code flow with PKCE; the token response."""
        verifier = secrets.token_urlsafe(32)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
        asked = {
            "client_id": "caseworker-app",
            "response_type": "code",
            "redirect_uri": SIGNED_IN,
            "scope": "openid ask",
            "resource": f"urn:hub:{alg}",
            "state": secrets.token_urlsafe(8),
            "code_challenge": challenge.rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        with httpx.Client(base_url=self.issuer, trust_env=False) as browser:
            page = self._follow(browser, browser.get("/auth", params=asked))
            for form in ({"login": person, "password": "any"}, {}):
                action = re.search(r'<form[^>]* action="([^"]+)"', page.text)
                prompt = re.search(r'name="prompt" value="(\w+)"', page.text)
                assert action is not None
                assert prompt is not None
                answer = browser.post(action[1], data={"prompt": prompt[1], **form})
                page = self._follow(browser, answer)
            given = parse_qs(urlsplit(page.headers["location"]).query)
            assert (given["state"], given["iss"]) == ([asked["state"]], [self.issuer])
            return self._token(
                headers,
                grant_type="authorization_code",
                code=given["code"][0],
                redirect_uri=SIGNED_IN,
                client_id="caseworker-app",
                code_verifier=verifier,
            )

    def client_credentials(self) -> dict[str, Any]:
        """The token response for a program of its own."""
        basic = base64.b64encode(b"batch-service:of-a-test-only").decode()
        return self._token(
            {"Authorization": f"Basic {basic}"},
            grant_type="client_credentials",
            scope="ask",
            resource="urn:hub:ES256",
        )

    def _token(self, headers: dict[str, str], **form: str) -> dict[str, Any]:
        answer = httpx.post(f"{self.issuer}/token", data=form, headers=headers, trust_env=False)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def _follow(self, browser: httpx.Client, answer: httpx.Response) -> httpx.Response:
        """Follow redirects as far as they lead within the provider."""
        while answer.is_redirect and not answer.headers["location"].startswith(SIGNED_IN):
            answer = browser.get(answer.headers["location"])
        return answer


def make_keys(path: Path, kid: str) -> Path:
    keys = [
        ECKey.generate_key("P-256", {"kid": f"{kid}-es", "use": "sig"}),
        RSAKey.generate_key(2048, {"kid": f"{kid}-rs", "use": "sig"}),
    ]
    path.write_text(json.dumps({"keys": [key.as_dict(private=True) for key in keys]}))
    return path


@contextlib.contextmanager
def running(keys: Path, port: str = "0") -> Iterator[Provider]:
    with serving_node("provider.mjs", port, str(keys)) as ready:
        yield Provider(ready["issuer"])


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_keys(tmp_path_factory.mktemp("provider") / "keys.json", "first")


@pytest.fixture(scope="module")
def provider(keys: Path) -> Iterator[Provider]:
    with running(keys) as found:
        yield found


@contextlib.asynccontextmanager
async def knowing(issuer: str, refetch_after: float = 60) -> AsyncIterator[Identity]:
    """An identity that is told the provider's name and nothing else of it."""
    found = Identity([Issuer(issuer=issuer, audience="welfare-hub")], refetch_after, address=HUB)
    yield found
    await found.close()


async def refusal(identity: Identity, presented: Presented) -> str:
    with pytest.raises(TokenRefused) as caught:
        await identity.caller(presented)
    return str(caught.value)


def bearer(response: dict[str, Any]) -> Presented:
    return Presented(f"Bearer {response['access_token']}")


@pytest.mark.parametrize("alg", ["ES256", "RS256"])
async def test_whoever_signs_in_by_the_code_flow_is_the_caller(
    provider: Provider, alg: str
) -> None:
    async with knowing(provider.issuer) as identity:
        assert await identity.caller(bearer(provider.code_flow("official-7", alg))) == Caller(
            person="official-7",
            recipient="900101-1000001",
            roles=frozenset({"caseworker"}),
            office="office-1",
            district="11110",
            issuer=provider.issuer,
        )


async def test_a_programs_own_token_is_refused(provider: Provider) -> None:
    async with knowing(provider.issuer) as identity:
        reason = "it stands for a program, and a natural person is needed"
        assert await refusal(identity, bearer(provider.client_credentials())) == reason


async def test_the_id_token_of_the_same_sign_in_is_no_access_token(provider: Provider) -> None:
    async with knowing(provider.issuer) as identity:
        sent = Presented(f"Bearer {provider.code_flow('official-7')['id_token']}")
        assert await refusal(identity, sent) == "its `typ` is not that of an access token"


async def test_a_token_that_the_provider_bound_to_a_key_is_taken_with_a_proof(
    provider: Provider,
) -> None:
    made = proof("", f"{provider.issuer}/token", ath=None)
    response = provider.code_flow("official-7", DPoP=made)
    assert response["token_type"] == "DPoP"
    token = response["access_token"]
    async with knowing(provider.issuer) as identity:
        sent = Presented(f"DPoP {token}", (proof(token, HUB, CLIENT),))
        assert (await identity.caller(sent)).person == "official-7"
        reason = "it is bound to a key: send `Authorization: DPoP` with a proof"
        assert await refusal(identity, bearer(response)) == reason


async def test_keys_that_the_provider_changes_are_followed(tmp_path: Path, keys: Path) -> None:
    with running(keys) as before:
        old = before.code_flow("official-7")
        async with knowing(before.issuer, refetch_after=0) as identity:
            assert (await identity.caller(bearer(old))).person == "official-7"
    async with knowing(before.issuer, refetch_after=0) as identity:
        reason = "its issuer's keys cannot be had at present"
        assert await refusal(identity, bearer(old)) == reason
        with running(make_keys(tmp_path / "keys.json", "second"), before.port) as after:
            new = after.code_flow("official-8")
            assert (await identity.caller(bearer(new))).person == "official-8"
            reason = "it is signed with a key that its issuer does not publish"
            assert await refusal(identity, bearer(old)) == reason
