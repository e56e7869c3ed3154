"""The programmes: what is offered to whom, by which ministry and criterion, as the files say it.

A programme is a table `[programme.ID]` of a file in `schema/programmes/`.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sources.fault import Fault, FaultyConfiguration, Places, shape_faults

FOLDER = Path(__file__).with_name("programmes")
_Text = Annotated[str, Field(min_length=1)]


class Programme(BaseModel):
    """A benefit or service with its criterion, whose `mark` is S (sourced) or K (to be checked).

    `key` is what agencies call it in receipts and applications.
    """

    model_config = ConfigDict(frozen=True)

    key: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    name_ko: _Text
    name_en: _Text
    ministry: _Text
    target: _Text
    criterion: _Text
    mark: Literal["S", "K"]


class _File(BaseModel):
    programme: dict[str, Programme] = {}


@dataclass(frozen=True)
class Programmes:
    """Every programme by its id: its number in the public list of services, where it has one."""

    by_id: Mapping[str, Programme]

    @functools.cached_property
    def listed(self) -> Mapping[str, Programme]:
        """The benefits and services of the public list by their numbers, in that order."""
        return {code: one for code, one in sorted(self.by_id.items()) if code.startswith("WLF")}

    @functools.cached_property
    def keys(self) -> Mapping[str, str]:
        """The ids by key."""
        return {one.key: code for code, one in self.by_id.items()}

    def find(self, name: str) -> str | None:
        """The id of a programme, from its id or its key; None where there is none."""
        return name if name in self.by_id else self.keys.get(name)


def read_programmes(folder: Path) -> tuple[Programmes, list[Fault]]:
    """Read the programmes of a folder: those without fault, and every fault found."""
    faults: list[Fault] = []
    found: dict[str, Programme] = {}
    files: dict[str, str] = {}
    keys: dict[str, str] = {}
    for path in sorted(folder.rglob("*.toml")):
        for code, programme in _read(path, faults).items():
            other = files.setdefault(code, path.name)
            if code in found:
                message = f"`{code}` stands in {other} already"
                place, remedy = f"programme.{code}", "leave one of the two out"
                faults.append(Fault(path.name, place, message, remedy))
                continue
            found[code] = programme
            if (other := keys.setdefault(programme.key, code)) != code:
                message = f"`{programme.key}` is the key of `{other}` already"
                place, remedy = f"programme.{code}.key", "give it another"
                faults.append(Fault(path.name, place, message, remedy))
    if not found and not faults:
        faults.append(Fault(folder.name, "the folder", "no programme", "add a TOML file to it"))
    return Programmes(found), faults


def _read(path: Path, faults: list[Fault]) -> Mapping[str, Programme]:
    try:
        text = path.read_text(encoding="utf-8")
        return _File.model_validate(tomllib.loads(text)).programme
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        remedy = "correct the line named"
        faults.append(Fault(path.name, "the file", f"is not TOML: {error}", remedy))
    except ValidationError as error:
        faults += shape_faults(path.name, Places(text), error)
    return {}


@functools.cache
def programmes() -> Programmes:
    """The hub's own programmes. Raises FaultyConfiguration with every fault of their files."""
    found, faults = read_programmes(FOLDER)
    if faults:
        raise FaultyConfiguration(faults)
    return found
