"""The documentation is complete and true: every setting, purpose, code, command and source."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from hub.config import Settings
from hub.errors import CODES
from sources.conformance.checks import CHECKS

DOCS = Path("docs")
PAGES = [Path("README.md"), Path("CHANGELOG.md"), *sorted(DOCS.rglob("*.md"))]


def documented(page: str) -> dict[str, str]:
    """The rows of a page's tables by what stands in code in their first column."""
    rows = re.findall(r"^\| `([^`]+)` \| (.*) \|$", (DOCS / page).read_text(), re.MULTILINE)
    return dict(rows)


def settings() -> dict[str, str]:
    """Every setting with what the code says of it."""
    found = {}
    for section, field in Settings.model_fields.items():
        name = field.alias or section
        kind = field.annotation
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            kind = kind.__args__[0]  # type: ignore[union-attr]
        for key, entry in kind.model_fields.items():
            found[f"{name}.{key}"] = entry.description or ""
    return found


def test_every_setting_is_documented_and_no_other() -> None:
    rows = {name for name in documented("configuration.md") if "." in name}
    assert rows == set(settings())


def test_every_setting_says_what_it_is() -> None:
    assert [name for name, text in settings().items() if not text] == []


def test_every_error_code_is_documented_with_its_status_and_no_other() -> None:
    rows = documented("errors.md")
    assert set(rows) == set(CODES)
    for name, row in rows.items():
        assert str(CODES[name].status) in row.partition(" | ")[0]


def test_every_purpose_is_documented_and_no_other() -> None:
    codes = {path.stem for path in Path("authz/purposes").glob("*.toml")}
    text = (DOCS / "purposes.md").read_text()
    table = text[text.index("## The purposes of the register") :]
    assert set(re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)) == codes


def test_every_command_is_documented() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "hub.cli", "--help"], capture_output=True, check=True, text=True
    ).stdout
    commands = set(re.findall(r"^    ([a-z]+)(?: |$)", shown, re.MULTILINE))
    assert commands
    rows = documented("configuration.md")
    assert {row.split()[1] for row in rows if row.startswith("hub ")} == commands


def test_every_source_of_the_catalogue_is_documented() -> None:
    text = (DOCS / "catalogue" / "README.md").read_text()
    for path in Path("sources/catalogue").glob("*.toml"):
        assert f"[`{path.stem}`]({path.stem}.md)" in text


def test_the_pages_about_the_catalogue_are_as_they_would_be_written(tmp_path: Path) -> None:
    arguments = ["catalogue", "--docs", str(tmp_path), "--config", "hub.full.toml"]
    subprocess.run([sys.executable, "-m", "hub.cli", *arguments], capture_output=True, check=True)
    written = {path.name: path.read_text() for path in tmp_path.iterdir()}
    kept = {path.name: path.read_text() for path in (DOCS / "catalogue").iterdir()}
    assert kept == written, "renew them: make catalogue"


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), f"{page} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_toml_examples_are_toml(page: Path) -> None:
    for example in re.findall(r"```toml\n(.*?)```", page.read_text(), re.DOTALL):
        assert tomllib.loads(example)


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_no_page_names_a_path_of_a_machine(page: Path) -> None:
    assert not re.search(r"/(home|root|work|tmp)/\w", page.read_text())


def test_every_check_of_the_conformance_suite_is_documented_with_its_grade() -> None:
    rows = {name: row.partition(" | ")[0] for name, row in documented("conformance.md").items()}
    assert rows == {check.name: check.grade for check in CHECKS}


def test_every_attack_has_its_row_and_every_test_named_there_is_there() -> None:
    rows = re.findall(
        r"^\| (\d+) \| .* \| (.+) \|$", (DOCS / "attacks.md").read_text(), re.MULTILINE
    )
    assert [int(number) for number, _ in rows] == list(range(1, 41))
    for number, named in rows:
        tests = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", named)
        assert tests, f"row {number} names no test"
        for file, test in tests:
            assert Path(file).exists(), f"row {number} names {file}"
            assert not test or re.search(
                rf"^(async )?def {test}\(", Path(file).read_text(), re.MULTILINE
            ), f"row {number} names {test}"


def test_every_attack_that_is_replayed_is_in_the_table() -> None:
    table = (DOCS / "attacks.md").read_text()
    for path in Path("tests/attacks").glob("test_*.py"):
        for number in re.findall(r"def test_(\d\d)_\w+", path.read_text()):
            assert f"{path}::test_{number}_" in table
