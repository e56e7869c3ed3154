"""The list of programmes: complete, each with its mark, with the thresholds of every year."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from graphql import GraphQLError

from schema.programme_types import ProgrammeOffered, listed
from schema.rules.book import the_book
from tests.command import hub


def offered(key: str, year: int) -> ProgrammeOffered:
    (found,) = [one for one in listed(year) if one.key == key]
    return found


def amounts(key: str, year: int) -> list[int]:
    found = offered(key, year).thresholds
    assert [each.household_size for each in found] == list(range(1, len(found) + 1))
    return [each.amount for each in found]


def test_the_list_has_its_231_programmes_and_their_marks() -> None:
    found = listed(2026)
    assert len(found) == len({one.id for one in found}) == len({one.key for one in found}) == 231
    assert all(len(one.id) == 11 for one in found)
    assert Counter(one.mark for one in found) == {"K": 214, "S": 17}
    ministries = Counter(one.ministry for one in found)
    assert (ministries["MOHW"], ministries["MGEF"], ministries["local"]) == (73, 23, 5)


def test_the_documents_say_how_many_are_decided_by_rule_and_how_many_of_those_are_checked() -> None:
    marks = Counter(one.basis_mark for one in listed(2026) if one.decided_by_rule)
    assert marks == {"K": 128, "S": 17}
    for page in ("programmes", "means-test"):
        told = Path(f"docs/{page}.md").read_text()
        assert "145" in told
        assert "128" in told


def test_the_four_of_basic_livelihood_have_their_names() -> None:
    wanted = ("livelihood", "medical-aid", "housing", "education")
    found = [offered(key, 2026) for key in wanted]
    assert [(one.id, one.name_ko, one.name_en, one.mark) for one in found] == [
        ("WLF00001132", "생계급여", "Livelihood benefit", "S"),
        ("WLF00000102", "의료급여", "Medical aid", "S"),
        ("WLF00003201", "주거급여", "Housing benefit", "S"),
        ("WLF00001089", "교육급여", "Education benefit", "S"),
    ]


def test_a_programme_is_found_by_its_key_and_by_its_id() -> None:
    assert the_book().by_key["basic-pension"] == "WLF00001164"
    assert the_book().by_key["WLF00001164"] == "WLF00001164"


def test_a_status_is_found_and_not_listed() -> None:
    assert the_book().by_key["near-poor"] == "near-poor"
    assert "near-poor" not in the_book().listed


def test_thresholds_are_exact_and_go_on_beyond_seven() -> None:
    assert amounts("livelihood", 2026) == [
        820_556,
        1_343_773,
        1_714_892,
        2_078_316,
        2_418_150,
        2_737_905,
        3_044_848,
        3_351_791,
    ]
    assert amounts("education", 2025)[0] == 1_196_007  # 1,196,006.5 goes up
    assert amounts("basic-pension", 2026) == [2_470_000, 3_952_000]


def test_a_year_that_lacks_a_figure_lists_the_sizes_that_it_has() -> None:
    assert len(amounts("livelihood", 2027)) == 6
    assert amounts("basic-pension", 2027) == []


@pytest.mark.parametrize("year", [2020, 2028, -1, 10**6])
def test_a_year_that_there_are_no_figures_of_is_a_clear_error(year: int) -> None:
    with pytest.raises(GraphQLError) as found:
        listed(year)
    assert found.value.message == "there are figures of the years 2021 to 2027"
    assert (found.value.extensions or {})["code"] == "NO_SUCH_YEAR"


def run(*arguments: str) -> CompletedProcess[str]:
    return hub("programmes", *arguments)


def test_hub_programmes_prints_them_as_a_table_and_as_json() -> None:
    found = json.loads(run("--json", "--year", "2024").stdout)
    assert len(found) == 231
    (housing,) = [one for one in found if one["key"] == "housing"]
    assert housing["thresholds"][3] == {"householdSize": 4, "amount": 2_750_358}
    table = run("--year", "2026").stdout
    assert "231 programmes" in table
    assert "2,078,316" in table


def test_hub_programmes_says_which_years_there_are() -> None:
    done = run("--year", "1999")
    assert done.returncode == 2
    assert done.stderr == "there are figures of the years 2021 to 2027\n"
