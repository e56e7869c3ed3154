"""Delegated tokens (RFC 8693): who acts for whom; everyone of the chain is a natural person."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import reduce
from typing import Any

import pytest

from authz.caller import Actor, Caller
from hub.identity import Identity, Presented
from hub.tokens import TokenRefused
from tests.hub.issuing import ISSUER, issued, known_issuer


@pytest.fixture(scope="module")
async def identity(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Identity]:
    made = Identity([known_issuer(tmp_path_factory.mktemp("keys"))])
    yield made
    await made.close()


async def caller(identity: Identity, **claims: Any) -> Caller:
    return await identity.caller(Presented(f"Bearer {issued(**claims)}"))


async def refusal(identity: Identity, **claims: Any) -> str:
    with pytest.raises(TokenRefused) as caught:
        await caller(identity, **claims)
    return str(caught.value)


def chain(*people: str) -> dict[str, Any]:
    """An `act` claim: the first acts, the others did before."""
    made: dict[str, Any] = reduce(
        lambda inner, person: {"sub": person, **({"act": inner} if inner else {})},
        reversed(people),
        dict[str, Any](),
    )
    return made


async def test_without_act_nobody_acts_for_the_person(identity: Identity) -> None:
    found = await caller(identity)
    assert (found.actors, found.recipients) == ((), ("900101-1000001",))


async def test_the_person_acting_and_the_one_acted_for_are_both_known(identity: Identity) -> None:
    found = await caller(identity, act={"sub": "official-8", "recipient": "r8", "client_id": "x"})
    assert found.person == "official-7"
    assert found.actors == (Actor("official-8", "r8", ISSUER),)
    assert found.recipients == ("900101-1000001", "r8")


async def test_a_chain_is_known_with_the_last_to_act_first(identity: Identity) -> None:
    found = await caller(identity, act=chain("c", "b", "a"))
    assert [actor.person for actor in found.actors] == ["c", "b", "a"]
    assert found.recipients == ("900101-1000001", None, None, None)


async def test_an_actor_may_be_of_another_issuer(identity: Identity) -> None:
    found = await caller(identity, act={"sub": "o", "iss": "https://other.example"})
    assert found.actors[0].issuer == "https://other.example"


async def test_an_actor_brings_no_roles_office_or_district_of_its_own(identity: Identity) -> None:
    found = await caller(
        identity, act={"sub": "o", "roles": ["officer"], "office": "other", "district": "99999"}
    )
    assert found.roles == {"caseworker"}
    assert (found.office, found.district) == ("office-1", "11110")


NO_OBJECT = "its `act` is no object of claims"
NO_PERSON = "its `act` names no person (`sub`)"
PROGRAM = "its `act` stands for a program, and a natural person is needed"
TOO_LONG = "its `act` names more than 3 persons one after the other"

REFUSED: list[tuple[Any, str]] = [
    ("official-8", NO_OBJECT),
    (["official-8"], NO_OBJECT),
    ([{"sub": "official-8"}], NO_OBJECT),
    (5, NO_OBJECT),
    (True, NO_OBJECT),
    ({"sub": "a", "act": "b"}, NO_OBJECT),
    ({"sub": "a", "act": None}, NO_OBJECT),
    ({}, NO_PERSON),
    ({"sub": None}, NO_PERSON),
    ({"sub": ""}, NO_PERSON),
    ({"sub": 7}, NO_PERSON),
    ({"sub": ["official-8"]}, NO_PERSON),
    ({"client_id": "gateway"}, NO_PERSON),
    ({"sub": "a", "act": {}}, NO_PERSON),
    ({"sub": "gateway", "client_id": "gateway"}, PROGRAM),
    ({"sub": "gateway", "azp": "gateway"}, PROGRAM),
    ({"sub": "app"}, PROGRAM),
    ({"sub": "a", "act": {"sub": "app"}}, PROGRAM),
    ({"sub": "a", "client_id": "gateway", "act": {"sub": "gateway"}}, PROGRAM),
    (chain("d", "c", "b", "a"), TOO_LONG),
    ({"sub": "a", "recipient": 5}, "its `recipient` is no text"),
    ({"sub": "a", "recipient": ""}, "its `recipient` is no text"),
    ({"sub": "a", "iss": ["x"]}, "its `iss` is no text"),
]


@pytest.mark.parametrize(("act", "reason"), REFUSED)
async def test_a_chain_that_does_not_name_persons_is_refused(
    identity: Identity, act: Any, reason: str
) -> None:
    assert await refusal(identity, act=act) == reason


async def test_an_act_that_is_null_is_refused(identity: Identity) -> None:
    assert await refusal(identity, act={"sub": "a", "act": {"sub": "b", "act": None}}) == NO_OBJECT


async def test_who_is_acted_for_is_a_natural_person_too(identity: Identity) -> None:
    reason = "it stands for a program, and a natural person is needed"
    assert await refusal(identity, sub="app", act={"sub": "official-8"}) == reason


async def test_a_refusal_repeats_nothing_of_the_chain(identity: Identity) -> None:
    for act in ({"sub": ["SECRET"]}, "SECRET", {"sub": "a", "recipient": ["SECRET"]}):
        assert "SECRET" not in await refusal(identity, act=act)
