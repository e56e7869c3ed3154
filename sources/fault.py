"""Faults of a configuration file: where, what, and how to mend it; all of a file at once."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of one file; `place` is a dotted TOML key, with its line where that is known."""

    file: str
    place: str
    message: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}: {self.place}: {self.message}; {self.remedy}"


class FaultyConfiguration(Exception):
    """The configuration cannot be used; `faults` holds every reason found."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = tuple(faults)


class Places:
    """Finds the line of a dotted key in a TOML text, so that a fault can point at it."""

    _TABLE = re.compile(r"^\s*\[\[?\s*([^\]]+?)\s*\]\]?")
    _KEY = re.compile(r"^\s*([A-Za-z0-9_\-\"'.]+)\s*=")

    def __init__(self, text: str) -> None:
        self._lines: dict[str, int] = {}
        table = ""
        for number, line in enumerate(text.splitlines(), start=1):
            if match := self._TABLE.match(line):
                table = _plain(match[1])
                steps = table.split(".")
                for length in range(len(steps), 0, -1):
                    self._lines.setdefault(".".join(steps[:length]), number)
            elif match := self._KEY.match(line):
                key = _plain(match[1])
                self._lines.setdefault(f"{table}.{key}" if table else key, number)

    def describe(self, keys: Iterable[Any]) -> str:
        """The dotted key, followed by the line of it or of its nearest table."""
        parts = [str(key) for key in keys]
        for length in range(len(parts), 0, -1):
            line = self._lines.get(".".join(parts[:length]))
            if line is not None:
                return f"{'.'.join(parts)} (line {line})"
        return ".".join(parts) or "the file"


def _plain(key: str) -> str:
    return key.replace('"', "").replace("'", "").replace(" ", "")


def nearest(word: str, known: Iterable[str]) -> str:
    """A remedy that names the nearest known word, or all of them where few are known."""
    choices = sorted(known)
    close = difflib.get_close_matches(word, choices, n=1)
    if close:
        return f"did you mean `{close[0]}`?"
    if len(choices) <= 20:
        return "use one of " + ", ".join(f"`{choice}`" for choice in choices)
    return "see the documentation for the known names"


def shape_faults(
    file: str, places: Places, error: ValidationError, prefix: tuple[str, ...] = ()
) -> list[Fault]:
    """What pydantic found wrong with the shape of a table, as faults in our words."""
    faults = []
    for entry in error.errors(include_url=False):
        keys = (*prefix, *(key for key in entry["loc"] if key != "[key]"))
        remedy = _SHAPE_REMEDIES.get(entry["type"], "correct the value")
        message = entry["msg"][:1].lower() + entry["msg"][1:]
        if entry["type"] == "extra_forbidden":
            message = f"unknown key `{entry['loc'][-1]}`"
        elif entry["type"] == "missing":
            message = f"`{entry['loc'][-1]}` is missing"
        elif entry["type"] in ("model_type", "dict_type"):
            message = "is no table"
        elif entry["type"] == "value_error":
            message, _, after = message.removeprefix("value error, ").partition("; ")
            remedy = after or remedy
        faults.append(Fault(file, places.describe(keys), message, remedy))
    return faults


_SHAPE_REMEDIES = {
    "extra_forbidden": "remove it or correct its spelling",
    "missing": "add it",
    "model_type": "write it as a table of keys",
    "dict_type": "write it as a table of keys",
}
