"""The `dci` adapter: registries that speak the DCI interfaces' synchronous search.

Strict in what it writes, as the specifications of the five registries say; tolerant in what it
reads.
"""

from __future__ import annotations

import datetime
import functools
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal

import orjson
from pydantic import Field

from sources.adapter import ContractBroken, Question, Reply, SourceRefused, SourceUnavailable
from sources.client import HttpClient
from sources.declaration import Source
from sources.fault import Fault
from sources.http import HttpTable, http_faults, told_of
from sources.record import Decoder, Records, decoder
from sources.table import MISSING, Place, at, no_cases, read_table

_TYPES: Mapping[str, tuple[str, str, str]] = {
    "civil": ("ns:org:RegistryType:Civil", "spdci-extensions-dci:Person", "identifier"),
    "social": ("ns:org:RegistryType:Social", "SRPerson", "identifier"),
    "disability": (
        "ns:org:RegistryType:DR",
        "spdci-extensions-dci:DisabledPerson",
        "personal_details.identifier",
    ),
    "farmer": (
        "ns:org:RegistryType:FR",
        "spdci-extensions-dci:Farmer",
        # As the specification spells it.
        "famer_personal_details.member_identifier",
    ),
    "beneficiary": ("ns:org:RegistryType:IBR", "Member", "member.member_identifier"),
}
"""By registry: `reg_type`, its usual `reg_record_type`, and where a record has its identifiers."""


class DciTable(HttpTable):
    """`[dci]` of a declaration."""

    path: str = Field(default="/registry/sync/search", pattern=r"^/")
    registry: Literal["civil", "social", "disability", "farmer", "beneficiary"]
    sender: str = Field(min_length=1, max_length=99)
    receiver: str | None = Field(default=None, min_length=1, max_length=99)
    id_type: str = "UIN"
    record_type: str | None = None
    key: Place | None = None
    as_of: Place | None = None
    purpose_uri: str | None = Field(default=None, pattern=r"^https://")
    dates: Literal["YYYY-MM-DD", "YYYYMMDD", "date-time"] = "date-time"
    empty: Literal["text", "absent"] = "absent"


class DciAdapter:
    """Asks one registry: a search request for each person, all in one message."""

    @staticmethod
    def check(source: Source) -> list[Fault]:
        """Every fault of `[dci]`."""
        table, faults = read_table(source, DciTable)
        if table is None:
            return faults
        return no_cases(source) + http_faults(source, table)

    def __init__(self, source: Source) -> None:
        self._table = table = DciTable.model_validate(source.adapter_table)
        self._type, self._record_type, key = _TYPES[table.registry]
        self._record_type = table.record_type or self._record_type
        self._key = table.key or key
        self.told = told_of(table, "legal_basis")
        self._limits = source.terms.limits
        self._items = {item.name: item for item in source.items}
        self._formats = replace(table.formats, whole=True, rows=self._limits.rows)
        self._decoder = functools.lru_cache(maxsize=256)(self._make_decoder)
        self._client = HttpClient(source, table)

    def _make_decoder(self, names: tuple[str, ...]) -> Decoder:
        return decoder([self._items[name] for name in names], self._formats)

    async def ask(self, question: Question) -> Reply:
        """Ask once."""
        references = {str(uuid.uuid4()): key for key in question.keys}
        content = orjson.dumps(self._message(question, references))
        answered = await self._client.send(question, self._table.path, content=content)
        answered.check()
        records = Records(self._decoder(tuple(item.name for item in question.items)), question.keys)
        self._read(answered.json(self._limits.depth), references, records)
        return records.reply()

    def _message(self, question: Question, references: Mapping[str, str]) -> dict[str, Any]:
        """The envelope, with a search for each person by reference."""
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        header = {
            "version": "1.0.0",
            "message_id": str(uuid.uuid4()),
            "message_ts": now,
            "action": "search",
            "sender_id": self._table.sender,
            "total_count": len(references),
            "is_msg_encrypted": False,
        }
        if self._table.receiver is not None:
            header["receiver_id"] = self._table.receiver
        authorize = self._authorize(question, now)
        searches = [
            {
                "reference_id": reference,
                "timestamp": now,
                "search_criteria": {
                    "version": "1.0.0",
                    "reg_type": self._type,
                    "reg_record_type": self._record_type,
                    "query_type": "idtype-value",
                    "query": {"type": self._table.id_type, "value": key},
                    "authorize": authorize,
                },
            }
            for reference, key in references.items()
        ]
        message = {"transaction_id": question.context.operation, "search_request": searches}
        return {"header": header, "message": message}

    def _authorize(self, question: Question, now: str) -> dict[str, Any]:
        """Why it is asked, and what for: the purpose, its legal basis, and the granted items."""
        purpose = {"text": question.context.legal_basis, "code": question.context.purpose}
        if self._table.purpose_uri is not None:
            purpose["ref_uri"] = self._table.purpose_uri
        return {
            "@context": "https://schema.spdci.org/common/v1/api-schemas/Authorize.jsonld",
            "@type": "Authorize",
            "ts": now,
            "purpose": purpose,
            "attributes": [".".join(item.wire) for item in question.items if item.wire],
        }

    def _read(self, document: Any, references: Mapping[str, str], records: Records) -> None:
        """Read the answer to each search. Raises SourceError where the message was not taken."""
        if at(document, "header.status") == "rjct":
            raise SourceRefused("the registry rejects the message")
        responses = at(document, "message.search_response")
        if not isinstance(responses, list):
            raise ContractBroken("no searches at `message.search_response` of the answer")
        left = dict(references)
        for response in responses:
            key = left.pop(str(at(response, "reference_id")), None)
            if key is None:
                records.stray()
            elif at(response, "status") == "succ":
                self._person(key, at(response, "data.reg_records"), records)
            elif at(response, "status") in ("rcvd", "pdng"):
                raise SourceUnavailable("the registry has not searched yet")
            else:
                records.breach(key, "rejected")
        for key in left.values():
            records.breach(key, "unanswered")

    def _person(self, key: str, found: Any, records: Records) -> None:
        """Read what was found of one person: one record, a list of them, or nothing."""
        if isinstance(found, Mapping):
            found = [found]
        elif found is MISSING or found is None:
            found = []
        if not isinstance(found, list) or not all(isinstance(raw, Mapping) for raw in found):
            records.breach(key, "wrong-type")
            return
        for plain in map(_plain, found):
            own = key in _identifiers(at(plain, self._key))
            as_of = at(plain, self._table.as_of) if self._table.as_of else None
            records.add(key if own else None, None if as_of is MISSING else as_of, plain)

    async def close(self) -> None:
        """Close the pooled connections."""
        await self._client.close()


def _plain(value: Any) -> Any:
    """The document with its terms as they are, whatever prefix of JSON-LD stands before them."""
    if isinstance(value, Mapping):
        return {key.rpartition(":")[2]: _plain(entry) for key, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, list) else value


def _identifiers(value: Any) -> Iterable[str]:
    """The identifiers of a record: a text, an object with type and value, or a list of those."""
    for entry in value if isinstance(value, list) else [value]:
        found = entry.get("identifier_value") if isinstance(entry, Mapping) else entry
        if isinstance(found, str):
            yield found
