"""Stand-ins answer by declarations alone, as processes, the same at each start."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sources.standins import StandIn, StandInFailed, Wanted, stand_ins

DECLARATION = """\
[source]
agency = "National Pension Service"
description = "Pensions"
adapter = "rest"
batch = 3

[rest]
url = "${PENSION_URL}"
path = "/query"
keys = "ids"
items = "fields"
records = "data.people"
key = "id"
as_of = "asOf"
dates = "YYYYMMDD"
money = "thousand-won"

[rest.headers]
Authorization = "Bearer ${PENSION_TOKEN}"

[rest.context]
purpose = "X-Purpose"

[item.pension]
description = "Pension"
type = "Won"
per = "month"
category = "benefit"
counts_as = "income.pension"

[item.since]
description = "Since"
type = "Date"
category = "benefit"
wire = "start"

[item.kind]
description = "Kind"
type = "String"
category = "benefit"
codes = { "1" = "old-age", "2" = "survivor" }

[item.name]
description = "Name"
type = "String"
category = "identity"

[item.payments]
description = "Payments"
type = "list"

[item.payments.item.month]
description = "Month"
type = "Month"
category = "benefit"
"""
FIELDS = ["pension", "start", "kind", "name", "payments.month"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pension.toml").write_text(DECLARATION)
    return tmp_path


@pytest.fixture
async def pension(village: Path, folder: Path) -> AsyncIterator[StandIn]:
    async with stand_ins(Wanted(["pension"], folder, village, folder / "run")) as found:
        yield found["pension"]


def ask(pension: StandIn, *ids: str, **changed: Any) -> httpx.Response:
    headers = {
        "Authorization": f"Bearer {pension.environment['PENSION_TOKEN']}",
        "X-Purpose": "test",
        **changed.pop("headers", {}),
    }
    body = {"ids": list(ids), "fields": FIELDS, **changed}
    url = f"{pension.environment['PENSION_URL']}/query"
    return httpx.post(url, json=body, headers=headers, trust_env=False, verify=False)


async def test_it_writes_as_the_declaration_says(pension: StandIn, sample: dict[str, Any]) -> None:
    (record,) = ask(pension, sample["recipient"]).json()["data"]["people"]
    assert list(record) == ["id", "asOf", "pension", "start", "kind", "name", "payments"]
    assert (record["id"], record["asOf"]) == (sample["recipient"], "20261031")
    assert isinstance(record["pension"], int)
    datetime.datetime.strptime(record["start"], "%Y%m%d")  # noqa: DTZ007 - a day has no zone
    assert record["kind"] in ("1", "2")
    assert all(list(entry) == ["month"] for entry in record["payments"])


async def test_it_knows_most_people_and_the_same_at_each_start(
    village: Path, folder: Path, pension: StandIn
) -> None:
    known = pension.about["known"]["person"]
    first = ask(pension, *known[:3]).json()
    assert len(first["data"]["people"]) == 3
    assert ask(pension, pension.about["unknown"]["person"]).json()["data"]["people"] == []
    async with stand_ins(Wanted(["pension"], folder, village, folder / "again")) as found:
        assert ask(found["pension"], *known[:3]).json() == first


async def test_it_refuses_what_an_agency_would(pension: StandIn) -> None:
    known = pension.about["known"]["person"]
    assert ask(pension, known[0], headers={"Authorization": "Bearer x"}).status_code == 401
    assert ask(pension, known[0], fields=["wages"]).status_code == 400
    assert ask(pension, known[0], fields="pension").status_code == 400
    assert ask(pension, *known[:4]).status_code == 413


async def test_it_tells_by_its_door_what_it_was_asked_and_what_it_holds(pension: StandIn) -> None:
    known = pension.about["known"]["person"]
    (record,) = ask(pension, known[0]).json()["data"]["people"]
    async with httpx.AsyncClient(trust_env=False) as client:
        (call,) = (await client.get(f"{pension.control}/calls")).json()
        asked = {"subject": "person", "keys": [known[0]], "items": ["pension.pension"]}
        held = (await client.post(f"{pension.control}/held", json=asked)).json()
    assert (call["keys"], call["items"]) == ([known[0]], FIELDS)
    assert (call["purpose"], call["target"]) == ("test", "POST /query")
    assert held == {known[0]: {"pension": record["pension"] * 1000}}


async def test_a_declaration_with_faults_is_told(village: Path, tmp_path: Path) -> None:
    (tmp_path / "pension.toml").write_text(DECLARATION.replace('type = "Date"', 'type = "Day"'))
    wanted = Wanted(["pension"], tmp_path, village, tmp_path / "run")
    with pytest.raises(StandInFailed, match=r"pension.toml: item.since.type \(line 33\)"):
        async with stand_ins(wanted):
            pytest.fail("it started")


async def test_an_address_that_is_written_out_cannot_be_stood_in_for(
    village: Path, tmp_path: Path
) -> None:
    text = DECLARATION.replace("${PENSION_URL}", "https://pension.example")
    (tmp_path / "pension.toml").write_text(text)
    wanted = Wanted(["pension"], tmp_path, village, tmp_path / "run")
    with pytest.raises(StandInFailed, match="the address is written out"):
        async with stand_ins(wanted):
            pytest.fail("it started")
