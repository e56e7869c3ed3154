"""What a change of the register does, said in plain words."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from subprocess import CompletedProcess

import pytest

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


def test_what_is_shown_of_a_purpose_is_all_that_a_reader_has_to_know() -> None:
    shown = run("show", "break-glass").stdout
    assert "may see where protected people live\n" in shown
    assert "limits: subjects_per_operation 1, subjects_per_day 5\n" in shown
    used = next(
        line
        for line in run("show", "policy-statistics").stdout.splitlines()
        if "resident.sex" in line
    )
    assert "deny" in used
    assert "filter, count" in used
