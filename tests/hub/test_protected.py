"""A protected person's whereabouts: never asked for a purpose that does not name them."""

from __future__ import annotations

import datetime
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from authz.caller import Caller
from authz.register import read_register
from hub.config import Limits, TrustedDocuments
from hub.documents import Documents
from hub.gather import Call, Gatherer
from hub.operation import Hub, Request
from hub.pipeline import answer
from hub.project import Projected
from hub.querylog.quota import Quota
from hub.querylog.record import Log, Pseudonyms
from hub.querylog.store import Store
from hub.trusted import Sent, Trusted
from hub.visible import Visibility
from schema.build import build
from sources.adapter import Question, Record, Reply
from sources.declaration import Source, read_catalogue
from sources.fault import Fault

SOURCES = ["resident", "tax", "labour", "property", "benefits"]
CATALOGUE, _ = read_catalogue(Path("sources/catalogue"), SOURCES, "resident", "benefits")
REGISTER, _ = read_register(Path("authz/purposes"), CATALOGUE)
SCHEMA = build(CATALOGUE)
DAY = datetime.date(2026, 10, 31)
CALLER = Caller("official", "r-official", frozenset({"caseworker"}), "office-1", "1", "issuer")
QUERY = """query($id: ID!) { recipient(id: $id) {
  id identity { name address } household { members { id } }
  labour { insured } tax { arrears withholdings { payer } } } }"""


def person(*, protected: bool | None, others: bool | None = False) -> dict[str, Any]:
    return {
        "name": "a name",
        "address": "an address",
        "householdId": "h-1",
        "district": "1",
        "safeAddress": protected,
        "members": [
            {"id": "r-1", "safeAddress": protected},
            {"id": "r-2", "safeAddress": others},
        ],
    }


@dataclass
class Agency:
    """An agency in memory, and what it was asked."""

    records: Mapping[str, Mapping[str, Any]]
    asked: list[Question] = field(default_factory=list)

    @staticmethod
    def check(_: Source) -> list[Fault]:
        return []

    async def ask(self, question: Question) -> Reply:
        self.asked.append(question)
        keys = [key for key in question.keys if key in self.records]
        return Reply({key: Record(self.records[key], DAY) for key in keys})

    async def close(self) -> None:
        """Nothing is open."""


@dataclass
class World:
    """A hub over agencies in memory, with a real log."""

    hub: Hub
    agencies: Mapping[str, Agency]

    async def ask(self, purpose: str) -> dict[str, Any]:
        request = Request(
            sent=Sent(QUERY, None),
            variables={"id": "r-1"},
            operation_name=None,
            purpose=purpose,
            cases="c-1",
            reason="",
            withhold=False,
            by_url=False,
        )
        found: dict[str, Any] = json.loads(await answer(self.hub, CALLER, request, encode))
        return found


def encode(projected: Projected, calls: Sequence[Call], _: Mapping[str, str]) -> bytes:
    body = {
        "data": projected.data,
        "errors": [error.formatted for error in projected.errors],
        "calls": [[call.source, call.round, call.state] for call in calls],
    }
    return json.dumps(body, default=str).encode()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    found = Store(f"sqlite+aiosqlite:///{tmp_path / 'log.db'}", 10, bytes(32))
    await found.open()
    yield found
    await found.close()


def world(store: Store, recipient: Mapping[str, Any], programme: str = "livelihood") -> World:
    case = {
        "programme": programme,
        "household": "h-1",
        "applicant": "r-1",
        "office": "office-1",
        "state": "open",
    }
    agencies = {
        "resident": Agency({"r-1": recipient, "r-2": recipient}),
        "tax": Agency({"r-1": {"arrears": 5, "withholdings": [{"payer": "an employer"}]}}),
        "labour": Agency({"r-1": {"insured": True}}),
        "property": Agency({}),
        "benefits": Agency({"c-1": case}),
    }
    hub = Hub(
        schema=SCHEMA,
        register=REGISTER,
        documents=Documents(SCHEMA.graphql, Limits()),
        visibility=Visibility(SCHEMA, REGISTER),
        trusted=Trusted(TrustedDocuments(), {}),
        gatherer=Gatherer(CATALOGUE, agencies),
        log=Log(store, Quota(store.engine), Pseudonyms(b"key"), CATALOGUE),
        limits=Limits(),
    )
    return World(hub, agencies)


def data_items(agency: Agency) -> set[str]:
    return {item.path[-1] for question in agency.asked for item in question.items if item.path}


async def test_the_whereabouts_of_others_are_shown(store: Store) -> None:
    found = await world(store, person(protected=False)).ask("basic-livelihood.application")
    assert found["errors"] == []
    assert found["data"]["recipient"]["identity"]["address"] == "an address"


@pytest.mark.parametrize(
    "recipient",
    [person(protected=True), person(protected=None), person(protected=False, others=True)],
    ids=["protected", "not known not to be", "of the household of one who is"],
)
async def test_what_could_lead_to_a_protected_person_looks_unavailable_and_is_not_asked(
    store: Store, recipient: Mapping[str, Any]
) -> None:
    made = world(store, recipient)
    found = await made.ask("basic-livelihood.application")
    shown = found["data"]["recipient"]
    assert shown == {
        "id": "r-1",
        "identity": {"name": None, "address": None},
        "household": {"members": None},
        "labour": {"insured": True},
        "tax": None,
    }
    assert {error["extensions"]["code"] for error in found["errors"]} == {"SOURCE_UNAVAILABLE"}
    assert all(error["extensions"]["retryAfter"] == 5 for error in found["errors"])
    assert "address" not in data_items(made.agencies["resident"])
    assert made.agencies["tax"].asked == []
    assert ["tax", "data 1", "SOURCE_UNAVAILABLE"] in found["calls"]
    assert ["resident", "data 1", "SOURCE_UNAVAILABLE"] in found["calls"]


async def test_the_log_says_what_was_kept_and_that_it_was_not_disclosed(store: Store) -> None:
    await world(store, person(protected=True)).ask("basic-livelihood.application")
    records = [entry async for entry in store.records()]
    outcome = records[-1]
    (entry,) = outcome["concealed"]
    assert entry == {"subject": Pseudonyms(b"key").of("r-1"), "sources": ["resident", "tax"]}
    assert set(outcome["disclosed"]) == {"labour", "resident"}
    (known,) = outcome["disclosed"]["resident"]
    assert known["items"] == ["resident.exists"]


async def test_a_purpose_that_names_protected_people_sees_them(store: Store) -> None:
    made = world(store, person(protected=True), "emergency-aid")
    query = "query($id: ID!) { recipient(id: $id) { identity { address } } }"
    request = Request(
        sent=Sent(query, None),
        variables={"id": "r-1"},
        operation_name=None,
        purpose="emergency-aid.application",
        cases="c-1",
        reason="",
        withhold=False,
        by_url=False,
    )
    found = json.loads(await answer(made.hub, CALLER, request, encode))
    assert found["data"] == {"recipient": {"identity": {"address": "an address"}}}


def test_no_caseworker_is_told_that_somebody_is_protected() -> None:
    decisions = REGISTER.purposes["emergency-aid.application"].decisions
    assert not decisions["resident.safeAddress"].allowed
    assert not decisions["resident.members.safeAddress"].allowed
