"""Rows of an agency's list: chosen, sorted and counted by columns, each use allowed apart."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from authz.register import Register, read_register
from hub.errors import RequestRefused
from hub.querylog.store import Store
from hub.visible import sdl
from tests.hub.memory import CASE, CATALOGUE, REGISTER, SCHEMA, Agency, World, hub_over

PURPOSE = "basic-livelihood.application"
ROWS = [
    {"payer": "a mill", "payerRegistration": "1", "kind": "wage", "paid": 30, "withheld": None},
    {"payer": "a shop", "payerRegistration": "2", "kind": "wage", "paid": 10, "withheld": 3},
    {"payer": "a farm", "payerRegistration": "3", "kind": "other", "paid": 20, "withheld": 1},
    {"payer": "a bank", "payerRegistration": None, "kind": "other", "paid": None, "withheld": 2},
]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    found = Store(f"sqlite+aiosqlite:///{tmp_path / 'log.db'}", 10, bytes(32))
    await found.open()
    yield found
    await found.close()


def world(store: Store, register: Register = REGISTER) -> World:
    person = {
        "name": "a name",
        "householdId": "h-1",
        "district": "1",
        "safeAddress": False,
        "members": [{"id": "r-1", "safeAddress": False}],
    }
    agencies = {
        "resident": Agency({"r-1": person}),
        "tax": Agency({"r-1": {"withholdings": ROWS}}),
        "labour": Agency({}),
        "property": Agency({}),
        "benefits": Agency({"c-1": CASE}),
    }
    return World(hub_over(store, agencies, register), agencies)


async def shown(world: World, arguments: str, **variables: Any) -> list[int | None]:
    types = "".join(f", ${name}: {kind}" for name, (kind, _) in variables.items())
    asked = f"tax {{ withholdings{arguments} {{ paid }} }}"
    query = f"query($id: ID!{types}) {{ recipient(id: $id) {{ {asked} }} }}"
    given = {name: value for name, (_, value) in variables.items()}
    found = await world.ask(PURPOSE, query, id="r-1", **given)
    assert found["errors"] == []
    return [row["paid"] for row in found["data"]["recipient"]["tax"]["withholdings"]]


@pytest.mark.parametrize(
    ("arguments", "paid"),
    [
        ("", [30, 10, 20, None]),
        ('(where: {kind: {eq: "wage"}})', [30, 10]),
        ('(where: {kind: {ne: "wage"}})', [20, None]),
        ('(where: {payer: {in: ["a mill", "a bank"]}})', [30, None]),
        ("(where: {paid: {ge: 20}})", [30, 20]),
        ("(where: {paid: {gt: 10, lt: 30}})", [20]),
        ("(where: {paid: {exists: false}})", [None]),
        ('(where: {kind: {eq: "other"}, withheld: {le: 1}})', [20]),
        ("(where: {withheld: {le: 2}})", [20, None]),
        ("(orderBy: {paid: ASC})", [10, 20, 30, None]),
        ("(orderBy: {paid: DESC})", [30, 20, 10, None]),
        ("(orderBy: [{kind: ASC}, {paid: DESC}])", [20, None, 30, 10]),
        ("(orderBy: {withheld: ASC}, first: 2)", [20, None]),
        ("(first: 0)", []),
    ],
)
async def test_rows_are_chosen_and_put_in_order(
    store: Store, arguments: str, paid: list[int | None]
) -> None:
    assert await shown(world(store), arguments) == paid


async def test_the_values_to_compare_with_may_be_variables(store: Store) -> None:
    where = "(where: {paid: {ge: $least}})"
    assert await shown(world(store), where, least=("Won", 20)) == [30, 20]


async def test_rows_are_counted_by_their_first_column_alone(store: Store) -> None:
    made = world(store)
    query = "query($id: ID!) { recipient(id: $id) { tax { withholdingsCount } } }"
    found = await made.ask(PURPOSE, query)
    assert found["data"] == {"recipient": {"tax": {"withholdingsCount": 4}}}
    (question,) = made.agencies["tax"].asked
    names = {item.name for item in question.items}
    assert names == {"tax.exists", "tax.withholdings.payer"}
    intent, outcome = [entry async for entry in store.records()]
    assert intent["derivable"] == {"count": ["tax.exists", "tax.withholdings.payer"]}
    assert list(outcome["derived"]) == ["count"]
    assert outcome["disclosed"].keys() == {"tax", "resident"}


def narrowed(folder: Path, uses: str) -> Register:
    """The register in which rows may be used as said only."""
    shutil.copytree("authz/purposes", folder)
    parent = folder / "welfare-decision.toml"
    parent.write_text(parent.read_text().partition("# What rows may be chosen")[0] + uses)
    register, faults = read_register(folder, CATALOGUE, SCHEMA.derivations)
    assert faults == []
    return register


@pytest.mark.parametrize(
    ("selection", "use"),
    [
        ("withholdings(where: {paid: {ge: 1}}) { payer }", "filter"),
        ("withholdings(where: $where) { payer }", "filter"),
        ("withholdings(orderBy: {paid: ASC}) { payer }", "sort"),
        ("withholdings(orderBy: [{paid: $way}]) { payer }", "sort"),
        ("withholdingsCount", "count"),
        ("withholdingsCount(where: {paid: {ge: 1}})", "filter"),
    ],
)
async def test_leave_to_see_a_column_is_none_to_use_it_otherwise(
    store: Store, tmp_path: Path, selection: str, use: str
) -> None:
    made = world(store, narrowed(tmp_path / "p", ""))
    declared = ", $where: TaxWithholdingsWhere" if "$where" in selection else ""
    declared += ", $way: Direction" if "$way" in selection else ""
    query = f"query($id: ID!{declared}) {{ recipient(id: $id) {{ tax {{ {selection} }} }} }}"
    with pytest.raises(RequestRefused) as refusal:
        await made.ask(PURPOSE, query, id="r-1")
    found = [error.extensions or {} for error in refusal.value.errors]
    assert {each["use"] for each in found} >= {use}
    assert all(agency.asked == [] for agency in made.agencies.values())


async def test_what_may_not_be_used_to_choose_withholds_the_rows(
    store: Store, tmp_path: Path
) -> None:
    made = world(store, narrowed(tmp_path / "p", ""))
    query = """query($id: ID!) { recipient(id: $id) { tax {
      some: withholdings(where: {paid: {ge: 1}}) { payer } all: withholdings { payer } } } }"""
    found = await made.ask(PURPOSE, query, withhold=True, id="r-1")
    assert found["data"]["recipient"]["tax"]["some"] is None
    assert len(found["data"]["recipient"]["tax"]["all"]) == 4
    (question,) = made.agencies["tax"].asked
    assert "tax.withholdings.paid" not in {item.name for item in question.items}


def test_a_purpose_is_shown_the_columns_it_may_use(tmp_path: Path) -> None:
    uses = '[use.filter]\nitems = ["tax.withholdings.kind"]\n'
    register = narrowed(tmp_path / "p", uses)
    text = sdl(SCHEMA, register.purposes[PURPOSE])
    assert "input TaxWithholdingsWhere {\n  kind: TextIs\n}" in text
    assert "withholdings(where: TaxWithholdingsWhere, first: Int! = 1000)" in text
    assert "withholdingsCount" not in text
