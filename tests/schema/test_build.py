"""The schema comes from the declarations: no agency is known to the code by name."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from graphql import GraphQLObjectType

from schema.build import HubSchema, build
from sources.fault import FaultyConfiguration
from sources.reading import read_catalogue

CATALOGUE = Path("sources/catalogue")
SOURCES = ("resident", "tax", "labour", "property", "benefits")


def schema_of(*names: str) -> HubSchema:
    catalogue, faults = read_catalogue(CATALOGUE, names, "resident", "benefits")
    assert not faults
    return build(catalogue)


def fields_of(schema: HubSchema, name: str) -> set[str]:
    kind = schema.graphql.type_map[name]
    assert isinstance(kind, GraphQLObjectType)
    return set(kind.fields)


def test_every_declared_item_is_a_field_that_needs_itself() -> None:
    schema = schema_of(*SOURCES)
    leaves = {
        item.name
        for need in schema.needs.values()
        for item in need.items
        if not item.is_exists and item.subject == "person"
    }
    declared = {
        item.name
        for item in schema.catalogue.items.values()
        if not item.is_exists and item.subject == "person"
    }
    assert declared - leaves == set()


def test_every_field_says_what_it_needs() -> None:
    schema = schema_of(*SOURCES)
    for name, kind in schema.graphql.type_map.items():
        if isinstance(kind, GraphQLObjectType) and not name.startswith("__"):
            assert {field for of, field in schema.needs if of == name} == set(kind.fields)


@pytest.mark.parametrize("gone", ["tax", "labour", "property"])
def test_a_source_taken_out_takes_its_fields_along(gone: str) -> None:
    schema = schema_of(*(name for name in SOURCES if name != gone))
    assert gone not in fields_of(schema, "Recipient")
    assert not [item for item in schema.catalogue.items if item.startswith(f"{gone}.")]
    assert {"identity", "income", "assets"} <= fields_of(schema, "Recipient")


def test_money_and_dates_have_types_of_their_own() -> None:
    schema = schema_of(*SOURCES)
    tax = schema.graphql.type_map["Tax"]
    assert isinstance(tax, GraphQLObjectType)
    assert str(tax.fields["earnedIncome"].type) == "Won"
    identity = schema.graphql.type_map["Identity"]
    assert isinstance(identity, GraphQLObjectType)
    assert str(identity.fields["birthDate"].type) == "Date"


def test_a_place_that_the_view_does_not_have_is_a_fault(tmp_path: Path) -> None:
    for file in CATALOGUE.glob("*.toml"):
        text = file.read_text().replace('"income.rental"', '"income.rent"')
        (tmp_path / file.name).write_text(text)
    catalogue, faults = read_catalogue(tmp_path, SOURCES, "resident", "benefits")
    assert not faults
    with pytest.raises(FaultyConfiguration) as found:
        build(catalogue)
    (fault,) = found.value.faults
    assert re.fullmatch(
        r"tax\.toml: item\.rentalIncome\.counts_as \(line \d+\): "
        r"the view has no place `income\.rent`; did you mean `income\.rental`\?",
        str(fault),
    )


def test_no_agency_is_known_by_name_to_the_code() -> None:
    """No source name and no item of one stands in a string of hub/, schema/ or authz/."""
    words: set[str] = set()
    for name in SOURCES:
        document = tomllib.loads((CATALOGUE / f"{name}.toml").read_text())
        words |= {f"{name}.{item}" for item in document["item"]}
    places = set(schema_of(*SOURCES).catalogue.places)
    words -= places | {place.rpartition(".")[0] for place in places}
    for folder in ("hub", "schema", "authz"):
        for file in Path(folder).rglob("*.py"):
            if file.name in ("demo.py", "review_demo.py"):
                continue
            text = file.read_text()
            quoted = set(re.findall(r"[\"'`]([A-Za-z.]+)[\"'`]", text))
            named = quoted & (words | {"resident", "tax", "labour", "property"})
            assert not named, f"{file} names {named}"


def test_a_field_that_takes_a_types_name_is_a_fault(tmp_path: Path) -> None:
    for file in CATALOGUE.glob("*.toml"):
        (tmp_path / file.name).write_text(file.read_text())
    tax = tmp_path / "tax.toml"
    tax.write_text(tax.read_text().replace("[source]", '[source]\nfield = "provenance"'))
    catalogue, faults = read_catalogue(tmp_path, SOURCES, "resident", "benefits")
    assert not faults
    with pytest.raises(FaultyConfiguration) as found:
        build(catalogue)
    assert str(found.value) == (
        "the catalogue: type `Provenance`: the `field` of a source gives a type the name of"
        " another; give the source another `field`"
    )
