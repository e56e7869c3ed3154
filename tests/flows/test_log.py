"""Log before release: what the query log holds of an operation, and that nothing goes without."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass

import httpx
import pytest
from tlog_scales.reader import TilesReader
from tlog_scales.signing import Vkey

from tests.demo import Demo

NAME = "query($id: ID!) { recipient(id: $id) { identity { name } } }"


def test_an_operation_leaves_intent_and_outcome(demo: Demo) -> None:
    demo.ask(
        "query Who($id: ID!) { recipient(id: $id) { tax { arrears } } }", {"id": demo.recipient}
    )
    intent, outcome = demo.last_operation()
    assert (intent["kind"], outcome["kind"]) == ("INTENT", "OUTCOME")
    assert intent["person"] == demo.personas["caseworker"]["person"]
    assert intent["roles"] == ["caseworker"]
    assert intent["office"] == demo.personas["caseworker"]["office"]
    assert intent["purpose"] == "basic-livelihood.application"
    assert intent["legalBasis"] == "National Basic Living Security Act, Article 22"
    assert intent["cases"] == []
    assert len(intent["casesNamed"]) == 1
    assert outcome["cases"] == [demo.info["sample"]["case"]]
    assert intent["document"]["name"] == "Who"
    assert intent["requested"] == ["resident.exists", "tax.arrears", "tax.exists"]
    assert intent["granted"] == intent["requested"]
    (subject,) = intent["subjects"]
    assert outcome["outcome"] == "answered"
    assert outcome["disclosed"] == {
        "resident": [{"items": ["resident.exists"], "subjects": [subject]}],
        "tax": [{"items": ["tax.arrears", "tax.exists"], "subjects": [subject]}],
    }
    assert {entry["source"]: entry["state"] for entry in outcome["sources"]} == {
        "benefits": "OK",
        "resident": "OK",
        "tax": "OK",
    }
    assert outcome["durationMicroseconds"] > 0


def test_members_have_an_intent_of_their_own_before_they_are_asked_about(demo: Demo) -> None:
    demo.ask(
        "query($id: ID!) { recipient(id: $id) { household { members { identity { name } } } } }",
        {"id": demo.recipient},
    )
    first, second, outcome = demo.last_operation()
    assert [entry["kind"] for entry in (first, second, outcome)] == ["INTENT", "INTENT", "OUTCOME"]
    assert len(first["subjects"]) == 1
    assert len(second["subjects"]) >= 2
    disclosed = {
        subject
        for groups in outcome["disclosed"].values()
        for group in groups
        for subject in group["subjects"]
    }
    assert disclosed == {*first["subjects"], *second["subjects"]}


def test_the_applicant_of_a_case_has_an_intent_before_they_are_asked_about(demo: Demo) -> None:
    query = "query($r: ID!) { case(reference: $r) { household { id } } }"
    demo.ask(query, {"r": demo.info["sample"]["case"]}, case=None)
    first, second, *_ = demo.last_operation()
    assert first["subjects"] == []
    assert len(second["subjects"]) == 1


def test_a_refusal_is_logged_with_rule_and_without_intent(demo: Demo) -> None:
    demo.ask(
        "query($id: ID!) { recipient(id: $id) { resident { registeredAbroad } } }",
        {"id": demo.recipient},
    )
    (outcome,) = demo.last_operation()
    assert (outcome["kind"], outcome["outcome"]) == ("OUTCOME", "refused")
    assert outcome["errors"] == ["PURPOSE_DENIED"]
    assert outcome["denied"] == [
        {
            "item": "resident.registeredAbroad",
            "rule": "`basic-livelihood.application` prohibits item `resident.registeredAbroad`",
        }
    ]


def test_a_refused_case_is_logged_after_its_intent(demo: Demo) -> None:
    demo.ask(NAME, {"id": demo.recipient}, case="2026-11110-999999")
    intent, outcome = demo.last_operation()
    assert intent["kind"] == "INTENT"
    assert (outcome["outcome"], outcome["errors"]) == ("refused", ["CASE_REFUSED"])


def test_the_log_holds_no_id_and_no_value(demo: Demo) -> None:
    query = (
        f'query N800101_1234567 {{ recipient(id: "{demo.recipient}") {{ identity {{ name }} }} }}'
    )
    name = demo.ask(query).body["data"]["recipient"]["identity"]["name"]
    logged = json.dumps(demo.records(), ensure_ascii=False)
    assert demo.recipient not in logged
    assert name not in logged
    assert "1234567" not in logged


def test_documents_that_differ_in_literals_only_have_one_hash(demo: Demo) -> None:
    hashes = set()
    for key in (demo.recipient, "998899-1000000"):
        demo.ask(f'{{ recipient(id: "{key}") {{ id }} }}')
        hashes.add(demo.last_operation()[-1]["document"]["hash"])
    assert len(hashes) == 1


def test_while_the_log_is_locked_nothing_is_answered_and_nobody_is_asked(demo: Demo) -> None:
    assert demo.ask(NAME, {"id": demo.recipient}).status == 200
    calls = (demo.run / "resident" / "access.jsonl").read_text().count("\n")
    with closing(sqlite3.connect(demo.folder / "log.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        answer = demo.ask(NAME, {"id": demo.recipient})
        other.execute("ROLLBACK")
    assert answer.codes == ["LOG_UNAVAILABLE"]
    assert answer.status == 503
    assert set(answer.body) == {"errors"}
    assert (demo.run / "resident" / "access.jsonl").read_text().count("\n") == calls
    assert demo.ask(NAME, {"id": demo.recipient}).status == 200


@pytest.mark.parametrize("purpose", ["basic-livelihood.application", "nonsense"])
def test_every_attempt_on_data_is_in_the_log(demo: Demo, purpose: str) -> None:
    before = len(demo.records())
    demo.ask(NAME, {"id": demo.recipient}, purpose=purpose, person="auditor")
    assert len(demo.records()) == before + 1


@dataclass(frozen=True)
class Served:
    """The log of a demo, as the other implementation fetches it."""

    demo: Demo

    def get(self, *path: str) -> bytes | None:
        url = f"{self.demo.address}/log/{'/'.join(path)}"
        found = httpx.get(url, trust_env=False, verify=False)
        return found.content if found.status_code == 200 else None


def test_what_was_answered_is_signed_within_a_second_and_verified_by_anothers_tool(
    demo: Demo,
) -> None:
    demo.ask(NAME, {"id": demo.recipient})
    answered = time.monotonic()
    records = len(demo.records())
    reader = TilesReader(Served(demo))
    while (checkpoint := reader.get_checkpoint()).size < records:
        assert time.monotonic() < answered + 5, "the log is not signed"
        time.sleep(0.05)
    verifier = (demo.folder / "keys" / "verifiers.txt").read_text().strip()
    checkpoint.verify(Vkey.from_string(verifier))
    assert reader.calculate_root_hash() == checkpoint.root_hash
    entry = reader.get_entry(checkpoint.size - 1)
    assert set(json.loads(entry)) == {"commitment", "version"}


def test_the_log_of_a_running_demo_is_clean(demo: Demo) -> None:
    demo.ask(NAME, {"id": demo.recipient})
    said = subprocess.run(
        [sys.executable, "-m", "hub.cli", "log", "verify", "--store", demo.info["log"]["store"]],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (said.returncode, said.stdout.splitlines()[-1]) == (0, "clean"), said.stdout
