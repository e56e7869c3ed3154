"""Two places, over HTTP: from loopback addresses of this machine, and behind a proxy."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.demo import Demo

NOWHERE_ELSE = "the token is refused: its person's tokens are in use from another place"


def ask(
    demo: Demo, person: str, place: str = "127.0.0.1", via: str | None = None
) -> httpx.Response:
    sent = {"Authorization": f"Bearer {demo.token('caseworker', sub=person)}"}
    if via is not None:
        sent["X-Forwarded-For"] = via
    with httpx.Client(transport=httpx.HTTPTransport(local_address=place)) as client:
        return client.post(demo.info["graphql"], json={"query": "{ __typename }"}, headers=sent)


def told(demo: Demo) -> float:
    text = httpx.get(f"{demo.address}/metrics", trust_env=False).text
    lines = (line.split() for line in text.splitlines())
    return next(float(line[1]) for line in lines if line[:1] == ["hub_two_places_total"])


def events(demo: Demo) -> list[dict[str, Any]]:
    lines = [line for line in (demo.folder / "stderr").read_text().splitlines() if "{" in line]
    return [line for line in map(json.loads, lines) if line["logger"] == "hub.places"]


def test_two_places_are_told_in_the_log_and_the_metrics(demo: Demo) -> None:
    before, events_before = told(demo), events(demo)
    for place in ("127.0.0.1", "127.0.0.2"):
        assert ask(demo, "told-person", place).status_code == 200
    assert told(demo) - before == 1
    (event,) = events(demo)[len(events_before) :]
    assert event["message"] == "a person's tokens are in use from two places"
    assert (len(event["person"]), event["refused"]) == (32, False)
    assert "told-person" not in str(event)


def test_what_nobody_trusted_forwards_is_not_believed(demo: Demo) -> None:
    before = told(demo)
    for via in ("192.0.2.1", "198.51.100.7"):
        assert ask(demo, "forwarded-person", via=via).status_code == 200
    assert told(demo) == before


def test_two_places_are_refused_behind_a_trusted_proxy_where_configured(
    start_demo: Callable[..., Demo], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUB_IDENTITY_TWO_PLACES", "refuse")
    monkeypatch.setenv("HUB_SERVER_TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8")
    demo = start_demo()
    assert ask(demo, "p", via="192.0.2.1").status_code == 200
    assert ask(demo, "p", via="203.0.113.9, 192.0.2.1, 10.1.2.3").status_code == 200
    refused = ask(demo, "p", via="192.0.2.1, 198.51.100.7")
    assert refused.status_code == 401
    (error,) = refused.json()["errors"]
    assert (error["extensions"]["code"], error["message"]) == ("UNAUTHENTICATED", NOWHERE_ELSE)
    assert ask(demo, "q", place="127.0.0.2", via="192.0.2.1").status_code == 200
    assert ask(demo, "q", place="127.0.0.2", via="198.51.100.7").status_code == 200
