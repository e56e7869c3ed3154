"""What policy teams are answered, through the whole way of an operation."""

from __future__ import annotations

import base64
import io
import statistics
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from hub.errors import RequestRefused
from hub.population.engine import Engine
from hub.population.perturbation import BOUND
from hub.querylog.store import Store
from tests.hub.querylog import SEALING_KEY
from tests.population.delivering import (
    DAY,
    POLICY,
    Person,
    Team,
    deliver,
    engine_on,
    hub_on,
    people,
)

RECIPIENTS = '{benefits_receipts: {programme: {eq: "basic-pension"}, month: {eq: "2026-10"}}}'


@pytest.fixture(scope="module")
def persons(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Person]:
    made = people(4_000)
    deliver(tmp_path_factory.mktemp("deliveries"), made)
    return made


@pytest.fixture(scope="module")
def engine(persons: Sequence[Person], tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """One for all tests: it examines what is delivered once."""
    assert persons
    return engine_on(tmp_path_factory.mktemp("drawn"))


@pytest.fixture
async def team(engine: Engine, tmp_path: Path) -> AsyncIterator[Team]:
    store = Store(f"sqlite+aiosqlite:///{tmp_path / 'log.db'}", 512, SEALING_KEY)
    await store.open()
    yield Team(hub_on(store, engine))
    await store.close()


async def refusal(team: Team, query: str, **options: Any) -> tuple[list[str], str]:
    with pytest.raises(RequestRefused) as found:
        await team.ask(query, **options)
    return found.value.codes, found.value.errors[0].message


def asking(where: str) -> str:
    return f"{{ population(where: {where}) {{ count }} }}"


def counts(table: dict[str, Any]) -> dict[tuple[str, ...], int]:
    return {tuple(group["label"] for group in row["groups"]): row["count"] for row in table["rows"]}


async def test_recipients_by_province_and_income_with_the_median_of_their_property(
    team: Team, persons: Sequence[Person]
) -> None:
    query = """query($where: PopulationWhere) { population(where: $where) {
        count asOf
        by(dimensions: [resident_province, tax_earnedIncome],
           measures: [{item: property_buildings_officialPrice, of: MEDIAN}]) {
          rows { groups { label } count figures { of value } } } } }"""
    where = {"benefits_receipts": {"programme": {"eq": "basic-pension"}, "state": {"eq": "paid"}}}
    found = (await team.ask(query, where=where))["population"]
    chosen = [p for p in persons if p.pension]
    assert abs(found["count"] - len(chosen)) <= BOUND
    assert found["asOf"] == str(DAY)

    def band(person: Person) -> str:
        edges = (1, 6e6, 12e6, 24e6, 36e6, 60e6, 100e6)
        if person.earned is None:
            return "not known"
        at = sum(person.earned >= edge for edge in edges)
        names = [
            "below 1",
            *(f"{a:,.0f} to {b:,.0f}" for a, b in pairwise(edges)),
        ]
        return [*names, "100,000,000 and more"][at]

    truth = Counter(("not known" if p.safe else p.province, band(p)) for p in chosen)
    released = counts(found["by"])
    assert released.keys() <= truth.keys()
    assert len(released) >= 10
    assert all(truth[cell] >= 10 and abs(truth[cell] - n) <= BOUND for cell, n in released.items())
    for row in found["by"]["rows"]:
        cell = tuple(group["label"] for group in row["groups"])
        inside = [p.building for p in chosen if (p.province, band(p)) == cell and not p.safe]
        if len(inside) >= 20:
            value = row["figures"][0]["value"]
            low, high = (
                statistics.quantiles(inside, n=20)[7],
                statistics.quantiles(inside, n=20)[11],
            )
            assert low * 0.94 <= value <= high * 1.06


async def test_a_distribution_has_the_steps_asked_for(
    team: Team, persons: Sequence[Person]
) -> None:
    query = """{ population { distribution(item: tax_earnedIncome, steps: 4) {
        rows { groups { from until known } count } } } }"""
    rows = (await team.ask(query))["population"]["distribution"]["rows"]
    assert [
        (r["groups"][0]["from"], r["groups"][0]["until"]) for r in rows if r["groups"][0]["known"]
    ] == [(None, 1), (1, 24e6), (24e6, 100e6), (100e6, None)]
    assert abs(sum(row["count"] for row in rows) - len(persons)) <= BOUND * len(rows)


async def test_the_same_people_have_the_same_count_in_whatever_words_and_of_whatever_team(
    team: Team,
) -> None:
    wheres = [
        '{resident_sex: {eq: "female"}, resident_birthDate: {ge: 65}}',
        '{resident_birthDate: {ge: 65}, resident_sex: {eq: "female"}}',
        '{not: {or: [{resident_sex: {ne: "female"}}, {not: {resident_birthDate: {ge: 65}}}]}}',
        '{and: [{resident_sex: {in: ["female"]}}, {or: [{resident_birthDate: {between: {from: 65,'
        " until: 70}}}, {resident_birthDate: {ge: 70}}]}]}",
    ]
    other = Team(team.hub, replace(POLICY, person="other", office="another-team"))
    found = {
        (await each.ask(asking(where)))["population"]["count"]
        for where in wheres
        for each in (team, other)
    }
    assert len(found) == 1


async def test_a_team_is_not_told_of_few_people_by_two_questions(team: Team) -> None:
    first = '{ population(where: {resident_province: {in: ["Seoul", "Jeju"]}}) { count } }'
    second = (
        '{ population(where: {resident_province: {in: ["Seoul", "Jeju", "Ulleung"]}}) { count } }'
    )
    third = (
        '{ population(where: {resident_province: {in: ["Seoul", "Jeju", "Atlantis"]}}) { count } }'
    )
    assert (await team.ask(first))["population"]["count"]
    assert (await refusal(team, second))[0] == ["QUESTION_TOO_NEAR"]
    assert (await refusal(team, third))[0] == ["QUESTION_TOO_NEAR"]
    other = Team(team.hub, replace(POLICY, office="another-team"))
    assert (await other.ask(second))["population"]["count"]


async def test_nor_by_a_question_and_a_cell_of_a_past_table_nor_by_two_tables(team: Team) -> None:
    table = """{ population { by(dimensions: [resident_province, resident_sex]) {
        rows { groups { label } count } } } }"""
    before = counts((await team.ask(table))["population"]["by"])
    assert before["Seoul", "male"]
    cell = '{resident_province: {eq: "Seoul"}, resident_sex: {eq: "male"}}'
    assert (await team.ask(asking(cell)))["population"]["count"] == before["Seoul", "male"]
    few = '{resident_birthDate: {ge: 85}, benefits_receipts: {programme: {eq: "none such"}}}'
    assert (await refusal(team, asking(f"{{and: [{cell}, {{not: {few}}}]}}")))[0] == [
        "QUESTION_TOO_NEAR"
    ]
    # Of all but few of Seoul, and of all of Busan, by sex: the cells of neither are told anew.
    wide = '{resident_province: {in: ["Seoul", "Jeju"]}}'
    where = f"{{and: [{wide}, {{not: {few}}}]}}"
    rows = "by(dimensions: [resident_province]) { rows { count } }"
    query = f"{{ population(where: {where}) {{ {rows} }} }}"
    assert (await team.ask(query))["population"]["by"]["rows"] == []


async def test_a_table_asked_again_shows_no_cell_that_it_did_not_show_before(team: Team) -> None:
    rows = "rows { groups { label } count }"
    table = f"by(dimensions: [resident_province, resident_birthDate]) {{ {rows} }}"
    insured = f"{{ population(where: {{labour_insured: {{eq: true}}}}) {{ {table} }} }}"
    first = counts((await team.ask(insured))["population"]["by"])
    await team.ask(f"{{ population {{ {table} }} }}")
    again = counts((await team.ask(insured))["population"]["by"])
    assert 0 < len(again) <= len(first)
    assert again.items() <= first.items()


async def test_all_but_few_is_nearly_everybody(team: Team) -> None:
    query = '{ population(where: {not: {resident_province: {eq: "Nowhere"}}}) { count } }'
    assert (await refusal(team, query))[0] == ["QUESTION_TOO_NEAR"]


async def test_too_few_and_nobody_are_the_same(team: Team) -> None:
    few = """{ population(where: {resident_province: {eq: "Ulleung"}}) {
        count by(dimensions: [resident_sex]) { rows { count } } } }"""
    nobody = few.replace("Ulleung", "Nowhere")
    answers = [(await team.ask(query))["population"] for query in (few, nobody)]
    assert answers[0] == answers[1] == {"count": None, "by": {"rows": []}}


async def test_what_the_register_does_not_name_is_refused_before_anything_is_read(
    team: Team,
) -> None:
    purposes = dict(team.hub.register.purposes)
    before = purposes["policy-statistics"]
    closed = dict(before.uses["filter"]) | {
        "resident.sex": replace(before.uses["filter"]["resident.sex"], allowed=False, rule="a rule")
    }
    purposes["policy-statistics"] = replace(before, uses={**before.uses, "filter": closed})
    hub = replace(team.hub, register=replace(team.hub.register, purposes=purposes))
    codes, message = await refusal(
        Team(hub), '{ population(where: {resident_sex: {eq: "male"}}) { count } }'
    )
    assert (codes, message) == (["PURPOSE_DENIED"], "`resident.sex`: a rule")
    kinds = [r["kind"] async for r in team.hub.log.store.records()]
    assert kinds == ["INTENT", "OUTCOME"]


async def test_no_other_purpose_and_no_other_role_asks_about_populations(team: Team) -> None:
    query = "{ population { count } }"
    caseworker = replace(POLICY, roles=frozenset({"caseworker"}))
    asked = Team(team.hub, caseworker)
    assert (await refusal(asked, query))[0] == ["PURPOSE_DENIED"]
    assert (await refusal(asked, query, purpose="basic-pension.application"))[0] == [
        "PURPOSE_DENIED"
    ]


async def test_a_question_is_logged_before_it_is_counted_and_names_nobody(team: Team) -> None:
    await team.ask(asking(RECIPIENTS))
    records = [record async for record in team.hub.log.store.records()]
    assert [record["kind"] for record in records] == ["INTENT", "INTENT", "OUTCOME"]
    intent, outcome = records[1], records[2]
    assert intent["derivable"]["filter"] == [
        "benefits.receipts.month",
        "benefits.receipts.programme",
    ]
    assert intent["population"]["where"].startswith('["some","benefits.receipts"')
    assert outcome["outcome"] == "answered"
    assert outcome["deliveries"] == {"benefits": str(DAY), "resident": str(DAY)}
    assert [record["subjects"] for record in records] == [[], [], []]


async def test_a_file_is_made_with_a_reason_which_is_logged(team: Team) -> None:
    query = """{ population { by(dimensions: [resident_province, resident_sex],
        measures: [{item: tax_earnedIncome, of: MEAN}]) { rows { count }
        csv: file(format: CSV, reason: "for the report to parliament")
        { name mediaType base64 }
        file(format: PARQUET, reason: "for the report to parliament") { base64 } } } }"""
    table = (await team.ask(query))["population"]["by"]
    text = base64.b64decode(table["csv"]["base64"]).decode()
    lines = text.splitlines()
    assert lines[0] == "resident.province,resident.sex,count,mean tax.earnedIncome"
    assert len(lines) == len(table["rows"]) + 1
    stored = parquet.read_table(io.BytesIO(base64.b64decode(table["file"]["base64"])))
    assert stored.column("count").to_pylist() == [row["count"] for row in table["rows"]]
    records = [record async for record in team.hub.log.store.records()]
    reasons = {each["reason"] for each in records[-1]["population"]["files"]}
    assert reasons == {"for the report to parliament"}
    short = query.replace("for the report to parliament", "just so")
    assert (await refusal(team, short))[0] == ["REASON_REQUIRED"]


async def test_a_team_has_a_budget(team: Team, engine: Engine) -> None:
    asked = Team(hub_on(team.hub.log.store, engine, per_day=2))
    for _ in range(2):
        await asked.ask("{ population { count } }")
    codes, message = await refusal(asked, "{ population { count } }")
    assert (codes, message) == (
        ["QUESTION_BUDGET"],
        "a team asks 2 questions in 24 hours and no more",
    )


async def test_a_team_keeps_questions_by_name(team: Team) -> None:
    save = 'mutation($q: String!) { saveQuestion(name: "Pensions", query: $q) { name } }'
    await team.ask(save, q="{ population { count } }")
    await team.ask(save, q="{ population { count asOf } }")
    found = await team.ask("{ savedQuestions { name query person } }")
    assert found["savedQuestions"] == [
        {"name": "Pensions", "query": "{ population { count asOf } }", "person": "analyst"}
    ]
    other = Team(team.hub, replace(POLICY, office="another-team"))
    assert await other.ask("{ savedQuestions { name } }") == {"savedQuestions": []}


async def test_the_items_that_may_be_asked_for_are_listed(team: Team) -> None:
    query = "{ populationItems { name field kind listed filters dimension amount edges } }"
    found = {each["name"]: each for each in (await team.ask(query))["populationItems"]}
    assert "resident.name" not in found
    assert found["benefits.receipts.programme"] == {
        "name": "benefits.receipts.programme",
        "field": "programme",
        "kind": "values",
        "listed": "benefits_receipts",
        "filters": True,
        "dimension": False,
        "amount": False,
        "edges": [],
    }
    assert found["tax.earnedIncome"]["amount"]


async def test_without_a_delivery_nothing_is_answered(
    team: Team, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("RESIDENT_DELIVERIES", str(tmp_path / "empty"))
    codes, message = await refusal(team, "{ population { count } }")
    assert codes == ["NO_DELIVERIES"]
    assert message.startswith("resident: there is no whole delivery until ")


async def test_over_a_delivery_that_is_refused_nothing_is_answered(
    team: Team, persons: Sequence[Person], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("resident", "tax", "labour", "property", "benefits"):
        monkeypatch.setenv(f"{name.upper()}_DELIVERIES", "")
    deliver(tmp_path, [*persons[:500], persons[0]])
    other = Team(hub_on(team.hub.log.store, engine_on(tmp_path)))
    codes, message = await refusal(other, "{ population { count } }")
    assert codes == ["NO_DELIVERIES"]
    who = "1 rows of `people-2026-10-31.parquet` are of a person who is in it already"
    assert message == f"resident: {who}"
