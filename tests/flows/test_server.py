"""The server around the pipeline: limits, health, metrics, decoding."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.demo import Demo


def post(demo: Demo, content: bytes, **headers: str) -> httpx.Response:
    sent = {
        "Authorization": f"Bearer {demo.info['tokens']['caseworker']}",
        "Content-Type": "application/json",
        **headers,
    }
    return httpx.post(demo.info["graphql"], content=content, headers=sent, trust_env=False)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{ " + "a: __typename " * 2_000 + "}", "TOO_MANY_TOKENS"),
        ("{ " + " ".join(f"a{n}: __typename" for n in range(61)) + " }", "TOO_MANY_ALIASES"),
        (
            "{ recipient(id: 1) { household "
            + "{ members { household " * 6
            + "{ id }"
            + " } }" * 6
            + " } }",
            "TOO_DEEP",
        ),
        (
            "query { ...A } fragment A on Query { ...B } fragment B on Query { ...A }",
            "GRAPHQL_VALIDATION_FAILED",
        ),
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ recipient(", "GRAPHQL_PARSE_FAILED"),
    ],
)
def test_a_document_beyond_the_limits_is_refused(demo: Demo, query: str, code: str) -> None:
    answer = demo.ask(query)
    assert answer.status == 400
    assert set(answer.codes) == {code}


def test_fragments_count_wherever_they_are_spread(demo: Demo) -> None:
    fragments = " ".join(
        f"fragment F{n} on Query {{ a{n}: __typename ...F{n + 1} b{n}: __typename ...F{n + 1} }}"
        for n in range(20)
    )
    answer = demo.ask(f"{{ ...F0 }} {fragments} fragment F20 on Query {{ __typename }}")
    assert answer.codes == ["TOO_MANY_ALIASES"]


def test_too_many_ids_are_refused(demo: Demo) -> None:
    query = "query($ids: [ID!]!) { recipients(ids: $ids) { id } }"
    assert demo.ask(query, {"ids": ["x"] * 501}).codes == ["TOO_MANY_IDS"]


def test_a_costly_operation_is_refused(demo: Demo) -> None:
    fields = " ".join(f"t{n}: tax {{ arrears earnedIncome incomeTax }}" for n in range(60))
    query = f"query($ids: [ID!]!) {{ recipients(ids: $ids) {{ {fields} }} }}"
    assert demo.ask(query, {"ids": ["x"] * 500}).codes == ["TOO_COSTLY"]


def test_a_large_body_is_refused(demo: Demo) -> None:
    response = post(demo, b'{"query": "' + b" " * 70_000 + b'{__typename}"}')
    assert response.status_code == 413


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b'{"query": "{__typename}"}', "text/plain", 415),
        (b'{"query": "{__typename}"}', "application/json; charset=utf-16", 415),
        (b'{"query": "\xff"}', "application/json", 400),
        (b'{"query": "{__typename}", "query": "{ a }"}', "application/json", 400),
        (b'[{"query": "{__typename}"}]', "application/json", 400),
        (b"[" * 50_000, "application/json", 400),
    ],
)
def test_a_body_that_is_no_request_is_refused(
    demo: Demo, content: bytes, kind: str, status: int
) -> None:
    response = post(demo, content, **{"Content-Type": kind})
    assert response.status_code == status
    assert response.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


def test_errors_echo_neither_literals_nor_variables(demo: Demo) -> None:
    secret = "800101-1234567"
    for query, variables in (
        (f'{{ recipient(id: {{x: "{secret}"}}) {{ id }} }}', {}),
        (f'{{ recipient(id: ["{secret}"]) {{ id }} }}', {}),
        (f'{{ recipient(id: "{secret}" "{secret}") {{ id }} }}', {}),
        (f'query($id: Int = "{secret}") {{ __typename }}', {}),
        ("query($id: ID!) { recipient(id: $id) { id } }", {"id": {"x": secret}}),
        ("query($ids: [ID!]!) { recipients(ids: $ids) { id } }", {"ids": [[secret]]}),
    ):
        answer = demo.ask(query, variables)
        assert answer.codes
        assert "1234567" not in json.dumps(answer.body)


def test_get_serves_only_what_touches_no_data(demo: Demo) -> None:
    headers = {"Authorization": f"Bearer {demo.info['tokens']['caseworker']}"}

    def get(query: str) -> httpx.Response:
        return httpx.get(
            demo.info["graphql"], params={"query": query}, headers=headers, trust_env=False
        )

    assert get("{ sources { name } }").status_code == 200
    data = get(f'{{ recipient(id: "{demo.recipient}") {{ id }} }}')
    assert (data.status_code, data.headers["allow"]) == (405, "POST")


def test_operators_see_health_readiness_and_metrics(demo: Demo) -> None:
    def get(path: str) -> httpx.Response:
        return httpx.get(f"{demo.address}{path}", trust_env=False)

    assert get("/healthz").json() == {"status": "ok"}
    assert get("/readyz").json() == {"status": "ready"}
    demo.ask("query($id: ID!) { recipient(id: $id) { identity { name } } }", {"id": demo.recipient})
    metrics = get("/metrics").text
    assert 'hub_operations_total{outcome="answered"}' in metrics
    assert demo.recipient not in metrics
    assert demo.personas["caseworker"]["person"] not in metrics


def test_the_logs_are_json_lines_with_nothing_personal(demo: Demo) -> None:
    demo.fault("tax", "error")
    demo.ask("query($id: ID!) { recipient(id: $id) { tax { arrears } } }", {"id": demo.recipient})
    demo.fault("tax", "none")
    text = (demo.folder / "stderr").read_text()
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    assert {"source failed: the source answered 500"} <= {line["message"] for line in lines}
    assert demo.recipient not in text
    assert demo.personas["caseworker"]["person"] not in text


def test_explain_shows_decisions_and_rounds_without_asking(demo: Demo, tmp_path: Path) -> None:
    query = tmp_path / "sample.graphql"
    query.write_text(demo.info["sample"]["query"])
    done = subprocess.run(
        [
            *(sys.executable, "-m", "hub.cli", "explain", str(query), "--json"),
            *("--purpose", "basic-livelihood.application"),
        ],
        capture_output=True,
        check=True,
    )
    found = json.loads(done.stdout)
    rounds = [(step["round"], step["source"]) for step in found["steps"]]
    assert rounds == [
        ("case", "benefits"),
        ("household", "resident"),
        ("officials", "officials"),
        ("data 1", "resident"),
        ("data 1", "tax"),
        ("data 1", "labour"),
        ("data 1", "property"),
        ("data 1", "benefits"),
        ("data 2", "resident"),
    ]
    assert all(decision["allowed"] for decision in found["decisions"])
    answer = demo.ask(demo.info["sample"]["query"], {"id": demo.recipient})
    calls = answer.body["extensions"]["sources"]
    asked = [(call["round"], call["source"]) for call in calls]
    # The register of officials is asked of an office once a minute, and of no recipient.
    assert asked == [step for step in rounds if step[0] != "officials"]
