"""Keeps the details of records under keys that can be destroyed: one a day, class and term.

The keys stand in the store, wrapped under the hub's sealing key. Whoever has the store alone can
read no details, and nobody can once their key is destroyed.
"""

from __future__ import annotations

import datetime
import hmac
import os
from dataclasses import dataclass
from typing import Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hub.querylog.leaf import SALT_BYTES

YEARS = 5
"""Years that details are kept where a purpose says nothing else."""
_NONCE_BYTES = 12


class NotOpened(Exception):
    """Sealed details do not open under their key, or a key not under the sealing key."""


@dataclass(frozen=True, slots=True)
class Keep:
    """Whose details these are, and for how many years they are kept."""

    subjects: Literal["recipients", "staff"] = "recipients"
    years: int = YEARS


@dataclass(frozen=True, slots=True)
class KeyOf:
    """What a key of details is for: a day (UTC), and who is kept for how long."""

    period: str
    keep: Keep

    @property
    def expires(self) -> datetime.date:
        """The first day on which the details need not be kept any more."""
        day = datetime.date.fromisoformat(self.period) + datetime.timedelta(days=1)
        year = day.year + self.keep.years
        leap = (day.month, day.day) == (2, 29)
        return datetime.date(year, 3, 1) if leap else day.replace(year=year)

    @property
    def text(self) -> str:
        """As the key's wrapping is bound to it."""
        return f"{self.period} {self.keep.subjects} {self.keep.years}"


class Sealing:
    """Makes, wraps and unwraps keys of details under the hub's sealing key."""

    def __init__(self, sealing_key: bytes) -> None:
        if len(sealing_key) < 32:
            raise ValueError("the sealing key has fewer than 32 bytes")
        self._wrapping = AESGCM(hmac.digest(sealing_key, b"query log: keys of details", "sha256"))

    def make(self, of: KeyOf) -> bytes:
        """A new key, wrapped."""
        nonce = os.urandom(_NONCE_BYTES)
        key = AESGCM.generate_key(256)
        return nonce + self._wrapping.encrypt(nonce, key, of.text.encode())

    def unwrap(self, of: KeyOf, wrapped: bytes) -> AESGCM:
        """The key. Raises NotOpened."""
        return AESGCM(self.opened(of, wrapped))

    def opened(self, of: KeyOf, wrapped: bytes) -> bytes:
        """The key's 32 bytes. Raises NotOpened."""
        nonce, sealed = wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:]
        try:
            return self._wrapping.decrypt(nonce, sealed, of.text.encode())
        except (InvalidTag, ValueError) as error:
            raise NotOpened("a key of details does not open under the sealing key") from error


def seal(key: AESGCM, salt: bytes, details: bytes) -> bytes:
    """Salt and details under the key. A nonce is random: 2^32 records a key are safe."""
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + key.encrypt(nonce, salt + details, None)


def unseal(key: AESGCM, sealed: bytes) -> tuple[bytes, bytes]:
    """Salt and details. Raises NotOpened."""
    try:
        opened = key.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None)
    except (InvalidTag, ValueError) as error:
        raise NotOpened("sealed details do not open under their key") from error
    return opened[:SALT_BYTES], opened[SALT_BYTES:]
