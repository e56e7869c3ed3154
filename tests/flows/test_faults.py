"""One agency down costs only its own items, and the answer says so."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator

import httpx
import psutil
import pytest

from tests.demo import Answer, Demo

QUERY = """query($id: ID!) { recipient(id: $id) {
  identity { name }
  tax { earnedIncome }
  property { vehicles { value } }
  income { components { source amount } totals { kind amount complete missing { item state code } }
           total complete missing { source } }
  assets { total complete }
} }"""


@pytest.fixture
def faulty(demo: Demo) -> Iterator[Demo]:
    # An answer between failures keeps a source from being left alone after them.
    ask(demo)
    yield demo
    for source in ("resident", "tax", "labour"):
        demo.fault(source, "none")


def ask(demo: Demo) -> Answer:
    return demo.ask(QUERY, {"id": demo.recipient})


def tax_errors(answer: Answer) -> list[dict[str, object]]:
    return [
        error["extensions"]
        for error in answer.body["errors"]
        if error["path"] == ["recipient", "tax"]
    ]


@pytest.mark.parametrize(
    ("mode", "code"),
    [
        ("error", "SOURCE_UNAVAILABLE"),
        ("half-body", "SOURCE_UNAVAILABLE"),
        ("hang", "SOURCE_TIMEOUT"),
        ("garbage", "SOURCE_CONTRACT"),
        ("redirect", "SOURCE_CONTRACT"),
        ("duplicate", "SOURCE_CONTRACT"),
        ("error-in-200", "SOURCE_CONTRACT"),
        ("huge", "SOURCE_CONTRACT"),
    ],
)
def test_a_failing_agency_costs_only_its_own_items(faulty: Demo, mode: str, code: str) -> None:
    faulty.fault("tax", mode)
    answer = ask(faulty)
    assert answer.status == 200
    found = answer.body["data"]["recipient"]
    assert found["identity"]["name"]
    assert found["property"]["vehicles"]
    assert found["assets"]["complete"] is True
    assert found["tax"] is None
    assert [error["code"] for error in tax_errors(answer)] == [code]
    states = {call["source"]: call["state"] for call in answer.body["extensions"]["sources"]}
    assert states["tax"] == code


def test_a_total_that_needs_a_failing_agency_is_null_and_never_zero(faulty: Demo) -> None:
    faulty.fault("tax", "error")
    answer = ask(faulty)
    income = answer.body["data"]["recipient"]["income"]
    assert (income["total"], income["complete"]) == (None, False)
    assert {gap["source"] for gap in income["missing"]} == {"tax"}
    earned = income["totals"][0]
    assert earned == {
        "kind": "EARNED",
        "amount": None,
        "complete": False,
        "missing": [
            {"item": "tax.earnedIncome", "state": "UNAVAILABLE", "code": "SOURCE_UNAVAILABLE"}
        ],
    }
    paths = [error["path"] for error in answer.body["errors"]]
    assert ["recipient", "income", "total"] in paths
    assert ["recipient", "income", "totals", 0, "amount"] in paths


def test_an_error_says_when_to_retry(faulty: Demo) -> None:
    faulty.fault("tax", "error")
    (error,) = tax_errors(ask(faulty))
    assert error["source"] == "tax"
    assert error["retryAfter"] == 5


def test_a_value_of_the_wrong_type_is_unavailable_alone(faulty: Demo) -> None:
    faulty.fault("tax", "wrong-type")
    answer = ask(faulty)
    assert answer.body["data"]["recipient"]["tax"] == {"earnedIncome": None}
    (error,) = [
        error
        for error in answer.body["errors"]
        if error["path"] == ["recipient", "tax", "earnedIncome"]
    ]
    assert error["extensions"]["code"] == "SOURCE_CONTRACT"


@pytest.mark.parametrize("mode", ["extra-item", "other-person"])
def test_what_nobody_asked_for_is_dropped_and_counted(faulty: Demo, mode: str) -> None:
    faulty.fault("tax", mode)
    answer = ask(faulty)
    assert answer.body["data"]["recipient"]["tax"]["earnedIncome"] is not None
    metrics = httpx.get(f"{faulty.address}/metrics", trust_env=False).text
    assert f'hub_source_breaches_total{{kind="{mode}",source="tax"}}' in metrics


def test_access_that_rests_on_a_failing_register_is_refused(faulty: Demo) -> None:
    faulty.fault("resident", "error")
    answer = ask(faulty)
    assert "data" not in answer.body
    assert (answer.status, answer.codes) == (503, ["SOURCE_UNAVAILABLE"])


@pytest.fixture(scope="module")
def losing(start_demo: Callable[..., Demo]) -> Demo:
    """A demo that loses its agencies for good, one test after another."""
    return start_demo()


def agency_pid(demo: Demo, name: str) -> int:
    """The process of a simulated agency of this demo, found by its command."""
    for child in psutil.Process(demo.process.pid).children(recursive=True):
        if child.cmdline()[-1:] and f"serve {name} " in " ".join(child.cmdline()) + " ":
            return int(child.pid)
    pytest.fail(f"no process serves {name}")


def test_a_database_that_goes_away_is_missed(losing: Demo) -> None:
    os.kill(agency_pid(losing, "property"), signal.SIGTERM)
    deadline = time.monotonic() + 15
    answer = ask(losing)
    while answer.body["data"]["recipient"]["property"] and time.monotonic() < deadline:
        time.sleep(0.2)
        answer = ask(losing)
    found = answer.body["data"]["recipient"]
    assert found["property"] is None
    assert (found["assets"]["total"], found["assets"]["complete"]) == (None, False)
    assert found["tax"]["earnedIncome"] is not None


def test_a_stopped_agency_is_missed_and_comes_back(losing: Demo) -> None:
    pid = agency_pid(losing, "tax")
    os.kill(pid, signal.SIGSTOP)
    try:
        answer = ask(losing)
        assert answer.body["data"]["recipient"]["tax"] is None
        assert [error["code"] for error in tax_errors(answer)] == ["SOURCE_TIMEOUT"]
        assert answer.body["data"]["recipient"]["identity"]["name"]
    finally:
        os.kill(pid, signal.SIGCONT)
    deadline = time.monotonic() + 10
    while ask(losing).body["data"]["recipient"]["tax"] is None and time.monotonic() < deadline:
        time.sleep(0.1)
    assert ask(losing).body["data"]["recipient"]["tax"] is not None
    os.kill(pid, signal.SIGKILL)
    answer = ask(losing)
    assert answer.body["data"]["recipient"]["tax"] is None
    assert [error["code"] for error in tax_errors(answer)] == ["SOURCE_UNAVAILABLE"]
