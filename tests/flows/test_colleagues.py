"""Colleagues of the same office, over HTTP: attack 24; and approvals by another office."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from sources.simulator.access import read_access
from tests.access.world import NOBODY, World
from tests.demo import Answer, Demo
from tests.flows.test_break_glass import as_person, change

NAME = "query($id: ID!) { recipient(id: $id) { identity { name } } }"
ASK = (
    "mutation($ids: [ID!], $case: ID, $reason: String!) {"
    " requestApproval(recipients: $ids, case: $case, reason: $reason) {"
    " id state recipients ofCase office } }"
)
APPROVE = (
    "mutation($request: ID!, $ids: [ID!], $case: ID, $granted: Boolean) {"
    " approve(request: $request, recipients: $ids, case: $case, granted: $granted) {"
    " id state until approver } }"
)
REASON = "The only official who speaks her language is at this office, and she has agreed."
PURPOSE = "duplicate-check"


@pytest.fixture(scope="module")
def world(demo: Demo) -> World:
    return World(demo)


@pytest.fixture
def office(demo: Demo, world: World) -> Iterator[Office]:
    """An office with a case of somebody who works there; nothing is approved before or after."""
    for _ in range(2):
        change(
            demo, *(f"DELETE FROM oversight_{name}" for name in ("approval", "party", "subject"))
        )
        if _ == 0:
            yield Office(demo, world)


class Office:
    """Questions of a caseworker about a colleague's case."""

    def __init__(self, demo: Demo, world: World) -> None:
        self.demo = demo
        self.case = world.colleagues_case()
        self.colleague = world.applicants[self.case]
        self.district = self.case.split("-")[1]
        self.office = f"office-{self.district}"

    def sent(self, name: str = "worker", **claims: Any) -> dict[str, str]:
        claims = {"office": self.office, "district": self.district} | claims
        claims = {"recipient": f"r-{name}"} | claims
        token = self.demo.token("caseworker", sub=name, **claims)
        return {"Authorization": f"Bearer {token}"}

    def see(self, recipient: str | None = None, **options: Any) -> Answer:
        return self.demo.ask(
            NAME,
            {"id": recipient or self.colleague},
            purpose=PURPOSE,
            case=options.pop("case", self.case),
            headers=options.pop("sent", None) or self.sent(),
        )

    def request(self, sent: dict[str, str] | None = None, **variables: Any) -> Answer:
        given = {"reason": REASON, **variables}
        return self.demo.ask(ASK, given, purpose=PURPOSE, case=None, headers=sent or self.sent())

    def approve(self, sent: dict[str, str], **variables: Any) -> Answer:
        return self.demo.ask(APPROVE, variables, purpose="oversight", case=None, headers=sent)

    def supervisor(self, office: str = "office-of-others") -> dict[str, str]:
        return as_person(self.demo, "supervisor-1", office, "supervisor")


def test_attack_24_a_colleague_looks_like_anybody_out_of_reach(office: Office) -> None:
    counted = {name: len(read_access(name, office.demo.run)) for name in ("resident", "benefits")}
    closed = office.see()
    asked = {
        name: len(read_access(name, office.demo.run)) - before for name, before in counted.items()
    }
    assert (closed.body["data"], closed.codes) == ({"recipient": None}, ["OUT_OF_REACH"])
    (entry,) = office.demo.last_operation()[-1]["unreached"]
    assert entry["rule"] == "a colleague of the caller's office, or of a colleague's household"
    counted = {name: len(read_access(name, office.demo.run)) for name in counted}
    unknown = office.see(NOBODY)
    assert asked == {
        name: len(read_access(name, office.demo.run)) - before for name, before in counted.items()
    }
    assert closed.status == unknown.status
    for answer in (closed, unknown):
        for call in answer.body["extensions"]["sources"]:
            call["milliseconds"] = 0
    assert closed.body == unknown.body


def test_attack_24_a_colleague_is_closed_by_case_and_by_break_glass_too(office: Office) -> None:
    query = "query($case: ID!) { case(reference: $case) { household { id } } }"
    answer = office.demo.ask(
        query, {"case": office.case}, purpose=PURPOSE, case=None, headers=office.sent()
    )
    assert (answer.body["data"], answer.codes) == ({"case": None}, ["OUT_OF_REACH"])


def test_whom_the_register_of_officials_is_asked_about_is_the_office(office: Office) -> None:
    office.see()
    for access in read_access("officials", office.demo.run):
        assert all(key.startswith("office-") for key in access.keys)
    assert "officials.officials.id" in office.demo.last_operation()[0]["lookups"]


def test_officials_of_an_office_that_is_not_known_reach_nobody(office: Office) -> None:
    answer = office.see(sent=office.sent(office="office-nowhere"), case=None)
    assert answer.codes == ["CASE_REQUIRED"]
    survey = office.demo.ask(
        NAME,
        {"id": office.colleague},
        purpose="confirmation-survey",
        case=None,
        headers=office.sent(office="office-nowhere"),
    )
    assert survey.codes == ["OUT_OF_REACH"]


def test_an_approval_of_another_office_opens_a_colleague_while_it_holds(office: Office) -> None:
    made = office.request(ids=[office.colleague]).body["data"]["requestApproval"]
    assert (made["state"], made["recipients"], made["ofCase"]) == ("WAITING", 1, False)
    assert office.see().codes == ["OUT_OF_REACH"]
    done = office.approve(
        office.supervisor(), request=made["id"], ids=[office.colleague], granted=True
    )
    assert done.body["data"]["approve"]["state"] == "APPROVED"
    answer = office.see()
    assert answer.codes == []
    assert office.demo.last_operation()[-1]["approvals"] == [made["id"]]
    assert office.see(sent=office.sent("another")).codes == ["OUT_OF_REACH"]
    change(office.demo, f"UPDATE oversight_approval SET until = {time.time() - 1}")
    assert office.see().codes == ["OUT_OF_REACH"]


def test_an_approval_of_a_case_opens_its_household(office: Office) -> None:
    made = office.request(case=office.case).body["data"]["requestApproval"]
    office.approve(office.supervisor(), request=made["id"], case=office.case, granted=True)
    assert office.see().codes == []


def test_an_approval_refused_opens_nobody(office: Office) -> None:
    made = office.request(ids=[office.colleague]).body["data"]["requestApproval"]
    done = office.approve(
        office.supervisor(), request=made["id"], ids=[office.colleague], granted=False
    )
    assert done.body["data"]["approve"]["state"] == "REFUSED"
    assert office.see().codes == ["OUT_OF_REACH"]
    again = office.approve(
        office.supervisor(), request=made["id"], ids=[office.colleague], granted=True
    )
    assert again.codes == ["OVERSIGHT_REFUSED"]


def test_nobody_approves_for_themselves_their_own_office_or_the_colleague(office: Office) -> None:
    made = office.request(ids=[office.colleague]).body["data"]["requestApproval"]
    roles = {"roles": ["supervisor"]}
    for sent in (
        office.sent(**roles, office="office-of-others"),
        office.supervisor(office.office),
        office.sent(
            "x", **roles, office="office-of-others", act={"sub": "worker", "recipient": "r"}
        ),
        {
            "Authorization": "Bearer "
            + office.demo.token(
                "caseworker",
                sub="colleague",
                recipient=office.colleague,
                roles=["supervisor"],
                office="office-of-others",
            )
        },
    ):
        answer = office.approve(sent, request=made["id"], ids=[office.colleague], granted=True)
        assert answer.codes == ["OVERSIGHT_REFUSED"]
    plain = office.approve(
        office.sent("y", office="office-of-others"), request=made["id"], ids=[office.colleague]
    )
    assert plain.codes == ["PURPOSE_DENIED"]
    assert office.see().codes == ["OUT_OF_REACH"]


def test_whoever_approves_names_whom_they_approve_of(office: Office) -> None:
    made = office.request(ids=[office.colleague]).body["data"]["requestApproval"]
    for named in ([], [NOBODY], [office.colleague, NOBODY]):
        answer = office.approve(office.supervisor(), request=made["id"], ids=named, granted=True)
        assert answer.codes == ["OVERSIGHT_REFUSED"]
    assert office.see().codes == ["OUT_OF_REACH"]


def test_ones_own_household_is_not_opened_by_any_approval(office: Office) -> None:
    sent = office.sent(recipient=office.colleague)
    made = office.request(sent, ids=[office.colleague]).body["data"]["requestApproval"]
    office.approve(office.supervisor(), request=made["id"], ids=[office.colleague], granted=True)
    answer = office.see(sent=sent)
    assert answer.codes == ["OUT_OF_REACH"]
    (entry,) = office.demo.last_operation()[-1]["unreached"]
    assert entry["rule"] == "the caller's own household"
