"""A registry that speaks the DCI interfaces' synchronous search, as `[dci]` describes it.

The interfaces have no way to ask for some attributes of a record; this registry gives those that
`authorize` names, and what it is asked for beyond them it would give too.
"""

import datetime
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from sources.declaration import Source
from sources.simulator.calendar import REFERENCE
from sources.simulator.declared.document import put
from sources.simulator.declared.faults import Entry
from sources.simulator.declared.stand import Call, RefusedError, items_by_wire
from sources.simulator.declared.writing import Writing

# As the five specifications have it, the farmers' registry as it is spelt there.
_IDENTIFIERS = {
    "civil": "identifier",
    "social": "identifier",
    "disability": "personal_details.identifier",
    "farmer": "famer_personal_details.member_identifier",
    "beneficiary": "member.member_identifier",
}


class DciSpeaker:
    """Searches by identifier in, one response for each out."""

    def __init__(self, source: Source) -> None:
        self._table: Mapping[str, Any] = source.adapter_table
        self._items = items_by_wire(source)
        self._key = self._table.get("key") or _IDENTIFIERS[self._table["registry"]]
        written = {"dates": "date-time", "empty": "absent", **self._table}
        self.writing = Writing.of(written)

    @property
    def paths(self) -> Sequence[tuple[str, Sequence[str]]]:
        """The one path."""
        return [(self._table.get("path", "/registry/sync/search"), ["POST"])]

    async def read(self, _request: Request, body: bytes) -> Call:
        """Whom the searches are about, by what they are authorised, and why."""
        try:
            sent = orjson.loads(body)
            searches = sent["message"]["search_request"]
            criteria = [search["search_criteria"] for search in searches]
            keys = tuple(str(one["query"]["value"]) for one in criteria)
            authorize = criteria[0]["authorize"]
            purpose = authorize["purpose"]
            told = {"purpose": purpose["code"], "legalBasis": purpose["text"]}
            told["operation"] = sent["message"]["transaction_id"]
            items = tuple(self._items[name] for name in authorize["attributes"])
            references = [search["reference_id"] for search in searches]
            if {one["query_type"] for one in criteria} != {"idtype-value"}:
                raise ValueError
        except (ValueError, TypeError, KeyError, IndexError) as error:
            raise RefusedError(400, "send a search by identifier") from error
        return Call(keys, items, told, document=dict(zip(keys, references, strict=True)))

    def write(self, call: Call, entries: Sequence[Entry]) -> Response:
        """A response to each search, with a record, or none."""
        left = list(entries)
        found: list[tuple[str, list[Entry]]] = []
        for key, reference in call.document.items():
            own = [one for one in left if one.key == key]
            left = [one for one in left if one.key != key]
            found.append((reference, own))
        for _, own in found:
            # A record that belongs to no search is put where one is empty, as a mix-up would be.
            if not own and left:
                own.append(left.pop())
        if left:
            found[0][1].extend(left)
        now = datetime.datetime.now(datetime.UTC).isoformat()
        responses = [
            {
                "reference_id": reference,
                "timestamp": now,
                "status": "succ",
                "data": {"version": "1.0.0", "reg_records": [self._record(one) for one in own]},
            }
            for reference, own in found
        ]
        return self._message("succ", call, {"search_response": responses})

    def _message(self, status: str, call: Call | None, inner: Mapping[str, Any]) -> Response:
        header = {
            "version": "1.0.0",
            "message_id": str(uuid.uuid4()),
            "message_ts": datetime.datetime.now(datetime.UTC).isoformat(),
            "action": "on-search",
            "status": status,
        }
        said = "" if call is None else call.told.get("operation", "")
        message = {"transaction_id": said, "correlation_id": str(uuid.uuid4()), **inner}
        body = {"signature": "", "header": header, "message": message}
        return Response(orjson.dumps(body), media_type="application/json")

    def _record(self, entry: Entry) -> dict[str, Any]:
        record: dict[str, Any] = {"@type": "spdci:Record"}
        kind = self._table.get("id_type", "UIN")
        own = {"@type": "Identifier", "identifier_type": kind, "identifier_value": entry.key}
        put(record, self._key, [own])
        if "as_of" in self._table:
            put(record, self._table["as_of"], self.writing.day(f"{REFERENCE}"))
        for place, value in entry.fields.items():
            put(record, place, value)
        return record

    def failure(self, text: str) -> Response:
        """A rejection of the whole message, with a status of success."""
        body = {"search_response": [], "status_reason_message": text}
        return self._message("rjct", None, body)
