"""The `soap` adapter against a server on loopback, with a WSDL as agencies have them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from sources.adapter import BROKEN, ContractBroken, SourceError, SourceRefused, SourceUnavailable
from tests.sources.agency import answer
from tests.sources.asking import DURI, HANA, asking

WSDL = Path("tests/sources/fixtures/persons.wsdl").resolve()
TABLE = f"""
url = "URL/persons"
wsdl = "{WSDL}"
service = "Persons"
port = "Soap11"
operation = "Query"
keys = "ids.id"
items = "fields.field"
records = "record"
key = "id"
as_of = "asOf"
"""
SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
NAMES = {"e": SOAP11, "f": SOAP12, "p": "urn:example:persons"}


def envelope(inner: str, head: str = "") -> bytes:
    body = f'{head}<e:Envelope xmlns:e="{SOAP11}"><e:Body>{inner}</e:Body></e:Envelope>'
    return answer(body.encode(), **{"Content-Type": "text/xml; charset=utf-8"})


def found(*records: str) -> bytes:
    inner = "".join(f"<p:record>{record}</p:record>" for record in records)
    nil = "http://www.w3.org/2001/XMLSchema-instance"
    return envelope(
        f'<p:QueryResponse xmlns:p="urn:example:persons" xmlns:xsi="{nil}">{inner}'
        "</p:QueryResponse>"
    )


ID = f"<p:id>{HANA}</p:id>"
PAID = f"{ID}<p:asOf>2026-10-31</p:asOf><p:pay>5</p:pay>"


@pytest.mark.parametrize("port", ["Soap11", "Soap12"])
async def test_a_request_is_as_the_wsdl_says_and_names_just_the_granted_items(
    tmp_path: Path, port: str
) -> None:
    table = TABLE.replace("Soap11", port)
    async with asking(tmp_path, "soap", table, found()) as agency:
        await agency.ask(HANA, DURI, items=("pay", "stays.day"))
        (asked,) = agency.agency.asked
    assert asked.line == "POST /persons HTTP/1.1"
    root = etree.fromstring(asked.body)
    assert root.xpath("//p:Query/p:ids/p:id/text()", namespaces=NAMES) == [HANA, DURI]
    assert root.xpath("//p:Query/p:fields/p:field/text()", namespaces=NAMES) == ["pay", "stay.day"]
    if port == "Soap11":
        assert root.tag == f"{{{SOAP11}}}Envelope"
        assert asked.headers["content-type"] == "text/xml; charset=utf-8"
        assert asked.headers["soapaction"] == '"urn:example:persons/Query"'
    else:
        assert root.tag == f"{{{SOAP12}}}Envelope"
        assert asked.headers["content-type"] == (
            'application/soap+xml; charset=utf-8; action="urn:example:persons/Query"'
        )


async def test_the_address_is_the_declared_one_whatever_the_wsdl_says(tmp_path: Path) -> None:
    async with asking(tmp_path, "soap", TABLE, found()) as agency:
        await agency.ask()
        assert agency.agency.asked[0].headers["host"] == agency.agency.url.removeprefix("http://")


async def test_records_are_read_with_their_types(tmp_path: Path) -> None:
    stays = "<p:stay><p:day>2026-01-02</p:day></p:stay><p:stay><p:day>2026-01-03</p:day></p:stay>"
    async with asking(tmp_path, "soap", TABLE, found(PAID + stays)) as agency:
        reply = await agency.ask(items=("pay", "stays.day"))
    record = reply.records[HANA]
    assert (record.values["pay"], str(record.as_of)) == (5, "2026-10-31")
    assert [str(row["day"]) for row in record.values["stays"]] == ["2026-01-02", "2026-01-03"]
    assert (reply.breaches, reply.broken) == ({}, frozenset())


@pytest.mark.parametrize(
    ("record", "value", "breaches"),
    [
        (ID + '<p:pay xsi:nil="true"/>', None, {}),
        (ID, BROKEN, {"missing-item": 1}),
        (ID + "<p:pay/>", BROKEN, {"wrong-type": 1}),
        (ID + "<p:pay>five</p:pay>", BROKEN, {"wrong-type": 1}),
        (ID + "<p:pay>5</p:pay><p:pay>6</p:pay>", BROKEN, {"missing-item": 1}),
        (ID + "<p:pay>5</p:pay><p:spouse>x</p:spouse>", 5, {"extra-item": 1}),
    ],
    ids=["nil", "left out", "empty", "no number", "twice", "more than asked"],
)
async def test_nil_is_absent_and_what_is_left_out_is_broken(
    tmp_path: Path, record: str, value: Any, breaches: dict[str, int]
) -> None:
    async with asking(tmp_path, "soap", TABLE, found(record)) as agency:
        reply = await agency.ask()
    assert (reply.records[HANA].values, reply.breaches) == ({"pay": value}, breaches)


async def test_no_rows_is_an_empty_list(tmp_path: Path) -> None:
    async with asking(tmp_path, "soap", TABLE, found(ID)) as agency:
        reply = await agency.ask(items=("stays.day",))
    assert reply.records[HANA].values == {"stays": []}


async def test_another_person_and_a_second_record_are_dropped(tmp_path: Path) -> None:
    said = found(PAID, PAID, PAID.replace(HANA, DURI))
    async with asking(tmp_path, "soap", TABLE, said) as agency:
        reply = await agency.ask()
    assert (reply.records, reply.broken) == ({}, {HANA})
    assert reply.breaches == {"duplicate": 1, "other-person": 1}


def fault11(code: str) -> str:
    return f"<e:Fault><faultcode>e:{code}</faultcode><faultstring>{HANA}</faultstring></e:Fault>"


def fault12(code: str) -> str:
    return f'<f:Fault xmlns:f="{SOAP12}"><f:Code><f:Value>f:{code}</f:Value></f:Code></f:Fault>'


XXE = '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/hostname">]>'
BOMB = '<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
DEEP = "<a>" * 40 + "</a>" * 40
ERRORS: list[tuple[str, bytes, type[SourceError]]] = [
    ("a client's fault", envelope(fault11("Client")), SourceRefused),
    ("a server's fault", envelope(fault11("Server")), SourceUnavailable),
    ("a sender's fault", envelope(fault12("Sender")), SourceRefused),
    ("a receiver's fault", envelope(fault12("Receiver")), SourceUnavailable),
    ("a fault with 500", envelope(fault11("Server")).replace(b"200 OK", b"500 No"),
     SourceUnavailable),
    ("an entity of a file", envelope("<r>&x;</r>", XXE), ContractBroken),
    ("entities of entities", envelope("<r>&b;</r>", BOMB), ContractBroken),
    ("a document type", envelope("<r/>", "<!DOCTYPE r>"), ContractBroken),
    ("too deep", envelope(DEEP), ContractBroken),
    ("no XML", answer(b"{}"), ContractBroken),
    ("half an XML", answer(b"<e:Envelope"), ContractBroken),
    ("no envelope", answer(b"<html/>"), ContractBroken),
    ("an empty body", envelope(""), ContractBroken),
    ("503", answer(b"", "503 Busy"), SourceUnavailable),
    ("401", answer(b"", "401 No"), SourceRefused),
    ("a redirect", answer(b"", "302 Found", Location="http://elsewhere.invalid"), ContractBroken),
]  # fmt: skip


@pytest.mark.parametrize(
    ("said", "kind"), [error[1:] for error in ERRORS], ids=[error[0] for error in ERRORS]
)
async def test_a_wrong_answer_is_classed_and_never_quoted(
    tmp_path: Path, said: bytes, kind: type[SourceError]
) -> None:
    async with asking(tmp_path, "soap", TABLE, said) as agency:
        with pytest.raises(SourceError) as caught:
            await agency.ask()
    assert type(caught.value) is kind
    assert HANA not in str(caught.value)
