"""A running demo, in processes of its own, as tests that look from outside talk to it."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx


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
        )
        return Answer(response.status_code, response.json(), response.headers)

    @property
    def recipient(self) -> str:
        return str(self.info["sample"]["recipient"])

    @property
    def run(self) -> Path:
        """Where the agencies keep their access records."""
        return self.folder / "run"
