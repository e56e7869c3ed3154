"""Delegated tokens over HTTP: both persons are in the log, and both are kept from their own."""

from __future__ import annotations

from typing import Any

from tests.demo import Answer, Demo

NAME = "query($id: ID!) { recipient(id: $id) { identity { name } } }"
ISSUER = "https://issuer.demo.invalid"


def ask(demo: Demo, act: dict[str, Any]) -> Answer:
    token = demo.token("caseworker", act=act)
    sent = {"Authorization": f"Bearer {token}"}
    return demo.ask(NAME, {"id": demo.recipient}, headers=sent)


def test_who_acts_and_who_is_acted_for_are_in_every_record(demo: Demo) -> None:
    answer = ask(demo, {"sub": "a", "recipient": "x", "act": {"sub": "b", "recipient": "y"}})
    assert "errors" not in answer.body
    records = demo.last_operation()
    person = demo.personas["caseworker"]["person"]
    assert [(entry["kind"], entry["person"], entry["actor"]) for entry in records] == [
        (kind, person, [{"person": "a", "issuer": ISSUER}, {"person": "b", "issuer": ISSUER}])
        for kind in ("INTENT", "OUTCOME")
    ]


def test_a_record_names_no_actor_where_nobody_acts(demo: Demo) -> None:
    assert demo.ask(NAME, {"id": demo.recipient}).status == 200
    assert [entry["actor"] for entry in demo.last_operation()] == [[], []]


def test_whoever_acts_is_kept_from_their_own_record(demo: Demo) -> None:
    assert ask(demo, {"sub": "a", "recipient": demo.recipient}).codes == ["OUT_OF_REACH"]
    (*_, outcome) = demo.last_operation()
    assert [entry["rule"] for entry in outcome["unreached"]] == ["the caller's own household"]


def test_somebody_acting_who_is_unknown_as_a_resident_is_denied_every_item(demo: Demo) -> None:
    answer = ask(demo, {"sub": "a"})
    assert set(answer.codes) == {"PURPOSE_DENIED"}
    assert {error["extensions"]["rule"] for error in answer.body["errors"]} == {
        "the token does not say who the caller is as a resident"
    }


def test_a_program_that_acts_is_refused(demo: Demo) -> None:
    answer = ask(demo, {"sub": "gateway", "client_id": "gateway"})
    assert (answer.status, answer.codes) == (401, ["UNAUTHENTICATED"])
