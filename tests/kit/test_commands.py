"""The kit's commands, as an integrator types them in an empty folder."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path
from subprocess import CompletedProcess
from unittest.mock import patch

import pytest

from hub.kit.scaffold import New, write_declaration
from hub.kit.sources import Workplace, check
from tests import command

REPOSITORY = Path(__file__).parents[2]
Run = Callable[..., CompletedProcess[str]]

SETTINGS = """\
# Kept as it is.
[sources]
enabled = ["tax"]  # the agencies
catalogue = "declarations"

[roles]
identity = "tax"
cases = "tax"

[documents]
mode = "off"

[log]
store = "sqlite+aiosqlite:///log.db"
pseudonym_key = "key"
sealing_key = "key"
signing_key = "key"

[[issuers]]
issuer = "https://id.example"
audience = "hub"
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An integrator's folder with settings of its own."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "declarations").mkdir()
    (folder / "hub.toml").write_text(SETTINGS)
    return folder


@pytest.fixture(scope="module")
def hub(project: Path) -> Run:
    """Runs `hub` in the folder."""

    def run(*arguments: str) -> CompletedProcess[str]:
        with chdir(project), patch.dict(os.environ):
            return command.hub(*arguments)

    return run


@pytest.fixture(scope="module")
def pension(hub: Run) -> CompletedProcess[str]:
    """The source `pension`, just made."""
    return hub("source", "new", "pension", "--agency", "National Pension Service")


def test_a_new_source_is_written_with_its_fixture_and_its_line(
    project: Path, pension: CompletedProcess[str]
) -> None:
    assert (pension.returncode, pension.stderr) == (0, "")
    assert pension.stdout.splitlines() == [
        "wrote declarations/pension.toml: say there what the agency holds and how it is asked",
        "enabled `pension` in hub.toml",
        "wrote declarations/fixtures/pension.json: what went over the wire, every value in it made",
        "next: hub source test pension",
    ]
    enabled = SETTINGS.replace('["tax"]', '["tax", "pension"]')
    assert (project / "hub.toml").read_text() == enabled
    written = (project / "declarations" / "pension.toml").read_text()
    assert 'agency = "National Pension Service"' in written
    assert len(written.splitlines()) <= 40


@pytest.mark.usefixtures("pension")
def test_a_source_that_is_there_is_not_written_over(project: Path, hub: Run) -> None:
    before = (project / "declarations" / "pension.toml").read_text()
    again = hub("source", "new", "pension")
    assert again.returncode == 2
    assert again.stderr == "`pension.toml` is there already: choose another name\n"
    assert (project / "declarations" / "pension.toml").read_text() == before


def test_a_name_that_cannot_be_one_is_refused(hub: Run) -> None:
    refused = hub("source", "new", "../pension")
    assert refused.returncode == 2
    message = "`../pension` cannot name a source: use camelCase letters and digits\n"
    assert refused.stderr == message


@pytest.mark.parametrize("adapter", ["rest", "graphql", "xroad", "dci", "soap", "sql", "file"])
def test_what_is_written_for_every_adapter_has_no_fault(tmp_path: Path, adapter: str) -> None:
    write_declaration(New("pension", adapter, 'Office "A"', ""), tmp_path)
    assert check(Workplace(tmp_path, tmp_path), ["pension"], environment=False) == []


def test_every_fault_is_told_at_once_with_its_remedy(tmp_path: Path, hub: Run) -> None:
    (tmp_path / "pension.toml").write_text(
        '[source]\nagency = "A"\ndescription = "B"\nadapter = "rest"\ntimeout = "2"\n'
        '[rest]\nurl = "${PENSION_URL}"\nkeys = "ids"\nitems = "fields"\nrecord = "records"\n'
        '[item.amount]\ndescription = "C"\ntype = "Won"\ncategory = "benefits"\n'
    )
    checked = hub("source", "check", "--declarations", str(tmp_path))
    assert checked.returncode == 2
    assert [line.split(": ")[1] for line in checked.stderr.splitlines()[:-1]] == [
        "source.timeout (line 5)",
        "item.amount.category (line 14)",
    ]


@pytest.mark.usefixtures("pension")
def test_a_grade_is_kept_and_shown_while_the_source_is_as_tested(project: Path, hub: Run) -> None:
    tested = hub("source", "test", "pension", "--keep", "--grade", "gold", "--json")
    (found,) = json.loads(tested.stdout).values()
    failed = [one["name"] for one in found["checks"] if one["result"] == "failed"]
    assert (tested.returncode, found["grade"], failed) == (1, "silver", ["names"])
    (row,) = json.loads(hub("sources", "--json").stdout)
    assert (row["name"], row["enabled"], row["grade"]) == ("pension", "yes", "silver")
    path = project / "declarations" / "pension.toml"
    before = path.read_text()
    path.write_text(f"{before}# changed\n")
    (row,) = json.loads(hub("sources", "--json").stdout)
    assert row["grade"] == "changed since tested"
    path.write_text(before)


@pytest.mark.usefixtures("pension")
def test_trying_shows_the_mapped_record(hub: Run) -> None:
    tried = hub("source", "try", "pension", "--person", "829020-1705151", "--items", "amount")
    assert tried.returncode == 0
    assert "Record of 829020-1705151, as of 2026-10-31" in tried.stdout
    assert "pension.amount" in tried.stdout
    assert "pension.payments" not in tried.stdout


@pytest.mark.usefixtures("pension")
def test_an_item_that_is_not_there_is_told_with_the_nearest(hub: Run) -> None:
    tried = hub("source", "try", "pension", "--items", "amonut")
    assert tried.returncode == 2
    message = "`pension` has no item `amonut`: did you mean `pension.amount`?\n"
    assert tried.stderr == message


@pytest.mark.usefixtures("pension")
def test_a_test_system_is_asked_about_nobody_who_is_not_named(hub: Run) -> None:
    tried = hub("source", "try", "pension", "--test-system")
    assert tried.returncode == 2
    assert "the environment has no `PENSION_URL`" in tried.stderr


@pytest.mark.usefixtures("pension")
def test_a_bench_measures_each_size_of_call(hub: Run) -> None:
    measured = hub("source", "bench", "pension", "--seconds", "0.2", "--json")
    rows = json.loads(measured.stdout)
    assert [(row["people"], row["at_once"]) for row in rows] == [
        (people, at_once) for people in (1, 10, 100) for at_once in (1, 16)
    ]
    assert all(row["calls"] and 0 < row["middle"] <= row["slow"] for row in rows)
