"""What a stand-in says of people when it is asked, and what it notes, whatever the protocol."""

from collections.abc import Mapping
from datetime import UTC, datetime

import orjson

from sources.declaration import Source
from sources.simulator.declared.faults import OF_RECORDS, Entry, Fault, Spoiler
from sources.simulator.declared.holdings import Held, Holdings
from sources.simulator.declared.stand import Call
from sources.simulator.declared.writing import Writing

_TOLD = ("purpose", "legalBasis", "case", "operation", "user")


def said(
    source: Source, holdings: Holdings, writing: Writing, fault: Fault, call: Call
) -> list[Entry]:
    """The records of those asked about, spoilt where the fault is one of records."""
    items = call.items

    def entry(held: Held) -> Entry:
        return Entry(held.key, writing.fields(held, items))

    entries = [entry(held) for held in holdings.records("person", call.keys, items)]
    if fault.mode not in OF_RECORDS:
        return entries
    asked = {".".join(item.wire) for item in items}
    spare = (
        item.wire[-1]
        for item in source.items
        if len(item.path) == 1 and ".".join(item.wire) not in asked
    )

    def other() -> Entry | None:
        strangers = (key for key in holdings.some(10) if key not in call.keys)
        found = holdings.records("person", [next(strangers, "")], items)
        return entry(found[0]) if found else None

    return OF_RECORDS[fault.mode](Spoiler(next(spare, "unasked"), other), entries)


def noted(call: Call, told: Mapping[str, str], status: int, target: str) -> bytes:
    """The line of a call in the agency's own record."""
    entry = {
        "at": datetime.now(UTC).isoformat(),
        "keys": call.keys,
        "items": [".".join(item.wire) for item in call.items if item.wire],
        **{name: told.get(name) for name in _TOLD},
        "page": call.page,
        "status": status,
        "target": target,
    }
    return orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE)
