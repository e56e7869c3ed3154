"""Operations held against schema, register and manifest before they are deployed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from authz.purpose import Decision, Purpose
from hub.app import Plans
from hub.config import Limits
from hub.documents import Document, Documents
from hub.errors import RequestRefused, refused
from hub.explain import explain
from hub.manifest import Manifest, entered

Verdict = Literal["allowed", "denied", "invalid", "not trusted"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What is to be said of one operation under one purpose, or of a file that holds none."""

    file: str
    operation: str | None
    purpose: str | None
    verdict: Verdict
    denied: tuple[Decision, ...] = ()
    messages: tuple[str, ...] = ()

    def __str__(self) -> str:
        what = " ".join(part for part in (self.file, self.operation) if part)
        told = f"{what}: {self.verdict}"
        if self.purpose is not None:
            told += f" under `{self.purpose}`"
        lines = [told, *(f"  {message}" for message in self.messages)]
        for entry in self.denied:
            use = "" if entry.use is None else f" for `{entry.use}`"
            lines.append(f"  `{entry.item}`{use}: {entry.rule}; {entry.remedy}")
        return "\n".join(lines)


class NotAdded(Exception):
    """Files that can be no trusted documents, each with why."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__("\n".join(str(finding) for finding in findings))


def lint(
    plans: Plans,
    limits: Limits,
    folder: Path,
    purpose: Purpose | None,
    manifest: Manifest | None,
) -> Iterator[Finding]:
    """What is to be said of every `.graphql` file below a folder.

    Each is held against the purpose, or else those that the manifest binds it to. With a manifest,
    what is not in it is a finding too.
    """
    for path in sorted(each for each in folder.rglob("*.graphql") if not each.is_dir()):
        file = str(path.relative_to(folder))
        try:
            text = text_of(path.read_bytes())
            document = Documents(plans.schema.graphql, limits).read(
                text, lambda: plans.schema.graphql
            )
        except RequestRefused as refusal:
            yield Finding(file, None, None, "invalid", messages=_messages(refusal))
            continue
        except OSError as error:
            message = f"it cannot be read: {error.strerror}"
            yield Finding(file, None, None, "invalid", messages=(message,))
            continue
        if not document.operations:
            yield Finding(file, None, None, "invalid", messages=("it holds no operation",))
        bound: Collection[str] = ()
        if manifest is not None:
            entry = manifest.get(document.sha256)
            bound = entry.purposes if entry is not None else ()
            if entry is None or (purpose is not None and purpose.code not in bound):
                code = purpose.code if purpose else None
                yield Finding(file, None, code, "not trusted", messages=(_missing(code),))
        purposes = plans.register.purposes
        for under in [purpose] if purpose else [purposes[code] for code in bound]:
            yield from _decided(plans, limits, file, text, document, under)


def text_of(document: bytes) -> str:
    """The text of a document. Raises RequestRefused where it is not UTF-8."""
    try:
        return document.decode()
    except UnicodeDecodeError as wrong:
        message = f"it is no text in UTF-8: see its byte {wrong.start + 1}"
        raise refused("GRAPHQL_PARSE_FAILED", message) from wrong


def _missing(code: str | None) -> str:
    bound = f" --purpose {code}" if code else ""
    return f"the manifest has it not; add it with `hub documents add{bound}`"


def _decided(
    plans: Plans, limits: Limits, file: str, text: str, document: Document, purpose: Purpose
) -> Iterator[Finding]:
    for operation in document.operations:
        try:
            decisions = explain(plans, limits, purpose, text, operation).decisions
        except RequestRefused as refusal:
            yield Finding(file, operation, purpose.code, "invalid", messages=_messages(refusal))
            continue
        denied = tuple(decision for decision in decisions if not decision.allowed)
        verdict: Verdict = "denied" if denied else "allowed"
        yield Finding(file, operation, purpose.code, verdict, denied)


def _messages(refusal: RequestRefused) -> tuple[str, ...]:
    return tuple(str(entry) for entry in refusal.errors)


def add(
    plans: Plans, limits: Limits, manifest: Manifest, files: Iterable[Path], purposes: list[str]
) -> Manifest:
    """The manifest with these files too, bound to the purposes.

    Raises OSError, and NotAdded for files that the schema does not fit.
    """
    documents = Documents(plans.schema.graphql, limits)
    found = []
    faults = []
    for path in files:
        try:
            text = text_of(path.read_bytes())
            found.append((path.stem, documents.read(text, lambda: plans.schema.graphql).ast))
        except RequestRefused as refusal:
            faults.append(Finding(str(path), None, None, "invalid", messages=_messages(refusal)))
    if faults:
        raise NotAdded(tuple(faults))
    return entered(manifest, found, purposes)
