"""What agencies recorded of the calls made to them, in one shape for services and databases.

A test compares these with what was granted: they are the agencies' word, not the hub's.
"""

import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sources.simulator.registers import REGISTERS
from sources.simulator.statement import Statement, read_statement

_READER = "hub_reader"
_PREFIX = re.compile(r"^(?:execute [^:]*|statement): ", re.IGNORECASE)
_PARAMETER = re.compile(r"\$\d+ = (NULL|'(?:[^']|'')*')")
_SETTLED = 0.05


@dataclass(frozen=True)
class Access:
    """One call: whom or which cases it was about and the items it asked, by wire name.

    The items of a database are `table.column`. The context is what the call's headers said;
    a database is told none.
    """

    at: str
    source: str
    subject: str
    keys: tuple[str, ...]
    items: tuple[str, ...]
    status: int = 200
    purpose: str | None = None
    legal_basis: str | None = None
    case: str | None = None
    operation: str | None = None


def read_access(source: str, run: Path) -> list[Access]:
    """All recorded calls to a source, oldest first; none if it was never called.

    A database's log is read when it has come to rest, since its server writes it a moment
    after the statement.
    """
    if source in REGISTERS:
        return list(_statements(source, run / source / "pg" / "log" / "statements.json"))
    return list(_calls(source, run / source / "access.jsonl"))


def _lines(path: Path) -> list[dict[str, Any]]:
    """Whole lines only: the last one may still be on its way."""
    if not path.exists():
        return []
    whole = path.read_bytes().rpartition(b"\n")[0]
    return [json.loads(line) for line in whole.splitlines() if line]


def _calls(source: str, path: Path) -> Iterator[Access]:
    for entry in _lines(path):
        yield Access(
            at=entry["at"],
            source=source,
            subject="person",
            keys=tuple(entry["keys"]),
            items=tuple(entry["items"]),
            status=entry["status"],
            purpose=entry["purpose"],
            legal_basis=entry["legalBasis"],
            case=entry["case"],
            operation=entry["operation"],
        )


def _statements(source: str, path: Path) -> Iterator[Access]:
    tables = {table.name: tuple(table.columns) for table in REGISTERS[source]}
    return read_statements(source, path, tables)


def read_statements(
    source: str, path: Path, tables: Mapping[str, tuple[str, ...]]
) -> Iterator[Access]:
    """The reader's statements of a server's log, by the columns of its tables."""
    _await_rest(path)
    for entry in _lines(path):
        if entry.get("user") != _READER or not _PREFIX.match(entry.get("message", "")):
            continue
        statement = read_statement(_PREFIX.sub("", entry["message"], count=1), tables)
        if statement.tables:
            yield _selected(source, entry, statement, tables)


def _selected(
    source: str, entry: dict[str, Any], statement: Statement, tables: Mapping[str, tuple[str, ...]]
) -> Access:
    """A statement as an access: its items without the keys of persons and the as-of dates."""
    listed = [
        f"{table}.{column}"
        for table, column in statement.columns
        if column in tables[table] and column not in ("resident_no", "as_of")
    ]
    return Access(
        at=entry["timestamp"],
        source=source,
        subject="case" if "welfare_case" in statement.tables else "person",
        keys=(*_parameters(entry.get("detail", "")), *statement.literals),
        items=tuple(dict.fromkeys(listed)),
    )


def _parameters(detail: str) -> list[str]:
    """The bound values; an array counts as its members."""
    values: list[str] = []
    for quoted in _PARAMETER.findall(detail):
        if quoted == "NULL":
            continue
        value = quoted[1:-1].replace("''", "'")
        if value.startswith("{") and value.endswith("}"):
            values += [one.strip('"') for one in value[1:-1].split(",") if one]
        else:
            values.append(value)
    return values


def _await_rest(path: Path) -> None:
    """Wait until the file stops growing, at most two seconds."""
    seen = -1
    for _ in range(40):
        size = path.stat().st_size if path.exists() else 0
        if size == seen:
            return
        seen = size
        time.sleep(_SETTLED)
