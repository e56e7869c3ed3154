"""The main job, seen from outside: one question, five agencies, one answer."""

from __future__ import annotations

from typing import Any

from tests.demo import Demo


def leaves(value: Any) -> int:
    if isinstance(value, dict):
        return sum(map(leaves, value.values()))
    if isinstance(value, list):
        return sum(map(leaves, value))
    return value is not None


def test_the_sample_reads_at_least_forty_values_from_all_five_agencies(demo: Demo) -> None:
    answer = demo.ask(demo.info["sample"]["query"], {"id": demo.recipient})
    assert answer.status == 200
    assert "errors" not in answer.body
    assert leaves(answer.body["data"]) >= 40
    asked = {call["source"] for call in answer.body["extensions"]["sources"]}
    assert asked == {"resident", "tax", "labour", "property", "benefits"}
