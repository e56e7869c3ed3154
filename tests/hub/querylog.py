"""A store of the query log as tests use it: its addresses, its keys, its records."""

from __future__ import annotations

import datetime
import hashlib
import uuid
from typing import Any

from hub.querylog.note import Signer

SEALING_KEY = bytes(range(32))
SIGNER = Signer.make("hub.example/log")
AT = "2026-11-23T00:00:00.000+00:00"


def at(seconds: float) -> str:
    """A time so many seconds after `AT`."""
    moment = datetime.datetime.fromisoformat(AT) + datetime.timedelta(seconds=seconds)
    return moment.isoformat(timespec="milliseconds")


def pseudonym(number: int) -> str:
    """That of a subject."""
    return hashlib.sha256(str(number).encode()).hexdigest()[:32]


def intent(number: int, **facts: Any) -> dict[str, Any]:
    """The INTENT of an operation."""
    return {
        "operation": str(uuid.uuid5(uuid.NAMESPACE_OID, str(number))),
        "kind": "INTENT",
        "at": at(number / 100),
        "subjects": [pseudonym(number)],
        "granted": ["tax.arrears", "tax.exists"],
        **facts,
    }


def outcome(number: int, **facts: Any) -> dict[str, Any]:
    """The OUTCOME of an operation."""
    subject = pseudonym(number)
    return {
        "operation": str(uuid.uuid5(uuid.NAMESPACE_OID, str(number))),
        "kind": "OUTCOME",
        "at": at(number / 100),
        "person": f"official-{number % 7}",
        "office": "office-1",
        "purpose": "basic-livelihood.application",
        "outcome": "answered",
        "cases": ["2026-11110-000001"],
        "casesNamed": [pseudonym(-1)],
        "subjects": [subject],
        "disclosed": {"tax": [{"items": ["tax.arrears", "tax.exists"], "subjects": [subject]}]},
        **facts,
    }
