"""The usage service of Estonia's data tracker, over HTTP: of oneself, logged, page by page."""

from __future__ import annotations

import datetime
import time
from typing import Any

import httpx
import pytest

from tests.demo import Demo

SEEN = "query($id: ID!) { recipient(id: $id) { identity { name } } }"
DELAY = (
    "mutation($p: ID!, $u: DateTime!) { delayTelling(place: $p, until: $u,"
    ' reason: "An investigation of the official is under way.") { place } }'
)


def usage(
    demo: Demo, path: str = "findUsage", person: str = "recipient", **given: Any
) -> httpx.Response:
    address = demo.info["graphql"].removesuffix("/graphql")
    headers = {
        "Authorization": f"Bearer {demo.info['tokens'][person]}",
        "X-Road-UserId": "EE38001085718",
    }
    return httpx.get(f"{address}/v2/{path}", params=given, headers=headers, timeout=30)


@pytest.fixture
def looked(demo: Demo) -> dict[str, Any]:
    """The OUTCOME of a look at the sample's recipient."""
    assert demo.ask(SEEN, {"id": demo.recipient}).codes == []
    return demo.last_operation()[-1]


def test_a_person_is_told_time_purpose_and_receiver_and_nothing_more(
    demo: Demo, looked: dict[str, Any]
) -> None:
    found = usage(demo, userCode=demo.recipient, limit=1).json()
    assert found["totalUsages"] >= 1
    (told,) = found["usages"]
    assert told == {
        "logtime": looked["at"],
        "action": "Decide an application for basic livelihood security,"
        " National Basic Living Security Act, Article 22",
        "receiverCode": looked["office"],
        "receiverSystem": "demo.invalid",
    }
    before, after = demo.records()[-2:]
    assert (before["kind"], before["reads"]) == ("READ", {"findUsage": {"limit": "1"}})
    assert len(after["records"]) == 1
    assert demo.recipient not in str((before, after))
    assert usage(demo).json()["totalUsages"] == found["totalUsages"]


def test_pages_are_of_the_newest_first_within_the_period(
    demo: Demo, looked: dict[str, Any]
) -> None:
    assert demo.ask(SEEN, {"id": demo.recipient}).codes == []
    newest, second = (usage(demo, offset=at, limit=1).json()["usages"][0] for at in (0, 1))
    assert newest["logtime"] > second["logtime"] == looked["at"]
    day = datetime.date.fromisoformat(looked["at"][:10])
    everything = usage(demo).json()["totalUsages"]
    assert usage(demo, periodStart=day, periodEnd=day).json()["totalUsages"] == everything
    later = usage(demo, periodStart=day + datetime.timedelta(days=1)).json()
    assert later == {"totalUsages": 0, "usages": []}


def test_an_access_under_investigation_is_told_later(demo: Demo, looked: dict[str, Any]) -> None:
    place = str(len(demo.records()) - 1)
    until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=30)
    given = {"p": place, "u": until.isoformat()}
    delayed = demo.ask(DELAY, given, person="auditor", purpose="audit", case=None)
    assert delayed.codes == []
    assert looked["at"] not in [each["logtime"] for each in usage(demo).json()["usages"]]


def test_nobody_is_told_of_anybody_else(demo: Demo) -> None:
    other = usage(demo, userCode="799214-1395663")
    assert (other.status_code, other.json()["code"]) == (403, "FORBIDDEN")
    assert "799214" not in other.text
    assert usage(demo, person="caseworker").status_code == 403
    address = demo.info["graphql"].removesuffix("/graphql")
    assert httpx.get(f"{address}/v2/findUsage", headers={"X-Road-UserId": "x"}).status_code == 401


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"limit": 1001}, "`limit` is a number from 1 to 1000"),
        ({"limit": "x"}, "`limit` is no number"),
        ({"offset": -1}, "`offset` is no number"),
        (
            {"periodEnd": "yesterday"},
            "`periodEnd` is no time: write it as 2026-11-23 or 2026-11-23T09:00:00Z",
        ),
    ],
)
def test_what_is_no_request_is_refused_with_the_place(
    demo: Demo, given: dict[str, Any], message: str
) -> None:
    answer = usage(demo, **given)
    assert (answer.status_code, answer.json()["message"]) == (400, message)


def test_the_period_and_the_heartbeat_are_told(demo: Demo) -> None:
    assert usage(demo, "heartbeat").json() == {"status": "OK", "message": "the query log answers"}
    begun = datetime.datetime.fromisoformat(usage(demo, "usagePeriod").json()["periodStart"])
    assert begun.timestamp() <= time.time()
