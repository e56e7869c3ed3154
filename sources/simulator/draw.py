"""Random draws that are the same on every machine: integers only, no state.

A draw is a pure function of the seed, the name of what is drawn and the index of the row
(Steele, Lea and Flood 2014, SplitMix64, used as a counter-based hash), so rows can be made
in any order and in blocks of any size. No float takes part in deciding a value.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Bits = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]

_GOLDEN = 0x9E3779B97F4A7C15
_WORD = (1 << 64) - 1


def _mix(value: Bits) -> Bits:
    """The finaliser of SplitMix64, on a private copy."""
    value = value ^ (value >> np.uint64(30))
    value *= np.uint64(0xBF58476D1CE4E5B9)
    value ^= value >> np.uint64(27)
    value *= np.uint64(0x94D049BB133111EB)
    value ^= value >> np.uint64(31)
    return value


def _key(seed: int, column: str) -> int:
    """FNV-1a of the column's name, folded with the seed."""
    value = 0xCBF29CE484222325
    for byte in column.encode():
        value = ((value ^ byte) * 0x100000001B3) & _WORD
    return (value ^ (seed * _GOLDEN)) & _WORD


@dataclass(frozen=True)
class Draws:
    """Draws of one seed. `index` is always the row's index in the whole population."""

    seed: int

    def bits(self, column: str, index: Ints) -> Bits:
        """64 random bits a row."""
        counter = index.astype(np.uint64) * np.uint64(_GOLDEN)
        key = int(_mix(np.array([_key(self.seed, column)], dtype=np.uint64))[0])
        return _mix(counter + np.uint64(key))

    def rank(self, column: str, index: Ints) -> Ints:
        """A uniform place in 0..65535."""
        return (self.bits(column, index) >> np.uint64(48)).astype(np.int64)

    def below(self, column: str, index: Ints, bound: int | Ints) -> Ints:
        """Uniform in 0..bound-1; `bound` at least 1 and under 2**31, one a row or one for all."""
        high = self.bits(column, index) >> np.uint64(32)
        scale = np.asarray(bound, dtype=np.int64).astype(np.uint64)
        return ((high * scale) >> np.uint64(32)).astype(np.int64)

    def between(self, column: str, index: Ints, low: int, high: int) -> Ints:
        """Uniform in low..high, both included."""
        return low + self.below(column, index, high - low + 1)

    def chance(self, column: str, index: Ints, per_10k: int | Ints) -> Mask:
        """True for `per_10k` rows in ten thousand."""
        return self.below(column, index, 10_000) < per_10k

    def pick(self, column: str, index: Ints, weights: Sequence[int] | Ints) -> Ints:
        """A place in `weights`, each as likely as its weight."""
        ends = np.cumsum(np.asarray(weights, dtype=np.int64))
        return np.searchsorted(ends, self.below(column, index, int(ends[-1])), side="right")


def spread(rank: Ints, points: Sequence[tuple[int, int]]) -> Ints:
    """The value at `rank` (0..65535) of a distribution given by (per 10,000, value) points.

    Linear between the points, in integers; the points run from 0 to 10,000.
    """
    places = np.array([place * 65536 // 10_000 for place, _ in points], dtype=np.int64)
    values = np.array([value for _, value in points], dtype=np.int64)
    at = np.clip(np.searchsorted(places, rank, side="right") - 1, 0, len(points) - 2)
    step = values[at + 1] - values[at]
    found: Ints = values[at] + step * (rank - places[at]) // (places[at + 1] - places[at])
    return found


def spread_rows(rank: Ints, tables: Ints, row: Ints) -> Ints:
    """As `spread`, by a table for each row: `tables[row]` holds equally spaced values."""
    scaled = rank * (tables.shape[1] - 1)
    at, rest = scaled >> 16, scaled & 65535
    low = tables[row, at]
    found: Ints = low + ((tables[row, at + 1] - low) * rest >> 16)
    return found
