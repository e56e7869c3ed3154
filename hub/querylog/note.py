"""Signed notes and the keys that sign them (C2SP signed-note and tlog-cosignature, Ed25519). Pure.

A key is known by its name and four bytes of a hash. Texts are public, keys are told apart by the
type of what they sign: a log signs checkpoints, a witness signs that it has seen one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

LOG = 0x01
WITNESS = 0x04
_NAME = re.compile(r"[^\s+]+\Z")
_MOST_SIGNATURES = 64


class NoteRefused(Exception):
    """A note, a key or a signature is not what it should be; the message says why."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key, by name, type and key id; `vkey` of the specification as text."""

    name: str
    kind: int
    public: bytes

    @classmethod
    def read(cls, text: str) -> Self:
        """The verifier that a `vkey` writes. Raises NoteRefused."""
        name, _, rest = text.strip().partition("+")
        identity, _, encoded = rest.partition("+")
        try:
            key = base64.b64decode(encoded, validate=True)
            found = cls(name, key[0], key[1:])
        except (binascii.Error, IndexError) as error:
            raise NoteRefused("it is no verifier key: `NAME+ID+KEY`, the key in base64") from error
        if found.kind not in (LOG, WITNESS) or len(found.public) != 32:
            raise NoteRefused("the verifier key is of a type other than Ed25519")
        if not _NAME.match(name) or found.identity.hex() != identity.lower():
            raise NoteRefused("the verifier key's id does not fit its name and key")
        return found

    @property
    def identity(self) -> bytes:
        """The key id, 4 bytes."""
        content = self.name.encode() + b"\n" + bytes([self.kind]) + self.public
        return hashlib.sha256(content).digest()[:4]

    @property
    def text(self) -> str:
        """As a `vkey`."""
        encoded = base64.b64encode(bytes([self.kind]) + self.public).decode()
        return f"{self.name}+{self.identity.hex()}+{encoded}"

    def verifies(self, text: str, signature: bytes) -> bool:
        """Whether the signature, without key id, is this key's of the note's text."""
        content = text.encode()
        if self.kind == WITNESS:
            seconds, signature = int.from_bytes(signature[:8], "big"), signature[8:]
            content = b"cosignature/v1\ntime %d\n" % seconds + content
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, content)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key and its verifier."""

    verifier: Verifier
    private: Ed25519PrivateKey

    @classmethod
    def make(cls, name: str, kind: int = LOG) -> Self:
        """A new key. Raises NoteRefused for a name with a space or `+`."""
        if not _NAME.match(name):
            raise NoteRefused(f"`{name}` is no name of a key: leave out spaces and `+`")
        return cls._of(name, kind, Ed25519PrivateKey.generate())

    @classmethod
    def read(cls, text: str) -> Self:
        """The key of `PRIVATE+KEY+NAME+ID+KEY`, as Go's `note` writes it. Raises NoteRefused."""
        parts = text.strip().split("+", 4)
        try:
            if parts[:2] != ["PRIVATE", "KEY"] or len(parts) != 5:
                raise NoteRefused("it is no signing key: `PRIVATE+KEY+NAME+ID+KEY`")
            key = base64.b64decode(parts[4], validate=True)
            found = cls._of(parts[2], key[0], Ed25519PrivateKey.from_private_bytes(key[1:]))
        except (binascii.Error, IndexError, ValueError) as error:
            raise NoteRefused("it is no signing key: the key is no Ed25519 in base64") from error
        if found.verifier.kind not in (LOG, WITNESS) or found.verifier.identity.hex() != parts[3]:
            raise NoteRefused("the signing key's id does not fit its name and key")
        return found

    @classmethod
    def _of(cls, name: str, kind: int, private: Ed25519PrivateKey) -> Self:
        public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return cls(Verifier(name, kind, public), private)

    @property
    def text(self) -> str:
        """As it is kept in a file, secret."""
        private = self.private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        encoded = base64.b64encode(bytes([self.verifier.kind]) + private).decode()
        return f"PRIVATE+KEY+{self.verifier.name}+{self.verifier.identity.hex()}+{encoded}"

    def line(self, text: str, seconds: int = 0) -> str:
        """The signature line for a note's text; a witness's with the time, in s since 1970."""
        content, before = text.encode(), b""
        if self.verifier.kind == WITNESS:
            content = b"cosignature/v1\ntime %d\n" % seconds + content
            before = seconds.to_bytes(8, "big")
        signature = self.verifier.identity + before + self.private.sign(content)
        return f"\u2014 {self.verifier.name} {base64.b64encode(signature).decode()}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A note: its text with the last newline, and its signature lines."""

    text: str
    lines: tuple[str, ...]

    @classmethod
    def read(cls, content: str) -> Self:
        """Raises NoteRefused for what is no signed note."""
        text, blank, signatures = content.rpartition("\n\n")
        lines = tuple(f"{line}\n" for line in signatures.removesuffix("\n").split("\n"))
        if not blank or not signatures.endswith("\n") or len(lines) > _MOST_SIGNATURES:
            raise NoteRefused("it is no signed note: a text, an empty line, signature lines")
        if any(ord(character) < 32 and character != "\n" for character in content):
            raise NoteRefused("the note has control characters")
        return cls(f"{text}\n", lines)

    @property
    def content(self) -> str:
        """The whole note."""
        return f"{self.text}\n{''.join(self.lines)}"

    def signed_by(self, verifiers: Iterable[Verifier]) -> tuple[Verifier, ...]:
        """Those whose signatures stand under it.

        Raises NoteRefused where a signature of one of them does not verify, or a line is none.
        """
        known = {(verifier.name, verifier.identity): verifier for verifier in verifiers}
        found = []
        for line in self.lines:
            name, signature = signature_of(line)
            verifier = known.get((name, signature[:4]))
            if verifier is None:
                continue
            if not verifier.verifies(self.text, signature[4:]):
                raise NoteRefused(f"the signature of `{name}` does not verify")
            found.append(verifier)
        return tuple(found)


def signature_of(line: str) -> tuple[str, bytes]:
    """Name, and key id with signature, of a signature line. Raises NoteRefused."""
    dash, _, rest = line.rstrip("\n").partition(" ")
    name, _, encoded = rest.partition(" ")
    try:
        signature = base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise NoteRefused("a signature is no base64") from error
    if base64.b64encode(signature).decode() != encoded:
        raise NoteRefused("a signature is no base64")
    if dash != "\u2014" or not _NAME.match(name) or len(signature) < 5:
        raise NoteRefused("a line is no signature: a dash, a name, base64")
    return name, signature
