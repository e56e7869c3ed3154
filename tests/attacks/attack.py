"""One attack: what is asked over HTTP, and the search for what it must not have moved."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.access.oracle import Oracle, occurring
from tests.access.transcript import SOURCES, Exchange, Transcript
from tests.access.truth import Truth
from tests.demo import Demo

CHECK = "duplicate-check"
"""A purpose that opens nothing of income, assets, employment or address."""


@dataclass
class Attack:
    """Asks of the demo, each kept with what it left behind."""

    demo: Demo
    oracle: Oracle
    transcript: Transcript
    raw: list[httpx.Response] = field(default_factory=list)

    def ask(
        self,
        document: str,
        variables: Mapping[str, Any] | None = None,
        *,
        person: str = "caseworker",
        token: str | None = None,
        purpose: str | None = CHECK,
        case: str | None = "sample",
        **headers: str,
    ) -> Exchange:
        """Ask one operation; of the sample's recipient where no variables are given."""
        given = variables
        if given is None:
            given = {"id": self.demo.recipient} if "$id" in document else {}
        return self.transcript.ask(
            document,
            given,
            token=token or self.demo.info["tokens"][person],
            purpose=purpose,
            case=self.demo.info["sample"]["case"] if case == "sample" else case,
            headers={name.replace("_", "-"): text for name, text in headers.items()},
        )

    def about(self, selection: str, rest: str = "", **options: Any) -> Exchange:
        """Ask a selection about the sample's recipient."""
        return self.ask(
            f"query($id: ID!) {{ recipient(id: $id) {{ {selection} }} }} {rest}", **options
        )

    def once(self, key: str, token: str, case: str) -> int:
        """Ask for a name, over a connection that is kept, and look at the status alone."""
        return self.transcript.send(
            "query($x: ID!) { recipient(id: $x) { identity { name } } }",
            {"x": key},
            {"Authorization": f"Bearer {token}", "Hub-Purpose": CHECK, "Hub-Case": case},
        ).status_code

    def send(self, method: str = "POST", path: str = "/graphql", **options: Any) -> httpx.Response:
        """Send a request that is none of GraphQL over HTTP, or not quite."""
        sent = {
            "Authorization": f"Bearer {self.demo.info['tokens']['caseworker']}",
            "Hub-Purpose": CHECK,
            "Hub-Case": self.demo.info["sample"]["case"],
            **options.pop("headers", {}),
        }
        sent = {name: text for name, text in sent.items() if text is not None}
        url = f"{self.demo.address}{path}"
        with httpx.Client(trust_env=False, timeout=30, verify=False) as client:
            self.raw.append(client.request(method, url, headers=sent, **options))
        return self.raw[-1]

    def held(self, *, judged: bool = True, people: Iterable[str] = ()) -> None:
        """Search for every value that was not granted, wherever an operation leaves something.

        `people`: whom the attack was after, beside the sample's household. Raises AssertionError.
        """
        self.transcript.settle()
        after = [self.demo.recipient, *people]
        keys = [key for one in after for key in self.oracle.world.members(one)]
        for exchange in self.transcript.exchanges:
            if judged:
                self.oracle.judge(exchange)
            text = json.dumps(exchange.answer.body, ensure_ascii=False) + str(
                dict(exchange.answer.headers)
            )
            allowed = self._granted(exchange)
            told = set(keys) | set(map(str, _flat(exchange.variables)))
            self._nowhere(allowed, keys, told, text, "the answer")
            self._nowhere(
                set(), keys, {exchange.records[0]["person"]} if exchange.records else set(),
                json.dumps(exchange.records, ensure_ascii=False), "the log",
            )  # fmt: skip
        for response in self.raw:
            self._nowhere(set(), keys, set(), response.text + str(response.headers), "the answer")
        self._nowhere(set(), keys, set(), self.transcript.metrics(), "the metrics")
        self._nowhere(set(), keys, set(), self.transcript.new_errors(), "the hub's own output")

    def _granted(self, exchange: Exchange) -> set[str]:
        if not exchange.intents:
            return set()
        derivable = exchange.intents[0]["derivable"].values()
        return set(exchange.intents[0]["granted"]).union(*derivable)

    def _nowhere(
        self, allowed: set[str], keys: list[str], told: set[Any], text: str, where: str
    ) -> None:
        hidden = _hidden(self.oracle.truth, frozenset(allowed), tuple(keys)) - told
        found = occurring(hidden, text)
        assert not found, f"in {where}: {found}"

    def asked(self, source: str) -> int:
        """How often an agency says it was asked, since the attack began."""
        self.transcript.settle()
        return sum(
            access.source == source
            for exchange in self.transcript.exchanges
            for access in exchange.accesses
        )

    def nobody_was_asked(self) -> None:
        """No agency says that it was asked anything. Raises AssertionError."""
        assert {source: self.asked(source) for source in SOURCES} == dict.fromkeys(SOURCES, 0)


@functools.cache
def _hidden(truth: Truth, allowed: frozenset[str], keys: tuple[str, ...]) -> frozenset[Any]:
    """What agencies hold of these people beyond what is allowed, but for offices and cases."""
    found = truth.distinctive(set(truth.names) - allowed, keys) - truth.distinctive(allowed, keys)
    public = ("office-", "official-", "2026-")
    return frozenset(value for value in found if not str(value).startswith(public))


def denied(exchange: Exchange) -> set[str]:
    """The items that the log names as denied."""
    return {entry["item"] for entry in exchange.outcome["denied"]}


def refused(exchange: Exchange, *codes: str) -> None:
    """The whole operation is refused with these codes, and the log says so."""
    assert "data" not in exchange.answer.body
    assert set(exchange.answer.codes) == set(codes)
    assert exchange.outcome["outcome"] == "refused"
    assert exchange.outcome["errors"] == sorted(codes)


def _flat(variables: Mapping[str, Any]) -> list[Any]:
    found: list[Any] = []
    for value in variables.values():
        found += value if isinstance(value, list) else [value]
    return found
