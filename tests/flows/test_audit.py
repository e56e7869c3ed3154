"""Auditors read the query log over HTTP, and are themselves logged before they are answered."""

from __future__ import annotations

import time
from typing import Any

from hub.querylog.checkpoint import LogKey
from hub.querylog.note import Verifier
from hub.querylog.proof import Proof
from sources.simulator.access import read_access
from tests.demo import Answer, Demo

NAME = "query($id: ID!) { recipient(id: $id) { identity { name } } }"
FIND = """
query Find(
  $person: String, $office: String, $purpose: String, $case: ID, $subject: ID, $item: String,
  $outcome: String, $since: DateTime, $until: DateTime, $first: Int = 20, $after: String
) {
  accesses(
    person: $person, office: $office, purpose: $purpose, case: $case, subject: $subject,
    item: $item, outcome: $outcome, since: $since, until: $until, first: $first, after: $after
  ) {
    next
    records {
      place kind at operation outcome person actors roles office purpose legalBasis reason cases
      subjects requested disclosed { source items subjects } denied { item rule } errors
      flagged { subject flags } leaf
    }
  }
}
"""


def audit(demo: Demo, query: str = FIND, **variables: Any) -> Answer:
    return demo.ask(query, variables, person="auditor", purpose="audit", case=None)


def found(demo: Demo, **variables: Any) -> list[dict[str, Any]]:
    answer = audit(demo, **variables)
    assert answer.codes == [], answer.body
    records: list[dict[str, Any]] = answer.body["data"]["accesses"]["records"]
    return records


def test_an_auditor_finds_an_access_by_each_way_to_search(demo: Demo) -> None:
    demo.ask(NAME, {"id": demo.recipient})
    (_, outcome) = demo.last_operation()
    ways: list[dict[str, Any]] = [
        {"person": outcome["person"]},
        {"office": outcome["office"]},
        {"purpose": outcome["purpose"]},
        {"case": demo.info["sample"]["case"]},
        {"subject": demo.recipient},
        {"item": "resident.name"},
        {"outcome": "answered"},
        {"since": outcome["at"]},
        {"subject": demo.recipient, "item": "resident.name", "person": outcome["person"]},
    ]
    for way in ways:
        operations = [record["operation"] for record in found(demo, **way)]
        assert outcome["operation"] in operations, way
        assert all(operations)
    others: list[dict[str, Any]] = [
        {"person": "nobody"},
        {"office": "nowhere"},
        {"purpose": "basic-pension.application", "person": outcome["person"], "item": "no.such"},
        {"subject": demo.recipient, "item": "tax.nothing"},
        {"until": "2020-01-01T00:00:00Z"},
    ]
    for way in others:
        assert found(demo, **way) == [], way


def test_a_record_is_shown_as_it_was_written_and_without_the_id(demo: Demo) -> None:
    demo.ask(NAME, {"id": demo.recipient})
    (_, outcome) = demo.last_operation()
    answer = audit(demo, person=outcome["person"], first=1)
    (record,) = answer.body["data"]["accesses"]["records"]
    assert record["operation"] == outcome["operation"]
    assert record["disclosed"] == [
        {"source": source, **group}
        for source, groups in outcome["disclosed"].items()
        for group in groups
    ]
    assert record["cases"] == [demo.info["sample"]["case"]]
    assert demo.recipient not in str(answer.body)


def test_attack_35_a_reader_of_the_log_is_logged_before_and_after(demo: Demo) -> None:
    before = {name: len(read_access(name, demo.run)) for name in ("resident", "benefits")}
    records = found(demo, subject=demo.recipient, item="resident.name", first=3)
    intent, outcome = demo.last_operation()
    assert (intent["kind"], outcome["kind"]) == ("INTENT", "OUTCOME")
    assert (intent["person"], intent["purpose"]) == (demo.personas["auditor"]["person"], "audit")
    read = {"item": "resident.name", "first": 3, "proofs": False}
    assert intent["reads"] == {"accesses": read}
    assert len(intent["subjects"]) == 1
    assert demo.recipient not in str((intent, outcome))
    assert outcome["records"] == [int(record["place"]) for record in records]
    assert before == {name: len(read_access(name, demo.run)) for name in before}
    assert outcome["operation"] in {
        record["operation"] for record in found(demo, subject=demo.recipient, purpose="audit")
    }


def test_attack_35_nobody_else_reads_the_log(demo: Demo) -> None:
    for person, purpose in (
        ("caseworker", "basic-livelihood.application"),
        ("caseworker", "audit"),
        ("recipient", "subject-access"),
        ("auditor", "policy-statistics"),
        ("auditor", "oversight"),
    ):
        answer = demo.ask(
            "{ accesses { next records { person } } }", person=person, purpose=purpose, case=None
        )
        assert "data" not in answer.body or answer.body["data"] is None, (person, purpose)
        assert set(answer.codes) <= {"PURPOSE_DENIED", "GRAPHQL_VALIDATION_FAILED"}
        assert answer.codes, (person, purpose)


def test_pages_follow_one_another_without_gap_or_repetition(demo: Demo) -> None:
    for _ in range(5):
        demo.ask(NAME, {"id": demo.recipient})
    person = demo.personas["caseworker"]["person"]
    whole = [record["place"] for record in found(demo, person=person, first=5)]
    paged: list[str] = []
    after = None
    while len(paged) < 5:
        page = audit(demo, person=person, first=2, after=after).body["data"]["accesses"]
        paged += [record["place"] for record in page["records"]]
        after = page["next"]
        assert after is not None
    assert paged[:5] == whole
    last = audit(demo, person=person, first=1, item="no.such").body["data"]["accesses"]
    assert last == {"next": None, "records": []}


def test_a_subject_in_the_document_a_large_page_and_a_made_cursor_are_refused(demo: Demo) -> None:
    literal = f'{{ accesses(subject: "{demo.recipient}") {{ next }} }}'
    twice = "{ a: accesses(first: 1) { next } b: accesses(first: 2) { next } }"
    for query, variables, code in (
        (literal, {}, "BAD_VARIABLES"),
        (twice, {}, "BAD_REQUEST"),
        (FIND, {"first": 101}, "BAD_VARIABLES"),
        (FIND, {"first": 0}, "BAD_VARIABLES"),
        (FIND, {"after": "nonsense"}, "BAD_VARIABLES"),
        (FIND, {"after": "YmVmb3JlIC0x"}, "BAD_VARIABLES"),
        (FIND, {"subject": "not an id; at all"}, "BAD_VARIABLES"),
    ):
        answer = audit(demo, query, **variables)
        assert answer.codes == [code], (query, variables, answer.body)
        assert demo.recipient not in str(answer.body)


def test_what_the_caller_has_in_common_is_flagged_and_looked_up_in_the_same_call(
    demo: Demo,
) -> None:
    own = demo.token("caseworker", recipient=demo.recipient, sub="namesake")
    demo.ask(NAME, {"id": demo.recipient}, headers={"Authorization": f"Bearer {own}"})
    intent, outcome = demo.last_operation()
    (subject,) = intent["subjects"]
    assert outcome["flags"] == [{"subject": subject, "flags": ["sameSurname", "sameAddress"]}]
    demo.ask(NAME, {"id": demo.recipient})
    intent, *_, outcome = demo.last_operation()
    assert len(intent["lookers"]) == 1
    assert outcome["subjects"] == [subject]
    assert [call["round"] for call in outcome["sources"]].count("household") == 1
    assert {"resident.name", "resident.address"} <= set(intent["lookups"])


def test_indicators_are_counted_and_lead_to_their_records(demo: Demo) -> None:
    own = demo.token("caseworker", recipient=demo.recipient, sub="flatmate", roles=["caseworker"])
    sent = {"Authorization": f"Bearer {own}"}
    demo.ask(NAME, {"id": demo.recipient}, headers=sent)
    demo.ask(NAME, {"id": demo.recipient})
    query = "{ misuseIndicators { accesses unexplained indicators { name count share query } } }"
    report = audit(demo, query).body["data"]["misuseIndicators"]
    assert len(report["indicators"]) == 13
    assert report["accesses"] >= 1
    intent, outcome = demo.last_operation()
    assert intent["reads"] == {"misuseIndicators": {}}
    assert outcome["counts"] == {each["name"]: each["count"] for each in report["indicators"]}
    for each in report["indicators"]:
        page = audit(demo, each["query"]).body["data"]["accesses"]
        assert len(page["records"]) == min(each["count"], 20), each["name"]
    wrong = audit(demo, '{ misuseIndicators(names: ["nonsense"]) { accesses } }')
    assert wrong.codes == ["BAD_VARIABLES"]


def test_a_record_comes_with_a_proof_that_a_third_party_checks(demo: Demo) -> None:
    demo.ask(NAME, {"id": demo.recipient})
    query = (
        '{ accesses(first: 1, proofs: true, purpose: "basic-livelihood.application")'
        " { records { place proof } } }"
    )
    deadline = time.monotonic() + 10
    while True:
        (record,) = audit(demo, query).body["data"]["accesses"]["records"]
        if record["proof"] is not None or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    lines = (demo.folder / "keys" / "verifiers.txt").read_text().splitlines()
    keys = [LogKey(Verifier.read(line)) for line in lines]
    _, proved, _ = Proof.read(record["proof"]).check(keys)
    assert proved["purpose"] == "basic-livelihood.application"
