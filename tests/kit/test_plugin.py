"""`pytest --source NAME`, in a repository that has declarations and nothing of the hub's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hub.kit.scaffold import New, write_declaration


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "declarations").mkdir()
    write_declaration(New("pension", "rest", "Pensions", ""), tmp_path / "declarations")
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nasyncio_default_fixture_loop_scope = function\n"
    )
    (tmp_path / "test_own.py").write_text("def test_own(): pass\n")
    return tmp_path


def run(repository: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-rs", *arguments]
    return subprocess.run(
        command, cwd=repository, capture_output=True, text=True, check=False, timeout=120
    )


def test_each_check_of_the_source_is_a_test(repository: Path) -> None:
    chosen = ("-k", "answers or items or names", "-v")
    found = run(repository, "--source", "pension", "--declarations", "declarations", *chosen)
    assert found.returncode == 1
    assert "answers PASSED" in found.stdout
    assert "names FAILED" in found.stdout
    reason = "the agency's in Korean (gold): the agency has no name in Korean (`agency_ko`)"
    assert reason in found.stdout
    assert "test_own" not in found.stdout


def test_a_fault_of_the_declaration_is_told(repository: Path) -> None:
    path = repository / "declarations" / "pension.toml"
    path.write_text(path.read_text().replace('"Won"', '"Wn"'))
    found = run(repository, "--source", "pension", "--declarations", "declarations")
    assert found.returncode == 4
    assert "pension.toml: item.amount.type (line 23)" in found.stderr + found.stdout


def test_a_run_without_a_source_is_as_it_was(repository: Path) -> None:
    found = run(repository)
    assert found.returncode == 0
    assert "1 passed" in found.stdout
