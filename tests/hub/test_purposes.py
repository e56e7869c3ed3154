"""What a change of the register does, said in plain words."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from authz.register import Register
from hub.app import read_plans
from hub.config import read_settings
from hub.purposes import print_purpose
from tests.command import hub

REGISTER = Path("authz/purposes")
PENSION = "basic-pension.application.toml"


def run(*arguments: str) -> CompletedProcess[str]:
    return hub("purposes", *arguments)


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """A copy of the register, to change."""
    return Path(shutil.copytree(REGISTER, tmp_path / "purposes"))


def change(folder: Path, old: str, new: str, file: str = PENSION) -> None:
    path = folder / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


Show = Callable[[str], list[str]]


@pytest.fixture(scope="module")
def register() -> Register:
    """The register over the whole catalogue."""
    return read_plans(read_settings(Path("hub.full.toml")), environment=False).register


@pytest.fixture
def show(register: Register, capsys: pytest.CaptureFixture[str]) -> Show:
    """The lines that show a purpose."""

    def shown(code: str) -> list[str]:
        print_purpose(register.purposes[code])
        return capsys.readouterr().out.splitlines()

    return shown


def cells(shown: list[str]) -> dict[str, list[str]]:
    """The cells of a table beside its first, by that."""
    rows = ([cell.strip() for cell in line.strip("│").split("│")] for line in shown if "│" in line)
    return {first: others for first, *others in rows}


def test_registers_alike_have_no_differences(changed: Path) -> None:
    done = run("diff", str(REGISTER), str(changed))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "no differences\n")


def test_a_category_let_in_is_said_by_item_role_and_purpose(changed: Path) -> None:
    change(changed, '"income", "asset", "finance"', '"income", "finance"')
    done = run("diff", str(changed), str(REGISTER))
    assert done.returncode == 1
    assert (
        "exposes: newly lets caseworker see `property.vehicles.value` whole"
        " for basic-pension.application"
    ) in done.stdout.splitlines()


def test_a_change_that_only_closes_is_no_failure(changed: Path) -> None:
    change(changed, '  "labour.insured",\n', "")
    done = run("diff", str(REGISTER), str(changed))
    assert (done.returncode, done.stdout) == (
        0,
        "closes: no longer lets caseworker see `labour.insured` for basic-pension.application\n",
    )


def test_a_prohibition_lifted_from_a_parent_exposes_for_every_child(changed: Path) -> None:
    parent = "welfare-decision.toml"
    change(changed, 'categories = ["health"]', 'categories = ["health", "contact"]', parent)
    done = run("diff", str(changed), str(REGISTER))
    assert done.returncode == 1
    for code in ("basic-pension.application", "confirmation-survey"):
        line = f"exposes: newly lets caseworker see `resident.address` whole for {code}"
        assert line in done.stdout.splitlines()


def test_reducing_and_reach_are_differences_too(changed: Path) -> None:
    change(changed, "to = { year = true }", "to = { mask = 1 }", "duplicate-check.toml")
    done = run("diff", str(REGISTER), str(changed))
    assert done.returncode == 2
    assert "which `mask` cannot reduce" in done.stderr
    change(
        changed,
        '[[reduce]]\nitems = ["resident.birthDate"]\nto = { mask = 1 }\n',
        "",
        "duplicate-check.toml",
    )
    change(
        changed,
        '"resident.name",',
        '"resident.name", "resident.birthDate",',
        "duplicate-check.toml",
    )
    change(changed, 'jurisdiction = "district"', 'jurisdiction = "none"', "duplicate-check.toml")
    change(changed, '"emergency-aid", ', "", "duplicate-check.toml")
    assert run("diff", str(REGISTER), str(changed)).stdout.splitlines() == [
        "exposes: lets caseworker see `resident.birthDate` whole for duplicate-check,"
        " before reduced (year)",
        "exposes: duplicate-check has jurisdiction `none`, before `district`",
        "closes: duplicate-check no longer covers the programme `emergency-aid`",
    ]


def test_the_register_is_listed_and_shown() -> None:
    listed = json.loads(run("--json").stdout)
    assert {entry["code"] for entry in listed["purposes"]} == {
        path.stem for path in REGISTER.glob("*.toml")
    }
    shown = run("show", "duplicate-check").stdout
    assert "resident.birthDate" in shown
    unknown = run("show", "duplicate-chek")
    assert (unknown.returncode, unknown.stderr) == (
        2,
        "there is no purpose `duplicate-chek`: did you mean `duplicate-check`?\n",
    )


def test_a_demand_made_lighter_exposes_and_one_made_heavier_closes(changed: Path) -> None:
    change(changed, "reason = 40", "reason = 30", "break-glass.toml")
    change(changed, "review_days = 7", "review_days = 3", "break-glass.toml")
    done = run("diff", str(REGISTER), str(changed))
    assert (done.returncode, done.stdout.splitlines()) == (
        1,
        [
            "exposes: break-glass demands a reason of 30 characters,"
            " before a reason of 40 characters",
            "closes: break-glass demands a review within 3 days, before a review within 7 days",
        ],
    )


def test_an_approval_no_longer_demanded_exposes(changed: Path) -> None:
    approved = '[obligations]\nsecond_approver = { roles = ["supervisor"] }\n\n[allow]'
    change(changed, "[allow]", approved)
    done = run("diff", str(changed), str(REGISTER))
    assert (done.returncode, done.stdout) == (
        1,
        "exposes: basic-pension.application demands no approval,"
        " before the approval of supervisor, for 24 hours\n",
    )
    assert run("diff", str(REGISTER), str(changed)).returncode == 0


def test_a_purpose_is_shown_with_what_it_demands() -> None:
    shown = run("show", "break-glass").stdout
    assert (
        "demands: a reason of 40 characters; a notice to the recipient; a review within 7 days"
        in shown.splitlines()
    )


def test_a_role_let_in_where_no_item_is_named_is_said(changed: Path) -> None:
    """The query log and the acts of others are behind purposes that name no item."""
    change(changed, '"auditor", "officer"', '"auditor", "officer", "caseworker"', "audit.toml")
    exposed = run("diff", str(REGISTER), str(changed))
    assert (exposed.returncode, exposed.stdout) == (
        1,
        "exposes: newly lets caseworker use audit, of the relation `audit`\n",
    )
    closed = run("diff", str(changed), str(REGISTER))
    assert (closed.returncode, closed.stdout) == (
        0,
        "closes: no longer lets caseworker use audit\n",
    )


def test_where_protected_people_live_is_a_difference(changed: Path) -> None:
    change(changed, 'jurisdiction = "district"', 'jurisdiction = "district"\nprotected = true')
    exposed = run("diff", str(REGISTER), str(changed))
    assert (exposed.returncode, exposed.stdout) == (
        1,
        "exposes: basic-pension.application newly may see where protected people live\n",
    )
    assert run("diff", str(changed), str(REGISTER)).stdout == (
        "closes: basic-pension.application no longer may see where protected people live\n"
    )


def test_a_purpose_is_shown_with_its_terms_in_plain_words(show: Show) -> None:
    """Also what another reader would look for and not find: that there is no limit."""
    shown = show("disability-pension.application")
    assert shown[: shown.index("demands: nothing") + 2] == [
        "disability-pension.application: Decide an application for the disability pension"
        " or allowance",
        "law: Act on Pensions for Persons with Disabilities, Article 9 (to be checked)",
        "inherits from: welfare-decision",
        "roles: caseworker",
        "reaches: the household of an open case of the caller's office, of these programmes"
        " (`case`)",
        "programmes: disability-allowance, disability-pension, disabled-child-allowance",
        "jurisdiction: who lives in the caller's district",
        "where protected people live: kept, with all that leads there",
        "valid: always",
        "limits: none",
        "demands: nothing",
        "log: details of its operations are kept for 5 years",
    ]
    glass = show("break-glass")
    assert (
        "limits: recipients of one operation: 1 at most; recipients of one caller in 24 hours,"
        " under all purposes: 5 at most; open for 15 minutes"
    ) in glass
    assert "where protected people live: may be seen" in glass


def test_an_item_is_shown_with_what_may_be_done_with_it_and_by_which_rule(show: Show) -> None:
    rows = cells(show("duplicate-check"))
    assert rows["resident.birthDate"] == [
        "reduced (year)",
        "",
        "`duplicate-check` allows item `resident.birthDate`, reduced: year",
    ]
    assert rows["wouldDuplicate"][0] == "derived answer"
    counted = cells(show("policy-statistics"))["tax.earnedIncome"]
    assert counted[:2] == ["no", "filter, count"]
    assert "`policy-statistics` allows item `tax.earnedIncome` to filter by" in counted[2]


def test_conditions_of_a_purpose_are_shown_with_the_items_that_are_under_them(show: Show) -> None:
    shown = show(PENSION.removesuffix(".toml"))
    (line,) = [line for line in shown if line.startswith("only if")]
    condition, _, items = line.partition(": ")
    assert condition == (
        "only if case at stage received or investigating, or converted financial assets at least"
        " 50 % of the threshold so far, or recognised income at least 70 % of the threshold so far"
        " (Enforcement Decree of the Basic Pension Act, Article 16(4))"
    )
    assert "`banks.accounts.balance`" in items
    assert cells(shown)["banks.accounts.balance"][0] == "whole, on condition"


def test_a_purpose_is_shown_to_programs_with_the_same() -> None:
    behind, before = run("show", "break-glass", "--json"), run("--json", "show", "break-glass")
    assert behind.stdout == before.stdout
    shown = json.loads(behind.stdout)
    assert shown["limits"]["subjects_per_day"] == 5
    assert shown["obligations"] == {
        "reason": 40, "second_approver": None, "notice": True, "review_days": 7,
    }  # fmt: skip
    assert (shown["protected"], shown["relation"]) == (True, "break-glass")
    assert {
        "item": "resident.address",
        "returned": "whole",
        "rule": "`break-glass` allows category `contact`",
        "conditions": [],
        "uses": {},
    } in shown["items"]


def test_limits_and_days_are_told_as_what_they_open_or_close(changed: Path) -> None:
    change(changed, "subjects_per_day = 5", "subjects_per_day = 50", "break-glass.toml")
    change(changed, "minutes = 15", "minutes = 10", "break-glass.toml")
    ending = 'jurisdiction = "district"\nvalid = { until = 2027-12-31 }'
    change(changed, 'jurisdiction = "district"', ending)
    opened = run("diff", str(REGISTER), str(changed))
    assert (opened.returncode, opened.stdout.splitlines()) == (
        1,
        [
            "closes: basic-pension.application is valid until 2027-12-31, before always",
            "closes: break-glass is limited: open for 10 minutes; before: open for 15 minutes",
            "exposes: break-glass is limited: recipients of one caller in 24 hours, under all"
            " purposes: 50 at most; before: recipients of one caller in 24 hours, under all"
            " purposes: 5 at most",
        ],
    )
    reopened = run("diff", str(changed), str(REGISTER), "--json")
    assert reopened.returncode == 1
    assert {
        "effect": "exposes",
        "text": "basic-pension.application is valid always, before until 2027-12-31",
    } in json.loads(reopened.stdout)
