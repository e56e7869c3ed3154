"""The `dci` adapter: requests by the five specifications, answers as registries vary them."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from sources.adapter import (
    BROKEN,
    ContractBroken,
    Reply,
    SourceError,
    SourceRefused,
    SourceUnavailable,
)
from tests.sources.agency import answer
from tests.sources.asking import DURI, HANA, Asking, asking

SPECIFICATIONS = Path("tests/sources/fixtures/dci")
REGISTRIES = {
    "civil": "crvs",
    "social": "social",
    "disability": "dr",
    "farmer": "fr",
    "beneficiary": "ibr",
}
TABLE = """
url = "URL"
registry = "civil"
sender = "welfare-hub.example"
receiver = "registry.example"
as_of = "last_updated"
purpose_uri = "https://hub.example/purposes"
"""
SEARCH = "#/paths/~1registry~1sync~1search/post/requestBody/content/application~1json/schema"


@functools.cache
def specification(registry: str) -> Any:
    text = (SPECIFICATIONS / f"{REGISTRIES[registry]}.yaml").read_text("utf-8")
    return yaml.load(text, yaml.CSafeLoader)


class Registry:
    """Answers a search with these records by id, as its request has references."""

    def __init__(self, asked: Asking) -> None:
        self._asked = asked

    async def ask(
        self,
        records: dict[str, Any],
        *keys: str,
        items: tuple[str, ...] = ("pay",),
        status: str = "succ",
    ) -> Reply:
        agency = self._asked.agency
        agency.respond = lambda request: answer(
            {
                "header": {"action": "on-search", "status": "succ"},
                "message": {
                    "transaction_id": request["message"]["transaction_id"],
                    "search_response": [
                        {
                            "reference_id": search["reference_id"],
                            "status": status,
                            "data": {
                                "reg_records": records.get(
                                    search["search_criteria"]["query"]["value"], []
                                )
                            },
                        }
                        for search in request["message"]["search_request"]
                    ],
                },
            }
        )
        return await self._asked.ask(*keys, items=items)


def person(key: str = HANA, **more: Any) -> dict[str, Any]:
    return {"identifier": {"identifier_type": "UIN", "identifier_value": key}, "pay": 5, **more}


# What is written


@pytest.mark.parametrize("registry", REGISTRIES)
async def test_a_request_is_as_the_registrys_specification_says(
    tmp_path: Path, registry: str
) -> None:
    table = TABLE.replace('"civil"', f'"{registry}"')
    async with asking(tmp_path, "dci", table) as agency:
        await Registry(agency).ask({}, HANA, DURI, items=("pay", "name", "stays.day"))
        (asked,) = agency.agency.asked
    described = specification(registry)
    validator = jsonschema.Draft4Validator({**described, "$ref": SEARCH})
    assert [error.message for error in validator.iter_errors(asked.body)] == []
    schemas = described["components"]["schemas"]
    assert asked.body["header"].keys() <= schemas["MsgHeader_V1.0.0"]["properties"].keys()
    search = schemas["SearchRequest"]["properties"]["search_request"]["items"]["properties"]
    for part in asked.body["message"]["search_request"]:
        assert part.keys() <= search.keys()
        assert part["search_criteria"].keys() <= search["search_criteria"]["properties"].keys()


def test_a_request_that_is_not_as_specified_would_be_seen() -> None:
    validator = jsonschema.Draft4Validator({**specification("civil"), "$ref": SEARCH})
    assert [*validator.iter_errors({"header": {}, "message": {"search_request": [{}]}})]


async def test_a_search_for_each_person_says_why_and_for_what(tmp_path: Path) -> None:
    async with asking(tmp_path, "dci", TABLE) as agency:
        await Registry(agency).ask({}, HANA, DURI, items=("pay", "name"))
        (asked,) = agency.agency.asked
    assert asked.line == "POST /registry/sync/search HTTP/1.1"
    header, message = asked.body["header"], asked.body["message"]
    assert (header["sender_id"], header["receiver_id"], header["total_count"]) == (
        "welfare-hub.example",
        "registry.example",
        2,
    )
    assert message["transaction_id"] == "op-1"
    criteria = [search["search_criteria"] for search in message["search_request"]]
    assert [part["query"] for part in criteria] == [
        {"type": "UIN", "value": HANA},
        {"type": "UIN", "value": DURI},
    ]
    for part in criteria:
        assert part["authorize"]["purpose"] == {
            "code": "pension",
            "text": "Basic Pension Act, Article 11",
            "ref_uri": "https://hub.example/purposes",
        }
        assert part["authorize"]["attributes"] == ["pay", "name.surname"]


async def test_a_reference_tells_nobody_of_whom_it_is(tmp_path: Path) -> None:
    async with asking(tmp_path, "dci", TABLE) as agency:
        await Registry(agency).ask({}, HANA)
        (search,) = agency.agency.asked[0].body["message"]["search_request"]
    assert HANA not in search["reference_id"]


# What is read


@pytest.mark.parametrize(
    "record",
    [
        person(),
        person() | {"identifier": [{"identifier_type": "NID", "identifier_value": "9"},
                                   {"identifier_type": "UIN", "identifier_value": HANA}]},
        {"identifier": HANA, "pay": 5},
        {"spdci:identifier": {"spdci:identifier_value": HANA}, "spdci:pay": 5, "@type": "Person"},
        person(secret="x", address={"city": "Seoul"}),
    ],
    ids=["object", "list", "text", "prefixes", "more than asked"],
)  # fmt: skip
async def test_a_record_is_read_however_the_registry_writes_it(tmp_path: Path, record: Any) -> None:
    async with asking(tmp_path, "dci", TABLE) as agency:
        reply = await Registry(agency).ask({HANA: [record]}, HANA)
    assert reply.records[HANA].values == {"pay": 5}
    assert (reply.breaches, reply.broken) == ({}, frozenset())


async def test_one_record_may_stand_without_a_list(tmp_path: Path) -> None:
    async with asking(tmp_path, "dci", TABLE) as agency:
        reply = await Registry(agency).ask({HANA: person()}, HANA)
    assert reply.records[HANA].values == {"pay": 5}


async def test_dates_are_the_days_of_date_times_and_an_empty_text_is_none(tmp_path: Path) -> None:
    record = person(birth_date="", born="1990-03-23T10:20:15", name={"surname": ""})
    record |= {"last_updated": "2023-06-15T10:00:00Z"}
    async with asking(tmp_path, "dci", TABLE) as agency:
        reply = await Registry(agency).ask({HANA: [record]}, HANA, items=("born", "name"))
    found = reply.records[HANA]
    assert (str(found.values["born"]), found.values["name"]) == ("1990-03-23", None)
    assert str(found.as_of) == "2023-06-15"


async def test_whom_the_registry_finds_not_is_unknown(tmp_path: Path) -> None:
    async with asking(tmp_path, "dci", TABLE) as agency:
        assert await Registry(agency).ask({}, HANA) == Reply({})


async def test_an_attribute_that_is_left_out_is_broken_unless_declared_otherwise(
    tmp_path: Path,
) -> None:
    record = person()
    del record["pay"]
    async with asking(tmp_path, "dci", TABLE) as agency:
        reply = await Registry(agency).ask({HANA: record}, HANA)
    assert (reply.records[HANA].values, reply.breaches) == ({"pay": BROKEN}, {"missing-item": 1})
    async with asking(tmp_path, "dci", TABLE + 'omitted = "absent"') as agency:
        reply = await Registry(agency).ask({HANA: record}, HANA)
    assert (reply.records[HANA].values, reply.breaches) == ({"pay": None}, {})


async def test_somebody_else_under_a_persons_reference_is_dropped(tmp_path: Path) -> None:
    async with asking(tmp_path, "dci", TABLE) as agency:
        reply = await Registry(agency).ask({HANA: [person(DURI)]}, HANA)
    assert reply == Reply({}, {"other-person": 1})


async def test_of_two_records_for_one_person_none_is_believed(tmp_path: Path) -> None:
    async with asking(tmp_path, "dci", TABLE) as agency:
        reply = await Registry(agency).ask({HANA: [person(), person()]}, HANA, DURI)
    assert (reply.records, reply.broken, reply.breaches) == ({}, {HANA}, {"duplicate": 1})


@pytest.mark.parametrize("found", ["x", 5, ["x"], [[]]], ids=str)
async def test_records_that_are_none_are_broken_and_never_unknown(
    tmp_path: Path, found: Any
) -> None:
    async with asking(tmp_path, "dci", TABLE) as agency:
        reply = await Registry(agency).ask({HANA: found}, HANA)
    assert (reply.records, reply.broken) == ({}, {HANA})


async def test_a_search_that_is_rejected_costs_its_person_only(tmp_path: Path) -> None:
    async with asking(tmp_path, "dci", TABLE) as agency:
        reply = await Registry(agency).ask({}, HANA, status="rjct")
    assert (reply.records, reply.broken, reply.breaches) == ({}, {HANA}, {"rejected": 1})


async def test_a_search_that_is_not_over_is_unavailable(tmp_path: Path) -> None:
    async with asking(tmp_path, "dci", TABLE) as agency:
        with pytest.raises(SourceUnavailable, match="the registry has not searched yet"):
            await Registry(agency).ask({}, HANA, status="pdng")


def message(**parts: Any) -> bytes:
    return answer({"header": {"status": "succ"}, **parts})


async def test_whom_no_answer_is_of_is_broken_and_never_unknown(tmp_path: Path) -> None:
    said = message(message={"search_response": [{"reference_id": "other", "status": "succ"}]})
    async with asking(tmp_path, "dci", TABLE, said) as agency:
        reply = await agency.ask()
    assert (reply.broken, reply.breaches) == ({HANA}, {"other-person": 1, "unanswered": 1})


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (answer({"header": {"status": "rjct", "status_reason_message": HANA}}), SourceRefused),
        (message(), ContractBroken),
        (message(message={"search_response": {}}), ContractBroken),
        (answer([]), ContractBroken),
        (answer(b"<xml/>"), ContractBroken),
        (answer({"errors": [{"code": "x", "message": HANA}]}, "401 No"), SourceRefused),
        (answer({"errors": []}, "500 Oops"), SourceUnavailable),
    ],
)
async def test_a_message_that_was_not_taken_is_classed_and_never_quoted(
    tmp_path: Path, said: bytes, kind: type[SourceError]
) -> None:
    async with asking(tmp_path, "dci", TABLE, said) as agency:
        with pytest.raises(SourceError) as caught:
            await agency.ask()
    assert type(caught.value) is kind
    assert HANA not in str(caught.value)
