"""A SOAP service as `[soap]` of a declaration describes it, with the WSDL that it needs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from starlette.requests import Request
from starlette.responses import Response

from sources.declaration import Source
from sources.simulator.calendar import REFERENCE
from sources.simulator.declared.document import put
from sources.simulator.declared.faults import Entry
from sources.simulator.declared.stand import Call, RefusedError, items_by_wire
from sources.simulator.declared.writing import Writing

_ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_SPACE = "urn:simulated"
Tree = dict[str, Any]


class SoapSpeaker:
    """An operation that takes lists of ids and items, and gives records."""

    def __init__(self, source: Source) -> None:
        self._table: Mapping[str, Any] = source.adapter_table
        self._items = items_by_wire(source)
        self.writing = Writing.of({"numbers": "text", **self._table})

    @property
    def paths(self) -> Sequence[tuple[str, Sequence[str]]]:
        """The service's address itself."""
        return [("", ["POST"])]

    async def read(self, _request: Request, body: bytes) -> Call:
        """The texts at the declared places of the operation's element."""
        try:
            root = ET.fromstring(body)  # noqa: S314 - what the hub's adapter sends on loopback
            operation = root.find(f"{{{_ENVELOPE}}}Body/*")
            if operation is None or _local(operation) != self._table["operation"]:
                raise ValueError
            keys = _texts(operation, self._table["keys"])
            names = _texts(operation, self._table["items"])
            items = tuple(self._items[name] for name in names)
        except (ET.ParseError, ValueError, KeyError) as error:
            raise RefusedError(400, "send the declared operation") from error
        return Call(tuple(keys), items)

    def write(self, _call: Call, entries: Sequence[Entry]) -> Response:
        """The records where the declaration looks for them."""
        answer = ET.Element(f"{{{_SPACE}}}{self._table['operation']}Response")
        *outer, last = self._table["records"].split(".")
        at = answer
        for step in outer:
            at = ET.SubElement(at, f"{{{_SPACE}}}{step}")
        for entry in entries:
            record: Tree = {self._table["key"]: entry.key}
            if "as_of" in self._table:
                record[self._table["as_of"]] = self.writing.day(f"{REFERENCE}")
            for place, value in entry.fields.items():
                put(record, place, value)
            _fill(ET.SubElement(at, f"{{{_SPACE}}}{last}"), record)
        return _enveloped(answer)

    def failure(self, text: str) -> Response:
        """A SOAP fault, with a status of success."""
        fault = ET.Element(f"{{{_ENVELOPE}}}Fault")
        ET.SubElement(fault, "faultcode").text = "soap:Server"
        ET.SubElement(fault, "faultstring").text = text
        return _enveloped(fault)


def _local(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _texts(element: ET.Element, place: str) -> list[str]:
    """The texts of every element at a dotted place."""
    level = [element]
    for step in place.split("."):
        level = [child for part in level for child in part if _local(child) == step]
    return [part.text or "" for part in level]


def _fill(element: ET.Element, value: Any) -> None:
    """Write a value into an element: an object's parts by name, a list's rows one after another."""
    if isinstance(value, dict):
        for name, inner in value.items():
            for one in inner if isinstance(inner, list) else [inner]:
                _fill(ET.SubElement(element, f"{{{_SPACE}}}{name}"), one)
    elif value is None:
        element.set(f"{{{_XSI}}}nil", "true")
    else:
        element.text = str(value).lower() if isinstance(value, bool) else str(value)


def _enveloped(element: ET.Element) -> Response:
    envelope = ET.Element(f"{{{_ENVELOPE}}}Envelope")
    ET.SubElement(envelope, f"{{{_ENVELOPE}}}Body").append(element)
    return Response(ET.tostring(envelope, encoding="utf-8"), media_type="text/xml")


def write_wsdl(source: Source, url: str, path: Path) -> None:
    """The WSDL of the declared operation: document style, literal use."""
    table = source.adapter_table
    name = table["operation"]
    request: Tree = {}
    for place in (table["keys"], table["items"]):
        put(request, place, ["text"])
    answer: Tree = {}
    put(answer, table["records"], ["any"])
    path.write_text(
        f"""<?xml version="1.0" encoding="utf-8"?>
<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:s="http://schemas.xmlsoap.org/wsdl/soap/"
  xmlns:x="http://www.w3.org/2001/XMLSchema" xmlns:t="{_SPACE}" targetNamespace="{_SPACE}">
  <types><x:schema targetNamespace="{_SPACE}" elementFormDefault="qualified">
    <x:element name="{name}">{_type(request)}</x:element>
    <x:element name="{name}Response">{_type(answer)}</x:element>
  </x:schema></types>
  <message name="request"><part name="parameters" element="t:{name}"/></message>
  <message name="answer"><part name="parameters" element="t:{name}Response"/></message>
  <portType name="port"><operation name="{name}">
    <input message="t:request"/><output message="t:answer"/></operation></portType>
  <binding name="binding" type="t:port">
    <s:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
    <operation name="{name}"><s:operation soapAction="{name}"/>
      <input><s:body use="literal"/></input><output><s:body use="literal"/></output></operation>
  </binding>
  <service name="service"><port name="port" binding="t:binding"><s:address location="{url}"/></port>
  </service>
</definitions>
""",
        "utf-8",
    )


def _type(tree: Tree) -> str:
    """The type of an element by what stands within it; what is a list is repeated."""
    parts = []
    for name, inner in tree.items():
        if inner == ["text"]:
            parts.append(
                f'<x:element name="{name}" type="x:string" minOccurs="0" maxOccurs="unbounded"/>'
            )
        elif inner == ["any"]:
            parts.append(
                f'<x:element name="{name}" type="x:anyType" minOccurs="0" maxOccurs="unbounded"/>'
            )
        else:
            parts.append(f'<x:element name="{name}">{_type(inner)}</x:element>')
    return f"<x:complexType><x:sequence>{''.join(parts)}</x:sequence></x:complexType>"
