"""The tables of every adapter: what is good has no fault, and every fault is told at once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hub.app import ADAPTERS
from sources.declaration import Source
from sources.reading import read_catalogue

ITEMS = """
[item.pay]
description = "Pay"
type = "Won"
category = "income"

[item.stays]
description = "Stays"
type = "list"

[item.stays.item.day]
description = "Day"
type = "Date"
category = "health"
"""
WSDL = Path("tests/sources/fixtures/persons.wsdl").resolve()
GOOD = {
    "graphql": 'url = "https://a"\npeople = "x.people"\nargument = "ids"\nkey = "id"',
    "xroad": 'url = "https://a"\nclient = "KR/GOV/1/hub"\nservice = "KR/GOV/2/s/persons"\n'
    'keys = "ids"\nitems = "fields"\nrecords = "records"\nkey = "id"',
    "dci": 'url = "https://a"\nregistry = "civil"\nsender = "hub"',
    "soap": 'url = "https://a"\nwsdl = "WSDL"\noperation = "Query"\nkeys = "ids.id"\n'
    'items = "fields.field"\nrecords = "records"\nkey = "id"',
    "rest": 'url = "https://a"\nkeys = "ids"\nitems = "fields"\nrecords = "records"\nkey = "id"',
    "file": 'folder = "FOLDER"\nperson = { files = "p-{date}.parquet", key = "id" }\n'
    'lists.stays = { files = "s-{date}.parquet", key = "id", order = "day" }',
    "sql": 'url = "sqlite+aiosqlite://"\nperson = { table = "p", key = "id" }\n'
    'lists.stays = { table = "s", key = "id", order = "day" }',
}


def declared(folder: Path, adapter: str, table: str, source: str = "", more: str = "") -> Source:
    head = f'[source]\nagency = "A"\ndescription = "D"\nadapter = "{adapter}"\n{source}\n'
    table = table.replace("WSDL", str(WSDL)).replace("FOLDER", str(folder))
    (folder / "a.toml").write_text(f"{head}\n[{adapter}]\n{table}\n{more}\n{ITEMS}")
    catalogue, faults = read_catalogue(folder, ["a"], "a", "a")
    assert [str(fault) for fault in faults] == []
    return catalogue.sources["a"]


def faults_of(
    folder: Path, adapter: str, table: str, source: str = "", more: str = ""
) -> list[str]:
    found = ADAPTERS[adapter].check(declared(folder, adapter, table, source, more))
    return [re.sub(r" \(line \d+\)", "", str(fault)).removeprefix("a.toml: ") for fault in found]


@pytest.mark.parametrize("adapter", GOOD)
def test_a_good_table_has_no_fault(tmp_path: Path, adapter: str) -> None:
    assert faults_of(tmp_path, adapter, GOOD[adapter]) == []


def test_every_adapter_is_tried() -> None:
    assert GOOD.keys() == ADAPTERS.keys()


@pytest.mark.parametrize("adapter", GOOD)
def test_an_unknown_key_and_a_missing_one_are_told_together(tmp_path: Path, adapter: str) -> None:
    _, _, rest = GOOD[adapter].partition("\n")
    missing = GOOD[adapter].split(" ", 1)[0]
    assert faults_of(tmp_path, adapter, f"pth = 1\n{rest}") == [
        f"{adapter}.{missing}: `{missing}` is missing; add it",
        f"{adapter}.pth: unknown key `pth`; remove it or correct its spelling",
    ]


HTTP = ("rest", "graphql", "xroad", "dci", "soap")


@pytest.mark.parametrize("adapter", HTTP)
@pytest.mark.parametrize(
    ("address", "fault"),
    [
        ("http://a", "is read by whoever is on the way; use `https`, or declare "
         "`plain_http = true` on a network that others keep secret"),
        ("ftp://a", "is no address of a service; write it like `https://host/path`"),
        ("https://a?id=1", "has more than a host and a path; leave out query, fragment and user"),
        ("https://u:p@a", "has more than a host and a path; leave out query, fragment and user"),
    ],
)  # fmt: skip
def test_an_address_that_will_not_do_is_told(
    tmp_path: Path, adapter: str, address: str, fault: str
) -> None:
    table = GOOD[adapter].replace("https://a", address)
    assert faults_of(tmp_path, adapter, table) == [f"{adapter}.url: {fault}"]


@pytest.mark.parametrize("address", ["http://127.0.0.1:1", "http://[::1]:1", "http://localhost"])
def test_loopback_needs_no_tls(tmp_path: Path, address: str) -> None:
    assert faults_of(tmp_path, "rest", GOOD["rest"].replace("https://a", address)) == []


def test_a_network_that_others_keep_secret_needs_no_tls(tmp_path: Path) -> None:
    table = GOOD["rest"].replace("https://a", "http://a") + "\nplain_http = true"
    assert faults_of(tmp_path, "rest", table) == []


def test_every_fault_of_what_http_needs_is_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("A_SECRET", raising=False)
    more = """
headers.X-Api-Key = "abc"
oauth2 = { token_url = "http://t", client_id = "c", client_secret = "${A_SECRET}" }
tls = { certificate = "nowhere.pem", key = "nowhere.pem" }
signature = { key = "nowhere.pem", key_id = "k" }
"""
    assert faults_of(tmp_path, "rest", GOOD["rest"], more=more) == [
        "rest.oauth2.client_secret: the environment has no `A_SECRET`; set `A_SECRET`, or take "
        "`a` out of `sources.enabled`",
        "rest.oauth2.token_url: is read by whoever is on the way; use `https`, or declare "
        "`plain_http = true` on a network that others keep secret",
        "rest.headers.X-Api-Key: a credential stands in the file; name a variable, as "
        "`${TAX_TOKEN}`",
        "rest.tls.certificate: the environment has no file there; correct its path",
        "rest.tls.key: the environment has no file there; correct its path",
        "rest.signature.key: the environment has no file there; correct its path",
    ]


def test_a_certificate_without_its_key_is_told(tmp_path: Path) -> None:
    assert faults_of(tmp_path, "rest", GOOD["rest"], more='tls = { certificate = "c.pem" }') == [
        "rest.tls: a certificate and its key go together; give both"
    ]


@pytest.mark.parametrize(
    ("more", "source", "faults"),
    [
        ('method = "GET"\nunknown = 404', "", [
            "rest.unknown: a status says nothing of one person of many; remove it",
        ]),
        ('method = "GET"', "batch = 500", [
            "source.batch: a header carries 100 ids at most; set a smaller `batch`",
        ]),
        ('method = "GET"\npaging = { next = "next", cursor = "c" }', "", [
            "rest.paging: a cursor could tell of a person in an address; page by number",
        ]),
        ("single = true", "", [
            "source.batch: an agency that is asked for one person at a time has no batch of 100; "
            "set `batch = 1`",
        ]),
        ('paging = { next = "next" }', "", [
            "rest.paging: pages have no one way; give `next` and `cursor`, or `page`, `pages`",
        ]),
    ],
)  # fmt: skip
def test_a_way_of_asking_that_cannot_be_is_told(
    tmp_path: Path, more: str, source: str, faults: list[str]
) -> None:
    assert faults_of(tmp_path, "rest", GOOD["rest"], source, more) == faults


def test_ids_never_go_in_an_address(tmp_path: Path) -> None:
    table = GOOD["rest"].replace('keys = "ids"', 'keys = "person.id"') + '\nmethod = "GET"'
    assert faults_of(tmp_path, "rest", table) == [
        "rest.keys: `person.id` is no header; ids go in a header, never in an address"
    ]


@pytest.mark.parametrize(
    ("adapter", "was", "now", "fault"),
    [
        ("xroad", "KR/GOV/1/hub", "hub",
         "xroad.client: `hub` is no such identifier; write it like `KR/GOV/1000/hub`"),
        ("xroad", "KR/GOV/2/s/persons", "KR/GOV",
         "xroad.service: `KR/GOV` is no such identifier; write it like "
         "`KR/GOV/2000/register/persons`"),
        ("graphql", "x.people", "x { people }",
         "graphql.people: `x { people }` is no name of GraphQL; write fields as `registry.people`"),
        ("file", "p-{date}.parquet", "p.parquet",
         "file.person.files: `p.parquet` names no deliveries; write it like "
         "`people-{date}.parquet`"),
        ("file", "p-{date}.parquet", "../{date}",
         "file.person.files: `../{date}` names no deliveries; write it like "
         "`people-{date}.parquet`"),
        ("soap", '"Query"', '"Qery"',
         "soap.operation: the WSDL has no operation `Qery`; did you mean `Query`?"),
        ("soap", '"WSDL"', '"no.wsdl"',
         "soap.wsdl: the environment has no file there; correct its path; the WSDL is read from "
         "a file, never over the network"),
        ("dci", "civil", "police",
         "dci.registry: input should be 'civil', 'social', 'disability', 'farmer' or "
         "'beneficiary'; correct the value"),
    ],
)  # fmt: skip
def test_a_value_that_will_not_do_is_told(
    tmp_path: Path, adapter: str, was: str, now: str, fault: str
) -> None:
    assert faults_of(tmp_path, adapter, GOOD[adapter].replace(was, now)) == [fault]


@pytest.mark.parametrize("adapter", ["sql", "file"])
def test_a_list_that_stands_nowhere_is_told(tmp_path: Path, adapter: str) -> None:
    table = GOOD[adapter].partition("\nlists")[0]
    assert [fault.partition(";")[0] for fault in faults_of(tmp_path, adapter, table)] == [
        f"item.stays: the list has no {'table' if adapter == 'sql' else 'files'}"
    ]


def test_the_terms_of_a_source_are_read_with_their_units(tmp_path: Path) -> None:
    source = """
fresh = "24h"
stale = "7d"
budget = { all = 1000, caller = 10 }
retry = { times = 2, pause = "10ms" }
pool = { connections = 4 }
breaker = { failures = 3, pause = "1m" }
limits = { rows = 5 }
"""
    terms = declared(tmp_path, "rest", GOOD["rest"], source).terms
    assert (terms.fresh, terms.stale) == (86_400.0, 604_800.0)
    assert (terms.budget.all, terms.budget.caller, terms.budget.purpose) == (1000, 10, None)
    assert (terms.retry.times, terms.retry.pause, terms.retry.share) == (2, 0.01, 0.1)
    assert (terms.pool.connections, terms.breaker.pause, terms.limits.rows) == (4, 60.0, 5)
