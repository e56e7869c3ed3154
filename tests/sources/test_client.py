"""What adapters over HTTP share, and the ways of `rest`, against servers on loopback."""

from __future__ import annotations

import base64
import json
import logging
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from http_message_signatures import (
    HTTPMessageVerifier,
    InvalidSignature,
    MappingKeyResolver,
    algorithms,
)

from sources.adapter import (
    BROKEN,
    ContractBroken,
    Reply,
    SourceError,
    SourceRefused,
    SourceUnavailable,
)
from tests.sources.agency import Asked, answer
from tests.sources.asking import CONTEXT, DURI, HANA, SENA, asking
from tests.sources.certificates import Certificates, make

TABLE = """
url = "URL"
path = "/query"
keys = "ids"
items = "fields"
records = "records"
key = "id"
"""
FOUND = answer({"records": [{"id": HANA, "pay": 5}]})


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make(tmp_path_factory.mktemp("certificates"))


# Ways of asking


async def test_places_of_a_question_and_an_answer_may_be_deep(tmp_path: Path) -> None:
    table = TABLE.replace('"ids"', '"query.who.ids"').replace('"fields"', '"query.what"')
    table = table.replace('key = "id"', 'key = "person.id"\nas_of = "person.day"')
    said = answer({"records": [{"person": {"id": HANA, "day": "2026-10-31"}, "pay": 5}]})
    async with asking(tmp_path, "rest", table, said) as agency:
        reply = await agency.ask()
    assert agency.agency.asked[0].body == {"query": {"who": {"ids": [HANA]}, "what": ["pay"]}}
    assert (reply.records[HANA].values, str(reply.records[HANA].as_of)) == (
        {"pay": 5},
        "2026-10-31",
    )
    assert reply.breaches == {}


async def test_an_item_within_an_object_is_read_and_what_is_beside_it_dropped(
    tmp_path: Path,
) -> None:
    said = answer({"records": [{"id": HANA, "name": {"surname": "김", "given": "하나"}}]})
    async with asking(tmp_path, "rest", TABLE, said) as agency:
        reply = await agency.ask(items=("name",))
    assert agency.agency.asked[0].body["fields"] == ["name.surname"]
    assert (reply.records[HANA].values, reply.breaches) == ({"name": "김"}, {"extra-item": 1})


GET = TABLE.replace('"ids"', '"X-Ids"') + 'method = "GET"\n'


async def test_by_get_ids_go_in_a_header_and_items_in_the_address(tmp_path: Path) -> None:
    async with asking(tmp_path, "rest", GET, FOUND, source="batch = 100") as agency:
        reply = await agency.ask(HANA, DURI, items=("pay", "stays.day"))
        (asked,) = agency.agency.asked
    assert reply.records.keys() == {HANA}
    assert asked.headers["x-ids"] == f"{HANA},{DURI}"
    method, address, _ = asked.line.split()
    assert (method, urlsplit(address).path) == ("GET", "/query")
    assert parse_qs(urlsplit(address).query) == {"fields": ["pay,stay.day"]}


@pytest.mark.parametrize("key", ["a,b", "a\r\nX: y", "a b", "가"])
async def test_an_id_that_no_header_carries_is_not_sent(tmp_path: Path, key: str) -> None:
    async with asking(tmp_path, "rest", GET, FOUND) as agency:
        with pytest.raises(ContractBroken, match="no header carries"):
            await agency.ask(key)
        assert agency.agency.asked == []


SINGLE = TABLE.replace('"records"', '"person"').replace('key = "id"\n', "") + "single = true\n"


async def test_one_person_at_a_time_the_id_is_sent_alone(tmp_path: Path) -> None:
    said = answer({"person": {"pay": 5}})
    async with asking(tmp_path, "rest", SINGLE, said, source="batch = 1") as agency:
        reply = await agency.ask()
    assert agency.agency.asked[0].body == {"ids": HANA, "fields": ["pay"]}
    assert reply.records[HANA].values == {"pay": 5}


@pytest.mark.parametrize(
    ("said", "more"),
    [(answer({"person": None}), ""), (answer({}, "404 No"), "unknown = 404")],
    ids=["null", "404"],
)
async def test_one_person_who_is_not_known_has_no_record(
    tmp_path: Path, said: bytes, more: str
) -> None:
    async with asking(tmp_path, "rest", SINGLE + more, said, source="batch = 1") as agency:
        assert await agency.ask() == Reply({})


async def test_without_its_declaration_404_is_no_unknown_person(tmp_path: Path) -> None:
    async with asking(tmp_path, "rest", SINGLE, answer({}, "404 No"), source="batch = 1") as agency:
        with pytest.raises(SourceRefused):
            await agency.ask()


async def test_a_record_of_one_person_may_say_whose_it_is(tmp_path: Path) -> None:
    said = answer({"person": {"id": DURI, "pay": 5}})
    table = SINGLE + 'key = "id"'
    async with asking(tmp_path, "rest", table, said, source="batch = 1") as agency:
        assert await agency.ask() == Reply({}, {"other-person": 1})


# Pages


def pages(*found: str, **more: Any) -> list[bytes]:
    return [
        answer({"records": [{"id": key, "pay": number}], **{k: v[number] for k, v in more.items()}})
        for number, key in enumerate(found)
    ]


async def test_pages_are_read_by_cursor_to_the_last(tmp_path: Path) -> None:
    table = TABLE + 'paging = { next = "next", cursor = "page.after" }'
    said = pages(HANA, DURI, SENA, next=["c1", "c2", None])
    async with asking(tmp_path, "rest", table, *said) as agency:
        reply = await agency.ask(HANA, DURI, SENA)
    assert set(reply.records) == {HANA, DURI, SENA}
    asked = [question.body.get("page") for question in agency.agency.asked]
    assert asked == [None, {"after": "c1"}, {"after": "c2"}]


async def test_pages_are_read_by_number_to_the_last(tmp_path: Path) -> None:
    table = TABLE + 'paging = { page = "page", pages = "total" }'
    said = pages(HANA, DURI, total=[2, 2])
    async with asking(tmp_path, "rest", table, *said) as agency:
        reply = await agency.ask(HANA, DURI)
    assert set(reply.records) == {HANA, DURI}
    assert [question.body["page"] for question in agency.agency.asked] == [1, 2]


async def test_by_get_the_number_of_a_page_is_in_the_address(tmp_path: Path) -> None:
    table = GET + 'paging = { page = "page", pages = "total" }'
    async with asking(tmp_path, "rest", table, *pages(HANA, DURI, total=[2, 2])) as agency:
        await agency.ask(HANA, DURI)
        lines = [asked.line for asked in agency.agency.asked]
    assert [parse_qs(urlsplit(line.split()[1]).query)["page"] for line in lines] == [["1"], ["2"]]


async def test_pages_without_end_break_the_contract(tmp_path: Path) -> None:
    table = TABLE + 'paging = { next = "next", cursor = "after", most = 3 }'
    said = answer({"records": [], "next": "c"})
    async with asking(tmp_path, "rest", table, said) as agency:
        with pytest.raises(ContractBroken, match="more pages than are read"):
            await agency.ask()
    assert len(agency.agency.asked) == 3


async def test_one_person_on_two_pages_is_believed_on_none(tmp_path: Path) -> None:
    table = TABLE + 'paging = { next = "next", cursor = "after" }'
    said = pages(HANA, HANA, next=["c1", None])
    async with asking(tmp_path, "rest", table, *said) as agency:
        reply = await agency.ask()
    assert (reply.records, reply.broken) == ({}, {HANA})


@pytest.mark.parametrize("total", ["2", None, 1.5, True])
async def test_a_number_of_pages_that_is_none_breaks_the_contract(
    tmp_path: Path, total: Any
) -> None:
    table = TABLE + 'paging = { page = "page", pages = "total" }'
    async with asking(tmp_path, "rest", table, *pages(HANA, total=[total])) as agency:
        with pytest.raises(ContractBroken):
            await agency.ask()


# Redirects


def sent_to(address: str, status: str = "307 Temporary Redirect") -> bytes:
    return answer(b"", status, Location=address)


async def test_redirects_are_refused_unless_declared(tmp_path: Path) -> None:
    async with asking(tmp_path, "rest", TABLE, sent_to("/other"), FOUND) as agency:
        with pytest.raises(ContractBroken, match="the source answered 307"):
            await agency.ask()
    assert len(agency.agency.asked) == 1


async def test_a_declared_redirect_is_followed_within_its_origin(tmp_path: Path) -> None:
    table = TABLE + "redirects = 1"
    async with asking(tmp_path, "rest", table, sent_to("/other"), FOUND) as agency:
        assert HANA in (await agency.ask()).records
        lines = [asked.line for asked in agency.agency.asked]
    assert lines == ["POST /query HTTP/1.1", "POST /other HTTP/1.1"]
    assert agency.agency.asked[1].body == {"ids": [HANA], "fields": ["pay"]}


@pytest.mark.parametrize(
    "to",
    [
        sent_to("https://elsewhere.invalid/query"),
        sent_to("http://127.0.0.1:1/query"),
        sent_to("//elsewhere.invalid/query"),
        sent_to("http://[::1"),
        sent_to("/other", "302 Found"),
        sent_to("/other", "303 See Other"),
    ],
    ids=["another host", "another port", "another authority", "no address", "302", "303"],
)
async def test_no_redirect_takes_a_question_elsewhere_or_changes_it(
    tmp_path: Path, to: bytes
) -> None:
    async with asking(tmp_path, "rest", TABLE + "redirects = 5", to, FOUND) as agency:
        with pytest.raises(ContractBroken):
            await agency.ask()
    assert len(agency.agency.asked) == 1


async def test_redirects_end(tmp_path: Path) -> None:
    async with asking(tmp_path, "rest", TABLE + "redirects = 2", sent_to("/query")) as agency:
        with pytest.raises(ContractBroken, match="without end"):
            await agency.ask()
    assert len(agency.agency.asked) == 3


# Credentials


OAUTH2 = """
oauth2.token_url = "URL/token"
oauth2.client_id = "hub"
oauth2.client_secret = "${A_SECRET}"
oauth2.scope = "persons"
"""


class Tokens:
    """A token service beside the agency, that gives one token after the other."""

    def __init__(self, life: float = 3600, refusing: tuple[str, ...] = ()) -> None:
        self.given = 0
        self.life = life
        self.refusing = refusing
        self.forms: list[dict[str, list[str]]] = []

    def __call__(self, asked: Asked) -> bytes:
        if asked.line.startswith("POST /token"):
            self.given += 1
            self.forms.append(parse_qs(asked.body.decode()))
            return answer({"access_token": f"t{self.given}", "expires_in": self.life})
        if asked.headers["authorization"] in self.refusing:
            return answer({}, "401 No")
        return FOUND


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET", "s&cret")


@pytest.mark.usefixtures("secret")
async def test_a_token_is_got_once_and_used_until_its_end(tmp_path: Path) -> None:
    tokens = Tokens()
    async with asking(tmp_path, "rest", TABLE + OAUTH2) as agency:
        agency.agency.respond_to = tokens
        for _ in range(3):
            await agency.ask()
        asked = agency.agency.asked
    lines = [question.line.split()[1] for question in asked]
    assert lines == ["/token", "/query", "/query", "/query"]
    assert tokens.forms == [{"grant_type": ["client_credentials"], "scope": ["persons"]}]
    basic = base64.b64encode(b"hub:s%26cret").decode()
    assert asked[0].headers["authorization"] == f"Basic {basic}"
    assert {question.headers["authorization"] for question in asked[1:]} == {"Bearer t1"}


@pytest.mark.usefixtures("secret")
async def test_credentials_may_go_in_the_body(tmp_path: Path) -> None:
    tokens = Tokens()
    async with asking(tmp_path, "rest", TABLE + OAUTH2 + 'oauth2.credentials = "body"') as agency:
        agency.agency.respond_to = tokens
        await agency.ask()
        assert "authorization" not in agency.agency.asked[0].headers
    assert tokens.forms[0]["client_secret"] == ["s&cret"]


@pytest.mark.usefixtures("secret")
async def test_a_token_that_ends_or_is_taken_back_is_got_anew(tmp_path: Path) -> None:
    tokens = Tokens(refusing=("Bearer t1",))
    async with asking(tmp_path, "rest", TABLE + OAUTH2) as agency:
        agency.agency.respond_to = tokens
        assert HANA in (await agency.ask()).records
    assert tokens.given == 2


@pytest.mark.usefixtures("secret")
async def test_a_source_that_refuses_every_token_is_not_asked_without_end(tmp_path: Path) -> None:
    tokens = Tokens(refusing=("Bearer t1", "Bearer t2", "Bearer t3"))
    async with asking(tmp_path, "rest", TABLE + OAUTH2) as agency:
        agency.agency.respond_to = tokens
        with pytest.raises(SourceRefused):
            await agency.ask()
    assert tokens.given == 2


@pytest.mark.usefixtures("secret")
@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (answer({}, "500 Oops"), SourceUnavailable),
        (answer({"error": "invalid_client"}, "401 No"), SourceRefused),
        (answer(b"x"), SourceRefused),
        (answer({}), SourceRefused),
        (answer([]), SourceRefused),
        (answer({"access_token": 5}), SourceRefused),
        (answer({"access_token": "a\r\nX: y"}), SourceRefused),
        (answer({"access_token": "t", "expires_in": "soon"}), SourceRefused),
        (b"", SourceUnavailable),
    ],
)
async def test_a_token_service_that_gives_none_is_classed(
    tmp_path: Path, said: bytes, kind: type[SourceError]
) -> None:
    async with asking(tmp_path, "rest", TABLE + OAUTH2, said) as agency:
        with pytest.raises(SourceError) as caught:
            await agency.ask()
    assert type(caught.value) is kind
    assert "s&cret" not in str(caught.value)


# TLS


def trusting(certificates: Certificates, *, own: bool = False) -> str:
    mine = (
        f'\ntls.certificate = "{certificates.hub[0]}"\ntls.key = "{certificates.hub[1]}"'
        if own
        else ""
    )
    return f'{TABLE}\ntls.authority = "{certificates.authority}"{mine}'


async def test_a_trusted_server_is_asked_over_tls(
    tmp_path: Path, certificates: Certificates
) -> None:
    tls = certificates.serving()
    async with asking(tmp_path, "rest", trusting(certificates), FOUND, tls=tls) as agency:
        assert agency.agency.url.startswith("https://")
        assert HANA in (await agency.ask()).records


async def test_a_server_that_nobody_vouches_for_is_told_nothing(
    tmp_path: Path, certificates: Certificates
) -> None:
    async with asking(tmp_path, "rest", TABLE, FOUND, tls=certificates.serving()) as agency:
        with pytest.raises(SourceUnavailable):
            await agency.ask()
        assert agency.agency.asked == []


@pytest.mark.parametrize("own", [True, False], ids=["with", "without"])
async def test_a_server_may_ask_for_the_hubs_own_certificate(
    tmp_path: Path, certificates: Certificates, own: bool
) -> None:
    tls = certificates.serving(mutual=True)
    async with asking(tmp_path, "rest", trusting(certificates, own=own), FOUND, tls=tls) as agency:
        if own:
            assert HANA in (await agency.ask()).records
        else:
            with pytest.raises(SourceUnavailable):
                await agency.ask()
            assert agency.agency.asked == []


# Signatures


KEYS: dict[str, Any] = {
    "ed25519": (ed25519.Ed25519PrivateKey.generate, algorithms.ED25519),
    "ecdsa-p256-sha256": (
        lambda: ec.generate_private_key(ec.SECP256R1()),
        algorithms.ECDSA_P256_SHA256,
    ),
    "rsa-pss-sha512": (
        lambda: rsa.generate_private_key(65537, 2048),
        algorithms.RSA_PSS_SHA512,
    ),
}


class Received:
    """A request as the agency's verifier takes it."""

    def __init__(self, url: str, asked: Asked) -> None:
        self.method, path, _ = asked.line.split()
        self.url = url + path
        self.headers = dict(asked.headers)


@pytest.mark.parametrize("algorithm", KEYS)
async def test_a_signed_request_is_verified_by_another(tmp_path: Path, algorithm: str) -> None:
    make_key, kind = KEYS[algorithm]
    key = make_key()
    file = tmp_path / "signing.pem"
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    table = f'{TABLE}\nsignature = {{ key = "{file}", key_id = "k1", algorithm = "{algorithm}" }}'
    async with asking(tmp_path, "rest", table, FOUND) as agency:
        await agency.ask()
        (asked,) = agency.agency.asked
        received = Received(agency.agency.url, asked)
    resolver = MappingKeyResolver(public_keys={"k1": public}, private_keys={})
    verifier = HTTPMessageVerifier(signature_algorithm=kind, key_resolver=resolver)
    content = json.dumps(asked.body, separators=(",", ":")).encode()
    (verified,) = verifier.verify(received, body=content)
    assert {name.strip('"') for name in verified.covered_components} >= {
        "@method",
        "@target-uri",
        "content-type",
        "content-digest",
    }
    received.url += "x"
    with pytest.raises(InvalidSignature):
        verifier.verify(received, body=content)


# What is told, and what is not


async def test_the_official_is_told_where_that_is_declared(tmp_path: Path) -> None:
    table = TABLE + 'context = { user = "X-User", case = "X-Case" }'
    async with asking(tmp_path, "rest", table, FOUND) as agency:
        await agency.ask()
        await agency.ask(context=CONTEXT._replace(user="", case=""))
        first, second = agency.agency.asked
    assert (first.headers["x-user"], first.headers["x-case"]) == ("official-7", "C-1")
    assert not {"x-user", "x-case"} & second.headers.keys()


async def test_an_api_key_is_a_header_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_KEY", "k-1")
    table = TABLE + 'headers.X-Api-Key = "${A_KEY}"'
    async with asking(tmp_path, "rest", table, FOUND) as agency:
        await agency.ask()
        assert agency.agency.asked[0].headers["x-api-key"] == "k-1"


@pytest.mark.parametrize("written", ["won", "thousand-won", "text"])
async def test_values_are_read_as_the_agency_writes_them(tmp_path: Path, written: str) -> None:
    value: Any = {"won": 5000, "thousand-won": 5, "text": "5,000"}[written]
    said = answer({"records": [{"id": HANA, "pay": value, "born": "19900101"}]})
    table = TABLE + f'money = "{written}"\ndates = "YYYYMMDD"'
    async with asking(tmp_path, "rest", table, said) as agency:
        reply = await agency.ask(items=("pay", "born"))
    assert reply.records[HANA].values["pay"] == 5000
    assert str(reply.records[HANA].values["born"]) == "1990-01-01"


@pytest.mark.parametrize(
    ("value", "numbers", "read"),
    [("5", "text", 5), (5, "text", BROKEN), ("5", "number", BROKEN), ("x", "text", BROKEN)],
)
async def test_numbers_may_be_written_as_text(
    tmp_path: Path, value: Any, numbers: str, read: Any
) -> None:
    said = answer({"records": [{"id": HANA, "pay": value}]})
    async with asking(tmp_path, "rest", TABLE + f'numbers = "{numbers}"', said) as agency:
        assert (await agency.ask()).records[HANA].values == {"pay": read}


async def test_a_list_longer_than_it_may_be_is_broken(tmp_path: Path) -> None:
    said = answer({"records": [{"id": HANA, "stay": [{"ward": "1"}] * 4}]})
    async with asking(tmp_path, "rest", TABLE, said, source="limits.rows = 3") as agency:
        reply = await agency.ask(items=("stays.ward",))
    assert (reply.records[HANA].values, reply.breaches) == ({"stays": BROKEN}, {"too-long": 1})


async def test_nothing_of_a_person_is_in_an_address_or_a_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    said = [answer({"error": HANA}, "500 Oops"), answer(f"{HANA} 김".encode()), b"", FOUND]
    async with asking(tmp_path, "rest", TABLE, *said) as agency:
        for _ in said[:3]:
            with pytest.raises(SourceError) as caught:
                await agency.ask()
            assert HANA not in str(caught.value)
        assert HANA in (await agency.ask()).records
        lines = " ".join(asked.line for asked in agency.agency.asked)
    assert HANA not in lines + caplog.text
