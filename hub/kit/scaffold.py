"""Writes a new source: a commented declaration, and its line in `hub.toml`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

_NAME = re.compile(r"[a-z][A-Za-z0-9]*\Z")
_ENABLED = re.compile(r"^enabled\s*=\s*\[(?P<names>[^\]]*)\]", re.MULTILINE)


class NotWritten(Exception):
    """A new source cannot be written; the text says why, and what to do."""


@dataclass(frozen=True)
class New:
    """What a new source is called, and how it is asked."""

    name: str
    adapter: str
    agency: str
    agency_ko: str


def declaration(new: New) -> str:
    """The text of a declaration that is good as it stands, for the integrator to change."""
    folder = files("hub.kit").joinpath("templates")
    text = "".join(
        folder.joinpath(f"{part}.toml").read_text("utf-8")
        for part in ("head", new.adapter, "items")
    )
    filled: Mapping[str, str] = {
        "AGENCY": new.agency,
        "AGENCY_KO": new.agency_ko,
        "ADAPTER": new.adapter,
        "NAME": new.name,
        "VARIABLE": re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", new.name).upper(),
    }
    return re.sub(r"@([A-Z_]+)@", lambda match: _toml(filled[match[1]]), text)


def _toml(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def write_declaration(new: New, folder: Path) -> Path:
    """Write the declaration; one that is there stays as it is. Raises NotWritten."""
    if _NAME.match(new.name) is None:
        raise NotWritten(f"`{new.name}` cannot name a source: use camelCase letters and digits")
    path = folder / f"{new.name}.toml"
    if path.exists():
        raise NotWritten(f"`{path.name}` is there already: choose another name")
    try:
        path.write_text(declaration(new), "utf-8")
    except OSError as error:
        raise NotWritten(f"`{path.name}` cannot be written: {error.strerror}") from error
    return path


def enable(name: str, settings: Path) -> bool:
    """Put a name at the end of `sources.enabled`, the rest of the file as it is.

    False where no such line was found.
    """
    text = settings.read_text("utf-8")
    found = _ENABLED.search(text)
    if found is None:
        return False
    names = found["names"].rstrip().rstrip(",")
    between = ", " if names.strip() else ""
    if "\n" in found["names"]:
        indent = re.search(r"\n(\s*)\S", found["names"])
        between = f",\n{indent[1] if indent else '  '}"
        names, after = f'{names}{between}"{name}",', "\n"
    else:
        names, after = f'{names}{between}"{name}"', ""
    start, end = found.span("names")
    settings.write_text(f"{text[:start]}{names}{after}{text[end:]}", "utf-8")
    return True
