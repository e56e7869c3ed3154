"""Ways around the rules that were once found open, each replayed from outside."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sources.simulator.access import read_access
from tests.demo import Answer, Demo

NAME = "query($id: ID!) { recipient(id: $id) { identity { name } } }"


@pytest.fixture
def faulty(demo: Demo) -> Iterator[Demo]:
    yield demo
    for source in ("resident", "tax"):
        demo.fault(source, "none")


def disclosed(demo: Demo) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = demo.last_operation()[-1]["disclosed"]
    return found


def as_own_household(demo: Demo, query: str, case: str | None) -> Answer:
    """Asked by an official of the case's office who lives in the sample's household."""
    token = demo.token("caseworker", recipient=demo.recipient)
    return demo.ask(
        query,
        {"id": demo.recipient, "case": demo.info["sample"]["case"]},
        case=case,
        headers={"Authorization": f"Bearer {token}"},
    )


def test_a_case_in_the_document_is_logged_and_told_like_one_in_the_header(demo: Demo) -> None:
    case = demo.info["sample"]["case"]
    demo.ask(
        "query($id: ID!, $case: ID!) { recipient(id: $id) { tax { arrears } }"
        " case(reference: $case) @skip(if: true) { state } }",
        {"id": demo.recipient, "case": case},
        case=None,
    )
    assert demo.last_operation()[-1]["cases"] == [case]
    assert read_access("tax", demo.run)[-1].case == case


def test_an_attempt_on_a_case_of_another_office_is_in_the_log(demo: Demo) -> None:
    query = "query($case: ID!) { case(reference: $case) { state } }"
    demo.ask(query, {"case": demo.info["sample"]["case"]}, case=None, person="caseworker2")
    intent, outcome = demo.last_operation()
    (entry,) = outcome["unreached"]
    assert entry["subject"] in intent["casesNamed"]
    assert entry["rule"] == "there is no such case at the caller's office"


def test_the_case_of_ones_own_household_is_out_of_reach(demo: Demo) -> None:
    query = "query($case: ID!) { case(reference: $case) { programme household { id } } }"
    answer = as_own_household(demo, query, None)
    assert (answer.body["data"], answer.codes) == ({"case": None}, ["OUT_OF_REACH"])
    assert disclosed(demo) == {}


def test_ones_own_household_is_out_of_reach_under_its_own_case(demo: Demo) -> None:
    answer = as_own_household(demo, NAME, demo.info["sample"]["case"])
    assert (answer.body["data"], answer.codes) == ({"recipient": None}, ["OUT_OF_REACH"])


def test_members_of_members_are_refused(demo: Demo) -> None:
    query = (
        "query($id: ID!) { recipient(id: $id) { household { members {"
        " household { members { id } } } } } }"
    )
    answer = demo.ask(query, {"id": demo.recipient})
    assert answer.codes == ["TOO_DEEP"]


def test_ids_named_again_and_again_cost_every_time(demo: Demo) -> None:
    fields = " ".join(f"a{n}: identity {{ name }}" for n in range(58))
    lists = f"benefits {{ receipts {{ programme }} }} household {{ members {{ {fields} }} }}"
    answer = demo.ask(
        f"query($ids: [ID!]!) {{ recipients(ids: $ids) {{ {lists} }} }}",
        {"ids": [demo.recipient] * 500},
    )
    assert answer.codes == ["TOO_COSTLY"]


def test_subject_access_opens_no_household(demo: Demo) -> None:
    answer = demo.ask(
        "query($id: ID!) { recipient(id: $id) { household { members { id } } } }",
        {"id": demo.recipient},
        person="recipient",
        purpose="subject-access",
        case=None,
    )
    assert (answer.status, set(answer.codes)) == (403, {"PURPOSE_DENIED"})


def test_a_record_that_was_not_had_is_not_disclosed(faulty: Demo) -> None:
    faulty.fault("resident", "error")
    answer = faulty.ask(
        "query($id: ID!) { recipient(id: $id) { identity { name } tax { arrears } } }",
        {"id": faulty.recipient},
        person="recipient",
        purpose="subject-access",
        case=None,
    )
    assert answer.body["data"]["recipient"]["identity"]["name"] is None
    assert answer.body["data"]["recipient"]["tax"]["arrears"] is not None
    assert set(disclosed(faulty)) == {"tax"}


def test_a_list_shown_without_its_columns_is_disclosed(demo: Demo) -> None:
    demo.ask(
        "query($id: ID!) { recipient(id: $id) { property { vehicles { __typename } } } }",
        {"id": demo.recipient},
    )
    (group,) = disclosed(demo)["property"]
    assert "property.vehicles.value" in group["items"]


def test_whether_income_is_complete_discloses_none_of_it(demo: Demo) -> None:
    demo.ask(
        "query($id: ID!) { recipient(id: $id) { income { complete } } }", {"id": demo.recipient}
    )
    assert set(disclosed(demo)) == {"resident"}


def test_a_total_that_was_not_given_discloses_nothing(faulty: Demo) -> None:
    faulty.fault("tax", "error")
    faulty.ask(
        "query($id: ID!) { recipient(id: $id) { income { total } } }", {"id": faulty.recipient}
    )
    assert set(disclosed(faulty)) == {"resident"}


def test_head_runs_no_operation(demo: Demo) -> None:
    before = len(demo.records())
    response = httpx.request(
        "HEAD",
        demo.info["graphql"],
        json={"query": NAME, "variables": {"id": demo.recipient}},
        headers={
            "Authorization": f"Bearer {demo.info['tokens']['caseworker']}",
            "Hub-Purpose": "basic-livelihood.application",
            "Hub-Case": demo.info["sample"]["case"],
        },
        trust_env=False,
    )
    assert response.status_code == 405
    assert len(demo.records()) == before


def test_get_on_data_is_in_the_log(demo: Demo) -> None:
    before = len(demo.records())
    response = httpx.get(
        demo.info["graphql"],
        params={"query": f'{{ recipient(id: "{demo.recipient}") {{ id }} }}'},
        headers={"Authorization": f"Bearer {demo.info['tokens']['caseworker']}"},
        trust_env=False,
    )
    assert response.status_code == 405
    assert len(demo.records()) == before + 1
    assert demo.records()[-1]["errors"] == ["METHOD_NOT_ALLOWED"]


@pytest.mark.parametrize(
    "reference",
    ["x\r\nX-Evil: 1", "김민수 829020-1705151", "a" * 30_000, "829020-1705151"],
    ids=["header", "name", "long", "id"],
)
def test_no_text_of_a_callers_gets_into_log_or_headers(demo: Demo, reference: str) -> None:
    query = (
        "query($a: ID!, $b: ID!) { a: case(reference: $a) { state }"
        " b: case(reference: $b) { state } }"
    )
    case = demo.info["sample"]["case"]
    answer = demo.ask(query, {"a": case, "b": reference}, case=None)
    assert answer.body["data"] == {"a": {"state": "open"}, "b": None}
    assert reference not in json.dumps(demo.records(), ensure_ascii=False)
    assert demo.ask("{ sources { state } }").body["data"]["sources"][0]["state"] == "UP"


def test_a_case_that_was_not_found_to_give_a_reason_is_told_to_no_agency(demo: Demo) -> None:
    demo.ask(
        "query($id: ID!) { recipient(id: $id) { tax { arrears } } }",
        {"id": demo.recipient},
        person="recipient",
        purpose="subject-access",
        case="2026-11110-999999",
    )
    assert read_access("tax", demo.run)[-1].case in (None, "")


def test_cases_are_asked_for_selected_items_only_where_they_give_a_reason(demo: Demo) -> None:
    before = len(read_access("benefits", demo.run))
    query = (
        "query($a: ID!) { a: case(reference: $a) { programme }"
        ' b: case(reference: "2026-11110-999999") { official opened } }'
    )
    demo.ask(query, {"a": demo.info["sample"]["case"]}, case=None)
    lookup, data = read_access("benefits", demo.run)[before:]
    assert not {"welfare_case.official", "welfare_case.opened_on"} & {*lookup.items, *data.items}
    assert data.keys == (demo.info["sample"]["case"],)


def test_members_are_asked_nothing_for_what_is_shown_of_the_applicant(demo: Demo) -> None:
    before = len(read_access("resident", demo.run))
    query = "query($a: ID!) { case(reference: $a) { household { type } } }"
    demo.ask(query, {"a": demo.info["sample"]["case"]}, case=None)
    related, *data = read_access("resident", demo.run)[before:]
    # Whoever looks is looked up along, to be compared.
    assert set(related.keys) == {demo.recipient, demo.personas["caseworker"]["recipient"]}
    for call in data:
        assert call.keys == (demo.recipient,)


def test_receipts_are_looked_up_of_those_in_the_district_only(demo: Demo) -> None:
    before = len(read_access("benefits", demo.run))
    answer = demo.ask(
        NAME,
        {"id": demo.personas["caseworker2"]["recipient"]},
        purpose="confirmation-survey",
        case=None,
    )
    assert answer.codes == ["OUT_OF_REACH"]
    assert len(read_access("benefits", demo.run)) == before


def test_a_huge_answer_is_not_read_to_its_end(faulty: Demo) -> None:
    faulty.fault("tax", "huge")
    query = "query($id: ID!) { recipient(id: $id) { tax { arrears } } }"
    answer = faulty.ask(query, {"id": faulty.recipient})
    assert answer.codes == ["SOURCE_CONTRACT"]


@pytest.mark.parametrize("place", ["recipient(id: $x) { id }", "case(reference: $x) { state }"])
def test_half_a_character_is_no_text(demo: Demo, place: str) -> None:
    sent = json.dumps({"query": f"query($x: ID!) {{ {place} }}", "variables": {"x": "\ud800"}})
    response = httpx.post(
        demo.info["graphql"],
        content=sent,
        headers={
            "Authorization": f"Bearer {demo.info['tokens']['caseworker']}",
            "Content-Type": "application/json",
        },
        trust_env=False,
    )
    assert response.status_code == 400
    assert response.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


def test_a_chain_of_fragments_is_refused_and_not_a_failure(demo: Demo) -> None:
    chain = " ".join(f"fragment F{n} on Query {{ ...F{n + 1} }}" for n in range(180))
    answer = demo.ask(f"{{ ...F0 }} {chain} fragment F180 on Query {{ __typename }}")
    assert answer.status in (200, 400)
    assert set(answer.codes) <= {"TOO_DEEP", "TOO_MANY_TOKENS"}


def test_variables_that_are_wrong_many_times_over_cost_little(demo: Demo) -> None:
    started = time.perf_counter()
    query = "query($ids: [ID!]!) { recipients(ids: $ids) { id } }"
    answer = demo.ask(query, {"ids": [{} for _ in range(15_000)]})
    assert answer.codes == ["BAD_VARIABLES"]
    assert len(answer.body["errors"]) == 1
    assert time.perf_counter() - started < 5


def test_a_malformed_header_is_refused_and_logged(demo: Demo) -> None:
    before = len(demo.records())
    answer = demo.ask(NAME, {"id": demo.recipient}, case="not; a case")
    assert (answer.status, answer.codes) == (400, ["BAD_REQUEST"])
    assert len(demo.records()) == before + 1


def test_unknown_and_malformed_ids_cost_the_same_calls(demo: Demo) -> None:
    calls = []
    for key in ("998899-1000000", "no such; id"):
        answer = demo.ask(NAME, {"id": key})
        rounds = answer.body["extensions"]["sources"]
        calls.append([{**call, "milliseconds": 0} for call in rounds])
    assert calls[0] == calls[1]


def test_nothing_of_the_demo_leaks_into_its_own_output(demo: Demo) -> None:
    text = Path(demo.folder / "stderr").read_text()
    assert demo.recipient not in text
    assert demo.info["tokens"]["caseworker"] not in text
