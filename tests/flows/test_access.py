"""Who may ask what of whom: seen over HTTP, and in the log."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.demo import Answer, Demo

NAME = "query($id: ID!) { recipient(id: $id) { identity { name } } }"


def refused(answer: Answer) -> list[tuple[str, str]]:
    assert "data" not in answer.body
    return [(error["extensions"]["code"], error["message"]) for error in answer.body["errors"]]


def test_every_denied_item_is_listed_with_rule_and_remedy(demo: Demo) -> None:
    answer = demo.ask(
        "query($id: ID!) { recipient(id: $id) { identity { name }"
        " employment { jobs { occupation } } labour { insuredDays } } }",
        {"id": demo.recipient},
        purpose="basic-pension.application",
    )
    assert answer.status == 403
    assert [error["extensions"] for error in answer.body["errors"]] == [
        {
            "code": "PURPOSE_DENIED",
            "item": item,
            "rule": "`basic-pension.application` does not name it",
            "remedy": f"leave `{item}` out, or ask under a purpose that names it",
        }
        for item in ("labour.insuredDays", "labour.jobs.occupation")
    ]


def test_a_refusal_is_200_for_plain_json(demo: Demo) -> None:
    answer = demo.ask(
        NAME, {"id": demo.recipient}, purpose=None, headers={"Accept": "application/json"}
    )
    assert (answer.status, answer.codes) == (200, ["PURPOSE_REQUIRED"])
    assert "data" not in answer.body


@pytest.mark.parametrize("purpose", [None, "", "nonsense", "welfare-decision.application"])
def test_data_needs_a_purpose_that_the_register_has(demo: Demo, purpose: str | None) -> None:
    answer = demo.ask(NAME, {"id": demo.recipient}, purpose=purpose)
    assert (answer.status, answer.codes) == (403, ["PURPOSE_REQUIRED"])


def test_what_touches_no_data_needs_a_token_and_no_purpose(demo: Demo) -> None:
    query = "{ sources { name state } purposes { code legalBasis { act article } items } }"
    answer = demo.ask(query, purpose=None, case=None, person="policy")
    assert "errors" not in answer.body
    assert [entry["name"] for entry in answer.body["data"]["sources"]] == [
        "resident",
        "tax",
        "labour",
        "property",
        "benefits",
    ]
    assert [entry["code"] for entry in answer.body["data"]["purposes"]] == ["policy-statistics"]
    assert demo.ask(query, person=None).status == 401


def test_the_programmes_are_open_to_every_caller_with_a_token(demo: Demo) -> None:
    query = "{ programmes(year: 2026) { id nameEn thresholds { householdSize amount } } }"
    for person in ("caseworker", "policy", "auditor", "officer", "recipient"):
        answer = demo.ask(query, purpose=None, case=None, person=person)
        assert "errors" not in answer.body
        found = {one["nameEn"]: one["thresholds"] for one in answer.body["data"]["programmes"]}
        assert len(found) == 231
        assert found["Livelihood benefit"][3] == {"householdSize": 4, "amount": 2_078_316}
    assert demo.ask(query, person=None).status == 401
    answer = demo.ask("{ programmes(year: 1999) { id } }", purpose=None, case=None)
    assert answer.body["data"] == {"programmes": None}
    assert answer.codes == ["NO_SUCH_YEAR"]


def test_a_role_that_the_purpose_is_not_for_is_denied(demo: Demo) -> None:
    answer = demo.ask(NAME, {"id": demo.recipient}, person="auditor")
    assert {error["extensions"]["rule"] for error in answer.body["errors"]} == {
        "`basic-livelihood.application` is for caseworker"
    }


def test_a_purpose_that_reaches_no_person_is_denied_on_one(demo: Demo) -> None:
    answer = demo.ask(
        NAME, {"id": demo.recipient}, person="policy", purpose="policy-statistics", case=None
    )
    assert set(answer.codes) == {"PURPOSE_DENIED"}


def test_a_case_is_needed(demo: Demo) -> None:
    answer = demo.ask(NAME, {"id": demo.recipient}, case=None)
    assert refused(answer) == [
        ("CASE_REQUIRED", "`basic-livelihood.application` needs a case in `Hub-Case`")
    ]


def test_whatever_is_wrong_with_a_case_is_the_same_answer_and_the_log_says_which(
    demo: Demo,
) -> None:
    about, answers, rules = {"id": demo.recipient}, [], []
    sample = demo.info["sample"]["case"]
    asked: list[dict[str, Any]] = [
        {"person": "caseworker2"},
        {"case": "2026-11110-999999"},
        {"purpose": "basic-pension.application"},
        {"case": f"{sample},2026-11110-999999"},
    ]
    for changed in asked:
        answers.append(demo.ask(NAME, about, **changed))
        rules.append([entry["rule"] for entry in demo.last_operation()[-1]["unreached"]])
    assert len({answer.status for answer in answers}) == 1
    for answer in answers:
        assert refused(answer) == [
            ("CASE_REFUSED", "a case named in `Hub-Case` gives no reason to look")
        ]
    assert rules == [
        ["there is no such case at the caller's office"],
        ["there is no such case at the caller's office"],
        ["the case is of a programme that `basic-pension.application` does not cover"],
        ["there is no such case at the caller's office"],
    ]


def test_unknown_malformed_and_unrelated_recipients_are_the_same_answer(demo: Demo) -> None:
    unrelated = demo.personas["caseworker2"]["recipient"]
    own = demo.personas["caseworker"]["recipient"]
    answers = [
        demo.ask(NAME, {"id": key}) for key in (unrelated, own, "998899-1000000", "no such; id", "")
    ]
    bodies = [{**answer.body, "extensions": None} for answer in answers]
    assert all(body == bodies[0] for body in bodies)
    assert all(answer.status == 200 for answer in answers)
    assert bodies[0]["data"] == {"recipient": None}
    assert [error["extensions"]["code"] for error in bodies[0]["errors"]] == ["OUT_OF_REACH"]


def test_the_log_says_why_a_recipient_was_out_of_reach(demo: Demo) -> None:
    demo.ask(NAME, {"id": demo.personas["caseworker"]["recipient"]})
    (entry,) = demo.last_operation()[-1]["unreached"]
    assert entry["rule"] == "the caller's own household"
    demo.ask(NAME, {"id": demo.personas["caseworker2"]["recipient"]})
    (entry,) = demo.last_operation()[-1]["unreached"]
    assert entry["rule"] == "outside the caller's district"


def test_several_recipients_come_in_the_order_asked(demo: Demo) -> None:
    answer = demo.ask(
        "query($ids: [ID!]!) { recipients(ids: $ids) { id } }",
        {"ids": ["998899-1000000", demo.recipient, "", demo.recipient]},
    )
    found = answer.body["data"]["recipients"]
    assert found == [None, {"id": demo.recipient}, None, {"id": demo.recipient}]
    assert [error["path"] for error in answer.body["errors"]] == [
        ["recipients", 0],
        ["recipients", 2],
    ]


def test_a_case_shows_its_household_to_a_caller_who_may(demo: Demo) -> None:
    query = (
        "query($r: ID!) { case(reference: $r)"
        " { reference programme state household { members { id identity { name } } } } }"
    )
    case = demo.info["sample"]["case"]
    answer = demo.ask(query, {"r": case}, case=None)
    found = answer.body["data"]["case"]
    assert (found["reference"], found["programme"], found["state"]) == (case, "livelihood", "open")
    assert demo.recipient in {member["id"] for member in found["household"]["members"]}
    other = demo.ask(query, {"r": case}, case=None, person="caseworker2")
    unknown = demo.ask(query, {"r": "2026-99999-000001"}, case=None, person="caseworker2")
    assert other.body["data"] == unknown.body["data"] == {"case": None}
    assert other.body["errors"] == unknown.body["errors"]


def test_the_confirmation_survey_rests_on_a_receipt_from_the_callers_office(demo: Demo) -> None:
    survey = {"purpose": "confirmation-survey", "case": None}
    reached = demo.ask(NAME, {"id": demo.recipient}, **survey)
    assert reached.body["data"]["recipient"]["identity"]["name"]
    elsewhere = demo.ask(NAME, {"id": demo.recipient}, person="caseworker2", **survey)
    assert elsewhere.body["data"] == {"recipient": None}


def test_subject_access_reads_ones_own_record_and_nothing_else(demo: Demo) -> None:
    own = {"person": "recipient", "purpose": "subject-access", "case": None}
    answer = demo.ask(NAME, {"id": demo.recipient}, **own)
    assert answer.body["data"]["recipient"]["identity"]["name"]
    other = demo.ask(NAME, {"id": demo.personas["caseworker"]["recipient"]}, **own)
    assert (other.body["data"], other.codes) == ({"recipient": None}, ["OUT_OF_REACH"])
    members = demo.ask(
        "query($id: ID!) { recipient(id: $id) { household { members { identity { name } } } } }",
        {"id": demo.recipient},
        **own,
    )
    assert members.codes == ["PURPOSE_DENIED"] * len(members.codes)


def test_withholding_answers_the_rest_with_a_typed_error_each(demo: Demo) -> None:
    answer = demo.ask(
        "query($id: ID!) { recipient(id: $id) { identity { name }"
        " resident { registeredAbroad householdId } } }",
        {"id": demo.recipient},
        headers={"Hub-On-Denied": "withhold"},
    )
    assert answer.status == 200
    found = answer.body["data"]["recipient"]
    assert found["identity"]["name"]
    assert found["resident"]["householdId"]
    assert found["resident"]["registeredAbroad"] is None
    (error,) = answer.body["errors"]
    assert error["path"] == ["recipient", "resident", "registeredAbroad"]
    assert error["extensions"]["code"] == "PURPOSE_DENIED"
    assert error["extensions"]["item"] == "resident.registeredAbroad"


def test_a_total_needs_permission_for_the_items_it_is_made_of(demo: Demo) -> None:
    query = "query($id: ID!) { recipient(id: $id) { income { total complete missing { item } } } }"
    duplicate = {"purpose": "duplicate-check"}
    refusal = demo.ask(query, {"id": demo.recipient}, **duplicate)
    denied = {error["extensions"]["item"] for error in refusal.body["errors"]}
    assert {"tax.earnedIncome", "labour.jobs.monthlyPay", "labour.jobs.end"} <= denied
    partial = demo.ask(
        query, {"id": demo.recipient}, **duplicate, headers={"Hub-On-Denied": "withhold"}
    )
    income = partial.body["data"]["recipient"]["income"]
    assert (income["total"], income["complete"]) == (None, False)
    assert "tax.earnedIncome" in {gap["item"] for gap in income["missing"]}
    assert partial.body["errors"][0]["extensions"]["code"] == "PURPOSE_DENIED"


ACCESS = """query($query: String!) { access(query: $query) {
  allowed items { item decision rule legalBasis { act article } remedy use } } }"""


def test_what_would_be_decided_is_said_item_by_item_without_asking_anyone(demo: Demo) -> None:
    query = "query($id: ID!) { recipient(id: $id) { resident { birthDate address } } }"
    before, calls = len(demo.records()), demo.run / "resident" / "access.jsonl"
    asked = calls.read_text()
    answer = demo.ask(ACCESS, {"query": query}, purpose="duplicate-check", case=None)
    found = answer.body["data"]["access"]
    assert found["allowed"] is False
    basis = {
        "act": "Act on the Use and Provision of Social Security Benefits",
        "article": "Article 9",
    }
    assert found["items"] == [
        {
            "item": "resident.address",
            "decision": "deny",
            "rule": "`duplicate-check` does not name it",
            "legalBasis": basis,
            "remedy": "leave `resident.address` out, or ask under a purpose that names it",
            "use": None,
        },
        {
            "item": "resident.birthDate",
            "decision": "reduce",
            "rule": "`duplicate-check` allows item `resident.birthDate`, reduced: year",
            "legalBasis": basis,
            "remedy": "",
            "use": None,
        },
        {
            "item": "resident.exists",
            "decision": "allow",
            "rule": "`duplicate-check` allows category `existence`",
            "legalBasis": basis,
            "remedy": "",
            "use": None,
        },
    ]
    assert len(demo.records()) == before
    assert calls.read_text() == asked


ASSESSED = """query($id: ID!) { recipient(id: $id) {
  meansTest(programme: "basic-pension") { result trace { name } } } }"""


def test_every_derived_answer_that_is_denied_is_told_in_answer_log_and_beforehand(
    demo: Demo,
) -> None:
    asked = {"purpose": "duplicate-check"}
    beforehand = demo.ask(ACCESS, {"query": ASSESSED}, **asked).body["data"]["access"]["items"]
    refusal = demo.ask(ASSESSED, {"id": demo.recipient}, **asked)
    told = [
        (found["extensions"]["item"], found["extensions"].get("use"))
        for found in refusal.body["errors"]
    ]
    logged = [(found["item"], found.get("use")) for found in demo.last_operation()[-1]["denied"]]
    for use in ("meansTest.result", "meansTest.trace"):
        assert ("tax.earnedIncome", use) in told
        assert {"item": use, "decision": "deny"} in [
            {key: found[key] for key in ("item", "decision")} for found in beforehand
        ]
    assert logged == told
    assert sorted(told) == sorted(
        (found["item"], found["use"])
        for found in beforehand
        if found["decision"] == "deny" and found["use"] is not None
    )
    partial = demo.ask(
        ASSESSED, {"id": demo.recipient}, **asked, headers={"Hub-On-Denied": "withhold"}
    )
    assert partial.body["data"]["recipient"]["meansTest"]["result"] == "INDETERMINATE"


def test_what_would_be_decided_goes_by_the_variables_that_are_given(demo: Demo) -> None:
    """A programme that a variable names needs less than any programme might."""
    asking = """query($query: String!, $given: JSON) {
      access(query: $query, variables: $given) { items { item use } } }"""
    test = "{ recipient(id: 1) { meansTest(programme: %s) { result } } }"

    def lacking(query: str, given: object = None) -> list[str]:
        sent = {"query": query, "given": given}
        found = demo.ask(asking, sent, purpose="duplicate-check", case=None).body["data"]
        items = found["access"]["items"]
        return [each["item"] for each in items if each["use"] == "meansTest.result"]

    by_variable = "query($p: ID!) " + test % "$p"
    assert lacking(test % '"child-allowance"') == ["resident.birthDate"]
    assert lacking(by_variable, {"p": "child-allowance"}) == ["resident.birthDate"]
    assert "tax.earnedIncome" in lacking(by_variable)
    wrong = demo.ask(asking, {"query": by_variable, "given": [1]}, case=None)
    assert wrong.codes == ["BAD_VARIABLES"]


def test_an_act_and_whether_it_is_for_the_purpose_is_told_beforehand(demo: Demo) -> None:
    opening = 'mutation { openBreakGlass(recipient: "1", reason: "a") { id } }'
    told = {
        "basic-pension.application": (
            "deny",
            "`openBreakGlass` is not for `basic-pension.application`",
            "declare a purpose of the relation `break-glass`",
        ),
        "break-glass": ("allow", "`break-glass` is of the relation `break-glass`", ""),
    }
    for purpose, expected in told.items():
        answer = demo.ask(ACCESS, {"query": opening}, purpose=purpose, case=None)
        found = answer.body["data"]["access"]
        assert found["allowed"] is (expected[0] == "allow")
        (act,) = found["items"]
        assert act["item"] == "openBreakGlass"
        assert (act["decision"], act["rule"], act["remedy"]) == expected


def test_what_would_be_decided_needs_a_purpose_and_a_document(demo: Demo) -> None:
    assert demo.ask(ACCESS, {"query": "{ a }"}, purpose=None).codes == ["PURPOSE_REQUIRED"]
    assert demo.ask(ACCESS, {"query": "{ a }"}).codes == ["GRAPHQL_VALIDATION_FAILED"]


def test_what_is_allowed_reduced_is_released_reduced_and_so_logged(demo: Demo) -> None:
    query = (
        "query($id: ID!) { recipient(id: $id) { identity { birthDate } resident { birthDate } } }"
    )
    whole = demo.ask(query, {"id": demo.recipient}).body["data"]["recipient"]
    reduced = demo.ask(query, {"id": demo.recipient}, purpose="duplicate-check")
    year = whole["identity"]["birthDate"][:4]
    assert reduced.body["data"]["recipient"] == {
        "identity": {"birthDate": f"{year}-01-01"},
        "resident": {"birthDate": f"{year}-01-01"},
    }
    assert demo.last_operation()[0]["reduced"] == {"resident.birthDate": "year"}
    assert reduced.body["extensions"]["reduced"] == {"resident.birthDate": "year"}


def test_a_purpose_reaches_so_many_in_one_operation_and_no_more(demo: Demo) -> None:
    answer = demo.ask(
        "query($ids: [ID!]!) { recipients(ids: $ids) { id } }",
        {"ids": [f"998899-1{number:06}" for number in range(101)]},
        purpose="confirmation-survey",
        case=None,
    )
    assert (answer.status, answer.codes) == (403, ["PURPOSE_LIMIT"])


@pytest.mark.parametrize("name", ["Hub-Purpose", "Hub-Case", "Hub-Reason", "Hub-On-Denied"])
def test_a_header_that_says_two_things_is_refused(demo: Demo, name: str) -> None:
    """A proxy and the hub must not each believe another one."""
    headers = [
        ("Authorization", f"Bearer {demo.info['tokens']['caseworker']}"),
        ("Hub-Purpose", "basic-livelihood.application"),
        ("Hub-Case", demo.info["sample"]["case"]),
        (name, "audit"),
        (name, "subject-access"),
    ]
    body = {"query": "query($id: ID!) { recipient(id: $id) { id } }"}
    body |= {"variables": {"id": demo.recipient}}  # type: ignore[dict-item]
    answer = httpx.post(demo.info["graphql"], json=body, headers=headers, trust_env=False)
    (error,) = answer.json()["errors"]
    assert error["extensions"]["code"] == "BAD_REQUEST"
    assert "sent twice" in error["message"]


def test_agencies_are_asked_anew_under_a_purpose_that_lets_them_be(demo: Demo) -> None:
    query = "query($id: ID!) { recipient(id: $id) { id } }"
    variables = {"id": demo.recipient}
    refused = demo.ask(query, variables, headers={"Hub-Fresh": "now"})
    assert (refused.status, refused.codes) == (403, ["PURPOSE_LIMIT"])
    assert demo.ask(query, variables, headers={"Hub-Fresh": "soon"}).codes == ["BAD_REQUEST"]
    demo.ask(
        query, variables, purpose="confirmation-survey", case=None, headers={"Hub-Fresh": "now"}
    )
    assert demo.last_operation()[0]["anew"] is True


@pytest.mark.parametrize(
    "selection",
    [
        "records { ... on Resident { registeredAbroad } }",
        "records { ...F }",
        "alias: resident { name: registeredAbroad }",
        "resident { registeredAbroad @include(if: false) }",
        "resident { ... on AgencyRecord { ... on Resident { registeredAbroad } } }",
        "household { members { resident { registeredAbroad } } }",
    ],
)
def test_no_shape_of_query_gets_around_a_denied_item(demo: Demo, selection: str) -> None:
    fragment = "fragment F on Resident { registeredAbroad }" if "...F" in selection else ""
    answer = demo.ask(
        f"query($id: ID!) {{ recipient(id: $id) {{ {selection} }} }} {fragment}",
        {"id": demo.recipient},
    )
    assert answer.status == 403
    assert [error["extensions"]["item"] for error in answer.body["errors"]] == [
        "resident.registeredAbroad"
    ]


def test_selecting_a_list_without_a_column_counts_as_all_of_them(demo: Demo) -> None:
    answer = demo.ask(
        "query($id: ID!) { recipient(id: $id) { tax { withholdings { __typename } } } }",
        {"id": demo.recipient},
        purpose="emergency-aid.application",
    )
    assert {error["extensions"]["item"] for error in answer.body["errors"]} == {
        "tax.withholdings.payer",
        "tax.withholdings.payerRegistration",
    }
