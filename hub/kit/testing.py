"""Runs the conformance suite for the kit: as a table, and as the grades that are kept."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import TypeAdapter

from hub.kit.sources import Workplace, stand_in
from sources.conformance.checks import CHECKS
from sources.conformance.run import Result, examine_all, grade, setting
from sources.declaration import Source

_BULK = re.compile(rb"^\[bulk[.\]].*?(?=^\[(?!bulk[.\]])|\Z)", re.MULTILINE | re.DOTALL)
GRADES = "grades.json"
"""The file of grades, in the folder of declarations."""


@dataclass(frozen=True)
class Graded:
    """What a source reached, when, by which declaration, and which checks it failed."""

    grade: str | None
    on: str
    declaration: str
    failed: tuple[str, ...]


_GRADES = TypeAdapter(dict[str, Graded])


async def examine(
    workplace: Workplace, source: Source, told: Callable[[Result], None]
) -> list[Result]:
    """Every check against a stand-in, each result told as it comes."""
    results = []
    async with (
        stand_in(workplace, source) as found,
        setting(source, workplace.adapters[source.adapter], found) as examined,
    ):
        async for result in examine_all(examined, CHECKS):
            told(result)
            results.append(result)
    return results


def graded(workplace: Workplace, source: Source, results: Sequence[Result]) -> Graded:
    """The grade of some results, for the declaration as it is now."""
    return Graded(
        grade=grade(results),
        on=datetime.now(UTC).date().isoformat(),
        declaration=digest(workplace.declarations / source.file),
        failed=tuple(one.check.name for one in results if one.verdict == "failed"),
    )


def digest(path: Path) -> str:
    """The hash by which a declaration is known to be another; `[bulk]` is not what was tested."""
    return hashlib.sha256(_BULK.sub(b"", path.read_bytes())).hexdigest()[:16]


def read_grades(folder: Path) -> dict[str, Graded]:
    """The grades that are kept beside the declarations."""
    try:
        return _GRADES.validate_json((folder / GRADES).read_bytes())
    except FileNotFoundError:
        return {}


def keep(folder: Path, name: str, found: Graded) -> None:
    """Keep a grade beside the declarations."""
    grades = {**read_grades(folder), name: found}
    text = _GRADES.dump_json({one: grades[one] for one in sorted(grades)}, indent=2)
    (folder / GRADES).write_bytes(text + b"\n")


def shown(folder: Path, name: str, grades: Mapping[str, Graded]) -> str:
    """A grade in words; one of another declaration is none."""
    found = grades.get(name)
    if found is None:
        return "not tested"
    if digest(folder / f"{name}.toml") != found.declaration:
        return "changed since tested"
    return found.grade or "none"
