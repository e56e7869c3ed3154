"""The schema that a purpose may see: nothing it is denied, nothing that leads nowhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from graphql import (
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    get_named_type,
    validate_schema,
)

from authz.caller import Caller
from authz.purpose import Purpose
from authz.register import Register, read_register
from hub.config import Limits
from hub.documents import Documents
from hub.errors import RequestRefused
from hub.visible import Visibility, sdl, visible
from schema.build import HubSchema, build
from sources.reading import read_catalogue
from tests.command import hub

SOURCES = ("resident", "tax", "labour", "property", "benefits")
OWN = {"sources", "purposes", "programmes", "access"}
"""Fields of the query type that need no item."""
BASIS = 'legal_basis = { act = "Basic Pension Act", article = "Article 11", mark = "K" }'
PURPOSES = {
    "wages": """
        roles = ["caseworker"]
        relation = "case"
        programmes = ["livelihood"]
        [allow]
        items = ["resident.exists", "tax.exists", "tax.earnedIncome", "benefits.case.exists"]
        [prohibit]
        items = ["tax.withholdings.payer"]
        """,
    "names": """
        roles = ["clerk"]
        relation = "receipt"
        programmes = ["livelihood"]
        [allow]
        items = [
            "resident.exists", "resident.name", "labour.exists", "labour.jobs.employer",
            "benefits.case.exists", "benefits.case.state",
        ]
        """,
    "self": """
        roles = ["recipient"]
        relation = "self"
        [allow]
        categories = ["existence", "family", "case"]
        """,
    "orphans": """
        roles = ["caseworker"]
        relation = "case"
        programmes = ["livelihood"]
        [allow]
        categories = ["income", "existence"]
        """,
    "statistics": """
        roles = ["policy"]
        [allow]
        categories = ["existence", "income"]
        """,
    "everything": """
        [allow]
        categories = ["existence", "income"]
        """,
}


@pytest.fixture(scope="module")
def schema() -> HubSchema:
    catalogue, faults = read_catalogue(Path("sources/catalogue"), SOURCES, "resident", "benefits")
    assert not faults
    return build(catalogue)


@pytest.fixture(scope="module")
def register(schema: HubSchema, tmp_path_factory: pytest.TempPathFactory) -> Register:
    folder = tmp_path_factory.mktemp("purposes")
    for code, text in PURPOSES.items():
        lines = "\n".join(line.strip() for line in text.splitlines())
        (folder / f"{code}.toml").write_text(f'title = "{code}"\n{BASIS}\n{lines}')
    found, faults = read_register(folder, schema.catalogue)
    assert not faults
    return found


def fields(schema: GraphQLSchema, name: str) -> set[str]:
    kind = schema.type_map.get(name)
    if kind is None:
        return set()
    assert isinstance(kind, GraphQLObjectType | GraphQLInterfaceType)
    return set(kind.fields)


def seen_by(schema: HubSchema, register: Register, code: str) -> GraphQLSchema:
    return visible(schema, register.purposes[code])


def test_only_fields_with_an_item_that_the_purpose_may_see_are_left(
    schema: HubSchema, register: Register
) -> None:
    shown = seen_by(schema, register, "wages")
    assert fields(shown, "Query") == {
        *("recipient", "recipients", "ownUses", "ownCorrections"),
        *OWN,
    }
    assert fields(shown, "Recipient") == {
        "id",
        "income",
        "resident",
        "tax",
        "records",
        "meansTest",
        "entitlements",
    }
    assert fields(shown, "Tax") == {"provenance", "earnedIncome"}
    assert fields(shown, "Resident") == {"provenance"}


def test_an_area_is_left_while_any_item_of_it_is_allowed(
    schema: HubSchema, register: Register
) -> None:
    assert fields(seen_by(schema, register, "wages"), "Income") == fields(schema.graphql, "Income")
    assert fields(seen_by(schema, register, "names"), "Income") == set()


def test_a_list_is_left_with_its_allowed_columns_alone(
    schema: HubSchema, register: Register
) -> None:
    shown = seen_by(schema, register, "names")
    assert fields(shown, "LabourJobs") == {"employer"}
    assert fields(shown, "Job") == {"employer", "provenance"}
    assert fields(shown, "Employment") == {"jobs"}


def test_a_record_needs_its_existence_also_where_an_interface_stands_for_it(
    schema: HubSchema, register: Register
) -> None:
    shown = seen_by(schema, register, "wages")
    record = shown.type_map["AgencyRecord"]
    assert isinstance(record, GraphQLInterfaceType)
    assert {kind.name for kind in shown.get_possible_types(record)} == {"Resident", "Tax"}
    assert not {"Labour", "Property", "BenefitRegister"} & set(shown.type_map)


def test_a_part_without_an_allowed_item_is_left_out_with_its_type(
    schema: HubSchema, register: Register
) -> None:
    shown = seen_by(schema, register, "wages")
    assert not {"Identity", "Household", "Employment", "Assets", "Job"} & set(shown.type_map)
    assert "Won" in shown.type_map
    assert "Month" not in seen_by(schema, register, "self").type_map


def test_items_of_a_record_whose_existence_is_denied_are_not_seen(
    schema: HubSchema, register: Register
) -> None:
    decisions = dict(register.purposes["wages"].decisions)
    decisions["tax.exists"] = decisions["labour.exists"]
    purpose = register.purposes["wages"]
    options = {name: getattr(purpose, name) for name in Purpose.__dataclass_fields__}
    shown = visible(schema, Purpose(**{**options, "decisions": decisions}))
    assert fields(shown, "Tax") == set()
    assert fields(shown, "Recipient") == {"id", "resident", "records"}


def test_a_purpose_for_ones_own_record_leads_to_nobody_else(
    schema: HubSchema, register: Register
) -> None:
    shown = seen_by(schema, register, "self")
    assert "members" not in fields(shown, "Household")
    assert "livingAlone" in fields(shown, "Household")
    assert "case" not in fields(shown, "Query")
    assert "case" not in fields(seen_by(schema, register, "names"), "Query")


@pytest.mark.parametrize("code", ["statistics", "everything"])
def test_a_purpose_that_reaches_nobody_or_is_nobodys_sees_what_the_hub_says_of_itself(
    schema: HubSchema, register: Register, code: str
) -> None:
    shown = seen_by(schema, register, code)
    assert fields(shown, "Query") == OWN
    assert "Recipient" not in shown.type_map
    assert "AgencyRecord" not in shown.type_map


@pytest.mark.parametrize("code", PURPOSES)
def test_what_is_seen_is_a_whole_schema_within_the_full_one(
    schema: HubSchema, register: Register, code: str
) -> None:
    shown = seen_by(schema, register, code)
    assert validate_schema(shown) == []
    build_schema(sdl(schema, register.purposes[code]))
    for name, kind in shown.type_map.items():
        if not isinstance(kind, GraphQLObjectType | GraphQLInterfaceType) or name[:2] == "__":
            continue
        assert kind.fields
        assert set(kind.fields) <= fields(schema.graphql, name)
        for field in kind.fields.values():
            inner = get_named_type(field.type)
            assert shown.type_map[inner.name] is inner


def caller(*roles: str) -> Caller:
    return Caller("someone", "someone", frozenset(roles), "office", "district", "issuer")


def test_a_caller_is_shown_what_the_declared_purpose_may_see(
    schema: HubSchema, register: Register
) -> None:
    visibility = Visibility(schema, register)
    shown = visibility.to(caller("caseworker", "clerk"), "names")
    assert fields(shown, "Recipient") == fields(seen_by(schema, register, "names"), "Recipient")


@pytest.mark.parametrize("declared", [None, "", "unknown", "names", "everything"])
def test_without_a_purpose_of_their_own_a_caller_is_shown_all_that_theirs_may_see(
    schema: HubSchema, register: Register, declared: str | None
) -> None:
    shown = Visibility(schema, register).to(caller("caseworker", "recipient"), declared)
    assert "members" not in fields(shown, "Household")
    assert {"income", "household", "tax", "property"} <= fields(shown, "Recipient")
    assert "identity" not in fields(shown, "Recipient")
    assert "resident.name" not in sdl(schema, register.purposes["wages"])


def test_a_caller_without_a_purpose_to_use_is_shown_no_recipient(
    schema: HubSchema, register: Register
) -> None:
    shown = Visibility(schema, register).to(caller("stranger"), "wages")
    assert fields(shown, "Query") == OWN


def test_what_a_purpose_sees_is_made_once(schema: HubSchema, register: Register) -> None:
    visibility = Visibility(schema, register)
    assert visibility.to(caller("clerk"), "names") is visibility.to(caller("clerk", "x"), None)


BEYOND = "does not fit the schema, in a part that is not shown for the purpose"


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("{ sources { nam } }", "Cannot query field 'nam' on type 'SourceState'."),
        (
            '{ recipient(id: "1") { incme } }',
            "Cannot query field 'incme' on type 'Recipient'.",
        ),
        (
            '{ recipient(id: "1") { labur { jobs { employer } } } }',
            "Cannot query field 'labur' on type 'Recipient'. Did you mean 'labour'?",
        ),
        ('{ recipient(id: "1") { tax { arears } } }', BEYOND),
        ('{ recipient(id: "1") { tax } }', BEYOND),
        ('{ recipient(id: "1") { income { total { x } } } }', BEYOND),
        ("{ sources { name } } fragment F on Ta { provenance { source } }", None),
    ],
)
def test_faults_are_told_in_words_of_what_the_purpose_may_see(
    schema: HubSchema, register: Register, query: str, told: str | None
) -> None:
    documents = Documents(schema.graphql, Limits())
    shown = seen_by(schema, register, "names")
    with pytest.raises(RequestRefused) as found:
        documents.read(query, lambda: shown)
    messages = [entry.message for entry in found.value.errors]
    if told is not None:
        assert [text.partition(" Did you mean 'name'")[0] for text in messages] == [told]
    names = set(schema.graphql.type_map) - set(shown.type_map)
    assert not [name for name in names if f"'{name}'" in " ".join(messages)]


def test_a_document_that_the_purpose_may_not_see_whole_is_valid_and_kept(
    schema: HubSchema, register: Register
) -> None:
    documents = Documents(schema.graphql, Limits())
    query = '{ recipient(id: "1") { tax { arrears } } }'
    first = documents.read(query, lambda: seen_by(schema, register, "wages"))
    assert documents.read(query, lambda: seen_by(schema, register, "names")) is first


def run(*arguments: str) -> CompletedProcess[str]:
    return hub("schema", *arguments)


def test_the_command_prints_the_whole_schema_or_a_purposes() -> None:
    whole, part = run(), run("--purpose", "duplicate-check")
    assert (whole.returncode, part.returncode) == (0, 0)
    assert "earnedIncome: Won\n" in whole.stdout
    assert "earnedIncome: Won\n" not in part.stdout
    assert "receipts: [Receipt!]" in part.stdout
    build_schema(whole.stdout)
    build_schema(part.stdout)


def test_the_command_says_when_there_is_no_such_purpose() -> None:
    said = run("--purpose", "duplicate-chek")
    assert said.returncode == 2
    assert said.stderr == (
        "there is no purpose `duplicate-chek`: did you mean `duplicate-check`?\n"
    )


def test_only_purposes_by_which_people_act_are_shown_the_mutations(
    schema: HubSchema, register: Register
) -> None:
    wages = register.purposes["wages"]
    glass = replace(wages, code="glass", relation="break-glass")
    overseeing = replace(wages, code="overseeing", relation="oversight")
    own = replace(wages, code="own", relation="self")
    marking = {"markWrong", "withdrawCorrection"}
    assert fields(visible(schema, glass), "Mutation") == {
        *("requestApproval", "openBreakGlass"),
        *marking,
    }
    assert fields(visible(schema, wages), "Mutation") == {"requestApproval", *marking}
    assert fields(visible(schema, overseeing), "Mutation") == {
        "approve",
        "moveCorrection",
        "reviewBreakGlass",
        "reviewUse",
    }
    assert fields(visible(schema, own), "Mutation") == marking
    assert fields(visible(schema, own), "Query") >= {"notices"}
    assert fields(visible(schema, overseeing), "Query") == {
        *("waiting", "corrections", "decisionTimes"),
        *OWN,
    }
    parent = replace(overseeing, roles=frozenset())
    assert visible(schema, parent).mutation_type is None
