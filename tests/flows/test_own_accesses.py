"""A recipient asks who looked at their record: when, which office, why, at what, with a receipt."""

from __future__ import annotations

import base64
import datetime
import time
from typing import Any

from hub.querylog.checkpoint import LogKey, checked
from hub.querylog.leaf import leaf_hash
from hub.querylog.note import Verifier
from hub.querylog.tree import check_inclusion
from tests.demo import Answer, Demo

SEEN = "query($id: ID!) { recipient(id: $id) { identity { name } } }"
OWN = """
{ ownAccesses(first: 5) {
    next
    accesses { at office official purpose title legalBasis items breakGlass place leaf receipt }
} }
"""
DELAY = """
mutation($place: ID!, $until: DateTime!, $reason: String!) {
  delayTelling(place: $place, until: $until, reason: $reason) { place until }
}
"""
REASON = "An investigation of the official is under way, and would be warned."


def own(demo: Demo, person: str = "recipient", **headers: str) -> list[dict[str, Any]]:
    answer = demo.ask(OWN, person=person, purpose="subject-access", case=None, headers=headers)
    assert answer.codes == [], answer.body
    accesses: list[dict[str, Any]] = answer.body["data"]["ownAccesses"]["accesses"]
    return accesses


def delay(demo: Demo, place: str, until: datetime.datetime, reason: str = REASON) -> Answer:
    variables = {"place": place, "until": until.isoformat(), "reason": reason}
    return demo.ask(DELAY, variables, person="auditor", purpose="audit", case=None)


def test_a_recipient_is_told_of_an_access_and_not_by_whom(demo: Demo) -> None:
    demo.ask(SEEN, {"id": demo.recipient})
    outcome = demo.last_operation()[-1]
    access = own(demo)[0]
    at, written = map(datetime.datetime.fromisoformat, (access["at"], outcome["at"]))
    assert at == written
    assert access["office"] == demo.personas["caseworker"]["office"]
    assert access["purpose"] == "basic-livelihood.application"
    assert access["legalBasis"] == "National Basic Living Security Act, Article 22"
    assert access["items"] == ["resident.exists", "resident.name"]
    assert (access["breakGlass"], access["official"]) == (False, None)
    assert outcome["person"] not in str(access)


def test_the_reading_is_logged_and_what_was_denied_is_no_access(demo: Demo) -> None:
    denied = "query($id: ID!) { recipient(id: $id) { resident { registeredAbroad } } }"
    demo.ask(denied, {"id": demo.recipient})
    refused = demo.last_operation()[-1]
    shown = own(demo)
    intent, outcome = demo.last_operation()
    assert (intent["kind"], intent["purpose"]) == ("INTENT", "subject-access")
    assert outcome["records"] == [int(each["place"]) for each in shown]
    written = datetime.datetime.fromisoformat(refused["at"])
    assert written not in [datetime.datetime.fromisoformat(each["at"]) for each in shown]


def test_a_receipt_verifies_against_the_signed_checkpoint(demo: Demo) -> None:
    demo.ask(SEEN, {"id": demo.recipient})
    deadline = time.monotonic() + 10
    while (access := own(demo)[0])["receipt"] is None and time.monotonic() < deadline:
        time.sleep(0.2)
    proof, _, checkpoint = access["receipt"].partition("\n\n")
    first, index, *hashes = proof.split("\n")
    assert (first, index) == ("c2sp.org/tlog-proof@v1", f"index {access['place']}")
    vkeys = (demo.folder / "keys" / "verifiers.txt").read_text().split("\n")
    keys = [LogKey(Verifier.read(line)) for line in vkeys if line]
    head = checked(checkpoint, keys)
    leaf = base64.b64decode(access["leaf"])
    path = [base64.b64decode(each) for each in hashes]
    check_inclusion(int(access["place"]), head.size, leaf_hash(leaf), path, head.root)


def test_nobody_else_is_told(demo: Demo) -> None:
    demo.ask(SEEN, {"id": demo.recipient})
    other = demo.token("recipient", recipient=demo.personas["caseworker2"]["recipient"], sub="x")
    mine = own(demo)[0]["place"]
    assert mine not in [each["place"] for each in own(demo, Authorization=f"Bearer {other}")]
    for person, purpose in (("auditor", "audit"), ("caseworker", "basic-livelihood.application")):
        assert demo.ask(OWN, person=person, purpose=purpose, case=None).codes


def test_an_access_under_investigation_is_told_later(demo: Demo) -> None:
    demo.ask(SEEN, {"id": demo.recipient})
    place = own(demo)[0]["place"]
    now = datetime.datetime.now(datetime.UTC)
    assert delay(demo, place, now + datetime.timedelta(days=30)).codes == []
    assert demo.last_operation()[0]["reason"] == REASON
    assert place not in [each["place"] for each in own(demo)]
    assert delay(demo, place, now - datetime.timedelta(seconds=1)).codes == []
    assert own(demo)[0]["place"] == place
    for until, reason, code in (
        (now + datetime.timedelta(days=400), REASON, "BAD_VARIABLES"),
        (now + datetime.timedelta(days=30), "because", "REASON_REQUIRED"),
    ):
        assert delay(demo, place, until, reason).codes == [code]
    assert delay(demo, "999999999", now, REASON).codes == ["BAD_VARIABLES"]
    refused = demo.ask(
        DELAY,
        {"place": place, "until": now.isoformat(), "reason": REASON},
        person="recipient",
        purpose="subject-access",
        case=None,
    )
    assert refused.codes
