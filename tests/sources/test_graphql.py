"""The `graphql` adapter against a server on loopback, and its documents against a real schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import graphql
import pytest

from sources.adapter import BROKEN, ContractBroken, SourceError, SourceRefused, SourceUnavailable
from tests.sources.agency import answer
from tests.sources.asking import DURI, HANA, SENA, asking

LIST = """
url = "URL"
people = "registry.people"
argument = "ids"
key = "id"
as_of = "asOf"
"""
ALIAS = """
url = "URL"
people = "person"
by = "alias"
argument = "id"
type = "ID!"
key = "id"
"""
SCHEMA = graphql.build_schema("""
type Query { registry: Registry!, person(id: ID!): Person }
type Registry { people(ids: [ID!]!): [Person!]! }
type Person { id: ID!, asOf: String, pay: Int, name: Name, born: String, stay: [Stay!] }
type Name { surname: String }
type Stay { day: String, ward: String }
""")
PEOPLE = {
    HANA: {
        "id": HANA,
        "asOf": "2026-10-31",
        "pay": 5,
        "name": {"surname": "김"},
        "born": "1990-01-01",
        "stay": [{"day": "2026-01-02", "ward": "3"}],
    },
    DURI: {"id": DURI, "asOf": "2026-10-31", "pay": None, "name": None, "born": None, "stay": []},
}


def execute(body: Any) -> Any:
    """What a real GraphQL service would answer."""
    root = {
        "registry": {"people": lambda _, ids: [PEOPLE[key] for key in ids if key in PEOPLE]},
        "person": lambda _, **named: PEOPLE.get(named["id"]),
    }
    result = graphql.graphql_sync(SCHEMA, body["query"], root, variable_values=body["variables"])
    return result.formatted


def data(people: Any) -> bytes:
    return answer({"data": {"registry": {"people": people}}})


async def test_one_document_asks_just_the_granted_fields_with_ids_in_variables(
    tmp_path: Path,
) -> None:
    async with asking(tmp_path, "graphql", LIST, data([])) as agency:
        await agency.ask(HANA, DURI, items=("pay", "name", "stays.day"))
        (asked,) = agency.agency.asked
    assert asked.line == "POST /graphql HTTP/1.1"
    assert asked.body == {
        "query": "query Hub($ids: [ID!]!) { registry { people(ids: $ids) "
        "{ id asOf pay name { surname } stay { day } } } }",
        "variables": {"ids": [HANA, DURI]},
    }


async def test_by_alias_everyone_has_a_field_and_a_variable(tmp_path: Path) -> None:
    async with asking(tmp_path, "graphql", ALIAS, answer({"data": {"p0": None, "p1": None}})) as a:
        await a.ask(HANA, DURI)
        (asked,) = a.agency.asked
    assert asked.body == {
        "query": "query Hub($k0: ID!, $k1: ID!) "
        "{ p0: person(id: $k0) { id pay } p1: person(id: $k1) { id pay } }",
        "variables": {"k0": HANA, "k1": DURI},
    }


@pytest.mark.parametrize("table", [LIST, ALIAS], ids=["list", "alias"])
async def test_what_a_real_schema_answers_is_read(tmp_path: Path, table: str) -> None:
    items = ("pay", "name", "born", "stays.day", "stays.ward")
    async with asking(tmp_path, "graphql", table, data([])) as agency:
        await agency.ask(HANA, DURI, SENA, items=items)
        said = execute(agency.agency.asked[0].body)
        assert "errors" not in said
        agency.agency.answers = [answer(said)]
        reply = await agency.ask(HANA, DURI, SENA, items=items)
    assert set(reply.records) == {HANA, DURI}
    hana, duri = reply.records[HANA], reply.records[DURI]
    assert (hana.values["pay"], hana.values["name"], str(hana.values["born"])) == (
        5,
        "김",
        "1990-01-01",
    )
    assert [(str(row["day"]), row["ward"]) for row in hana.values["stays"]] == [("2026-01-02", "3")]
    assert duri.values == {"pay": None, "name": None, "born": None, "stays": []}
    assert (reply.breaches, reply.broken) == ({}, frozenset())
    assert str(hana.as_of) == ("2026-10-31" if table == LIST else "None")


@pytest.mark.parametrize("table", [LIST, ALIAS], ids=["list", "alias"])
async def test_a_null_that_an_error_left_is_broken_and_never_absent(
    tmp_path: Path, table: str
) -> None:
    record = {"id": HANA, "pay": None}
    path = ["registry", "people", 0, "pay"] if table == LIST else ["p0", "pay"]
    inner: Any = {"registry": {"people": [record]}} if table == LIST else {"p0": record}
    said = answer({"data": inner, "errors": [{"message": HANA, "path": path}]})
    async with asking(tmp_path, "graphql", table, said) as agency:
        reply = await agency.ask()
    assert reply.records[HANA].values == {"pay": BROKEN}


async def test_a_person_whom_an_error_took_is_broken_and_never_unknown(tmp_path: Path) -> None:
    said = answer({"data": {"p0": None, "p1": None}, "errors": [{"message": "x", "path": ["p1"]}]})
    async with asking(tmp_path, "graphql", ALIAS, said) as agency:
        reply = await agency.ask(HANA, DURI)
    assert (reply.records, reply.broken) == ({}, {DURI})


ERRORS = [
    ({"errors": [{"message": HANA}]}, SourceUnavailable),
    ({"data": None, "errors": [{"message": HANA}]}, SourceUnavailable),
    ({"errors": [{"extensions": {"code": "FORBIDDEN"}}]}, SourceRefused),
    ({"errors": [{"extensions": {"code": "GRAPHQL_VALIDATION_FAILED"}}]}, SourceRefused),
    ({"data": {"registry": {"people": []}}, "errors": [{"message": HANA}]}, SourceUnavailable),
    ({"data": {"registry": {"people": [None]}},
      "errors": [{"path": ["registry", "people", 0]}]}, SourceUnavailable),
    ({"data": {"registry": {"people": []}}, "errors": [{"path": ["x", 3]}]}, ContractBroken),
    ({"data": {"registry": None}}, ContractBroken),
    ({"data": {"registry": {"people": [None]}}}, ContractBroken),
    ({}, ContractBroken),
    ([], ContractBroken),
    ("x", ContractBroken),
]  # fmt: skip


@pytest.mark.parametrize(("said", "kind"), ERRORS, ids=range(len(ERRORS)))
async def test_an_answer_with_an_error_inside_is_classed_and_never_quoted(
    tmp_path: Path, said: Any, kind: type[SourceError]
) -> None:
    async with asking(tmp_path, "graphql", LIST, answer(said)) as agency:
        with pytest.raises(SourceError) as caught:
            await agency.ask()
    assert type(caught.value) is kind
    assert HANA not in str(caught.value)


async def test_another_person_and_a_field_nobody_asked_for_are_dropped(tmp_path: Path) -> None:
    said = data([{"id": HANA, "pay": 5, "spouse": DURI}, {"id": DURI, "pay": 6}])
    async with asking(tmp_path, "graphql", LIST, said) as agency:
        reply = await agency.ask()
    assert {key: record.values for key, record in reply.records.items()} == {HANA: {"pay": 5}}
    assert reply.breaches == {"other-person": 1, "extra-item": 1}


async def test_an_alias_that_answers_of_somebody_else_is_dropped(tmp_path: Path) -> None:
    said = answer({"data": {"p0": {"id": DURI, "pay": 5}}})
    async with asking(tmp_path, "graphql", ALIAS, said) as agency:
        reply = await agency.ask(HANA)
    assert (reply.records, reply.breaches) == ({}, {"other-person": 1})


async def test_no_id_is_in_the_document_whatever_it_is(tmp_path: Path) -> None:
    odd = '") { id } evil: people(ids: "x'
    async with asking(tmp_path, "graphql", LIST, data([])) as agency:
        await agency.ask(odd)
        (asked,) = agency.agency.asked
    assert odd not in asked.body["query"]
    assert asked.body["variables"] == {"ids": [odd]}
    assert json.dumps(odd)[1:-1] not in asked.line
