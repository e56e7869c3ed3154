"""The catalogue: its breadth, what its purposes may see of it, its command, one line off and on."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from hub.app import Plans, read_plans
from hub.cli import main
from hub.config import Settings, read_settings
from sources.category import CATEGORIES
from sources.declaration import Catalogue, Item

FULL = Path("hub.full.toml")
ADAPTERS = {"rest", "sql", "graphql", "xroad", "dci", "soap", "file"}


@pytest.fixture(scope="module")
def settings() -> Settings:
    return read_settings(FULL, {})


@pytest.fixture(scope="module")
def plans(settings: Settings) -> Plans:
    return read_plans(settings, environment=False)


@pytest.fixture(scope="module")
def catalogue(plans: Plans) -> Catalogue:
    return plans.catalogue


def given(catalogue: Catalogue) -> list[Item]:
    return [item for item in catalogue.items.values() if not item.is_exists]


def test_every_declaration_is_enabled_there(settings: Settings, catalogue: Catalogue) -> None:
    assert set(settings.sources.enabled) == catalogue.declared
    assert len(settings.sources.enabled) == len(set(settings.sources.enabled))


def test_there_are_more_agencies_and_items_than_the_law_links(catalogue: Catalogue) -> None:
    assert len({source.agency for source in catalogue.sources.values()}) >= 35
    assert len(given(catalogue)) >= 385


def test_each_adapter_has_an_agency(catalogue: Catalogue) -> None:
    assert {source.adapter for source in catalogue.sources.values()} == ADAPTERS


def test_every_item_says_what_it_is_in_english_and_korean(catalogue: Catalogue) -> None:
    korean = re.compile("[가-힣]")
    assert [item.name for item in given(catalogue) if not item.description] == []
    assert [item.name for item in given(catalogue) if not korean.search(item.description_ko)] == []


def test_no_item_says_the_same_as_another_of_its_record(catalogue: Catalogue) -> None:
    for source in catalogue.sources.values():
        said = [(item.path[:-1], item.description) for item in source.items if item.path]
        assert len(said) == len(set(said)), source.name


def test_every_item_says_how_often_it_is_renewed(catalogue: Catalogue) -> None:
    assert [item.name for item in given(catalogue) if item.updated is None] == []


def test_every_category_is_of_use(catalogue: Catalogue) -> None:
    assert {item.category for item in catalogue.items.values()} == set(CATEGORIES)


@pytest.mark.parametrize(
    ("sees", "area"),
    [("tax.earnedIncome", "income."), ("property.land.officialPrice", "assets.")],
)
def test_who_may_see_one_part_of_a_total_may_see_all_of_it(
    plans: Plans, sees: str, area: str
) -> None:
    places = [place for place in plans.catalogue.places if place.startswith(area)]
    counted = {item.name for place in places for item in plans.catalogue.at(place)}
    assert len(counted) > 10
    for code, purpose in plans.register.purposes.items():
        if purpose.roles and purpose.decisions[sees].allowed:
            assert counted - set(purpose.allowed_items) == set(), code


@pytest.mark.parametrize(
    ("category", "purposes"),
    [
        ("health", {"subject-access", "medical-cost.application"}),
        ("protection", {"subject-access", "child-access"}),
        ("hardship", {"subject-access", "emergency-aid.application", "case-management"}
         | {"blind-spot.visit"}),
        (
            "custody",
            {"subject-access", "basic-livelihood.application", "basic-pension.application"}
            | {"confirmation-survey", "disability-pension.application"}
            | {"emergency-aid.application"},
        ),
    ],
)  # fmt: skip
def test_sensitive_data_are_seen_for_the_purposes_that_need_them_and_no_other(
    plans: Plans, category: str, purposes: set[str]
) -> None:
    items = [item.name for item in given(plans.catalogue) if item.category == category]
    seeing = {
        code
        for code, purpose in plans.register.purposes.items()
        if purpose.roles and any(purpose.decisions[name].allowed for name in items)
    }
    assert seeing == purposes


def test_a_decision_on_a_means_tested_benefit_does_not_see_in_what_prison(plans: Plans) -> None:
    decisions = plans.register.purposes["basic-livelihood.application"].decisions
    assert decisions["corrections.inCustody"].allowed
    assert not decisions["corrections.institution"].allowed


@pytest.mark.parametrize("name", ["banks", "immigration", "corrections", "disabilityRegister"])
def test_one_line_turns_an_agency_off_and_on(tmp_path: Path, plans: Plans, name: str) -> None:
    text = FULL.read_text()
    assert text.count(f'  "{name}",\n') == 1
    off = tmp_path / "hub.toml"
    off.write_text(text.replace(f'  "{name}",\n', ""))
    without = read_plans(read_settings(off, {}), environment=False)
    assert re.search(rf"^  {name}: [A-Z]", plans.schema.sdl, re.MULTILINE)
    assert not re.search(rf"^  {name}: [A-Z]", without.schema.sdl, re.MULTILINE)
    gone = plans.catalogue.items.keys() - without.catalogue.items.keys()
    assert {item.partition(".")[0] for item in gone} == {name}
    for code, purpose in without.register.purposes.items():
        had = plans.register.purposes[code].decisions
        assert had.keys() - purpose.decisions.keys() == gone
    assert main(["catalogue", "--docs", str(tmp_path / "pages"), "--config", str(off)]) == 0
    page = (tmp_path / "pages" / "README.md").read_text()
    assert f"Declared but not enabled: `{name}`." in page
    assert not (tmp_path / "pages" / f"{name}.md").exists()


def test_the_pages_of_what_is_off_are_taken_away(tmp_path: Path) -> None:
    assert main(["catalogue", "--docs", str(tmp_path), "--config", str(FULL)]) == 0
    assert (tmp_path / "banks.md").exists()
    assert main(["catalogue", "--docs", str(tmp_path)]) == 0
    assert sorted(path.stem for path in tmp_path.iterdir()) == [
        "README",
        *sorted(["resident", "tax", "labour", "property", "benefits"]),
    ]


def test_programs_are_given_every_declaration_and_whether_it_is_enabled(
    capsys: pytest.CaptureFixture[str], catalogue: Catalogue
) -> None:
    assert main(["catalogue", "--json"]) == 0
    sources = json.loads(capsys.readouterr().out)["sources"]
    assert {source["name"] for source in sources} == catalogue.declared
    assert [source["name"] for source in sources if source["enabled"]] == [
        "resident",
        "tax",
        "labour",
        "property",
        "benefits",
    ]
    items = {item["name"]: item for source in sources for item in source["items"]}
    assert items.keys() == {item.name for item in given(catalogue)}
    assert items["nationalPension.oldAgePension"] == {
        "name": "nationalPension.oldAgePension",
        "type": "Won",
        "category": "benefit",
        "sensitivity": "ordinary",
        "description": "Old-age pension paid",
        "descriptionKo": "노령연금 월 지급액",
        "per": "month",
        "updated": "monthly",
        "countsAs": ["income.pension"],
        "mark": "S",
        "cite": "National Pension Act, Articles 6, 49 and 88",
        "purposes": [
            "basic-livelihood.application",
            "basic-pension.application",
            "blind-spot.visit",
            "break-glass",
            "case-management",
            "child-access",
            "confirmation-survey",
            "disability-pension.application",
            "duplicate-check",
            "emergency-aid.application",
            "medical-cost.application",
            "subject-access",
        ],
    }


def test_people_are_shown_the_items_of_one_source(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["catalogue", "veterans"]) == 0
    shown = capsys.readouterr().out
    assert "veterans.injuryGrade" in shown
    assert "not enabled" in shown
    assert "tax.earnedIncome" not in shown


def test_a_source_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["catalogue", "veteran"]) == 2
    assert capsys.readouterr().err == (
        "there is no declaration `veteran`: did you mean `veterans`?\n"
    )
