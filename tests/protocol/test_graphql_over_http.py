"""The hub speaks GraphQL over HTTP as npm `graphql-http`, the specification's audits, reads it."""

from typing import Any

from tests.node import run_node

AUDITS = 61


def test_the_hub_passes_every_audit_of_graphql_over_http(demo: Any) -> None:
    results = run_node(
        "audit.mjs", demo.info["graphql"], demo.info["tokens"]["caseworker"], seconds=60
    )
    failed = [
        f"{result['id']} {result['name']}: {result['reason']}"
        for result in results
        if result["status"] != "ok"
    ]
    assert failed == [], "\n".join(failed)
    assert len(results) == AUDITS
