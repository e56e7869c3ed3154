"""Reasons as they are compared: typed in full, and not pasted from one given before. Pure.

A reason is compared by its marks: keyed hashes of every four letters that follow one another,
without digits, case, spaces and punctuation, so that a changed date or name makes no new reason.
"""

from __future__ import annotations

import hashlib
import hmac
import unicodedata

ALIKE = 0.5
"""Two reasons that share this part of the shorter one's marks are the same reason."""
_LETTERS = 4
_BYTES = 8
_VARIED = 0.5
"""This part of a reason's sequences differ from each other at least, or it repeats itself."""


def _letters(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(letter for letter in folded if letter.isalpha())


def _sequences(letters: str) -> list[str]:
    return [letters[at : at + _LETTERS] for at in range(max(1, len(letters) - _LETTERS + 1))]


def lacks(text: str, least: int) -> str | None:
    """Why a text is no reason of so many characters, spaces not counted; None where it is one."""
    counted = len("".join(text.split()))
    if counted < least:
        return f"it has {counted} characters without spaces, and {least} are needed"
    sequences = _sequences(_letters(text))
    if len(sequences) < least / 4:
        return "it is hardly made of letters: say in words what has happened"
    if len(set(sequences)) < _VARIED * len(sequences):
        return "it repeats itself: say in words what has happened"
    return None


def marks(text: str, key: bytes) -> bytes:
    """The marks of a reason, sorted, one after the other."""
    made = {
        hmac.digest(key, sequence.encode(), hashlib.sha256)[:_BYTES]
        for sequence in _sequences(_letters(text))
    }
    return b"".join(sorted(made))


def alike(one: bytes, other: bytes) -> bool:
    """Whether two reasons are the same or nearly so, by their marks."""
    first, second = _split(one), _split(other)
    return len(first & second) >= ALIKE * min(len(first), len(second))


def _split(joined: bytes) -> set[bytes]:
    return {joined[at : at + _BYTES] for at in range(0, len(joined), _BYTES)}
