"""Every threshold against what was published, and every programme's edge to the won."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

from schema.rules.assess import means_test
from schema.rules.thresholds import thresholds
from tests.schema.rules.households import BOOK, day, household, person

HERE = Path(__file__).parent


def table(name: str) -> Iterator[dict[str, str]]:
    """The rows of a file of figures."""
    lines = (HERE / name).read_text().splitlines()
    yield from csv.DictReader((line for line in lines if line[0] != "#"), delimiter="\t")


@pytest.mark.parametrize(
    "row", list(table("thresholds.tsv")), ids=lambda row: f"{row['programme']}-{row['year']}"
)
def test_every_threshold_is_the_published_one(row: dict[str, str]) -> None:
    code = BOOK.by_key[row["programme"]]
    published = tuple((size, int(row[str(size)])) for size in range(1, 9))
    assert thresholds(BOOK, code, int(row["year"])) == published


def test_a_threshold_that_binary_rounding_to_even_gets_wrong() -> None:
    # 8,514,994 * 0.5 and the like are exact; 2,392,013 * 50 % is 1,196,006.5, which goes up.
    assert thresholds(BOOK, BOOK.by_key["education"], 2025)[0] == (1, 1_196_007)


def test_beyond_seven_each_person_adds_the_last_step() -> None:
    members = [person(str(number), "other" if number else "self") for number in range(11)]
    test = means_test(BOOK, BOOK.by_key["livelihood"], household(*members), day(2026))
    median = 9_515_150 + 4 * (9_515_150 - 8_555_952)
    assert test.threshold == ((median * 64 + 100) // 200,) * 2


def test_sizes_without_a_figure_are_not_made_up() -> None:
    code = BOOK.by_key["livelihood"]
    assert [size for size, _ in thresholds(BOOK, code, 2027)] == [1, 2, 3, 4, 5, 6]
    members = [person(str(number), "other" if number else "self") for number in range(7)]
    test = means_test(BOOK, code, household(*members), day(2027))
    assert test.threshold == (2_921_344, None)
    assert test.result.value == "ELIGIBLE"
    assert test.payable == (2_921_344, None)


def test_the_edges_of_every_programme_to_the_won() -> None:
    checked = 0
    for row in table("edges.tsv"):
        size, income = int(row["size"]), int(row["income"])
        couple = row["programme"] == "basic-pension"
        old = 70 if couple else 40
        first = person("0", pension_income=12 * income, age=old, pupil=True)
        rest = [person(str(n), "spouse" if couple else "other", age=old) for n in range(1, size)]
        facts = household(first, *rest, obligor_test_met=True)
        test = means_test(BOOK, BOOK.by_key[row["programme"]], facts, day(int(row["year"])))
        told = (test.result.value, test.recognised, test.threshold)
        assert told == (row["result"], (income,) * 2, (int(row["threshold"]),) * 2), row
        if row["payable"]:
            assert test.payable == (int(row["payable"]),) * 2, row
        checked += 1
    assert checked >= 600
