"""One person's tokens in use from two places: told once, refused where configured, nobody named."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from authz.caller import Actor, Caller
from hub.config import IdentityRules
from hub.identity import Identity, Presented
from hub.places import Places
from hub.tokens import TokenRefused
from tests.hub.issuing import issued, known_issuer

HOME, OTHER = "192.0.2.1", "198.51.100.7"
ISSUER = "https://id.example"
REFUSED = "its person's tokens are in use from another place"


def caller(person: str = "official-7", issuer: str = ISSUER, *actors: str) -> Caller:
    acting = tuple(Actor(actor, None, issuer) for actor in actors)
    return Caller(person, None, frozenset(), None, None, issuer, acting)


def places(two_places: Any = "tell", **settings: Any) -> Places:
    rules = IdentityRules(two_places=two_places, two_places_minutes=5)
    return Places(rules, lambda person: f"pseudonym-of-{len(person)}", **settings)


def told() -> float:
    return REGISTRY.get_sample_value("hub_two_places_total") or 0


Clock = Callable[[float], None]


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Lets minutes pass."""
    start, passed = time.monotonic(), 0.0

    def pass_minutes(minutes: float) -> None:
        nonlocal passed
        passed += minutes * 60
        monkeypatch.setattr(time, "monotonic", lambda: start + passed)

    pass_minutes(0)
    return pass_minutes


@pytest.fixture
def events(caplog: pytest.LogCaptureFixture) -> Callable[[], list[dict[str, Any]]]:
    """The events told so far, as their log lines have them."""
    caplog.set_level(logging.WARNING, "hub.places")

    def found() -> list[dict[str, Any]]:
        return [
            {"message": record.message, "person": record.person, "refused": record.refused}  # type: ignore[attr-defined]
            for record in caplog.records
        ]

    return found


Events = Callable[[], list[dict[str, Any]]]


def event(*, refused: bool = False) -> dict[str, Any]:
    message = "a person's tokens are in use from two places"
    return {"message": message, "person": "pseudonym-of-10", "refused": refused}


def test_one_place_is_no_event(events: Events) -> None:
    seen, before = places(), told()
    for _ in range(3):
        seen.note(caller(), HOME)
    assert (events(), told() - before) == ([], 0)


def test_two_places_are_told_by_pseudonym_and_counted(events: Events) -> None:
    seen, before = places(), told()
    seen.note(caller(), HOME)
    seen.note(caller(), OTHER)
    assert (events(), told() - before) == ([event()], 1)


def test_an_event_names_neither_person_nor_place(caplog: pytest.LogCaptureFixture) -> None:
    seen = places()
    seen.note(caller(), HOME)
    seen.note(caller(), OTHER)
    (record,) = caplog.records
    said = str(record.__dict__)
    assert not any(name in said for name in ("official-7", HOME, OTHER))


def test_places_that_alternate_are_told_once_in_the_minutes(events: Events, later: Clock) -> None:
    seen = places()
    for place in (HOME, OTHER) * 5:
        seen.note(caller(), place)
        later(0.1)
    assert len(events()) == 1
    for place in (HOME, OTHER) * 30:
        seen.note(caller(), place)
        later(0.1)
    assert len(events()) == 2


def test_a_place_left_for_the_minutes_is_no_event(events: Events, later: Clock) -> None:
    seen = places("refuse")
    seen.note(caller(), HOME)
    later(5)
    seen.note(caller(), OTHER)
    assert events() == []


def test_the_place_that_was_first_holds_where_two_are_refused(events: Events, later: Clock) -> None:
    seen = places("refuse")
    seen.note(caller(), HOME)
    for _ in range(4):
        later(1)
        with pytest.raises(TokenRefused) as caught:
            seen.note(caller(), OTHER)
        assert str(caught.value) == REFUSED
    seen.note(caller(), HOME)
    later(4.9)
    with pytest.raises(TokenRefused):
        seen.note(caller(), OTHER)
    later(0.2)
    seen.note(caller(), OTHER)
    with pytest.raises(TokenRefused):
        seen.note(caller(), HOME)
    assert events()[0] == event(refused=True)


def test_people_are_told_apart_by_issuer_too(events: Events) -> None:
    seen = places("refuse")
    seen.note(caller(), HOME)
    seen.note(caller("official-8"), OTHER)
    seen.note(caller(issuer="https://other.example"), OTHER)
    assert events() == []


def test_whoever_acts_is_the_one_who_is_somewhere(events: Events) -> None:
    seen = places("refuse")
    seen.note(caller("official-7"), HOME)
    seen.note(caller("official-7", ISSUER, "official-8"), OTHER)
    assert events() == []
    with pytest.raises(TokenRefused):
        seen.note(caller("official-9", ISSUER, "official-8", "official-7"), HOME)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::2%eth1"),
        ("unix:client", "unix:client"),
    ],
)
def test_addresses_of_one_client_are_one_place(first: str, second: str) -> None:
    seen = places("refuse")
    seen.note(caller(), first)
    seen.note(caller(), second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:3::1"),
        ("192.0.2.1", "192.0.2.2"),
        ("192.0.2.1", "unknown"),
    ],
)
def test_addresses_of_two_clients_are_two_places(first: str, second: str) -> None:
    seen = places("refuse")
    seen.note(caller(), first)
    with pytest.raises(TokenRefused):
        seen.note(caller(), second)


def test_a_client_without_address_is_nowhere() -> None:
    seen = places("refuse")
    seen.note(caller(), HOME)
    seen.note(caller(), None)


def test_whoever_was_not_seen_for_longest_is_forgotten(events: Events) -> None:
    seen = places("refuse", most_people=2)
    for person in ("a", "b"):
        seen.note(caller(person), HOME)
    seen.note(caller("a"), HOME)
    seen.note(caller("c"), HOME)
    seen.note(caller("b"), OTHER)
    assert events() == []
    with pytest.raises(TokenRefused):
        seen.note(caller("c"), OTHER)


@pytest.fixture
async def identity(tmp_path: Path) -> AsyncIterator[Identity]:
    made = Identity([known_issuer(tmp_path)], places=places("refuse"))
    yield made
    await made.close()


async def test_only_a_token_that_holds_puts_its_person_somewhere(identity: Identity) -> None:
    for forged in (f"{issued()[:-8]}AAAAAAAA", issued(exp=1), issued(aud="other")):
        with pytest.raises(TokenRefused):
            await identity.caller(Presented(f"Bearer {forged}", address=OTHER))
    await identity.caller(Presented(f"Bearer {issued()}", address=HOME))
    with pytest.raises(TokenRefused) as caught:
        await identity.caller(Presented(f"Bearer {issued(jti='other')}", address=OTHER))
    assert (str(caught.value), caught.value.error) == (REFUSED, "invalid_token")
