"""What callers are shown of the schema and which documents they may ask, seen from outside."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from graphql import parse, print_ast

from hub.demo import SAMPLE
from hub.manifest import entered, written
from tests.demo import Answer, Demo

FIELDS = "query($name: String!) { __type(name: $name) { fields { name } } }"
CHECK = "duplicate-check"
NAME = "query Name($id: ID!) { recipient(id: $id) { identity { name } } }"
BASIC = "basic-livelihood.application"


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
        *("sources", "purposes", "programmes", "access", "decisionTimes"),
        *("population", "populationItems", "populationJob", "savedQuestions"),
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


@pytest.fixture(scope="module")
def strict(start_demo: Callable[..., Demo], tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """A hub that takes from caseworkers one document, for one purpose, beside the demo's own."""
    folder = tmp_path_factory.mktemp("strict")
    manifest = entered({}, [("name", parse(NAME)), ("sample", parse(SAMPLE))], [BASIC])
    (folder / "documents.json").write_text(written(manifest), encoding="utf-8")
    settings = Path("hub.toml").read_text(encoding="utf-8")
    section = 'manifest = "documents.json"\nmode = "log"\nroles = { caseworker = "require" }'
    assert settings.count('mode = "log"') == 1
    (folder / "hub.toml").write_text(settings.replace('mode = "log"', section), encoding="utf-8")
    return start_demo("--config", str(folder / "hub.toml"))


def send(demo: Demo, purpose: str = BASIC, **body: object) -> Answer:
    """Send a request's body as it is, as the caseworker of the sample."""
    response = httpx.post(
        demo.info["graphql"],
        json={"variables": {"id": demo.recipient}, **body},
        headers={
            "Accept": "application/graphql-response+json",
            "Authorization": f"Bearer {demo.info['tokens']['caseworker']}",
            "Hub-Purpose": purpose,
            "Hub-Case": demo.info["sample"]["case"],
        },
        timeout=30,
        trust_env=False,
    )
    return Answer(response.status_code, response.json(), response.headers)


def persisted(text: str) -> dict[str, object]:
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    return {"persistedQuery": {"version": 1, "sha256Hash": sha256}}


def test_a_trusted_document_is_answered_however_it_is_written(strict: Demo) -> None:
    for query in (NAME, NAME.replace(" ", "\n  "), print_ast(parse(NAME))):
        answer = send(strict, query=query)
        assert answer.status == 200
        assert answer.body["data"]["recipient"]["identity"]["name"]


@pytest.mark.parametrize(
    ("query", "purpose", "message"),
    [
        (
            NAME.replace("name", "name sex"),
            BASIC,
            "the document is not in the manifest of trusted documents",
        ),
        (
            NAME.replace("name", "n: name"),
            BASIC,
            "the document is not in the manifest of trusted documents",
        ),
        (
            NAME + " query Other { purposes { code } }",
            BASIC,
            "the document is not in the manifest of trusted documents",
        ),
        (NAME, CHECK, f"the document is not bound to `{CHECK}`"),
    ],
)
def test_any_other_document_or_purpose_is_refused_and_logged(
    strict: Demo, query: str, purpose: str, message: str
) -> None:
    answer = send(strict, purpose, query=query, operationName="Name")
    assert answer.status == 403
    assert answer.codes == ["DOCUMENT_NOT_TRUSTED"]
    assert answer.body["errors"][0]["message"] == message
    (outcome,) = strict.last_operation()
    assert outcome["outcome"] == "refused"
    assert outcome["errors"] == ["DOCUMENT_NOT_TRUSTED"]
    assert "resident.name" in outcome["requested"]
    assert outcome["sources"] == []


def test_a_hash_alone_is_answered_and_bound_to_its_purpose(strict: Demo) -> None:
    extensions = persisted(print_ast(parse(NAME)))
    assert send(strict, extensions=extensions).body["data"]["recipient"]["identity"]["name"]
    assert send(strict, CHECK, extensions=extensions).codes == ["DOCUMENT_NOT_TRUSTED"]


def test_an_unknown_hash_is_told_in_the_words_of_the_protocol(strict: Demo) -> None:
    for _ in range(2):
        answer = send(strict, extensions=persisted("{ purposes { code } }"))
        assert answer.status == 404
        (error,) = answer.body["errors"]
        assert error["message"] == "PersistedQueryNotFound"
        assert error["extensions"]["code"] == "PERSISTED_QUERY_NOT_FOUND"
        # Sending text and hash registers nothing.
        both = send(
            strict, query="{ purposes { code } }", extensions=persisted("{ purposes { code } }")
        )
        assert both.status == 200


@pytest.mark.parametrize(
    "query", [NAME, "{ purposes { code } }", "{ __schema { types { name } } }"]
)
def test_a_swapped_hash_is_refused(strict: Demo, demo: Demo, query: str) -> None:
    for hub in (strict, demo):
        answer = send(hub, query=query, extensions=persisted("another"))
        assert answer.status == 400
        assert answer.codes == ["BAD_REQUEST"]
        if query == NAME:
            (outcome,) = hub.last_operation()
            assert (outcome["outcome"], outcome["errors"]) == ("refused", ["BAD_REQUEST"])


@pytest.mark.parametrize(
    "extension",
    ["", {}, {"sha256Hash": 1}, {"sha256Hash": "0" * 63}, {"version": 2, "sha256Hash": "0" * 64}],
)
def test_a_malformed_hash_is_refused(demo: Demo, extension: object) -> None:
    answer = send(demo, query=NAME, extensions={"persistedQuery": extension})
    assert answer.status == 400


def test_what_touches_no_data_item_need_not_be_trusted(strict: Demo) -> None:
    assert send(strict, query="{ __schema { queryType { name } } purposes { code } }").status == 200


def test_in_the_demo_another_document_is_answered_and_counted(demo: Demo) -> None:
    query = NAME.replace("name", "name sex")
    assert send(demo, query=query).status == 200
    metrics = httpx.get(f"{demo.address}/metrics", trust_env=False).text
    assert 'hub_untrusted_documents_total{mode="log"}' in metrics
