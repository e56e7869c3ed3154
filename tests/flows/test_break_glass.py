"""Break-glass over HTTP: opened, used, told, reviewed; and attack 29, from outside."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import httpx
import pytest

from sources.simulator.access import read_access
from tests.access.world import World
from tests.command import beside
from tests.demo import Answer, Demo

OPEN = (
    "mutation($id: ID!, $reason: String!) {"
    " openBreakGlass(recipient: $id, reason: $reason) { id until due overdue reason office } }"
)
SEE = "query($id: ID!) { recipient(id: $id) { identity { name address } } }"
REVIEW = (
    "mutation($use: ID!) { reviewBreakGlass(use: $use, finding: JUSTIFIED,"
    ' note: "The fire brigade confirms it.") { id finding reviewer } }'
)
WAITING = "{ waiting { reviews { id person reason overdue seen { items } } approvals { id } } }"
OWN = "{ ownUses { suspended uses { id overdue finding } } }"
REASONS = (
    "Neighbours report smoke from the flat; nobody opens, and the person uses a wheelchair.",
    "Found unconscious on the stairs by the postwoman; the ambulance needs to know of kin.",
    "A child of three stands alone at the bus stop and can say its name, no address known.",
    "The police hold a confused elderly gentleman who cannot tell them where his daughter is.",
    "Dialysis was missed twice, the clinic cannot reach anybody by telephone since Saturday.",
    "Gas leak in the whole row of houses; residents who cannot walk must be carried out now.",
)


@pytest.fixture
def glass(demo: Demo) -> Iterator[Demo]:
    """The demo, with nothing opened before or after."""
    _forget(demo)
    yield demo
    _forget(demo)


def _forget(demo: Demo) -> None:
    tables = ("use", "sight", "party", "subject", "approval", "notice")
    change(demo, *(f"DELETE FROM oversight_{table}" for table in tables))
    change(demo, "DELETE FROM subject_use")


def change(demo: Demo, *statements: str) -> None:
    """Change the store beside the hub: it is how tests let time pass."""
    with closing(sqlite3.connect(demo.folder / "log.db", timeout=10)) as store:
        for statement in statements:
            store.execute(statement)
        store.commit()


def as_person(demo: Demo, name: str, office: str, role: str = "caseworker") -> dict[str, str]:
    token = demo.token("caseworker", sub=name, recipient=f"r-{name}", office=office, roles=[role])
    return {"Authorization": f"Bearer {token}"}


def ask(demo: Demo, query: str, purpose: str = "break-glass", **variables: Any) -> Answer:
    sent = variables.pop("sent", {})
    return demo.ask(query, variables, purpose=purpose, case=None, headers=sent)


def opened(demo: Demo, reason: int = 0, recipient: str | None = None, **sent: Any) -> Answer:
    return ask(demo, OPEN, id=recipient or demo.recipient, reason=REASONS[reason], **sent)


def reviewer(demo: Demo, name: str = "supervisor-9", office: str = "office-b") -> dict[str, str]:
    return as_person(demo, name, office, "supervisor")


def test_a_break_glass_opens_one_recipient_without_a_case(glass: Demo) -> None:
    assert ask(glass, SEE, id=glass.recipient).codes == ["BREAK_GLASS_REQUIRED"]
    made = opened(glass).body["data"]["openBreakGlass"]
    assert (made["overdue"], made["office"]) == (False, "office-11110")
    answer = ask(glass, SEE, id=glass.recipient)
    assert answer.codes == []
    assert answer.body["data"]["recipient"]["identity"]["name"]
    intent, outcome = glass.last_operation()
    assert intent["breakGlass"] == outcome["breakGlass"] == [made["id"]]
    other = glass.personas["caseworker2"]["recipient"]
    assert ask(glass, SEE, id=other).codes == ["BREAK_GLASS_REQUIRED"]


def test_opening_is_logged_before_and_after_and_asks_no_agency(glass: Demo) -> None:
    before = {name: len(read_access(name, glass.run)) for name in ("resident", "benefits")}
    use = opened(glass).body["data"]["openBreakGlass"]["id"]
    intent, outcome = glass.last_operation()
    assert [entry["kind"] for entry in (intent, outcome)] == ["INTENT", "OUTCOME"]
    assert intent["reason"] == REASONS[0]
    assert len(intent["subjects"]) == 1
    assert glass.recipient not in str(intent)
    assert (outcome["outcome"], outcome["acts"]) == ("answered", {"openBreakGlass": use})
    assert before == {name: len(read_access(name, glass.run)) for name in before}


def test_a_break_glass_opens_neither_the_household_nor_income(glass: Demo) -> None:
    opened(glass)
    for query in (
        "query($id: ID!) { recipient(id: $id) { household { members { id } } } }",
        "query($id: ID!) { recipient(id: $id) { income { total } } }",
        'query { case(reference: "2026-11110-000001") { state } }',
    ):
        assert set(ask(glass, query, id=glass.recipient).codes) <= {
            "PURPOSE_DENIED",
            "BREAK_GLASS_REQUIRED",
        }
        assert glass.last_operation()[-1]["sources"] == []


def test_it_closes_after_its_minutes(glass: Demo) -> None:
    opened(glass)
    change(glass, f"UPDATE oversight_use SET until = {time.time() - 1}")
    assert ask(glass, SEE, id=glass.recipient).codes == ["BREAK_GLASS_REQUIRED"]


def test_the_recipient_is_told_under_subject_access(glass: Demo) -> None:
    opened(glass)
    query = "{ notices { purpose title legalBasis office at } }"
    told = glass.ask(query, person="recipient", purpose="subject-access", case=None)
    (notice,) = told.body["data"]["notices"]
    assert (notice["purpose"], notice["office"]) == ("break-glass", "office-11110")
    assert ask(glass, query).codes == ["PURPOSE_DENIED"]


def test_a_reviewer_of_another_office_sees_what_was_seen_and_closes_it(glass: Demo) -> None:
    use = opened(glass).body["data"]["openBreakGlass"]["id"]
    ask(glass, SEE, id=glass.recipient)
    (waiting,) = ask(glass, WAITING, "oversight", sent=reviewer(glass)).body["data"]["waiting"][
        "reviews"
    ]
    assert (waiting["id"], waiting["reason"]) == (use, REASONS[0])
    (sight,) = waiting["seen"]
    assert "resident.address" in sight["items"]
    done = ask(glass, REVIEW, "oversight", use=use, sent=reviewer(glass))
    assert done.body["data"]["reviewBreakGlass"]["finding"] == "JUSTIFIED"
    own = ask(glass, OWN).body["data"]["ownUses"]["uses"]
    assert own == [{"id": use, "overdue": False, "finding": "JUSTIFIED"}]


def test_attack_24_ones_own_household_stays_closed_to_a_break_glass(glass: Demo) -> None:
    token = glass.token("caseworker", recipient=glass.recipient)
    sent = {"Authorization": f"Bearer {token}"}
    opened(glass, sent=sent)
    answer = ask(glass, SEE, id=glass.recipient, sent=sent)
    assert (answer.body["data"], answer.codes) == ({"recipient": None}, ["OUT_OF_REACH"])


def test_attack_29_a_reason_is_not_pasted_twice(glass: Demo) -> None:
    assert opened(glass).codes == []
    other = glass.personas["caseworker2"]["recipient"]
    assert opened(glass, recipient=other).codes == ["REASON_REPEATED"]
    changed = REASONS[0].replace("smoke", "heavy fumes").upper()
    assert ask(glass, OPEN, id=other, reason=changed).codes == ["REASON_REPEATED"]
    assert ask(glass, OPEN, id=other, reason="urgent!").codes == ["REASON_REQUIRED"]
    (*_, outcome) = glass.last_operation()
    assert (outcome["outcome"], outcome["errors"]) == ("refused", ["REASON_REQUIRED"])


def test_attack_29_an_overdue_review_suspends_opening_and_what_is_open(glass: Demo) -> None:
    use = opened(glass).body["data"]["openBreakGlass"]["id"]
    change(glass, f"UPDATE oversight_use SET due = {time.time() - 1}")
    assert opened(glass, 1).codes == ["BREAK_GLASS_SUSPENDED"]
    assert ask(glass, SEE, id=glass.recipient).codes == ["BREAK_GLASS_SUSPENDED"]
    assert ask(glass, OWN).body["data"]["ownUses"]["suspended"] is True
    deputy = glass.token(
        "caseworker",
        sub="deputy",
        recipient="r-deputy",
        act={"sub": glass.personas["caseworker"]["person"], "recipient": "r"},
    )
    sent = {"Authorization": f"Bearer {deputy}"}
    assert opened(glass, 2, sent=sent).codes == ["BREAK_GLASS_SUSPENDED"]
    ask(glass, REVIEW, "oversight", use=use, sent=reviewer(glass))
    assert opened(glass, 3).codes == []


def test_attack_29_the_requester_and_the_same_office_do_not_review(glass: Demo) -> None:
    use = opened(glass).body["data"]["openBreakGlass"]["id"]
    own = glass.token("caseworker", roles=["supervisor"], office="office-b")
    for sent in (
        {"Authorization": f"Bearer {own}"},
        reviewer(glass, office="office-11110"),
    ):
        assert ask(glass, REVIEW, "oversight", use=use, sent=sent).codes == ["OVERSIGHT_REFUSED"]
        assert ask(glass, WAITING, "oversight", sent=sent).body["data"]["waiting"]["reviews"] == []
    assert ask(glass, REVIEW, "oversight", use=use).codes == ["PURPOSE_DENIED"]


def test_attack_29_a_ring_of_two_and_one_of_three_do_not_review_each_other(glass: Demo) -> None:
    people = [("ring-a", "office-a"), ("ring-b", "office-b"), ("ring-c", "office-c")]
    uses = []
    for number, (name, office) in enumerate(people):
        sent = as_person(glass, name, office)
        uses.append(opened(glass, number, sent=sent).body["data"]["openBreakGlass"]["id"])
    a, b, c = (as_person(glass, name, office, "supervisor") for name, office in people)
    assert ask(glass, REVIEW, "oversight", use=uses[0], sent=b).codes == []
    assert ask(glass, REVIEW, "oversight", use=uses[1], sent=a).codes == ["OVERSIGHT_REFUSED"]
    assert ask(glass, REVIEW, "oversight", use=uses[1], sent=c).codes == []
    assert ask(glass, REVIEW, "oversight", use=uses[2], sent=a).codes == ["OVERSIGHT_REFUSED"]
    assert ask(glass, REVIEW, "oversight", use=uses[2], sent=reviewer(glass)).codes == []


@pytest.mark.parametrize(
    "mutation",
    [
        'mutation { a: openBreakGlass(recipient: "x", reason: "y") { id }'
        ' b: openBreakGlass(recipient: "x", reason: "y") { id } }',
        'mutation { openBreakGlass(recipient: "x", reason: "y") @skip(if: true) { id } }',
        "mutation { ...F } fragment F on Mutation {"
        ' openBreakGlass(recipient: "x", reason: "y") { id } }',
    ],
    ids=["two", "skipped", "fragment"],
)
def test_a_mutation_does_one_thing_and_does_it(glass: Demo, mutation: str) -> None:
    assert ask(glass, mutation).codes == ["BAD_REQUEST"]


def test_get_opens_nothing(glass: Demo) -> None:
    response = httpx.get(
        glass.info["graphql"],
        params={"query": OPEN, "variables": f'{{"id": "x", "reason": "{REASONS[0]}"}}'},
        headers={
            "Authorization": f"Bearer {glass.info['tokens']['caseworker']}",
            "Hub-Purpose": "break-glass",
        },
        trust_env=False,
    )
    assert response.status_code == 405
    assert glass.records()[-1]["errors"] == ["METHOD_NOT_ALLOWED"]
    assert ask(glass, OWN).body["data"]["ownUses"]["uses"] == []


def test_what_waits_is_not_asked_for_together_with_data(glass: Demo) -> None:
    query = "query($id: ID!) { ownUses { suspended } recipient(id: $id) { id } }"
    assert ask(glass, query, id=glass.recipient).codes == ["BAD_REQUEST"]


def test_other_roles_are_neither_shown_mutations_nor_let_use_them(glass: Demo) -> None:
    query = "{ __schema { mutationType { fields { name } } } }"
    shown = glass.ask(query, person="auditor", purpose="audit", case=None)
    assert shown.body["data"]["__schema"]["mutationType"] == {"fields": [{"name": "delayTelling"}]}
    shown = glass.ask(query, person="recipient", purpose="subject-access", case=None)
    names = [field["name"] for field in shown.body["data"]["__schema"]["mutationType"]["fields"]]
    assert names == ["markWrong", "withdrawCorrection"]
    answer = glass.ask(
        OPEN,
        {"id": glass.recipient, "reason": REASONS[0]},
        person="recipient",
        purpose="break-glass",
        case=None,
    )
    assert (answer.status, answer.codes) == (403, ["PURPOSE_DENIED"])


def test_an_opening_for_nobody_looks_like_any_other(glass: Demo) -> None:
    assert opened(glass, 4, "998899-1000000").codes == []
    unknown = ask(glass, SEE, id="998899-1000000")
    assert unknown.codes == ["OUT_OF_REACH"]
    assert ask(glass, OPEN, id="no such; id", reason=REASONS[5]).codes == ["BAD_VARIABLES"]


def notices(demo: Demo, *arguments: str) -> CompletedProcess[str]:
    """Run `hub notices` beside the hub."""
    return beside(demo, "notices", *arguments)


def test_notices_are_counted_and_written_once_for_whoever_sends_them(
    glass: Demo, tmp_path: Path
) -> None:
    opened(glass)
    assert "break-glass" in notices(glass).stdout
    file = tmp_path / "letters.jsonl"
    done = notices(glass, "--export", str(file))
    assert (done.returncode, done.stderr) == (0, "1 notices written\n")
    (letter,) = (json.loads(line) for line in file.read_text().splitlines())
    assert (letter["recipient"], letter["office"]) == (glass.recipient, "office-11110")
    assert file.stat().st_mode & 0o077 == 0
    assert glass.records()[-1]["kind"] == "NOTICES"
    again = notices(glass, "--export", str(file))
    assert (again.returncode, again.stderr) == (
        1,
        f"`{file}` is there already: name another file\n",
    )
    rest = notices(glass, "--export", str(tmp_path / "rest.jsonl"))
    assert rest.stderr == "0 notices written\n"


def test_a_break_glass_sees_where_a_protected_person_lives(glass: Demo) -> None:
    world = World(glass)
    hidden = world.somebody(lambda row: bool(world._living[row]) and world.is_protected(row))
    opened(glass, 5, hidden)
    answer = ask(glass, SEE, id=hidden)
    assert answer.codes == []
    assert answer.body["data"]["recipient"]["identity"]["address"]


def test_the_demos_supervisor_reviews_what_the_demos_caseworker_did(glass: Demo) -> None:
    use = opened(glass).body["data"]["openBreakGlass"]["id"]
    done = glass.ask(REVIEW, {"use": use}, person="supervisor", purpose="oversight", case=None)
    assert done.body["data"]["reviewBreakGlass"]["reviewer"] == "supervisor-26350-01"
