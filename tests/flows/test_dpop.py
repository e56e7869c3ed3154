"""Tokens bound to a key, over HTTP."""

from __future__ import annotations

import httpx

from tests.demo import Demo
from tests.hub.proving import bound, proof

ALGS = 'algs="ES256 EdDSA RS256"'


def ask(demo: Demo, *headers: tuple[str, str], method: str = "POST") -> httpx.Response:
    sent = [("Accept", "application/graphql-response+json"), *headers]
    url, query = str(demo.info["graphql"]), "{ __typename }"
    if method == "GET":
        return httpx.get(url, params={"query": query}, headers=sent, trust_env=False)
    return httpx.post(url, json={"query": query}, headers=sent, trust_env=False)


def test_the_keys_holder_is_answered_once_a_proof(demo: Demo) -> None:
    token = demo.token("caseworker", cnf=bound())
    made = proof(token, demo.info["graphql"])
    sent = (("Authorization", f"DPoP {token}"), ("DPoP", made))
    assert ask(demo, *sent).status_code == 200
    again = ask(demo, *sent)
    assert again.status_code == 401
    assert again.headers["WWW-Authenticate"] == (f'Bearer, DPoP error="invalid_dpop_proof", {ALGS}')


def test_a_proof_is_for_the_method_used(demo: Demo) -> None:
    token = demo.token("caseworker", cnf=bound())
    for htm, status in (("GET", 200), ("POST", 401)):
        made = proof(token, demo.info["graphql"], htm=htm)
        sent = (("Authorization", f"DPoP {token}"), ("DPoP", made))
        assert ask(demo, *sent, method="GET").status_code == status


def test_a_proof_for_another_host_is_refused_whatever_host_the_request_names(demo: Demo) -> None:
    token = demo.token("caseworker", cnf=bound())
    made = proof(token, "http://evil.example/graphql")
    sent = (("Authorization", f"DPoP {token}"), ("DPoP", made), ("Host", "evil.example"))
    assert ask(demo, *sent).status_code == 401


def test_a_bound_token_that_was_stolen_is_of_no_use(demo: Demo) -> None:
    token = demo.token("caseworker", cnf=bound())
    for scheme in ("Bearer", "DPoP"):
        assert ask(demo, ("Authorization", f"{scheme} {token}")).status_code == 401


def test_a_request_without_token_is_told_what_to_send(demo: Demo) -> None:
    answer = ask(demo)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, f"Bearer, DPoP {ALGS}")


def test_two_authorizations_are_refused(demo: Demo) -> None:
    sent = ("Authorization", f"Bearer {demo.info['tokens']['caseworker']}")
    answer = ask(demo, sent, sent)
    assert answer.status_code == 401
    (error,) = answer.json()["errors"]
    assert error["message"] == "the token is refused: `Authorization` is sent more than once"
