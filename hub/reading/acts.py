"""What auditors, and recipients, read of the query log, by the fields of the schema.

Whoever reads is logged like anyone else: what is searched for before it is searched, and which
records were shown before they are.
"""

from __future__ import annotations

import base64
import datetime
from collections.abc import Awaitable, Callable, Mapping
from enum import Enum
from typing import Any

from strawberry import ID

from hub.acting import Acting, Arguments
from hub.errors import refused
from hub.querylog.store import Stored
from hub.reading.search import MOST, Page, Search, cursor, find, read_cursor
from schema import audit as shown

_PERSONAL = frozenset({"subject", "case", "recipient", "reason", "note"})
"""Arguments that stand in a record as pseudonyms, or in a place of their own."""


def told(fields: Mapping[str, Arguments]) -> dict[str, object]:
    """What is read, as the records of the operation say it."""
    reads = {name: _plain(given) for name, given in fields.items() if name in READINGS}
    return {"reads": reads} if reads else {}


def _plain(given: Arguments) -> dict[str, object]:
    return {
        name: _text(value)
        for name, value in given.items()
        if name not in _PERSONAL and value is not None
    }


def _text(value: Any) -> object:
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if isinstance(value, Enum):
        return str(value.value)
    return [_text(each) for each in value] if isinstance(value, list) else value


async def _accesses(acting: Acting) -> shown.LogPage:
    page = await find(
        acting.hub.log.store, _search(acting), first(acting), read_cursor(_given(acting, "after"))
    )
    acting.entry.facts["records"] = [found.index for found in page.records]
    return _page(page)


def first(acting: Acting) -> int:
    """How many records a page is to have. Raises RequestRefused."""
    wanted = int(acting.arguments["first"])
    if not 1 <= wanted <= MOST:
        raise refused("BAD_VARIABLES", f"`first` is a number from 1 to {MOST}")
    return wanted


def _given(acting: Acting, name: str) -> Any:
    return acting.arguments.get(name)


def _search(acting: Acting) -> Search:
    def pseudonym(name: str) -> bytes | None:
        key = _given(acting, name)
        return None if key is None else bytes.fromhex(acting.hub.log.pseudonyms.of(key))

    return Search(
        person=_given(acting, "person"),
        office=_given(acting, "office"),
        purpose=_given(acting, "purpose"),
        subject=pseudonym("subject"),
        case=pseudonym("case"),
        item=_given(acting, "item"),
        outcome=_given(acting, "outcome"),
        since=_given(acting, "since"),
        until=_given(acting, "until"),
    )


def _page(page: Page) -> shown.LogPage:
    return shown.LogPage(
        records=[record_of(found, found.details) for found in page.records if found.details],
        next=cursor(page.before),
    )


def record_of(found: Stored, details: Mapping[str, Any]) -> shown.LogRecord:
    """A record as auditors are shown it."""
    operation = details.get("operation")
    return shown.LogRecord(
        place=ID(str(found.index)),
        kind=details["kind"],
        at=datetime.datetime.fromisoformat(details["at"]),
        operation=None if operation is None else ID(operation),
        outcome=details.get("outcome"),
        person=details.get("person"),
        actors=[actor["person"] for actor in details.get("actor", ())],
        roles=list(details.get("roles", ())),
        office=details.get("office"),
        purpose=details.get("purpose"),
        legal_basis=details.get("legalBasis"),
        reason=details.get("reason"),
        cases=list(details.get("cases", ())),
        subjects=list(details.get("subjects", ())),
        requested=list(details.get("requested", ())),
        disclosed=[
            shown.Disclosure(source=source, items=group["items"], subjects=group["subjects"])
            for source, groups in details.get("disclosed", {}).items()
            for group in groups
        ],
        denied=[
            shown.Refusal(item=entry["item"], rule=entry["rule"])
            for entry in details.get("denied", ())
        ],
        errors=list(details.get("errors", ())),
        flagged=[
            shown.Flagged(subject=entry["subject"], flags=list(entry["flags"]))
            for entry in details.get("flags", ())
        ],
        leaf=base64.b64encode(found.leaf).decode(),
    )


READINGS: Mapping[str, Callable[[Acting], Awaitable[Any]]] = {
    "accesses": _accesses,
}
"""What is done by each field."""
