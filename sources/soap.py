"""The `soap` adapter: an agency whose service a WSDL describes (needs the extra `soap`).

Requests are built by zeep from the WSDL, a file; answers are read as they are, so that what is
left out is not taken for what there is none of. No entity, no document type and no address in
any XML is followed.
"""

from __future__ import annotations

import asyncio
import functools
import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from sources.adapter import (
    BROKEN,
    ContractBroken,
    Question,
    Reply,
    SourceRefused,
    SourceUnavailable,
    expand,
    unset,
)
from sources.client import HttpClient
from sources.declaration import Source
from sources.fault import Fault, nearest
from sources.http import HttpTable, http_faults, told_of
from sources.record import Decoder, Records, decoder
from sources.table import Place, no_cases, put, read_table

_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"


class SoapTable(HttpTable):
    """`[soap]` of a declaration; `url` is the service's address, whatever the WSDL says."""

    wsdl: str
    service: str | None = None
    port: str | None = None
    operation: str
    keys: Place
    items: Place
    records: Place
    key: Place
    as_of: Place | None = None
    numbers: Literal["number", "text"] = "text"


class SoapAdapter:
    """Asks one SOAP source."""

    @staticmethod
    def check(source: Source) -> list[Fault]:
        """Every fault of `[soap]`."""
        table, faults = read_table(source, SoapTable)
        if table is None:
            return faults
        told = _wsdl_fault(table)
        if told is not None:
            keys, message, remedy = told
            place = source.places.describe(("soap", *keys))
            faults.append(Fault(source.file, place, message, remedy))
        return faults + no_cases(source) + http_faults(source, table)

    def __init__(self, source: Source) -> None:
        self._table = table = SoapTable.model_validate(source.adapter_table)
        self.told = told_of(table)
        self._limits = source.terms.limits
        self._items = {item.name: item for item in source.items}
        self._formats = replace(table.formats, rows=self._limits.rows)
        self._decoder = functools.lru_cache(maxsize=256)(self._make_decoder)
        self._operation = _service(table).get(table.operation)
        self._client = HttpClient(source, table)

    def _make_decoder(self, names: tuple[str, ...]) -> Decoder:
        return decoder([self._items[name] for name in names], self._formats)

    async def ask(self, question: Question) -> Reply:
        """Ask once."""
        content, headers = self._envelope(question)
        answered = await self._client.send(question, "", content=content, headers=headers)
        if answered.status != 500:
            answered.check()
        records = Records(self._decoder(tuple(item.name for item in question.items)), question.keys)
        # A large answer takes its time to be read, which others need not wait for.
        try:
            await asyncio.to_thread(self._read, answered.content, question, records)
        except ContractBroken as error:
            if answered.status != 500:
                raise
            # A failure without a SOAP fault is of whatever stands before the service.
            raise SourceUnavailable("the source answered 500") from error
        return records.reply()

    def _envelope(self, question: Question) -> tuple[bytes, dict[str, str]]:
        from lxml import etree  # noqa: PLC0415 - only where a source speaks SOAP

        arguments: dict[str, Any] = {}
        put(arguments, self._table.keys, list(question.keys))
        wires = [".".join(item.wire) for item in question.items if item.wire]
        put(arguments, self._table.items, wires)
        message = self._operation.create(**arguments)
        action = self._operation.soapaction or ""
        soap11 = message.content.tag.startswith("{http://schemas.xmlsoap.org/soap/envelope/}")
        headers = (
            {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{action}"'}
            if soap11
            else {"Content-Type": f'application/soap+xml; charset=utf-8; action="{action}"'}
        )
        return etree.tostring(message.content, xml_declaration=True, encoding="utf-8"), headers

    def _read(self, content: bytes, question: Question, records: Records) -> None:
        """Read every record of an answer. Raises SourceError."""
        root = _document(content, self._limits.depth)
        body = next((part for part in root if _local(part) == "Body"), None)
        answer = body[0] if body is not None and len(body) else None
        if answer is None:
            raise ContractBroken("the answer is no SOAP envelope")
        if _local(answer) == "Fault":
            raise _fault(answer)
        *outer, last = self._table.records.split(".")
        for step in outer:
            found = [part for part in answer if _local(part) == step]
            if len(found) != 1:
                raise ContractBroken(f"no records at `{self._table.records}` of the answer")
            answer = found[0]
        leaves = {item.wire[0] for item in question.items if len(item.path) == 1}
        lists = {item.wire[0] for item in question.items if len(item.path) == 2}
        for part in answer:
            if _local(part) != last:
                continue
            raw = _record(part, lists)
            key, as_of = raw.pop(self._table.key, None), None
            if self._table.as_of and self._table.as_of not in leaves:
                as_of = raw.pop(self._table.as_of, None)
            records.add(key, as_of, raw)

    async def close(self) -> None:
        """Close the pooled connections."""
        await self._client.close()


def _wsdl_fault(table: SoapTable) -> tuple[tuple[str, ...], str, str] | None:
    """What is wrong with the WSDL, as far as this machine has it."""
    if importlib.util.find_spec("zeep") is None:
        return (), "the environment has no zeep", "install `welfare-hub[soap]`"
    if unset(table.wsdl):
        return None
    if not Path(expand(table.wsdl)).is_file():
        remedy = "correct its path; the WSDL is read from a file, never over the network"
        return ("wsdl",), "the environment has no file there", remedy
    from zeep.exceptions import Error  # noqa: PLC0415 - only where a source speaks SOAP

    try:
        service = _service(table)
    except (Error, OSError, ValueError, SyntaxError) as error:
        return ("wsdl",), f"is no WSDL that can be used ({type(error).__name__})", "correct it"
    operations = service.all()
    if table.operation not in operations:
        remedy = nearest(table.operation, operations)
        return ("operation",), f"the WSDL has no operation `{table.operation}`", remedy
    return None


def _service(table: SoapTable) -> Any:
    """The binding that the WSDL has for the service and port. Raises zeep's errors."""
    import zeep  # noqa: PLC0415 - only where a source speaks SOAP

    # Invariant: nothing is fetched for a WSDL, and nothing in it is followed out of its folder.
    settings = zeep.Settings(forbid_dtd=True, forbid_entities=True, forbid_external=True)
    make: Any = zeep.Client
    client = make(expand(table.wsdl), settings=settings)
    return client.bind(table.service, table.port)._binding  # noqa: SLF001 - zeep's only way to it


def _document(content: bytes, depth: int) -> Any:
    """The root element of an answer, whose document says nothing of entities or types."""
    from lxml import etree  # noqa: PLC0415 - only where a source speaks SOAP

    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False,
        remove_comments=True, remove_pis=True,
    )  # fmt: skip
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise ContractBroken("the answer is no XML") from error
    if root.getroottree().docinfo.doctype:
        raise ContractBroken("the answer declares a document type")
    level = [root]
    for _ in range(depth):
        level = [child for part in level for child in part]
        if not level:
            return root
    raise ContractBroken(f"the answer nests deeper than {depth}")


def _local(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]


def _record(element: Any, lists: set[str]) -> dict[str, Any]:
    """A record as the decoder takes it: texts by name, a list's rows beneath its name.

    Rows may stand in an element of the list's own (`stays.stay`), or one after the other (`stay`).
    """
    raw: dict[str, Any] = {wire: [] for wire in lists if "." not in wire}
    for part in element:
        name = _local(part)
        wrapped = next((wire for wire in lists if wire.startswith(f"{name}.")), None)
        if part.get(_NIL) in ("true", "1"):
            raw[wrapped or name] = None
        elif wrapped is not None:
            raw[wrapped] = [_value(row) for row in part]
        elif name in lists:
            raw[name].append(_value(part))
        else:
            raw[name] = BROKEN if name in raw else _value(part)
    return raw


def _value(element: Any) -> Any:
    """A text, or what stands within by name; None where it is said to be nil."""
    if element.get(_NIL) in ("true", "1"):
        return None
    if len(element) == 0:
        return element.text or ""
    inner: dict[str, Any] = {}
    for part in element:
        name = _local(part)
        inner[name] = BROKEN if name in inner else _value(part)
    return inner


def _fault(fault: Any) -> SourceRefused | SourceUnavailable:
    """The error of a SOAP fault; its text could tell of a person, so its code alone is read."""
    codes = [part for part in fault.iter() if _local(part) in ("faultcode", "Value")]
    code = (codes[0].text or "").rpartition(":")[2] if codes else ""
    if code.startswith(("Client", "Sender", "MustUnderstand", "VersionMismatch")):
        return SourceRefused("the source refused the question with a SOAP fault")
    return SourceUnavailable("the source answered with a SOAP fault")
