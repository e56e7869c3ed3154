"""Counts and amounts as they are released: perturbed by the people counted, never by chance. Pure.

After the cell-key method of the Australian Bureau of Statistics (Fraser and Wooton, A proposed
method for confidentialising tabular output to protect against differencing, UNECE work session
on statistical data confidentiality, 2005), which the Office for National Statistics uses for the
Census 2021 of England and Wales (Protecting personal data in Census 2021 results, ONS, 2023).
Every person has a record key; the sum of the keys of those counted is the cell's key, and the
cell's key decides the noise. So the same people give the same count, whoever asks in whatever
words, and nothing is gained by asking again.
"""

from __future__ import annotations

import hashlib
import hmac
import math
from bisect import bisect_right
from dataclasses import dataclass
from functools import cache
from itertools import accumulate

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEYS = 1 << 32
"""Record keys and cell keys are below this."""
BOUND = 10
"""No count is moved by more."""
VARIANCE = 9.0
"""The variance of what a count is moved by; the mean is nought."""


def record_secret(key: bytes) -> str:
    """What record keys are made with: derived (HKDF, RFC 5869) from the hub's pseudonym key."""
    return HKDF(SHA256(), 32, salt=None, info=b"hub record keys").derive(key).hex()


@cache
def noise_table() -> tuple[float, ...]:
    """The chance that a count is moved by up to -BOUND, -BOUND + 1, ... BOUND.

    The distribution of the largest entropy with this mean, variance and bound: its chances fall
    off as those of a normal one (Enderle, Giessing and Tent, Calculation of risk probabilities
    for the cell key method, Privacy in Statistical Databases 2020).
    """
    low, high = 0.0, 4.0
    for _ in range(80):
        middle = (low + high) / 2
        weights = [math.exp(-middle * v * v) for v in range(-BOUND, BOUND + 1)]
        variance = sum(
            v * v * weight for v, weight in zip(range(-BOUND, BOUND + 1), weights, strict=True)
        ) / sum(weights)
        low, high = (middle, high) if variance > VARIANCE else (low, middle)
    return tuple(chance / sum(weights) for chance in accumulate(weights))


@dataclass(frozen=True, slots=True)
class Noise:
    """Turns a cell's key into what moves its figures; without the secret nobody can."""

    secret: bytes

    def _unit(self, cell_key: int, what: str) -> float:
        """A number from 0 to before 1, always the same for a cell and what is asked of it."""
        message = f"{cell_key % KEYS} {what}".encode()
        digest = hmac.new(self.secret, message, hashlib.sha256).digest()
        return int.from_bytes(digest[:7]) / (1 << 56)

    def count(self, people: int, cell_key: int) -> int:
        """A count as it is released. Nobody stays nobody: noise makes no people up."""
        if people == 0:
            return 0
        place = bisect_right(noise_table(), self._unit(cell_key, "count"))
        return max(0, people + min(place, 2 * BOUND) - BOUND)

    def share(self, cell_key: int, what: str) -> float:
        """From -1 to 1: what part of its bound the noise of another figure takes."""
        return 2 * self._unit(cell_key, what) - 1
