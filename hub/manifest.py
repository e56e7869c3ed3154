"""The manifest of trusted documents: operations by the hash of their normalised text.

Each is bound to the purposes it was written for. `hub documents add` writes the file; the hub reads
it once, at its start.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphql import DocumentNode, GraphQLError, OperationDefinitionNode, parse, print_ast

from sources.fault import Fault, nearest

Manifest = Mapping[str, "Entry"]
"""The trusted documents by hash."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A trusted document: what it is called, the purposes it is bound to, its normalised text."""

    name: str
    purposes: tuple[str, ...]
    document: str


def digest(text: str) -> str:
    """The SHA-256 of a text, in hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def read_manifest(
    path: Path, purposes: Collection[str] | None = None
) -> tuple[Manifest, list[Fault]]:
    """Read a manifest, with every fault of it; `purposes` are the codes that it may name."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        remedy = "make it with `hub documents add`, or correct the path"
        return {}, [Fault(path.name, "the file", f"cannot be read ({error.strerror})", remedy)]
    except (ValueError, RecursionError) as error:
        remedy = "make it again with `hub documents add`"
        return {}, [Fault(path.name, "the file", f"is not JSON: {error}", remedy)]
    table = found.get("documents") if isinstance(found, dict) else None
    if not isinstance(table, dict) or len(found) != 1:
        message = "is no object that holds `documents` and nothing else"
        return {}, [Fault(path.name, "the file", message, "write one object, `documents`, in it")]
    faults = [fault for key in table for fault in _faults(path.name, key, table[key], purposes)]
    if faults:
        return {}, faults
    return {
        key: Entry(entry["name"], tuple(entry["purposes"]), entry["document"])
        for key, entry in table.items()
    }, []


def _faults(file: str, key: str, entry: Any, purposes: Collection[str] | None) -> Iterator[Fault]:
    place = f"documents.{key[:12]}"
    again = "make it again with `hub documents add`"
    if not (
        isinstance(entry, dict)
        and entry.keys() == {"name", "purposes", "document"}
        and isinstance(entry["name"], str)
        and isinstance(entry["document"], str)
        and isinstance(entry["purposes"], list)
        and all(isinstance(code, str) for code in entry["purposes"])
    ):
        yield Fault(file, place, "is no object of `name`, `purposes` and `document`", again)
        return
    try:
        normalised = print_ast(parse(entry["document"]))
    except (GraphQLError, RecursionError):
        yield Fault(file, f"{place}.document", "is not GraphQL", again)
        return
    if digest(normalised) != key:
        message = "its hash is another: the document was changed"
        yield Fault(file, f"{place}.document", message, again)
    for code in entry["purposes"]:
        if purposes is not None and code not in purposes:
            message = f"there is no purpose `{code}`"
            yield Fault(file, f"{place}.purposes", message, nearest(code, purposes))


def entered(
    manifest: Manifest, documents: Iterable[tuple[str, DocumentNode]], purposes: Iterable[str]
) -> Manifest:
    """The manifest with these documents too, each with a name for want of one of its own.

    A document that it has already is bound to the purposes as well.
    """
    found = dict(manifest)
    for name, ast in documents:
        text = print_ast(ast)
        before = found.get(digest(text))
        bound = {*purposes, *(before.purposes if before else ())}
        names = [
            definition.name.value
            for definition in ast.definitions
            if isinstance(definition, OperationDefinitionNode) and definition.name
        ]
        found[digest(text)] = Entry(", ".join(names) or name, tuple(sorted(bound)), text)
    return found


def written(manifest: Manifest) -> str:
    """A manifest as the file holds it, in the order of names, so that changes can be reviewed."""
    ordered = sorted(manifest.items(), key=lambda pair: (pair[1].name, pair[0]))
    table = {
        key: {"name": entry.name, "purposes": list(entry.purposes), "document": entry.document}
        for key, entry in ordered
    }
    return json.dumps({"documents": table}, ensure_ascii=False, indent=2) + "\n"
