"""Every access case, asked over HTTP: answer, log and the agencies' own records agree with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

from hub.app import Plans
from hub.errors import CODES
from tests.access.cases import Asker, Case, read_callers, read_cases
from tests.access.oracle import Oracle, occurring
from tests.access.transcript import Exchange, Transcript
from tests.access.world import World
from tests.demo import Demo

CASES = read_cases()


class Asked:
    """All the cases, asked one after another, with what each left behind."""

    def __init__(self, demo: Demo, world: World) -> None:
        with Transcript(demo) as self.transcript:
            asker = Asker(world, self.transcript)
            self.exchanges = [asker.ask(case) for case in CASES]
            self.transcript.settle()
            self.metrics = self.transcript.metrics()


@pytest.fixture(scope="module")
def asked(demo: Demo, world: World) -> Asked:
    return Asked(demo, world)


@pytest.mark.parametrize("number", range(len(CASES)), ids=[case.says for case in CASES])
def test_case(asked: Asked, oracle: Oracle, plans: Plans, number: int) -> None:
    case, exchange = CASES[number], asked.exchanges[number]
    judges = {
        "answered": judge_answered,
        "withheld": judge_withheld,
        "denied": judge_denied,
        "out of reach": judge_out_of_reach,
        "refused": judge_refused,
        "unavailable": judge_unavailable,
    }
    judges[case.decision](case, exchange, asked)
    if case.items and exchange.records:
        judge_items(case, exchange, plans)
    if exchange.intents:
        assert exchange.intents[0]["reduced"] == case.reduced
    assert_shown(case.answer, exchange.answer.body.get("data"))
    oracle.judge(exchange)


def judge_answered(case: Case, exchange: Exchange, _: Asked) -> None:
    """Everything asked for is granted and given."""
    assert "errors" not in exchange.answer.body
    assert exchange.answer.status == 200
    if exchange.records:
        intent = exchange.intents[0]
        given = {*intent["granted"], *intent.get("derivable", {})}
        assert given == set(intent["requested"])
        assert_outcome(exchange, "answered", [])
        assert exchange.outcome["unreached"] == []
    assert not case.rule


def judge_withheld(case: Case, exchange: Exchange, _: Asked) -> None:
    """The denied items are withheld, each with its rule, and the rest is given."""
    assert exchange.answer.status == 200
    assert set(exchange.answer.codes) <= {"PURPOSE_DENIED"}
    assert_outcome(exchange, "answered", exchange.answer.codes)
    logged = {entry["item"]: entry["rule"] for entry in exchange.outcome["denied"]}
    assert_rules(case, logged)
    for error in exchange.answer.body.get("errors", []):
        rule = error["extensions"]["rule"]
        reduced = rule == "it is released reduced only, and nothing is computed from it"
        assert reduced or logged[error["extensions"]["item"]] == rule


def judge_denied(case: Case, exchange: Exchange, _: Asked) -> None:
    """Every denied item is listed at once, with its rule, and nobody is asked."""
    assert (exchange.answer.status, set(exchange.answer.codes)) == (403, {"PURPOSE_DENIED"})
    told = {
        error["extensions"]["item"]: error["extensions"]["rule"]
        for error in exchange.answer.body["errors"]
    }
    assert all(error["extensions"]["remedy"] for error in exchange.answer.body["errors"])
    assert told == {entry["item"]: entry["rule"] for entry in exchange.outcome["denied"]}
    assert_rules(case, told)
    assert exchange.intents == []
    assert exchange.accesses == []
    assert_outcome(exchange, "refused", ["PURPOSE_DENIED"])


def judge_out_of_reach(case: Case, exchange: Exchange, asked: Asked) -> None:
    """Whoever is out of reach is null with one and the same error; the log has the reason."""
    assert exchange.answer.status == 200
    assert set(exchange.answer.codes) == {"OUT_OF_REACH"}
    for error in exchange.answer.body["errors"]:
        assert error["message"] == out_of_reach(asked)
        assert error["extensions"].keys() == {"code", "remedy"}
    assert_outcome(exchange, "answered", ["OUT_OF_REACH"])
    pseudonym = {entry["subject"]: entry["rule"] for entry in exchange.outcome["unreached"]}
    if case.rule:
        assert set(pseudonym.values()) == {case.rule}
    for value in exchange.answer.body["data"].values():
        if isinstance(value, list) and len(value) == len(case.people):
            people = zip(case.people, value, strict=True)
            assert [words for words, found in people if found is not None] == case.reached
        elif isinstance(value, list):
            assert set(value) == {None}
        else:
            assert value is None or case.partly


def out_of_reach(asked: Asked) -> str:
    """The message of the first case that is out of reach: all have the same."""
    found = (
        exchange.answer.body["errors"][0]["message"]
        for case, exchange in zip(CASES, asked.exchanges, strict=True)
        if case.decision == "out of reach"
    )
    return str(next(found))


def judge_refused(case: Case, exchange: Exchange, _: Asked) -> None:
    """The whole operation is refused with a code, and the log says so."""
    assert set(exchange.answer.codes) == {case.code}
    assert exchange.answer.status == CODES[case.code].status
    (message,) = {error["message"] for error in exchange.answer.body["errors"]}
    if case.code == "CASE_REFUSED":
        # Which of the rules it was is for the log alone.
        assert message == "a case named in `Hub-Case` gives no reason to look"
        assert {entry["rule"] for entry in exchange.outcome["unreached"]} == {case.rule}
    elif case.rule:
        assert message.endswith(case.rule)
    if exchange.records:
        assert_outcome(exchange, "refused", [case.code])


def judge_unavailable(case: Case, exchange: Exchange, _: Asked) -> None:
    """What would lead to a protected person looks unavailable, and the log says that it is not."""
    assert exchange.answer.status == 200
    assert set(exchange.answer.codes) == {"SOURCE_UNAVAILABLE"}
    assert_outcome(exchange, "answered", ["SOURCE_UNAVAILABLE"])
    (entry,) = exchange.outcome["concealed"]
    assert entry["subject"] in exchange.intents[0]["subjects"]
    assert entry["sources"] == case.concealed


def judge_items(case: Case, exchange: Exchange, plans: Plans) -> None:
    """Just these items are granted, and just these are denied, `exists` apart."""
    allowed = set(exchange.intents[0]["granted"]) if exchange.intents else set()
    denied = {entry["item"] for entry in exchange.outcome["denied"]}
    exists = {item.name for item in plans.catalogue.items.values() if item.is_exists}
    if "allowed" in case.items and case.decision != "denied":
        assert allowed - exists == set(case.items["allowed"])
    if "denied" in case.items:
        assert denied - exists == set(case.items["denied"]) - exists
        assert set(case.items["denied"]) & exists <= denied


def assert_outcome(exchange: Exchange, outcome: str, codes: list[str]) -> None:
    assert exchange.outcome["outcome"] == outcome
    assert exchange.outcome["errors"] == sorted(set(codes))


def assert_shown(expected: Any, found: Any) -> None:
    """What the access case says of the data is there; `withheld` is null."""
    if isinstance(expected, dict):
        for key, value in expected.items():
            assert_shown(value, found[key])
    else:
        assert found == (None if expected == "withheld" else expected)


def assert_rules(case: Case, told: Mapping[str, Any]) -> None:
    if case.rule:
        assert set(told.values()) == {case.rule}
    for item, rule in case.rules.items():
        assert told[item] == rule


def test_no_metric_and_no_error_text_says_anything_personal(asked: Asked, oracle: Oracle) -> None:
    for exchange in asked.exchanges:
        oracle.judge(exchange)
    metrics, errors = asked.metrics, asked.transcript.new_errors()
    assert oracle.personal
    assert not occurring(oracle.personal, metrics), "in the metrics"
    assert not occurring(oracle.personal, errors), "on standard error"


def test_out_of_reach_is_one_and_the_same_answer_whatever_the_reason(asked: Asked) -> None:
    bodies = [
        {**exchange.answer.body, "extensions": None}
        for case, exchange in zip(CASES, asked.exchanges, strict=True)
        if case.decision == "out of reach"
        and case.asks == "identity { name }"
        and isinstance(case.about, str)
    ]
    assert len(bodies) > 5
    assert all(body == bodies[0] for body in bodies)


def test_every_purpose_has_its_access_cases(plans: Plans) -> None:
    assert {case.purpose for case in CASES} >= plans.register.purposes.keys()


RULES = (
    r"`[\w.-]+` is for [a-z, ]+",
    r"`[\w.-]+` reaches no person",
    r"the token does not say who the caller is as a resident",
    r"the token does not say the caller's office and district",
    r"`[\w.-]+` reads one's own record and nothing else",
    r"`[\w.-]+` reads one's own record and one's children's, each by its id, and nothing else",
    r"`[\w.-]+` reaches the recipient named and nothing else",
    r"`[\w.-]+` rests on no case",
    r"`[\w.-]+` prohibits item `[\w.]+`",
    r"`[\w.-]+` prohibits category `[a-z]+`",
    r"`[\w.-]+` does not name it",
    r"not the caller's own record",
    r"no such recipient",
    r"no household is known",
    r"the caller's own household",
    r"outside the caller's district",
    r"no case concerns the household",
    r"receives nothing under survey",
    r"there is no such case at the caller's office",
    r"the case is not open",
    r"the case is of a programme that `[\w.-]+` does not cover",
    r"its applicant is out of reach",
    r"somebody acts for the caller",
    r"not of the caller's household",
    r"no child of the caller's",
    r"the case is in the charge of another official",
    r"a colleague of the caller's office, or of a colleague's household",
    r"who works at the caller's office is not known",
)
"""Every kind of rule that the register as it is can refuse by."""


def test_every_rule_is_logged_by_some_access_case_and_no_other_rule(asked: Asked) -> None:
    logged = {
        entry["rule"]
        for exchange in asked.exchanges
        for record in exchange.records
        for entry in (*record.get("denied", ()), *record.get("unreached", ()))
    }
    assert [rule for rule in RULES if not any(re.fullmatch(rule, one) for one in logged)] == []
    assert [one for one in logged if not any(re.fullmatch(rule, one) for rule in RULES)] == []


def test_every_role_has_its_access_cases(plans: Plans) -> None:
    roles = {role for purpose in plans.register.purposes.values() for role in purpose.roles}
    assert (
        roles
        == {"caseworker", "policy", "auditor", "officer", "recipient", "supervisor"}
        <= {case.caller for case in CASES}
    )


def test_no_access_case_is_told_twice() -> None:
    assert len({case.says for case in CASES}) == len(CASES) >= 150
    seen: dict[str, str] = {}
    for case in CASES:
        told = (case.case, case.about, case.document, case.withhold, case.variables)
        key = f"{case.caller} {case.purpose} {told}"
        assert key not in seen, f"{case.says}: the same as {seen[key]}"
        seen[key] = case.says


def test_every_caller_described_asks_something() -> None:
    assert set(read_callers()) == {case.caller for case in CASES}
