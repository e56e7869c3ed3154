"""The programmes: what is offered to whom, by which ministry and criterion, as the files say it.

A programme is a file in `schema/programmes/`, named by the code that agencies know it by.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sources.fault import Fault, FaultyConfiguration, Places, shape_faults

FOLDER = Path(__file__).with_name("programmes")
_CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\Z")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Criterion(_Strict):
    """Who may receive it, in words; `mark` is S (sourced) or K (to be checked)."""

    text: str = Field(min_length=1)
    mark: Literal["S", "K"]
    source: str = Field(min_length=1)


class _Table(_Strict):
    id: str = Field(min_length=1)
    name_ko: str = Field(min_length=1)
    name_en: str = Field(min_length=1)
    ministry: str = Field(min_length=1)
    target: str = Field(min_length=1)
    status: bool = False
    criterion: Criterion


@dataclass(frozen=True, slots=True)
class Programme:
    """A benefit or service with its criterion.

    `id` is its number in the public list of services, `code` what agencies call it in receipts
    and applications. A `status` is no benefit of the list, but something that others rest on.
    """

    code: str
    id: str
    name_ko: str
    name_en: str
    ministry: str
    target: str
    status: bool
    criterion: Criterion


@dataclass(frozen=True)
class Programmes:
    """Every programme by code, in the order of the codes."""

    by_code: Mapping[str, Programme]

    @functools.cached_property
    def listed(self) -> tuple[Programme, ...]:
        """The benefits and services of the list, in the order of their ids."""
        found = (one for one in self.by_code.values() if not one.status)
        return tuple(sorted(found, key=lambda one: one.id))

    @functools.cached_property
    def _by_name(self) -> Mapping[str, Programme]:
        return {name: one for one in self.by_code.values() for name in (one.code, one.id)}

    def find(self, name: str) -> Programme | None:
        """The programme of a code or an id; None where there is none."""
        return self._by_name.get(name)


def read_programmes(folder: Path) -> tuple[Programmes, list[Fault]]:
    """Read the programmes of a folder: those without fault, and every fault found."""
    faults: list[Fault] = []
    found: dict[str, Programme] = {}
    ids: dict[str, str] = {}
    for path in sorted(folder.glob("*.toml")):
        table = _read(path, faults)
        if table is None:
            continue
        other = ids.setdefault(table.id, path.name)
        if other != path.name:
            message = f"`{table.id}` is the id of `{other}` too"
            faults.append(Fault(path.name, "id", message, "correct one of the two"))
        fields = {name: getattr(table, name) for name in _Table.model_fields}
        found[path.stem] = Programme(code=path.stem, **fields)
    if not found and not faults:
        faults.append(Fault(folder.name, "the folder", "no programme", "add a TOML file to it"))
    return Programmes(found), faults


def _read(path: Path, faults: list[Fault]) -> _Table | None:
    try:
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        remedy = "correct the line named"
        faults.append(Fault(path.name, "the file", f"is not TOML: {error}", remedy))
        return None
    if not _CODE.match(path.stem):
        message, remedy = "its name is no code", "use lower case letters, digits and hyphens"
        faults.append(Fault(path.name, "the file", message, remedy))
    try:
        return _Table.model_validate(document)
    except ValidationError as error:
        faults += shape_faults(path.name, Places(text), error)
        return None


@functools.cache
def programmes() -> Programmes:
    """The hub's own programmes. Raises FaultyConfiguration with every fault of their files."""
    found, faults = read_programmes(FOLDER)
    if faults:
        raise FaultyConfiguration(faults)
    return found
