"""Misuse by people who may log in, over HTTP: attacks 25 and 26."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import asyncpg
import pytest

from sources.simulator.access import read_access
from tests.access.world import World
from tests.demo import Demo

NAME = "query($id: ID!) { recipient(id: $id) { identity { name } } }"


@contextlib.asynccontextmanager
async def register_of_cases(demo: Demo) -> AsyncIterator[asyncpg.Connection]:
    """The register of cases, as its own agency changes it."""
    port = urlsplit(demo.info["sources"]["benefits"]["url"]).port
    password = (demo.run / "benefits" / "keeper").read_text("utf-8")
    connection = await asyncpg.connect(
        host="127.0.0.1", port=port, user="keeper", password=password, database="benefits"
    )
    try:
        yield connection
    finally:
        await connection.close()


@pytest.fixture(scope="module")
def world(demo: Demo) -> World:
    return World(demo)


async def test_attack_26_a_case_opened_viewed_and_closed_at_once_is_no_reason_any_more(
    demo: Demo, world: World
) -> None:
    stranger = world.neighbour("11110")
    case, household = "2026-11110-999998", f"H{int(world._homes[world.row(stranger)]):08}"
    asked = {"id": stranger}
    assert demo.ask(NAME, asked, case=case).codes == ["CASE_REFUSED"]
    async with register_of_cases(demo) as register:
        await register.execute(
            "INSERT INTO register.welfare_case VALUES ($1, 'livelihood', $2, $3, 'office-11110',"
            " 'official-11110-03', 'open', '2026-10-31', NULL, '2026-10-31')",
            case,
            household,
            stranger,
        )
        try:
            assert demo.ask(NAME, asked, case=case).codes == []
            (intent, *_, outcome) = demo.last_operation()
            assert outcome["cases"] == [case]
            assert intent["person"] == demo.personas["caseworker"]["person"]
            await register.execute(
                "UPDATE register.welfare_case SET state = 'closed' WHERE reference = $1", case
            )
            before = len(read_access("resident", demo.run))
            assert demo.ask(NAME, asked, case=case).codes == ["CASE_REFUSED"]
            assert len(read_access("resident", demo.run)) == before
        finally:
            await register.execute("DELETE FROM register.welfare_case WHERE reference = $1", case)
    assert demo.ask(NAME, asked, case=case).codes == ["CASE_REFUSED"]


def test_attack_25_another_purpose_after_a_denial_is_decided_and_logged_by_itself(
    demo: Demo,
) -> None:
    query = "query($id: ID!) { recipient(id: $id) { resident { registeredAbroad } } }"
    purposes = (
        "basic-livelihood.application",
        "basic-pension.application",
        "emergency-aid.application",
        "break-glass",
        "subject-access",
        "audit",
    )
    before = len(demo.records())
    answers = [demo.ask(query, {"id": demo.recipient}, purpose=purpose) for purpose in purposes]
    assert not [
        answer.body for answer in answers if (answer.body.get("data") or {}).get("recipient")
    ]
    outcomes = [record for record in demo.records()[before:] if record["kind"] == "OUTCOME"]
    assert [record["purpose"] for record in outcomes] == list(purposes)
    assert {record["person"] for record in outcomes} == {demo.personas["caseworker"]["person"]}
    assert all(record["subjects"] for record in outcomes)
