"""The bulk result of a recipient is that of the live `meansTest`, through the whole hub."""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb

from tests.demo import Demo
from tests.population.conftest import PROGRAMMES

FIELDS = (
    "result amounts { recognisedIncome { exact } threshold { exact } payable { amount { exact } } }"
)
_TESTS = " ".join(
    f'p{number}: meansTest(programme: "{key}") {{ {FIELDS} }}'
    for number, key in enumerate(PROGRAMMES)
)
QUERY = f"query Compare($ids: [ID!]!) {{ recipients(ids: $ids) {{ id {_TESTS} }} }}"
SAMPLE = int(os.environ.get("SAMPLED", "60"))
"""People compared; by hand a thousand (`SAMPLED=1000`)."""


def surveying(demo: Demo, district: str, **more: str) -> dict[str, str]:
    """The headers of a caseworker of a district."""
    told = {"sub": f"surveyor-{district}", "district": district, "office": f"office-{district}"}
    token = demo.token("caseworker", **told | more)
    return {"Authorization": f"Bearer {token}", "Hub-On-Denied": "withhold"}


def live(demo: Demo, people: dict[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What the hub answers of these people, by district, as caseworkers of it ask."""
    by_district = sorted(people, key=lambda key: people[key])
    for district, some in itertools.groupby(by_district, key=lambda key: people[key]):
        listed = list(some)
        for ids in (listed[at : at + 100] for at in range(0, len(listed), 100)):
            answer = demo.ask(
                QUERY,
                {"ids": ids},
                person=None,
                purpose="confirmation-survey",
                case=None,
                headers=surveying(demo, district),
            )
            assert answer.status == 200, answer.body
            for found in answer.body["data"]["recipients"]:
                if found is not None:
                    yield found["id"], found


def test_the_bulk_result_of_a_recipient_is_that_of_the_live_means_test(
    demo: Demo, folder: Path
) -> None:
    compared, results = compare(demo, folder, SAMPLE)
    assert compared >= SAMPLE * 0.9
    assert {"ELIGIBLE", "NOT_ELIGIBLE", "INDETERMINATE"} & results


def compare(demo: Demo, folder: Path, sample: int) -> tuple[int, set[str]]:
    """Compare the results of so many recipients; how many tests, and what they came to."""
    rows = duckdb.sql(
        "SELECT key, programme, residence, result, recognised, threshold, payable "
        f"FROM read_parquet('{folder}/results/*.parquet') WHERE received IS NOT NULL ORDER BY ALL"
    ).fetchall()
    keys = sorted({row[0] for row in rows if row[2] is not None})
    chosen = set(random.Random(1).sample(keys, min(sample, len(keys))))
    answers = dict(live(demo, {row[0]: row[2] for row in rows if row[0] in chosen}))
    assert len(answers) >= 0.9 * len(chosen)  # a few are protected, or of the caseworker's own
    compared, results = 0, set()
    for key, programme, _, result, recognised, threshold, payable in rows:
        if key not in answers:
            continue
        test = answers[key][f"p{PROGRAMMES.index(programme)}"]
        amounts = test["amounts"]
        assert test["result"] == result, (programme, test, recognised, threshold)
        for own, name in ((recognised, "recognisedIncome"), (threshold, "threshold")):
            exact = (amounts[name] or {}).get("exact")
            assert own is None or own == exact, (programme, name, own, amounts)
        if result == "ELIGIBLE" and payable is not None and recognised is not None:
            assert amounts["payable"]["amount"]["exact"] == payable
        compared += 1
        results.add(result)
    return compared, results


WORKLIST = """
query Worklist($programme: ID!, $first: Int!, $after: String) {
  reviewFindings(programme: $programme, first: $first, after: $after) {
    review asOf total next
    findings { recipient kind reason result trace { name formula value source } }
  }
}
"""


def page(demo: Demo, district: str, **variables: Any) -> Any:
    return demo.ask(
        WORKLIST,
        {"programme": "basic-pension", "first": 2, **variables},
        person=None,
        purpose="confirmation-survey",
        case=None,
        headers=surveying(demo, district),
    )


def test_a_caseworker_reads_the_findings_of_their_own_office_page_by_page(
    demo: Demo, folder: Path
) -> None:
    found = duckdb.sql(
        "SELECT coalesce(office, 'office-' || district), recipient, kind "
        f"FROM read_parquet('{folder}/findings/*.parquet') WHERE programme = 'basic-pension'"
    ).fetchall()
    by_office: dict[str, set[tuple[str, str]]] = {}
    for office, recipient, kind in found:
        by_office.setdefault(office, set()).add((recipient, kind))
    office = max(by_office, key=lambda one: len(by_office[one]))
    district, read, after = office.removeprefix("office-"), set(), None
    while True:
        answer = page(demo, district, after=after)
        assert answer.codes == [], answer.body
        shown = answer.body["data"]["reviewFindings"]
        assert shown["review"] == folder.name
        assert 1 <= len(shown["findings"]) <= 2
        assert all(one["trace"] for one in shown["findings"])
        read |= {(one["recipient"], one["kind"]) for one in shown["findings"]}
        after = shown["next"]
        if after is None:
            break
    assert read == by_office[office]
    (*_, outcome) = demo.last_operation()
    named = {one["recipient"] for one in shown["findings"]}
    assert len(outcome["subjects"]) == len(named)
    assert outcome["derived"]["reviewFindings"] == outcome["subjects"]


def test_no_finding_of_ones_own_household_is_shown(demo: Demo, folder: Path) -> None:
    [(district, recipient, together)] = duckdb.sql(
        "SELECT district, recipient, together"
        f" FROM read_parquet('{folder}/findings/*.parquet') WHERE programme = 'basic-pension'"
        " AND district IS NOT NULL AND (office IS NULL OR office[8:] = district)"
        " AND len(together) > 1 ORDER BY ALL LIMIT 1"
    ).fetchall()
    other = next(key for key in together if key != recipient)
    variables = {"programme": "basic-pension", "first": 100}

    def read(**more: str) -> list[str]:
        headers = surveying(demo, district, **more)
        answer = demo.ask(
            WORKLIST, variables, person=None, purpose="confirmation-survey", case=None,
            headers=headers,
        )  # fmt: skip
        assert answer.codes == [], answer.body
        return [one["recipient"] for one in answer.body["data"]["reviewFindings"]["findings"]]

    assert recipient in read()
    assert recipient not in read(recipient=other)


def test_of_whoever_is_protected_no_office_is_told(demo: Demo, folder: Path) -> None:
    [people] = (demo.folder / "deliveries" / "resident").glob("people-*.parquet")
    told = duckdb.sql(
        "SELECT safeAddress, office, found.district"
        f" FROM read_parquet('{folder}/findings/*.parquet') AS found"
        f" JOIN read_parquet('{people}') AS registered ON id = recipient"
    ).fetchall()
    protected = [where for safe, *where in told if safe]
    assert protected
    assert all(where == [None, None] for where in protected)
    assert all(where[1] is not None for safe, *where in told if not safe)


def test_an_auditor_finds_the_review_by_each_of_its_people(demo: Demo, folder: Path) -> None:
    [[somebody]] = duckdb.sql(
        f"SELECT key FROM read_parquet('{folder}/results/*.parquet') ORDER BY key LIMIT 1"
    ).fetchall()
    found = demo.ask(
        "query Find($id: ID!) { accesses(subject: $id, first: 100) { records { kind purpose } } }",
        {"id": somebody},
        person="auditor",
        purpose="audit",
        case=None,
    )
    kinds = [one["kind"] for one in found.body["data"]["accesses"]["records"]]
    assert kinds.count("REVIEW_BATCH") == 1


def test_findings_are_for_those_who_survey_and_nobody_else(demo: Demo, folder: Path) -> None:
    assert folder.exists()
    refused = demo.ask(
        WORKLIST, {"programme": "basic-pension", "first": 2}, purpose="duplicate-check", case=None
    )
    assert refused.codes == ["PURPOSE_DENIED"]
    assert page(demo, "11110", first=101).codes == ["BAD_VARIABLES"]
    assert page(demo, "11110", programme="no-such").codes == ["BAD_VARIABLES"]
