"""The agencies give what the catalogue declares: every item, by name and by type."""

import re
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sources.simulator import labour, resident, tax
from sources.simulator.agency import Agency, answer, sort_items
from sources.simulator.identifiers import id_text
from sources.simulator.population import Population
from sources.simulator.registers import REGISTERS

CATALOGUE = Path(__file__).parents[2] / "sources" / "catalogue"
SERVICES = [one.AGENCY for one in (resident, tax, labour)]


def declaration(name: str) -> dict[str, Any]:
    return tomllib.loads((CATALOGUE / f"{name}.toml").read_text("utf-8"))


def leaves(declared: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Declared items by wire name, list columns as `LIST.COLUMN`."""
    found: dict[str, dict[str, Any]] = {}
    for key, item in declared["item"].items():
        name = item.get("wire", key)
        if item["type"] != "list":
            found[name] = item
            continue
        for column, inner in item["item"].items():
            found[f"{name}.{inner.get('wire', column)}"] = inner
    return found


@pytest.mark.parametrize("agency", SERVICES, ids=lambda agency: agency.name)
def test_a_service_has_the_declared_items_and_no_others(agency: Agency) -> None:
    assert sorted(agency.item_names()) == sorted(leaves(declaration(agency.name)))


@pytest.mark.parametrize("agency", SERVICES, ids=lambda agency: agency.name)
def test_a_service_has_the_declared_shape(agency: Agency) -> None:
    rest = declaration(agency.name)["rest"]
    assert (agency.path, agency.keys, agency.items) == (rest["path"], rest["keys"], rest["items"])
    assert (".".join(agency.records), agency.key) == (rest["records"], rest["key"])
    assert agency.as_of == rest["as_of"]


@pytest.mark.parametrize("agency", SERVICES, ids=lambda agency: agency.name)
def test_every_value_is_of_the_declared_type(agency: Agency, town: Population) -> None:
    declared = declaration(agency.name)
    items = leaves(declared)
    ids = id_text(town.take("person.id", np.arange(4_000)))
    seen = dict.fromkeys(items, 0)
    for record in answer(agency, town, ids, sort_items(agency, list(items))):
        for name, item in items.items():
            for value in values_of(record, name):
                check_value(value, item, declared["rest"])
                seen[name] += value is not None
    assert [name for name, count in seen.items() if not count] == []


def values_of(record: dict[str, Any], name: str) -> list[Any]:
    outer, _, column = name.partition(".")
    return [entry[column] for entry in record[outer]] if column else [record[outer]]


def check_value(value: Any, item: dict[str, Any], rest: dict[str, Any]) -> None:
    if value is None:
        return
    if "codes" in item:
        assert value in item["codes"], item
        return
    kind = item["type"]
    if kind == "Won" and rest.get("money") == "text":
        assert isinstance(value, str)
        assert re.fullmatch(r"\d+", value)
    elif kind in ("Won", "Int"):
        assert type(value) is int
        assert value >= 0
    elif kind == "Boolean":
        assert type(value) is bool
    elif kind == "Date":
        assert re.fullmatch(r"\d{8}" if "dates" in rest else r"\d{4}-\d{2}-\d{2}", value)
        date.fromisoformat(value)
    elif kind == "Month":
        assert re.fullmatch(r"\d{6}" if "months" in rest else r"\d{4}-\d{2}", value)
    else:
        assert kind in ("String", "ID")
        assert value


@pytest.mark.parametrize("name", sorted(REGISTERS))
def test_a_database_has_the_declared_views_and_columns(name: str) -> None:
    declared = declaration(name)
    views = {table.name: set(table.columns) for table in REGISTERS[name]}
    sql = declared["sql"]
    assert {sql["person"]["key"], sql["person"]["as_of"]} <= views[sql["person"]["table"]]
    for key, part in sql["lists"].items():
        columns = declared["item"][key]["item"]
        wanted = {inner.get("wire", column) for column, inner in columns.items()}
        assert wanted | {part["key"], part["order"]} == views[part["table"]]
    if "case" in sql:
        columns = declared["case"]["item"]
        wanted = {inner.get("wire", column) for column, inner in columns.items()}
        assert wanted | {sql["case"]["key"], sql["case"]["as_of"]} == views[sql["case"]["table"]]
