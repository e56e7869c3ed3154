"""Attack 39: the register of purposes itself."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from authz.register import read_register
from hub.app import Plans
from tests.attacks.attack import Attack
from tests.command import hub

REGISTER = Path("authz/purposes")
CHECK = "duplicate-check.toml"


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """A copy of the register, to change."""
    shutil.copy(REGISTER.parent / "roles.toml", tmp_path)
    return Path(shutil.copytree(REGISTER, tmp_path / "purposes"))


def test_39_every_record_names_the_register_that_decided(attack: Attack, plans: Plans) -> None:
    answered = attack.about("identity { name }")
    denied = attack.about("tax { earnedIncome }")
    for record in (*answered.records, *denied.records):
        assert record["register"] == plans.register.version
    attack.held()


def test_39_an_old_register_put_back_has_another_hash_and_its_old_one(
    changed: Path, plans: Plans
) -> None:
    def version() -> str:
        register, faults = read_register(changed, plans.catalogue, plans.schema.derivations)
        assert faults == []
        return register.version

    assert version() == plans.register.version
    file = changed / CHECK
    new = file.read_text()
    file.write_text(new.replace('"case"]', '"case", "contact"]'))
    old = version()
    assert old != plans.register.version
    file.write_text(new)
    assert version() == plans.register.version


def test_39_what_an_old_register_would_open_is_said_before_it_is_put_back(changed: Path) -> None:
    file = changed / CHECK
    file.write_text(file.read_text().replace('"case"]', '"case", "contact"]'))
    done = hub("purposes", "diff", str(REGISTER), str(changed))
    assert done.returncode == 1
    assert "newly lets caseworker see `resident.address` whole for duplicate-check" in done.stdout


@pytest.mark.parametrize(
    ("old", "new", "names"),
    [
        ('  "resident.name",', '  "resident.name", "resident.noLonger",', "resident.noLonger"),
        ('"existence", "benefit"', '"existence", "bygone"', "bygone"),
        ("# The year of birth", '[prohibit]\nitems = ["resident.name"]\n#', "resident.name"),
        ('title = "Check', 'parent = "nobody"\ntitle = "Check', "nobody"),
    ],
    ids=["an item gone", "a category gone", "allowed and prohibited", "a parent gone"],
)
def test_39_a_register_that_contradicts_itself_or_names_what_is_gone_does_not_load(
    changed: Path, plans: Plans, old: str, new: str, names: str
) -> None:
    file = changed / CHECK
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    _, faults = read_register(changed, plans.catalogue, plans.schema.derivations)
    assert faults
    assert any(names in str(fault) and CHECK in str(fault) for fault in faults)
