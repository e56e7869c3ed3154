"""What callers are shown of the schema, seen from outside: by purpose, and never beyond theirs."""

from __future__ import annotations

import pytest

from tests.demo import Answer, Demo

FIELDS = "query($name: String!) { __type(name: $name) { fields { name } } }"
CHECK = "duplicate-check"


def shown(demo: Demo, kind: str, *, purpose: str | None, person: str = "caseworker") -> set[str]:
    answer = demo.ask(FIELDS, {"name": kind}, purpose=purpose, person=person, case=None)
    assert answer.status == 200
    found = answer.body["data"]["__type"]
    return {field["name"] for field in found["fields"]} if found else set()


def message(answer: Answer) -> str:
    (error,) = answer.body["errors"]
    assert error["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
    return str(error["message"])


def test_introspection_shows_what_the_declared_purpose_may_see(demo: Demo) -> None:
    whole = shown(demo, "Recipient", purpose="basic-livelihood.application")
    part = shown(demo, "Recipient", purpose=CHECK)
    assert "income" in whole
    assert "income" not in part
    assert "benefits" in part
    assert shown(demo, "Income", purpose=CHECK) == set()


@pytest.mark.parametrize("purpose", [None, "basic-livel", "subject-access", "policy-statistics"])
def test_introspection_for_no_purpose_of_the_callers_shows_what_all_of_theirs_may_see(
    demo: Demo, purpose: str | None
) -> None:
    whole = shown(demo, "Recipient", purpose=purpose)
    assert {"income", "benefits"} <= whole
    assert shown(demo, "Query", purpose=purpose, person="policy") == {
        "sources",
        "purposes",
        "access",
    }
    assert shown(demo, "Recipient", purpose=purpose, person="policy") == set()


def test_no_part_of_an_introspection_shows_what_the_purpose_may_not_see(demo: Demo) -> None:
    query = """
        query { ...Again again: __schema { types { ...Type } }
          record: __type(name: "AgencyRecord") { possibleTypes { ...Type } } }
        fragment Again on Query { __schema { types { ...Type } } }
        fragment Type on __Type { name description fields { name type { name } } }
    """
    answer = demo.ask(query, purpose=CHECK, case=None)
    assert answer.status == 200
    assert "BenefitRegister" in str(answer.body)
    for name in ("'Income'", "IncomeKind", "'earnedIncome'", "LabourJobs", "resident.address"):
        assert name not in str(answer.body), name


def test_an_item_that_is_not_shown_is_denied_with_its_reason(demo: Demo) -> None:
    query = "query($id: ID!) { recipient(id: $id) { tax { earnedIncome } } }"
    answer = demo.ask(query, {"id": demo.recipient}, purpose=CHECK)
    assert answer.codes == ["PURPOSE_DENIED"]
    assert answer.body["errors"][0]["extensions"]["rule"] == f"`{CHECK}` does not name it"


@pytest.mark.parametrize(
    "query",
    [
        "query($id: ID!) { recipient(id: $id) { id } __schema { queryType { name } } }",
        'query($id: ID!) { recipient(id: $id) { id } a: __type(name: "Tax") { name } }',
        "query($id: ID!) { recipient(id: $id) { id } ...S }"
        " fragment S on Query { ... { __schema @skip(if: true) { queryType { name } } } }",
    ],
)
def test_introspection_among_data_items_is_refused_and_logged(demo: Demo, query: str) -> None:
    answer = demo.ask(query, {"id": demo.recipient})
    assert answer.codes == ["BAD_REQUEST"]
    (outcome,) = demo.last_operation()
    assert outcome["outcome"] == "refused"
    assert outcome["errors"] == ["BAD_REQUEST"]
    assert "resident.exists" in outcome["requested"]


def test_suggestions_name_what_the_purpose_may_see_also_for_a_text_seen_before(
    demo: Demo,
) -> None:
    query = "query($id: ID!) { recipient(id: $id) { incme { total } } }"
    base = "Cannot query field 'incme' on type 'Recipient'."
    for _ in range(2):
        seen = demo.ask(query, {"id": demo.recipient})
        assert message(seen) == f"{base} Did you mean 'income'?"
        unseen = demo.ask(query, {"id": demo.recipient}, purpose=CHECK)
        assert message(unseen) == base


def test_a_question_about_access_is_told_its_faults_in_the_same_words(demo: Demo) -> None:
    query = "query($query: String!) { access(query: $query) { allowed } }"
    asked = {"query": '{ recipient(id: "1") { incme { total } } }'}
    answer = demo.ask(query, asked, purpose=CHECK, case=None)
    assert answer.codes == ["GRAPHQL_VALIDATION_FAILED"]
    assert answer.body["errors"][0]["message"] == (
        "Cannot query field 'incme' on type 'Recipient'."
    )


def test_what_the_hub_says_of_itself_is_answered_under_any_purpose(demo: Demo) -> None:
    for purpose in (None, CHECK):
        answer = demo.ask("{ sources { name state } __typename }", purpose=purpose, case=None)
        assert {source["name"] for source in answer.body["data"]["sources"]} >= {"tax", "labour"}
