"""Identifiers in the form of resident numbers that can never be real ones."""

from collections.abc import Sequence

import numpy as np

from sources.simulator.calendar import NONE
from sources.simulator.draw import Draws, Ints, Mask


def identifiers(birth_ymd: Ints, sex: Ints, foreign: Mask, seed: int) -> Ints:
    """Thirteen digits in the form of a resident number that no one can have.

    YYMMDD-SNNNNNN with 80 added to the month, so that the first six digits are no date; S
    gives sex, century and nationality as in real numbers; N is unique in each day and S.
    """
    digit = sex + 2 * (birth_ymd >= 20_000_000) + 4 * foreign
    group = (birth_ymd % 1_000_000 + 8_000) * 10 + digit
    order = np.argsort(group, kind="stable")
    ordered = group[order]
    opens = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    nth = np.arange(len(group)) - np.repeat(opens, np.diff(np.append(opens, len(group))))
    serial = np.empty(len(group), dtype=np.int64)
    shift = Draws(seed).below("serial", ordered, 1_000_000)
    # 387,419 has no factor in common with a million: within a group every serial is new.
    serial[order] = (nth * 387_419 + shift) % 1_000_000
    numbers: Ints = group * 1_000_000 + serial
    return numbers


def id_text(numbers: Ints) -> list[str]:
    """Identifiers as they are written, `YYMMDD-SNNNNNN`."""
    return [f"{number // 10_000_000:06}-{number % 10_000_000:07}" for number in numbers.tolist()]


def id_numbers(texts: Sequence[object]) -> Ints:
    """Identifiers as numbers; what is not written as one becomes -1."""
    return np.array([_id_number(text) for text in texts], dtype=np.int64)


def _id_number(text: object) -> int:
    if isinstance(text, str) and len(text) == 14 and text[6] == "-" and text.isascii():
        digits = text[:6] + text[7:]
        if digits.isdigit():
            return int(digits)
    return NONE
