"""A running demo, in processes of its own, as tests that look from outside talk to it."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey

from hub.querylog.sealing import Keep, KeyOf, Sealing, unseal


@dataclass(frozen=True)
class Answer:
    """An HTTP answer to a GraphQL request."""

    status: int
    body: dict[str, Any]
    headers: Mapping[str, str]

    @property
    def codes(self) -> list[str]:
        return [error["extensions"]["code"] for error in self.body.get("errors", [])]


@dataclass(frozen=True)
class Demo:
    """A running demo: its addresses and tokens (`info`), its folder and its process."""

    info: dict[str, Any]
    folder: Path
    process: subprocess.Popen[bytes]

    def ask(
        self,
        query: str,
        variables: Mapping[str, Any] | None = None,
        *,
        person: str | None = "caseworker",
        purpose: str | None = "basic-livelihood.application",
        case: str | None = "sample",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask over HTTP, as the person, for the purpose, with the sample's case unless told."""
        sent = {"Accept": "application/graphql-response+json"}
        if person is not None:
            sent["Authorization"] = f"Bearer {self.info['tokens'][person]}"
        if purpose is not None:
            sent["Hub-Purpose"] = purpose
        if case is not None:
            sent["Hub-Case"] = self.info["sample"]["case"] if case == "sample" else case
        response = httpx.post(
            self.info["graphql"],
            json={"query": query, "variables": dict(variables or {})},
            headers={**sent, **(headers or {})},
            timeout=30,
            trust_env=False,
            verify=False,  # building a TLS context takes longer than the answer
        )
        return Answer(response.status_code, response.json(), response.headers)

    @property
    def recipient(self) -> str:
        return str(self.info["sample"]["recipient"])

    def token(self, person: str, **claims: object) -> str:
        """A token of the demo's issuer for somebody like the person, with other claims."""
        key = ECKey.import_key(json.loads((self.folder / "keys" / "issuer.key.json").read_text()))
        made = jwt.decode(self.info["tokens"][person], key)
        header = {"alg": "ES256", "typ": "at+jwt", "kid": key.kid}
        return jwt.encode(header, {**made.claims, **claims}, key)

    @property
    def address(self) -> str:
        return str(self.info["graphql"]).removesuffix("/graphql")

    @property
    def personas(self) -> dict[str, dict[str, str]]:
        """The persons of the demo, as the population made them."""
        manifest = json.loads((self.folder / "population" / "manifest.json").read_text())
        found: dict[str, dict[str, str]] = manifest["sample"]["personas"]
        return found

    def records(self) -> list[dict[str, Any]]:
        """Every record of the query log, in order, read beside the hub from its store."""
        return [details for _, details in self.records_since(-1)]

    def records_since(self, place: int) -> list[tuple[int, dict[str, Any]]]:
        """The records after this place in the tree, with theirs."""
        sealing = Sealing((self.folder / "keys" / "sealing.key").read_bytes())
        with closing(sqlite3.connect(f"file:{self.folder / 'log.db'}?mode=ro", uri=True)) as store:
            keys = {
                number: sealing.unwrap(KeyOf(period, Keep(subjects, years)), wrapped)
                for number, period, subjects, years, wrapped, _ in store.execute(
                    "SELECT * FROM details_key"
                )
            }
            rows = store.execute(
                "SELECT idx, key, sealed FROM leaf JOIN details USING (idx) WHERE idx > ? "
                "ORDER BY idx",
                (place,),
            ).fetchall()
        return [(idx, json.loads(unseal(keys[key], sealed)[1])) for idx, key, sealed in rows]

    def last_operation(self) -> list[dict[str, Any]]:
        """The records of the operation logged last."""
        records = [entry for entry in self.records() if "operation" in entry]
        return [entry for entry in records if entry["operation"] == records[-1]["operation"]]

    def fault(self, source: str, mode: str, milliseconds: int = 0) -> None:
        """Tell a simulated REST agency to misbehave, or with `none` to stop it."""
        url = f"{self.info['sources'][source]['url']}/_simulator/fault"
        body = {"mode": mode, "ms": milliseconds}
        httpx.post(url, json=body, trust_env=False, verify=False).raise_for_status()

    @property
    def run(self) -> Path:
        """Where the agencies keep their access records."""
        return self.folder / "run"
