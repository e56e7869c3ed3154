"""Recipients' ids, sealed until somebody has to write to them (AES-256-GCM, NIST SP 800-38D)."""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE = 12


class Unsealable(Exception):
    """It was sealed with another key, or for another record."""


class Seal:
    """Seals with a key derived (HKDF, RFC 5869) from the one that makes pseudonyms."""

    def __init__(self, key: bytes) -> None:
        derived = HKDF(SHA256(), 32, salt=None, info=b"hub notices").derive(key)
        self._cipher = AESGCM(derived)

    def close(self, text: str, record: str) -> bytes:
        """Seal a text for one record."""
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, text.encode(), record.encode())

    def open(self, sealed: bytes, record: str) -> str:
        """The text again. Raises Unsealable."""
        try:
            nonce, rest = sealed[:_NONCE], sealed[_NONCE:]
            return self._cipher.decrypt(nonce, rest, record.encode()).decode()
        except (InvalidTag, ValueError) as error:
            raise Unsealable("it was sealed with another key, or for another record") from error
