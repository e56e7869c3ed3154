"""The benchmark's own declarations and words are of the hub as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.answers import of_hub
from bench.log import rate, worlds
from bench.world import HERE, make_world
from hub.app import read_plans
from hub.config import Limits, read_settings
from hub.explain import explain


@pytest.mark.parametrize("query", ["q1", "q2"])
def test_the_questions_of_the_benchmark_are_granted_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    monkeypatch.setattr("bench.world.CASES", 10)
    monkeypatch.setattr("bench.world.TOKENS", 1)
    world = make_world(tmp_path / "world", 9301, apart=False)
    for name, value in {"STUB": "http://127.0.0.1:9100", **world.environment}.items():
        monkeypatch.setenv(name, value)
    plans = read_plans(read_settings(world.settings))
    text = (HERE / "queries" / f"hub-{query}.graphql").read_text()
    found = explain(plans, Limits(), plans.register.purposes["bench-0"], text, None)
    assert all(decision.allowed for decision in found.decisions)


def test_a_recipient_in_the_hubs_words_becomes_one_in_the_peers() -> None:
    resident = {"name": "a", "birthDate": "b", "district": "c", "size": 1, "members": [{"name": 1}]}
    person = {"id": "1", "resident": resident, "tax": {"arrears": 0}, "labour": {}, "property": {}}
    assert of_hub(person) == {
        "id": "1",
        "name": "a",
        "birthDate": "b",
        "district": "c",
        "household": {"size": 1, "members": [{"name": 1}]},
        "tax": {"arrears": 0},
        "labour": {},
        "property": {},
    }


async def test_the_log_is_measured_with_whole_operations_and_with_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.log.IN_FLIGHT", 2)
    async with worlds(f"sqlite+aiosqlite:///{tmp_path / 'log.db'}") as both:
        world = both["log"]
        await rate(world, 0.01)
        kinds = [record["kind"] async for record in world.hub.log.store.records()]
        assert {*kinds} == {"INTENT", "OUTCOME"}
        world.agencies["tax"].records = {}
        with pytest.raises(RuntimeError, match="another answer was expected"):
            await rate(world, 0.01)
