"""Asks the demo one operation after another, and keeps what each left behind.

The agencies' records are read once, when all is asked: a database writes its own a moment late.
Those of a service name the operation; those of a database are told apart by time.
"""

from __future__ import annotations

import datetime
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Self

import httpx

from sources.simulator.access import Access, read_access
from tests.demo import Answer, Demo

SOURCES = ("resident", "tax", "labour", "property", "benefits")


@dataclass
class Exchange:
    """One operation: what was sent, answered and logged, and what agencies say they were asked."""

    document: str
    variables: Mapping[str, Any]
    answer: Answer
    records: list[dict[str, Any]]
    started: datetime.datetime
    accesses: list[Access] = field(default_factory=list)

    @property
    def operation(self) -> str | None:
        """The operation's id, where it was logged."""
        return self.records[0]["operation"] if self.records else None

    @property
    def intents(self) -> list[dict[str, Any]]:
        """What was made durable before anything was asked."""
        return [record for record in self.records if record["kind"] == "INTENT"]

    @property
    def outcome(self) -> dict[str, Any]:
        """What was made durable before the answer left."""
        (found,) = (record for record in self.records if record["kind"] == "OUTCOME")
        return found


class Transcript:
    """The operations asked of a demo through this."""

    def __init__(self, demo: Demo) -> None:
        self.demo = demo
        self.exchanges: list[Exchange] = []
        self._seen = self._last_record()
        self._errors = len(self.errors())
        self._before = {source: len(read_access(source, demo.run)) for source in SOURCES}
        # One for all: each of its own would read the certificate authorities anew, in 50 ms.
        self._client = httpx.Client(timeout=30, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def ask(
        self,
        document: str,
        variables: Mapping[str, Any],
        *,
        token: str,
        purpose: str | None,
        case: str | None,
        headers: Mapping[str, str],
    ) -> Exchange:
        """Ask one operation."""
        started = datetime.datetime.now(datetime.UTC)
        sent = {"Accept": "application/graphql-response+json", "Authorization": f"Bearer {token}"}
        said = {"Hub-Purpose": purpose, "Hub-Case": case}
        told = {name: text for name, text in said.items() if text}
        response = self.send(document, variables, {**sent, **told, **headers})
        answer = Answer(response.status_code, response.json(), response.headers)
        exchange = Exchange(document, variables, answer, self._records(), started)
        self.exchanges.append(exchange)
        return exchange

    def send(
        self, document: str, variables: Mapping[str, Any], headers: Mapping[str, str]
    ) -> httpx.Response:
        """Send one operation, and keep nothing of it."""
        body = {"query": document, "variables": dict(variables)}
        return self._client.post(self.demo.info["graphql"], json=body, headers=headers)

    def _last_record(self) -> int:
        found = f"file:{self.demo.folder / 'log.db'}?mode=ro"
        with closing(sqlite3.connect(found, uri=True)) as store:
            return int(store.execute("SELECT coalesce(max(idx), -1) FROM leaf").fetchone()[0])

    def _records(self) -> list[dict[str, Any]]:
        records = self.demo.records_since(self._seen)
        self._seen = max([self._seen, *(place for place, _ in records)])
        return [record for _, record in records]

    def settle(self) -> None:
        """Read what agencies recorded of all that was asked since this was made."""
        by_operation = {exchange.operation: exchange for exchange in self.exchanges}
        for exchange in self.exchanges:
            exchange.accesses.clear()
        for source in SOURCES:
            for access in read_access(source, self.demo.run)[self._before[source] :]:
                if access.operation is not None:
                    by_operation[access.operation].accesses.append(access)
                else:
                    self._at(access.at).accesses.append(access)

    def _at(self, moment: str) -> Exchange:
        at = datetime.datetime.fromisoformat(moment.replace(" UTC", "+00:00"))
        # A database's clock has milliseconds only, cut off.
        milliseconds = datetime.timedelta(milliseconds=1)
        return [one for one in self.exchanges if one.started < at + milliseconds][-1]

    def errors(self) -> str:
        """What the demo wrote to its standard error."""
        return (self.demo.folder / "stderr").read_text()

    def new_errors(self) -> str:
        """What it wrote since this was made."""
        return self.errors()[self._errors :]

    def metrics(self) -> str:
        """The hub's metrics."""
        return self._client.get(f"{self.demo.address}/metrics").text
