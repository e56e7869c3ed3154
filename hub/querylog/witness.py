"""`hub log witness`: remembers what a log has signed, cosigns what grew from it, refuses a fork.

It trusts nothing that the log says but its signature: that the log only grew, it works out itself
from the tiles (C2SP tlog-tiles, tlog-cosignature). It is meant for whoever oversees the hub.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from hub.querylog.checkpoint import Head, LogKey, checked
from hub.querylog.note import Note, NoteRefused, Signer
from hub.querylog.tree import (
    WIDTH,
    ProofFails,
    check_consistency,
    consistency,
    root_at,
    split,
    tile_path,
)


class LogUnreachable(Exception):
    """The log does not answer as one; nothing is said about what it holds."""


class Forked(Exception):
    """The log signed two trees of which neither grew from the other; the message has the proof."""


@dataclass(frozen=True)
class Witness:
    """A witness: the log's address and keys, its own key, the file of what it has seen."""

    address: str
    keys: Sequence[LogKey]
    signer: Signer
    state: Path
    client: httpx.Client

    def look(self) -> tuple[Head, bool]:
        """Look at the log once: what it signed last, and whether that was cosigned now.

        Raises LogUnreachable, NoteRefused for what no known key signed, and Forked.
        """
        content = self._get("checkpoint").decode(errors="replace")
        head = checked(content, self.keys)
        seen = self._seen()
        if seen is not None:
            self._compare(seen, content, head)
            known = checked(seen, self.keys)
            if head.size <= known.size:
                return head, False
        elif head.size and root_at(head.size, self._reading(head)) != head.root:
            raise Forked(f"the tiles do not have the root that was signed:\n\n{content}")
        self._remember(content)
        self._cosign(content)
        return head, True

    def _compare(self, seen: str, content: str, head: Head) -> None:
        """Check that of two checkpoints one grew from the other. Raises Forked."""
        known = checked(seen, self.keys)
        old, new = sorted((known, head), key=lambda each: each.size)
        fork = f"the log signed two trees that do not fit:\n\n{seen}\n{content}"
        if known.origin != head.origin:
            raise NoteRefused(f"the log calls itself `{head.origin}` now, not `{known.origin}`")
        if old.size == 0:
            return
        try:
            read = self._reading(new)
            proof = consistency(old.size, new.size, read)
            check_consistency(old.size, new.size, old.root, new.root, proof)
        except ProofFails as error:
            raise Forked(fork) from error

    def _reading(self, head: Head) -> _Tiles:
        return _Tiles(self, head.size, {})

    def _cosign(self, content: str) -> None:
        text = Note.read(content).text
        note = Note(text, (self.signer.line(text, int(time.time())),))
        try:
            answer = self.client.post(f"{self.address}/cosignatures", content=note.content)
        except httpx.HTTPError as error:
            raise LogUnreachable("the log did not take the cosignature") from error
        if answer.status_code != 200:
            raise LogUnreachable(f"the log did not take the cosignature: {answer.text.strip()}")

    def _get(self, path: str) -> bytes:
        try:
            answer = self.client.get(f"{self.address}/{path}")
        except httpx.HTTPError as error:
            raise LogUnreachable(f"the log does not answer: {type(error).__name__}") from error
        if answer.status_code != 200:
            raise LogUnreachable(f"the log answers {answer.status_code} for `{path}`")
        return answer.content

    def _seen(self) -> str | None:
        try:
            return self.state.read_text("utf-8")
        except FileNotFoundError:
            return None

    def _remember(self, content: str) -> None:
        """Invariant: what is cosigned is remembered first, and outlives a loss of power."""
        written = self.state.with_name(f"{self.state.name}.new")
        with written.open("w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        written.replace(self.state)
        folder = os.open(self.state.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@dataclass(frozen=True)
class _Tiles:
    """The tiles of the log's tree of a size, fetched as they are needed."""

    witness: Witness
    size: int
    found: dict[tuple[int, int], list[bytes]]

    def __call__(self, level: int, number: int, width: int) -> list[bytes]:
        hashes = self.found.get((level, number))
        if hashes is None:
            there = min(self.size // WIDTH**level - number * WIDTH, WIDTH)
            content = self.witness._get(tile_path(level, number, there))  # noqa: SLF001
            if len(content) != there * 32:
                raise LogUnreachable("the log served a tile of another width")
            hashes = self.found[level, number] = split(content)
        return hashes[:width]
