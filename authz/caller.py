"""The caller: the authenticated natural person behind a request."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `recipient` is the id they have as a resident themselves, where the token says."""

    person: str
    recipient: str | None
    roles: frozenset[str]
    office: str | None
    district: str | None
    issuer: str
