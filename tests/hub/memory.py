"""A hub over agencies in memory, with a real log: what a pipeline does, call by call."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from authz.caller import Caller
from authz.register import Register, read_register
from hub.config import Audit, Limits, TrustedDocuments
from hub.corrections.marks import Marks
from hub.documents import Documents
from hub.gather import Call, Gatherer
from hub.officials import Officials
from hub.operation import Hub, Request
from hub.oversight.ledger import Ledger
from hub.oversight.seal import Seal
from hub.pipeline import answer
from hub.project import Projected
from hub.projecting.compiled import Projections
from hub.querylog.quota import Quota
from hub.querylog.record import Log, Pseudonyms
from hub.querylog.store import Store
from hub.trusted import Sent, Trusted
from hub.visible import Visibility
from schema.build import build
from sources.adapter import Question, Record, Reply
from sources.declaration import Source
from sources.fault import Fault
from sources.reading import read_catalogue

SOURCES = ["resident", "tax", "labour", "property", "benefits"]
CATALOGUE, _ = read_catalogue(Path("sources/catalogue"), SOURCES, "resident", "benefits")
SCHEMA = build(CATALOGUE)
REGISTER, _ = read_register(Path("authz/purposes"), CATALOGUE, SCHEMA.derivations)
DAY = datetime.date(2026, 10, 31)
CALLER = Caller("official", "r-official", frozenset({"caseworker"}), "office-1", "1", "issuer")
CASE: Mapping[str, Any] = {
    "programme": "livelihood",
    "household": "h-1",
    "applicant": "r-1",
    "office": "office-1",
    "state": "open",
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

    async def ask(
        self, purpose: str, query: str, *, withhold: bool = False, **variables: Any
    ) -> dict[str, Any]:
        """The answer. Raises RequestRefused."""
        request = Request(
            sent=Sent(query, None),
            variables=variables or {"id": "r-1"},
            operation_name=None,
            purpose=purpose,
            cases="c-1",
            reason="",
            withhold=withhold,
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


def hub_over(store: Store, agencies: Mapping[str, Agency], register: Register = REGISTER) -> Hub:
    """A hub over these agencies."""
    ledger = Ledger(store.engine, Pseudonyms(b"key"), Seal(b"key"))
    return Hub(
        schema=SCHEMA,
        register=register,
        documents=Documents(SCHEMA.graphql, Limits()),
        projections=Projections(SCHEMA),
        visibility=Visibility(SCHEMA, register),
        trusted=Trusted(TrustedDocuments(mode="off"), {}),
        gatherer=Gatherer(CATALOGUE, agencies),
        log=Log(store, Quota(store.engine), Pseudonyms(b"key"), CATALOGUE),
        ledger=ledger,
        marks=Marks(ledger),
        officials=Officials(None, None),
        limits=Limits(),
        audit=Audit(),
    )
