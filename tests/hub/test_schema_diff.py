"""What a change of declarations does to clients, checked against what GraphQL itself says of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from graphql import find_breaking_changes

from hub.cli import main
from schema.build import build
from sources.reading import read_catalogue

FIVE = ["resident", "tax", "labour", "property", "benefits"]
OLD = Path("sources/catalogue")
VAT = """
[item.businesses.item.vatBase]
description = "Value-added tax base of the year"
description_ko = "부가가치세 과세표준"
type = "Won"
category = "income"
wire = "vat_base"
per = "year"
"""
EARNED = 'description = "Wage and salary income in the assessed year"\n'
CHANGES: dict[str, tuple[str, str, str, str]] = {
    "an item that is gone": ("tax", VAT, "", "breaking: `tax.businesses.vatBase` is gone"),
    "another type": (
        "tax",
        VAT,
        VAT.replace("Won", "Int"),
        "breaking: `tax.businesses.vatBase` is of the type `Int`, before `Won`",
    ),
    "another period": (
        "tax",
        VAT,
        VAT.replace('"year"', '"month"'),
        "breaking: `tax.businesses.vatBase` is of the period `month`, before `year`",
    ),
    "another field of the source": (
        "tax",
        'adapter = "rest"\n',
        'adapter = "rest"\nfield = "taxOffice"\n',
        "breaking: `tax` has the field `taxOffice`, before `tax`",
    ),
    "a word that codes stand for": (
        "resident",
        '"2" = "female"',
        '"2" = "woman"',
        "breaking: `resident.sex` is never `female` any more",
    ),
    "a further word": (
        "resident",
        '"2" = "female"',
        '"2" = "female", "3" = "unknown"',
        "dangerous: `resident.sex` may be `unknown` too",
    ),
    "other codes for the same words": (
        "resident",
        '"2" = "female"',
        '"F" = "female"',
        "safe: `resident.sex` has other codes for the same words",
    ),
    "another category": (
        "tax",
        VAT,
        VAT.replace('"income"', '"employment"'),
        "dangerous: `tax.businesses.vatBase` is of the category `employment`, before `income`",
    ),
    "a greater sensitivity": (
        "tax",
        VAT,
        VAT + 'sensitivity = "financial"\n',
        "dangerous: `tax.businesses.vatBase` is of the sensitivity `financial`, before `ordinary`",
    ),
    "a place in the view": (
        "tax",
        VAT,
        VAT + 'counts_as = "income.business"\n',
        "dangerous: `tax.businesses.vatBase` counts as `income.business`, before none",
    ),
    "whereabouts": (
        "tax",
        VAT,
        VAT + "whereabouts = true\n",
        "dangerous: `tax.businesses.vatBase` leads to where people are: yes, before no",
    ),
    "which rows count": (
        "labour",
        'counts_when = { end = "absent" }\n',
        "",
        "dangerous: `labour.jobs.employer` counts when none, before `end is absent`",
    ),
    "a new item that counts": (
        "tax",
        VAT,
        VAT + VAT.replace("vatBase", "profit") + 'counts_as = "income.business"\n',
        "dangerous: `tax.businesses.profit` is new, and counts as `income.business`",
    ),
    "a new item": (
        "tax",
        VAT,
        VAT + VAT.replace("vatBase", "profit"),
        "safe: `tax.businesses.profit` is new",
    ),
    "another description": (
        "tax",
        EARNED,
        'description = "Wages"\n',
        "safe: `tax.earnedIncome` is described `Wages`, before "
        "`Wage and salary income in the assessed year`",
    ),
    "another name at the agency": (
        "tax",
        'wire = "vat_base"',
        'wire = "vat"',
        "safe: `tax.businesses.vatBase` is called by the agency `businesses`, `vat`, before "
        "`businesses`, `vat_base`",
    ),
    "another address": (
        "tax",
        'path = "/v1/taxpayers/search"',
        'path = "/v2/taxpayers/search"',
        "safe: `tax` is asked otherwise: adapter_table",
    ),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "catalogue"
    found.mkdir()
    for name in FIVE:
        shutil.copy(OLD / f"{name}.toml", found)
    return found


@pytest.fixture
def before(folder: Path) -> Path:
    return Path(shutil.copytree(folder, folder.parent / "before"))


def change(folder: Path, file: str, old: str, new: str) -> None:
    path = folder / f"{file}.toml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


@pytest.mark.parametrize("case", CHANGES.values(), ids=CHANGES.keys())
def test_a_change_is_classed_as_graphql_itself_would(
    before: Path, folder: Path, case: tuple[str, str, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    file, old, new, said = case
    change(folder, file, old, new)
    code = main(["schema", "diff", str(before), str(folder)])
    lines = capsys.readouterr().out.splitlines()
    assert said in lines
    breaking = said.startswith("breaking")
    assert code == int(breaking)
    broken = find_breaking_changes(*(graphql_of(each) for each in (before, folder)))
    assert not broken or breaking
    if any(word in said for word in ("is gone", "of the type", "has the field")):
        assert broken


def graphql_of(folder: Path) -> object:
    catalogue, faults = read_catalogue(folder, FIVE, "resident", "benefits")
    assert faults == []
    return build(catalogue).graphql


def test_a_source_that_is_gone_breaks_its_clients_and_a_new_one_none(
    before: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "tax.toml").unlink()
    assert main(["schema", "diff", str(before), str(folder)]) == 1
    assert capsys.readouterr().out == "breaking: `tax` is gone\n1 breaking, 0 dangerous, 0 safe\n"
    assert main(["schema", "diff", str(folder), str(before)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("dangerous: `tax` is new, and counts in the unified view\n")


def test_no_change_is_none(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "diff", str(folder), str(folder)]) == 0
    assert capsys.readouterr().out == "0 breaking, 0 dangerous, 0 safe\n"


def test_settings_are_compared_by_what_they_enable(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "diff", "hub.toml", "hub.full.toml", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {"effect": "safe", "where": "customs", "text": "is new"} in found
    assert main(["schema", "diff", "hub.full.toml", "hub.toml", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert {one["effect"] for one in found} == {"breaking"}


def test_the_gravest_changes_come_first(
    before: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(folder, "tax", VAT, VAT.replace("vatBase", "vatSum"))
    change(folder, "tax", EARNED, 'description = "Wages"\n')
    main(["schema", "diff", str(before), str(folder)])
    effects = [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()[:-1]]
    assert effects == ["breaking", "safe", "safe"]


def test_a_faulty_declaration_is_told_and_nothing_compared(
    before: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(folder, "tax", VAT, VAT.replace("Won", "Dollar"))
    assert main(["schema", "diff", str(before), str(folder)]) == 2
    assert "tax.toml: item.businesses.item.vatBase.type" in capsys.readouterr().err


def test_a_folder_without_declarations_is_told(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert main(["schema", "diff", str(folder), str(empty)]) == 2
    assert "has no declaration; name a folder of declarations" in capsys.readouterr().err
