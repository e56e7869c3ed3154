"""Keeps what went over the wire once, without anything of a person, and reads it again.

A fixture shows how the agency writes: its shape, its codes, its formats. Every value in it is made.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub.kit.trying import Tried
from sources.declaration import Source
from sources.trace import Exchange

FOLDER = "fixtures"
"""The folder of fixtures, in that of the declarations."""
_SHAPES = (
    (re.compile(r"\d{4}-\d{2}-\d{2}"), "2000-01-01"),
    (re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}.*"), "2000-01-01T00:00:00Z"),
    (re.compile(r"\d{4}-\d{2}"), "2000-01"),
    (re.compile(r"(19|20)\d{6}"), "20000101"),
    (re.compile(r"(19|20)\d{4}"), "200001"),
    (re.compile(r"-?[\d,]+"), "1000"),
    (re.compile(r"-?\d+\.\d+"), "1.5"),
    (re.compile(r""), ""),
)
"""How a text is written, and a made one that is written so."""


@dataclass(frozen=True)
class Redaction:
    """What stays as it is: names of fields, codes, and the words of the question."""

    kept: frozenset[str]
    people: Mapping[str, str]

    def value(self, value: Any) -> Any:
        """A value of the same shape that tells of nobody."""
        if isinstance(value, Mapping):
            return {self._name(name): self.value(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.value(inner) for inner in value]
        if isinstance(value, str):
            return self._text(value)
        if type(value) is int:
            return 1000
        return 1.5 if isinstance(value, float) else value

    def _name(self, name: str) -> str:
        return name if name in self.kept else "undeclared"

    def _text(self, text: str) -> str:
        if text in self.people:
            return self.people[text]
        if text in self.kept:
            return text
        return next((made for shape, made in _SHAPES if shape.fullmatch(text)), "text")


def fixture(source: Source, tried: Tried, *, made_up: bool) -> dict[str, Any]:
    """What is kept of a question that was tried. Raises ValueError where it is no JSON."""
    people = {key: f"person-{number}" for number, key in enumerate(tried.question.keys, start=1)}
    redaction = Redaction(_words(source, tried), people)
    return {
        "source": source.name,
        "from": "a stand-in" if made_up else "the agency's test system",
        "question": {
            "subject": tried.question.subject,
            "keys": list(people.values()),
            "items": [item.name for item in tried.question.items],
        },
        "exchanges": [_redacted(redaction, exchange) for exchange in tried.exchanges],
    }


def _words(source: Source, tried: Tried) -> frozenset[str]:
    """Every word that a declaration has: names on the wire, places, codes, fixed arguments."""
    found = {step for item in source.items for part in item.wire for step in part.split(".")}
    found |= {".".join(item.wire) for item in tried.question.items}
    found |= {code for item in source.items for code in item.codes}
    stack: list[Any] = [source.adapter_table]
    while stack:
        value = stack.pop()
        if isinstance(value, Mapping):
            found |= set(value)
            stack += value.values()
        elif isinstance(value, str):
            found |= {value, *value.split(".")}
    return frozenset(found)


def _redacted(redaction: Redaction, exchange: Exchange) -> dict[str, Any]:
    return {
        "request": {"line": exchange.line.split("?")[0], "body": _body(redaction, exchange.body)},
        "response": {
            "status": exchange.status,
            "body": _body(redaction, exchange.answer),
        },
    }


def _body(redaction: Redaction, body: Any) -> Any:
    if isinstance(body, bytes):
        body = json.loads(body) if body else None
    return redaction.value(body)


def keep(folder: Path, source: Source, kept: Mapping[str, Any]) -> Path:
    """Write a fixture beside the declarations."""
    path = folder / FOLDER / f"{source.name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(kept, indent=2, ensure_ascii=False) + "\n", "utf-8")
    return path


def lacking(source: Source, folder: Path) -> Sequence[str]:
    """Items of the declaration that the fixture was not asked for: it is of an older one."""
    path = folder / FOLDER / f"{source.name}.json"
    if not path.exists():
        return []
    asked = set(json.loads(path.read_text("utf-8"))["question"]["items"])
    return [item.name for item in source.items if item.path and item.name not in asked]
