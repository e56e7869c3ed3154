"""`duplicateReceipts` and `wouldDuplicate` over a view: what sources say, and what none says."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from graphql import ExecutionResult, execute, parse

from schema.build import HubSchema, build
from schema.view import Answer, Denial, Failure, State, View
from sources.reading import read_catalogue

FIVE = ("resident", "tax", "labour", "property", "benefits")
NOW = datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC)
AS_OF = datetime.date(2026, 10, 31)
QUERY = """{ recipient(id: "p") { duplicateReceipts { result checks { kind result
  findings { programmes offices months amount } missing { state settledBy item } } } } }"""
CLEAR: dict[str, Mapping[str, Any] | None] = {
    "resident": {"deathDate": None, "moveInDate": "2020-01-01"},
    "immigration": {"abroadSince": None},
    "corrections": {"custodySince": None, "custodyUntil": None},
}


def schema_of(*sources: str) -> HubSchema:
    catalogue, faults = read_catalogue(Path("sources/catalogue"), sources, "resident", "benefits")
    assert not faults
    return build(catalogue)


@pytest.fixture(scope="module")
def five() -> HubSchema:
    return schema_of(*FIVE)


@pytest.fixture(scope="module")
def seven() -> HubSchema:
    return schema_of(*FIVE, "immigration", "corrections")


def dated(values: Mapping[str, Any]) -> dict[str, Any]:
    """Dates as the hub reads them: text in a declaration's `Date` is a date."""
    made = dict(values)
    for name, value in values.items():
        if isinstance(value, str):
            made[name] = datetime.date.fromisoformat(value)
    return made


def row(programme: str, month: str, office: str = "A", amount: int | None = 1000) -> dict[str, Any]:
    return {
        "programme": programme,
        "office": office,
        "month": month,
        "state": "paid",
        "amount": amount,
    }


def ask(
    schema: HubSchema,
    query: str,
    receipts: list[dict[str, Any]] | Failure | None,
    applications: list[dict[str, Any]] | None = None,
    view: Mapping[str, Any] | None = None,
    **said: Mapping[str, Any] | Failure | None,
) -> tuple[ExecutionResult, View]:
    """Ask of a person of whom sources say this, where every item is granted."""
    answers: dict[tuple[str, str], Answer] = {}
    listed = {"receipts": receipts, "applications": applications or []}
    everything = {
        **CLEAR,
        **said,
        "benefits": receipts if isinstance(receipts, Failure) else listed,
    }
    for source, values in everything.items():
        if isinstance(values, Failure):
            answer = Answer(source, State.UNAVAILABLE, {}, None, NOW, values)
        else:
            of = values if source == "benefits" else dated(values or {})
            answer = Answer(source, State.KNOWN, of or {}, AS_OF, NOW)
        answers[source, "p"] = answer
    items = frozenset(schema.catalogue.items)
    derivable = dict.fromkeys(schema.derivations, items)
    made = View(schema.catalogue, items, {}, {}, answers, {}, frozenset("p"), derivable=derivable)
    made = dataclasses.replace(made, **(view or {}))
    found = execute(schema.graphql, parse(query), context_value=SimpleNamespace(view=made))
    assert isinstance(found, ExecutionResult)
    return found, made


def duplicates(found: ExecutionResult) -> tuple[str, dict[str, dict[str, Any]]]:
    assert found.errors is None
    assert found.data is not None
    whole = found.data["recipient"]["duplicateReceipts"]
    return whole["result"], {check["kind"]: check for check in whole["checks"]}


def test_what_no_enabled_source_tells_is_not_known_and_says_who_would_settle_it(
    five: HubSchema,
) -> None:
    found, view = ask(five, QUERY, [row("livelihood", "2026-10")])
    result, checks = duplicates(found)
    assert result == "NOT_KNOWN"
    assert {kind: check["result"] for kind, check in checks.items()} == {
        "SAME_PROGRAMME": "NOT_FOUND",
        "EXCLUSIVE": "NOT_FOUND",
        "AFTER_DEATH": "NOT_FOUND",
        "ABROAD": "NOT_KNOWN",
        "IN_CUSTODY": "NOT_KNOWN",
        "HOUSEHOLD_CHANGE": "NOT_FOUND",
    }
    assert checks["ABROAD"]["missing"] == [
        {
            "state": "UNAVAILABLE",
            "settledBy": "the immigration service's entries and exits",
            "item": None,
        }
    ]
    assert view.derived == {"p": {"duplicateReceipts"}}


def test_agencies_that_declare_the_places_settle_it(seven: HubSchema) -> None:
    receipts = [row("livelihood", "2026-09"), row("livelihood", "2026-10")]
    assert duplicates(ask(seven, QUERY, receipts)[0])[0] == "NOT_FOUND"
    abroad = ask(seven, QUERY, receipts, immigration={"abroadSince": "2026-07-02"})[0]
    result, checks = duplicates(abroad)
    assert result == "FOUND"
    assert [found["months"] for found in checks["ABROAD"]["findings"]] == [["2026-10"]]
    held = {"custodySince": "2026-08-10", "custodyUntil": "2026-09-30"}
    result, checks = duplicates(ask(seven, QUERY, receipts, corrections=held)[0])
    assert [found["months"] for found in checks["IN_CUSTODY"]["findings"]] == [["2026-09"]]


def test_two_offices_and_a_death_are_found_whatever_else_is_not_known(five: HubSchema) -> None:
    receipts = [row("housing", "2026-10", "A"), row("housing", "2026-10", "B", 5)]
    said = {"deathDate": "2026-09-30", "moveInDate": "2020-01-01"}
    result, checks = duplicates(ask(five, QUERY, receipts, resident=said)[0])
    assert result == "FOUND"
    assert checks["SAME_PROGRAMME"]["findings"] == [
        {"programmes": ["housing"], "offices": ["A", "B"], "months": ["2026-10"], "amount": 1005}
    ]
    assert checks["AFTER_DEATH"]["result"] == "FOUND"


def test_a_household_changed_since_is_to_be_reviewed(seven: HubSchema) -> None:
    receipts = [row("housing", "2026-09"), row("housing", "2026-10")]
    said = {"deathDate": None, "moveInDate": "2026-09-15"}
    result, checks = duplicates(ask(seven, QUERY, receipts, resident=said)[0])
    assert (result, checks["HOUSEHOLD_CHANGE"]["result"]) == ("TO_REVIEW", "TO_REVIEW")


def test_an_agency_that_is_down_leaves_open_what_rests_on_it_and_nothing_else(
    seven: HubSchema,
) -> None:
    failure = Failure("SOURCE_UNAVAILABLE")
    found, _ = ask(seven, QUERY, [row("livelihood", "2026-10")], resident=failure)
    result, checks = duplicates(found)
    open_ = {kind for kind, check in checks.items() if check["result"] == "NOT_KNOWN"}
    assert (result, open_) == ("NOT_KNOWN", {"AFTER_DEATH", "HOUSEHOLD_CHANGE"})
    assert checks["AFTER_DEATH"]["missing"] == [
        {
            "state": "UNAVAILABLE",
            "settledBy": "Ministry of the Interior and Safety (resident register)",
            "item": "resident.deathDate",
        }
    ]


def test_receipts_that_cannot_be_had_leave_everything_open(seven: HubSchema) -> None:
    result, checks = duplicates(ask(seven, QUERY, Failure("SOURCE_TIMEOUT"))[0])
    assert result == "NOT_KNOWN"
    assert {check["result"] for check in checks.values()} == {"NOT_KNOWN"}


def test_who_receives_nothing_receives_nothing_twice(five: HubSchema) -> None:
    for receipts in (None, []):
        assert duplicates(ask(five, QUERY, receipts)[0])[0] == "NOT_FOUND"


def test_an_item_that_the_answer_may_not_be_worked_out_from_is_withheld(five: HubSchema) -> None:
    items = frozenset(five.catalogue.items) - {"resident.deathDate"}
    denial = Denial("resident.deathDate", "prohibited", "")
    view = {
        "derivable": {"duplicateReceipts": items},
        "withheld": {("resident.deathDate", "duplicateReceipts"): denial},
    }
    found, _ = ask(five, QUERY, [row("livelihood", "2026-10")], view=view)
    _, checks = duplicates(found)
    (missing,) = checks["AFTER_DEATH"]["missing"]
    assert (missing["state"], missing["item"]) == ("WITHHELD", "resident.deathDate")


FORESIGHT = """query($programme: ID!) { recipient(id: "p") {
  wouldDuplicate(programme: $programme) { programme result conflicts { kind receipt { months } } }
} }"""


@pytest.mark.parametrize(
    ("programme", "result", "kinds"),
    [
        ("near-poor", "FOUND", ["EXCLUSIVE"]),
        ("WLF00001132", "FOUND", ["SAME_PROGRAMME"]),
        ("livelihood", "FOUND", ["SAME_PROGRAMME"]),
        ("basic-pension", "NOT_FOUND", []),
    ],
)
def test_granting_a_programme_by_key_or_id_is_foreseen(
    five: HubSchema, programme: str, result: str, kinds: list[str]
) -> None:
    query = FORESIGHT.replace("$programme: ID!", f'$programme: ID! = "{programme}"')
    found, view = ask(five, query, [row("livelihood", "2026-10")])
    assert found.errors is None
    assert found.data is not None
    answer = found.data["recipient"]["wouldDuplicate"]
    assert answer["result"] == result
    assert [conflict["kind"] for conflict in answer["conflicts"]] == kinds
    assert view.derived == {"p": {"wouldDuplicate"}}
    assert "benefits.receipts.month" not in view.released.get("p", set())


def test_a_programme_that_there_is_not_is_a_clear_error(five: HubSchema) -> None:
    query = FORESIGHT.replace("$programme: ID!", '$programme: ID! = "living"')
    found, view = ask(five, query, [row("livelihood", "2026-10")])
    assert found.errors is not None
    (error,) = found.errors
    assert error.message == "there is no such programme"
    assert (error.extensions or {})["code"] == "NO_SUCH_PROGRAMME"
    assert view.derived == {}


APPLICATIONS = """{ recipient(id: "p") { applications {
  progress { stage workingDays due dueIfExtended nextToAct dueBasis { article mark } }
  wouldDuplicate { programme result }
  other: wouldDuplicate(programme: "housing") { result } } } }"""


def test_an_application_tells_how_far_it_has_come_and_whether_it_would_duplicate(
    five: HubSchema,
) -> None:
    filed = {
        "programme": "near-poor",
        "status": "decided",
        "applied": datetime.date(2026, 8, 25),
        "decided": datetime.date(2026, 9, 28),
        "outcome": "granted",
    }
    found, view = ask(five, APPLICATIONS, [row("livelihood", "2026-10")], [filed])
    assert found.errors is None
    assert found.data is not None
    assert found.data["recipient"]["applications"] == [
        {
            "progress": {
                "stage": "DECIDED",
                "workingDays": 22,
                "due": "2026-09-28",
                "dueIfExtended": "2026-10-26",
                "nextToAct": "NOBODY",
                "dueBasis": {"article": "Article 11(5)", "mark": "S"},
            },
            "wouldDuplicate": {"programme": "near-poor", "result": "FOUND"},
            "other": {"result": "NOT_FOUND"},
        }
    ]
    told = {item for item in view.settle()["p"] if "applications" in item}
    assert told == {
        f"benefits.applications.{name}" for name in ("status", "applied", "decided", "outcome")
    }


def test_what_is_released_reduced_is_not_computed_with(five: HubSchema) -> None:
    filed = {"programme": "near-poor", "status": "received", "applied": datetime.date(2026, 8, 25)}
    filed |= {"decided": None, "outcome": None}
    view = {"transforms": {"benefits.applications.applied": lambda value: value.replace(day=1)}}
    query = '{ recipient(id: "p") { applications { progress { due } } } }'
    found, _ = ask(five, query, [], [filed], view=view)
    assert found.data == {"recipient": {"applications": [{"progress": None}]}}
    assert found.errors is not None
    assert (found.errors[0].extensions or {})["code"] == "PURPOSE_DENIED"
