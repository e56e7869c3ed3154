"""The `rest` adapter against a real server on loopback, well-behaved and not."""

from __future__ import annotations

import asyncio
import datetime
import gzip
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from sources.adapter import (
    BROKEN,
    Context,
    ContractBroken,
    Question,
    Record,
    Reply,
    SourceError,
    SourceRefused,
    SourceUnavailable,
)
from sources.declaration import Source
from sources.reading import read_catalogue
from sources.rest import RestAdapter
from tests.sources.agency import Agency, answer, serving

DECLARATION = """\
[source]
agency = "Tax"
description = "Income"
adapter = "rest"

[rest]
url = "${TAX_URL}"
path = "/v1/search"
keys = "numbers"
items = "columns"
records = "result.people"
key = "number"
as_of = "closing"

[rest.headers]
Authorization = "Bearer ${TAX_TOKEN}"

[rest.context]
purpose = "X-Purpose"
legal_basis = "X-Basis"
case = "X-Case"
operation = "X-Request-Id"

[item.pay]
description = "Pay"
type = "Won"
category = "income"
wire = "net_pay"

[item.name]
description = "Name"
type = "String"
category = "identity"

[item.wages]
description = "Wages"
type = "list"
wire = "wage_list"

[item.wages.item.amount]
description = "Amount"
type = "Won"
category = "income"
wire = "amt"
"""
HANA, DURI = "900101-1000001", "900101-1000002"
CONTEXT = Context("pension", "Basic Pension Act, Article 11", "C-1", "op-1")


def declared(folder: Path, text: str = DECLARATION) -> Source:
    (folder / "tax.toml").write_text(text, encoding="utf-8")
    catalogue, faults = read_catalogue(folder, ["tax"], "tax", "tax")
    assert faults == []
    return catalogue.sources["tax"]


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return declared(tmp_path)


class Asking:
    """An agency that answers so, and the adapter that asks it."""

    def __init__(self, agency: Agency, adapter: RestAdapter, source: Source) -> None:
        self.agency = agency
        self._adapter = adapter
        self._source = source

    async def ask(
        self,
        *keys: str,
        items: tuple[str, ...] = ("tax.exists", "tax.pay"),
        context: Context = CONTEXT,
    ) -> Reply:
        wanted = tuple(item for item in self._source.items if item.name in items)
        return await self._adapter.ask(Question("person", keys or (HANA,), wanted, context))


class Opener:
    def __init__(self, stack: AsyncExitStack, patch: pytest.MonkeyPatch, source: Source) -> None:
        self._stack = stack
        self._patch = patch
        self._source = source

    async def __call__(
        self, *answers: bytes | None, requests_per_connection: int = 1_000
    ) -> Asking:
        agency = Agency(list(answers), requests_per_connection)
        await self._stack.enter_async_context(serving(agency))
        return self.over(agency)

    def over(self, agency: Agency) -> Asking:
        self._patch.setenv("TAX_URL", agency.url)
        self._patch.setenv("TAX_TOKEN", "secret")
        adapter = RestAdapter(self._source)
        self._stack.push_async_callback(adapter.close)
        return Asking(agency, adapter, self._source)


@pytest.fixture
async def over(source: Source, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Opener]:
    """Opens an agency with these answers, and an adapter over it."""
    async with AsyncExitStack() as stack:
        yield Opener(stack, monkeypatch, source)


def found(*people: dict[str, Any]) -> bytes:
    return answer({"result": {"people": list(people)}})


PAID = {"number": HANA, "net_pay": 5, "closing": "2026-10-31"}


# What is asked


async def test_just_the_asked_items_of_just_the_asked_people_are_on_the_wire(over: Opener) -> None:
    asking = await over(found())
    await asking.ask(HANA, DURI, items=("tax.exists", "tax.pay", "tax.wages.amount"))
    (asked,) = asking.agency.asked
    assert asked.body == {"numbers": [HANA, DURI], "columns": ["net_pay", "wage_list.amt"]}


async def test_asking_only_whether_there_is_a_record_names_no_item(over: Opener) -> None:
    asking = await over(found())
    await asking.ask(items=("tax.exists",))
    assert asking.agency.asked[0].body == {"numbers": [HANA], "columns": []}


async def test_nothing_personal_is_in_the_url(over: Opener) -> None:
    asking = await over(found())
    await asking.ask(HANA)
    assert asking.agency.asked[0].line == "POST /v1/search HTTP/1.1"


async def test_the_agency_is_told_why_it_is_asked(over: Opener) -> None:
    asking = await over(found())
    await asking.ask()
    headers = asking.agency.asked[0].headers
    assert {name: headers[name] for name in headers if name.startswith("x-")} == {
        "x-purpose": "pension",
        "x-basis": "Basic Pension Act, Article 11",
        "x-case": "C-1",
        "x-request-id": "op-1",
    }


async def test_a_question_without_a_case_sends_no_empty_header(over: Opener) -> None:
    asking = await over(found())
    await asking.ask(context=CONTEXT._replace(case=""))
    assert "x-case" not in asking.agency.asked[0].headers


async def test_the_credentials_of_the_environment_are_sent(over: Opener) -> None:
    asking = await over(found())
    await asking.ask()
    assert asking.agency.asked[0].headers["authorization"] == "Bearer secret"


async def test_a_proxy_of_the_environment_is_not_used(
    over: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    asking = await over(found(PAID))
    assert HANA in (await asking.ask()).records


# What is answered


async def test_a_record_is_read_by_its_declared_names(over: Opener) -> None:
    asking = await over(found(PAID))
    day = datetime.date(2026, 10, 31)
    assert await asking.ask() == Reply({HANA: Record({"pay": 5}, day)}, {})


async def test_whom_the_agency_leaves_out_has_no_record(over: Opener) -> None:
    asking = await over(found(PAID))
    assert (await asking.ask(HANA, DURI)).records.keys() == {HANA}


GZIP = {"Content-Encoding": "gzip"}


async def test_a_compressed_answer_is_read(over: Opener) -> None:
    content = gzip.compress(b'{"result": {"people": []}}')
    asking = await over(answer(content, **GZIP))
    assert await asking.ask() == Reply({}, {})


async def test_another_person_is_dropped_and_counted(over: Opener) -> None:
    asking = await over(found(PAID, {**PAID, "number": DURI}))
    reply = await asking.ask(HANA)
    assert (set(reply.records), reply.breaches) == ({HANA}, {"other-person": 1})


@pytest.mark.parametrize("number", [None, 5, True, [HANA], {"number": HANA}, ""])
async def test_a_record_without_an_asked_number_is_another_persons(
    over: Opener, number: Any
) -> None:
    asking = await over(found({**PAID, "number": number}))
    assert await asking.ask() == Reply({}, {"other-person": 1})


async def test_an_item_that_nobody_granted_is_dropped_and_counted(over: Opener) -> None:
    asking = await over(found({**PAID, "name": "김하나", "spouse": DURI}))
    reply = await asking.ask()
    assert reply.records[HANA].values == {"pay": 5}
    assert reply.breaches == {"extra-item": 2}


async def test_an_agency_that_can_only_give_whole_records_breaks_no_contract_by_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = DECLARATION.replace("[rest]", "[rest]\nwhole = true")
    async with AsyncExitStack() as stack:
        opener = Opener(stack, monkeypatch, declared(tmp_path, text))
        asking = await opener(found({**PAID, "name": "김하나"}))
        reply = await asking.ask()
        assert (reply.records[HANA].values, reply.breaches) == ({"pay": 5}, {})


async def test_a_value_of_the_wrong_type_is_broken_and_counted(over: Opener) -> None:
    asking = await over(found({**PAID, "net_pay": "5"}))
    reply = await asking.ask()
    assert reply.records[HANA].values == {"pay": BROKEN}
    assert reply.breaches == {"wrong-type": 1}


HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n" + b'{"result": {"people": ['
NOT_HTTP = "the answer is not HTTP as it should be"
NO_JSON = "the answer is no JSON"
NO_RECORDS = "no records at `result.people` of the answer"
TOO_DEEP = "the answer nests deeper than 32"
NO_LIST = "`result.people` of the answer is no list of records"

ERRORS: list[tuple[str, bytes, SourceError]] = [
    ("500", answer({}, "500 Oops"), SourceUnavailable("the source answered 500")),
    ("503", answer({}, "503 Busy"), SourceUnavailable("the source answered 503")),
    (
        "503 with Retry-After",
        answer({}, "503 Busy", **{"Retry-After": "30"}),
        SourceUnavailable("the source answered 503", 30.0),
    ),
    (
        "429 with Retry-After",
        answer({}, "429 Slow down", **{"Retry-After": "7"}),
        SourceUnavailable("the source answered 429", 7.0),
    ),
    (
        "503 with a date",
        answer({}, "503 Busy", **{"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}),
        SourceUnavailable("the source answered 503", 0.0),
    ),
    ("400", answer({}, "400 No"), SourceRefused("the source refused the question with 400")),
    ("401", answer({}, "401 No"), SourceRefused("the source refused the question with 401")),
    ("403", answer({}, "403 No"), SourceRefused("the source refused the question with 403")),
    ("404", answer({}, "404 No"), SourceRefused("the source refused the question with 404")),
    ("201", answer({}, "201 Made"), ContractBroken("the source answered 201")),
    ("garbage", answer(b"\x00\xff<html>"), ContractBroken(NO_JSON)),
    ("nothing", answer(b""), ContractBroken(NO_JSON)),
    ("not UTF-8", answer('{"result": "국"}'.encode("euc-kr")), ContractBroken(NO_JSON)),
    ("deep", answer(b"[" * 100_000), ContractBroken(NO_JSON)),
    ("no JSON number", answer(b'{"result": {"people": NaN}}'), ContractBroken(NO_JSON)),
    ("an error in 200", answer({"error": "no service"}), ContractBroken(NO_RECORDS)),
    ("a list on top", answer([PAID]), ContractBroken(NO_RECORDS)),
    ("a text on the way", answer({"result": "people"}), ContractBroken(NO_RECORDS)),
    ("null on the way", answer({"result": None}), ContractBroken(NO_RECORDS)),
    ("records of none", answer({"result": {"people": None}}), ContractBroken(NO_LIST)),
    ("a record alone", answer({"result": {"people": PAID}}), ContractBroken(NO_LIST)),
    ("records of text", answer({"result": {"people": ["x"]}}), ContractBroken(NO_LIST)),
    ("deeper than declared", answer(b"[" * 33 + b"]" * 33), ContractBroken(TOO_DEEP)),
    ("no HTTP", b"hello\r\n\r\n", ContractBroken(NOT_HTTP)),
    (
        "a false encoding",
        answer(b"abcd", **{"Content-Encoding": "gzip"}),
        ContractBroken(NOT_HTTP),
    ),
    ("half a body", HALF, SourceUnavailable("the source cannot be reached")),
    ("no answer", b"", SourceUnavailable("the source cannot be reached")),
]


@pytest.mark.parametrize(
    ("reply", "error"), [(reply, error) for _, reply, error in ERRORS], ids=[e[0] for e in ERRORS]
)
async def test_a_wrong_answer_is_an_error_classed_by_what_to_do_next(
    over: Opener, reply: bytes, error: SourceError
) -> None:
    asking = await over(reply)
    with pytest.raises(SourceError) as caught:
        await asking.ask()
    assert type(caught.value) is type(error)
    assert (caught.value.reason, caught.value.retry_after) == (error.reason, error.retry_after)


BOUNDED = DECLARATION.replace('adapter = "rest"', 'adapter = "rest"\nlimits = { bytes = 1024 }')
PADDED = b'{"result": {"people": []}}'


@pytest.mark.parametrize(
    "sent",
    [answer(PADDED.ljust(1025)), answer(gzip.compress(PADDED.ljust(10**7)), **GZIP)],
    ids=["plain", "compressed"],
)
async def test_an_answer_beyond_its_bound_breaks_the_contract(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    async with AsyncExitStack() as stack:
        opener = Opener(stack, monkeypatch, declared(tmp_path, BOUNDED))
        asking = await opener(sent)
        with pytest.raises(ContractBroken, match=r"^the answer has more than 1024 bytes$"):
            await asking.ask()


async def test_an_answer_up_to_its_bound_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with AsyncExitStack() as stack:
        asking = await Opener(stack, monkeypatch, declared(tmp_path, BOUNDED))(
            answer(PADDED.ljust(1024))
        )
        assert await asking.ask() == Reply({}, {})


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Again", "308 Moved"])
async def test_a_redirect_is_not_followed(over: Opener, status: str) -> None:
    elsewhere = await over(found(PAID))
    asking = await over(answer({}, status, Location=elsewhere.agency.url + "/v1/search"))
    with pytest.raises(ContractBroken, match=f"^the source answered {status[:3]}$"):
        await asking.ask()
    assert elsewhere.agency.asked == []


@pytest.mark.parametrize("status", ["200 OK", "400 No", "500 Oops"])
async def test_an_error_text_of_the_agency_goes_no_further(over: Opener, status: str) -> None:
    asking = await over(answer({"error": f"{HANA} 김하나 not found"}, status))
    with pytest.raises(SourceError) as caught:
        await asking.ask()
    assert HANA not in str(caught.value)
    assert "김하나" not in str(caught.value)


async def test_an_agency_that_is_not_there_is_unavailable(over: Opener) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    asking = over.over(Agency([], url=url))
    with pytest.raises(SourceUnavailable, match=r"^the source cannot be reached$"):
        await asking.ask()


async def test_a_name_that_leads_nowhere_is_unavailable(over: Opener) -> None:
    asking = over.over(Agency([], url="http://agency.invalid"))
    with pytest.raises(SourceUnavailable, match=r"^the source cannot be reached$"):
        await asking.ask()


# Connections


async def test_a_connection_is_kept_for_the_next_question(over: Opener) -> None:
    asking = await over(found(PAID))
    for _ in range(3):
        await asking.ask()
    assert (asking.agency.connections, len(asking.agency.asked)) == (1, 3)


@pytest.mark.parametrize(
    ("reply", "passing"),
    [
        (b"", True),
        (HALF, True),
        (answer({}, "503 Busy"), True),
        (answer({}, "429 Slow down"), True),
        (answer({}, "502 Bad"), True),
        (answer({}, "504 Late"), True),
        (answer({}, "500 Oops"), False),
        (answer({}, "400 No"), False),
        (answer(b"garbage"), False),
    ],
    ids=["no answer", "half", "503", "429", "502", "504", "500", "400", "garbage"],
)
async def test_what_may_pass_says_so_and_is_asked_once_all_the_same(
    over: Opener, reply: bytes, passing: bool
) -> None:
    asking = await over(reply, found(PAID))
    with pytest.raises(SourceError) as caught:
        await asking.ask()
    assert caught.value.passing is passing
    assert len(asking.agency.asked) == 1


async def test_of_two_records_for_one_person_none_is_believed(over: Opener) -> None:
    asking = await over(found(PAID, {**PAID, "net_pay": 9}, {**PAID, "number": DURI}))
    reply = await asking.ask(HANA, DURI)
    assert set(reply.records) == {DURI}
    assert (reply.broken, reply.breaches) == ({HANA}, {"duplicate": 1})


async def test_connections_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = DECLARATION.replace('adapter = "rest"', 'adapter = "rest"\npool.connections = 2')
    source = declared(tmp_path, text)
    async with AsyncExitStack() as stack:
        opener = Opener(stack, monkeypatch, source)
        asking = await opener(found(PAID))
        await asyncio.gather(*(asking.ask() for _ in range(10)))
    assert (asking.agency.connections, len(asking.agency.asked)) == (2, 10)


async def test_a_question_that_is_given_up_gives_its_connection_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = DECLARATION.replace('adapter = "rest"', 'adapter = "rest"\npool.connections = 1')
    source = declared(tmp_path, text)
    async with AsyncExitStack() as stack:
        asking = await Opener(stack, monkeypatch, source)(None, found(PAID))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asking.ask(), 0.05)
        assert HANA in (await asyncio.wait_for(asking.ask(), 5)).records


# The declaration


def faults_of(folder: Path, text: str) -> list[str]:
    return [str(fault) for fault in RestAdapter.check(declared(folder, text))]


def test_a_variable_that_is_not_set_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TAX_URL", raising=False)
    monkeypatch.delenv("TAX_TOKEN", raising=False)
    assert faults_of(tmp_path, DECLARATION) == [
        "tax.toml: rest.url (line 7): the environment has no `TAX_URL`; "
        "set `TAX_URL`, or take `tax` out of `sources.enabled`",
        "tax.toml: rest.headers.Authorization (line 16): the environment has no `TAX_TOKEN`; "
        "set `TAX_TOKEN`, or take `tax` out of `sources.enabled`",
    ]


def test_every_fault_of_the_table_is_told(tmp_path: Path) -> None:
    text = DECLARATION.replace('path = "/v1', 'pth = "/v1').replace(
        'key = "number"', 'key = "number"\ndates = "DD.MM.YYYY"'
    )
    assert faults_of(tmp_path, text) == [
        "tax.toml: rest.dates (line 13): input should be 'YYYY-MM-DD', 'YYYYMMDD' or 'date-time'; "
        "correct the value",
        "tax.toml: rest.pth (line 8): unknown key `pth`; remove it or correct its spelling",
    ]


def test_a_rest_source_holds_no_cases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAX_URL", "https://x")
    monkeypatch.setenv("TAX_TOKEN", "x")
    case = '[case.item.state]\ndescription = "State"\ntype = "String"\ncategory = "case"\n'
    assert faults_of(tmp_path, DECLARATION + case) == [
        "tax.toml: case.item (line 45): the `rest` adapter answers for people only; "
        "hold cases in a `sql` source"
    ]


async def test_a_declared_error_in_a_good_answer_is_no_absence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = DECLARATION.replace('records = "result.people"', 'records = "people"\nerror = "fault"')
    async with AsyncExitStack() as stack:
        opener = Opener(stack, monkeypatch, declared(tmp_path, text))
        asking = await opener(answer({"fault": "no line", "people": []}), answer({"people": []}))
        with pytest.raises(SourceUnavailable, match="the source answered with an error"):
            await asking.ask()
        assert (await asking.ask()).records == {}
