"""The `xroad` adapter against a stand-in for the hub's security server on loopback."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest

from sources.adapter import SourceError, SourceRefused, SourceUnavailable
from tests.sources.agency import answer
from tests.sources.asking import CONTEXT, HANA, asking

TABLE = """
url = "URL"
client = "KR/GOV/1000/welfare-hub"
service = "KR/GOV/2000/land register/persons"
path = "/query"
user = "KR"
represented = "GOV/3000"
keys = "ids"
items = "fields"
records = "records"
key = "id"
"""
PROOF = {"X-Road-Id": "m-1", "X-Road-Request-Id": "r-1", "X-Road-Request-Hash": "aGFzaA=="}
FOUND = answer({"records": [{"id": HANA, "pay": 5}]}, **PROOF)


async def test_a_message_names_service_client_case_and_official(tmp_path: Path) -> None:
    async with asking(tmp_path, "xroad", TABLE, FOUND) as agency:
        await agency.ask()
        (asked,) = agency.agency.asked
    assert asked.line == "POST /r1/KR/GOV/2000/land%20register/persons/query HTTP/1.1"
    said = {name: value for name, value in asked.headers.items() if name.startswith("x-road")}
    assert uuid.UUID(said.pop("x-road-id")).version == 4
    assert said == {
        "x-road-client": "KR/GOV/1000/welfare-hub",
        "x-road-issue": "C-1",
        "x-road-userid": "KRofficial-7",
        "x-road-represented-party": "GOV/3000",
    }
    assert asked.body == {"ids": [HANA], "fields": ["pay"]}


async def test_every_message_has_an_id_of_its_own(tmp_path: Path) -> None:
    async with asking(tmp_path, "xroad", TABLE, FOUND) as agency:
        for _ in range(3):
            await agency.ask()
        ids = {asked.headers["x-road-id"] for asked in agency.agency.asked}
    assert len(ids) == 3


async def test_what_is_not_known_or_not_declared_is_not_said(tmp_path: Path) -> None:
    table = TABLE.replace('user = "KR"\n', "")
    async with asking(tmp_path, "xroad", table, FOUND) as agency:
        await agency.ask(context=CONTEXT._replace(case=""))
        (asked,) = agency.agency.asked
    assert "x-road-userid" not in asked.headers
    assert "x-road-issue" not in asked.headers


async def test_a_case_may_be_kept_from_the_messages(tmp_path: Path) -> None:
    async with asking(tmp_path, "xroad", TABLE + "issue = false", FOUND) as agency:
        await agency.ask()
        assert "x-road-issue" not in agency.agency.asked[0].headers


async def test_the_proof_of_an_exchange_comes_with_its_answer(tmp_path: Path) -> None:
    async with asking(tmp_path, "xroad", TABLE, FOUND) as agency:
        reply = await agency.ask()
    assert reply.records[HANA].values == {"pay": 5}
    assert reply.evidence == {name.lower(): value for name, value in PROOF.items()}


ERRORS = [
    ("Client.IncorrectRequest", "400 No", SourceRefused("X-Road refuses the message")),
    ("Server.ClientProxy.SslAuthenticationFailed", "500 No",
     SourceUnavailable("the hub's own security server fails")),
    ("Server.ServerProxy.ServiceFailed.CannotCreateConnection", "500 No",
     SourceUnavailable("the provider's security server fails")),
    ("Server.ServerProxy.AccessDenied", "500 No", SourceRefused("X-Road refuses the message")),
    ("Server.ServerProxy.UnknownService", "500 No", SourceRefused("X-Road refuses the message")),
    (None, "500 No", SourceUnavailable("the source answered 500")),
    (None, "404 No", SourceRefused("the source refused the question with 404")),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "status", "error"), ERRORS, ids=[str(e[0]) for e in ERRORS])
async def test_an_error_is_classed_by_whose_it_is(
    tmp_path: Path, kind: str | None, status: str, error: SourceError
) -> None:
    headers = {} if kind is None else {"X-Road-Error": kind}
    said = answer({"type": kind, "message": HANA, "detail": "d"}, status, **headers)
    async with asking(tmp_path, "xroad", TABLE, said) as agency:
        with pytest.raises(SourceError) as caught:
            await agency.ask()
    assert (type(caught.value), caught.value.reason) == (type(error), error.reason)


async def test_an_error_with_a_good_status_is_an_error(tmp_path: Path) -> None:
    said = answer({"records": []}, **{"X-Road-Error": "Server.ServerProxy.ServiceFailed"})
    async with asking(tmp_path, "xroad", TABLE, said) as agency:
        with pytest.raises(SourceUnavailable):
            await agency.ask()


async def test_no_id_is_in_an_address_or_a_header(tmp_path: Path) -> None:
    async with asking(tmp_path, "xroad", TABLE, FOUND) as agency:
        await agency.ask()
        (asked,) = agency.agency.asked
    assert HANA not in asked.line
    assert HANA not in json.dumps(dict(asked.headers))
