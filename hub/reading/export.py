"""Records as others take them: JSON Lines, CSV, and AuditEvent of FHIR R4. Pure."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from typing import Any

COLUMNS = (
    *("place", "at", "kind", "outcome", "operation", "person", "office", "purpose", "reason"),
    *("cases", "subjects", "items"),
)
"""The columns of CSV; several values of one are separated by spaces."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_OUTCOMES = {"answered": "0", "refused": "4", "abandoned": "4", "failed": "8"}
_TYPES = "http://terminology.hl7.org/CodeSystem/audit-event-type"


def items_of(details: Mapping[str, Any]) -> list[str]:
    """The items that a record released, in order."""
    disclosed = details.get("disclosed", {}).values()
    return sorted({item for groups in disclosed for group in groups for item in group["items"]})


def json_line(place: int, details: Mapping[str, Any]) -> str:
    """The record whole, with its place."""
    return json.dumps({"place": place, **details}, ensure_ascii=False)


def csv_line(place: int, details: Mapping[str, Any]) -> str:
    """A row of `COLUMNS`; what a spreadsheet would take for a formula is made text."""
    found = {**details, "place": place, "items": items_of(details)}
    return csv_row([_cell(found.get(name)) for name in COLUMNS])


def csv_row(cells: list[str]) -> str:
    """A row without its end (RFC 4180)."""
    written = io.StringIO()
    csv.writer(written, lineterminator="").writerow(cells)
    return written.getvalue()


def _cell(value: Any) -> str:
    text = " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value or "")
    if value == 0:
        text = "0"
    return f"'{text}" if text.startswith(_FORMULA) else text


def fhir_line(place: int, details: Mapping[str, Any]) -> str:
    """An AuditEvent (HL7 FHIR R4) that says what the record says; subjects are pseudonyms."""
    purpose, outcome = details.get("purpose"), details.get("outcome")
    agent: dict[str, Any] = {
        "who": {"identifier": {"value": details.get("person") or "the hub"}},
        "requestor": True,
    }
    if details.get("office"):
        agent["location"] = {"display": details["office"]}
    roles = [{"text": role} for role in details.get("roles", ())]
    if roles:
        agent["role"] = roles
    event: dict[str, Any] = {
        "resourceType": "AuditEvent",
        "id": str(place),
        "type": {"system": _TYPES, "code": "rest"},
        "subtype": [{"code": details["kind"]}],
        "action": "R",
        "recorded": details["at"],
        "outcome": _OUTCOMES.get(outcome or "", "0"),
        "agent": [agent],
        "source": {"observer": {"display": f"hub {details.get('hub', '')}".strip()}},
    }
    if outcome:
        event["outcomeDesc"] = outcome
    if purpose:
        texts = (purpose, details.get("legalBasis"), details.get("reason"))
        event["purposeOfEvent"] = [{"text": text} for text in texts if text]
    entities = [_entity(subject, details) for subject in details.get("subjects", ())]
    if entities:
        event["entity"] = entities
    return json.dumps(event, ensure_ascii=False)


def _entity(subject: str, details: Mapping[str, Any]) -> dict[str, Any]:
    groups = [group for groups in details.get("disclosed", {}).values() for group in groups]
    items = sorted(
        {item for group in groups if subject in group["subjects"] for item in group["items"]}
    )
    entity: dict[str, Any] = {
        "what": {"identifier": {"system": "urn:pseudonym", "value": subject}},
        "type": {
            "system": "http://terminology.hl7.org/CodeSystem/audit-entity-type",
            "code": "1",
        },
    }
    if items:
        entity["detail"] = [{"type": "item", "valueString": item} for item in items]
    return entity


FORMATS: Mapping[str, Callable[[int, Mapping[str, Any]], str]] = {
    "jsonl": json_line,
    "csv": csv_line,
    "fhir": fhir_line,
}
"""A line of each format."""
