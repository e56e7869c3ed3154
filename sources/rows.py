"""Compiles how rows are read that are as they should be: an expression a column, no call a value.

Invariant: a compiled reader gives just what reading column by column gives, or raises; then what is
wrong is found column by column, and counted. Pure.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Decode = Callable[[Any], Any]
Column = tuple[str, str, Decode]
Reader = Callable[[Mapping[str, Any]], dict[str, Any]]

UNUSABLE = (KeyError, TypeError, ValueError)
"""What a reader raises where a value lacks or is not of its type."""


def compiled(
    columns: Sequence[Column], straight: Mapping[Decode, str], *, empty: bool, omitted: bool
) -> Reader:
    """What reads a row of these columns (wire, key, and what decodes a value) by key.

    `straight` has, by decoder, a test of the value at `{0}`, then `v`, that is true only of what
    the decoder gives as it is, or gives the day of; an `empty` text is none, and so is what was
    `omitted`.
    """
    bound: dict[str, Any] = {"__builtins__": {"len": len, "type": type, "int": int, "str": str}}
    bound |= {"float": float, "bool": bool, "day": datetime.date.fromisoformat}
    parts = []
    for number, (wire, key, decode) in enumerate(columns):
        bound |= {f"w{number}": wire, f"k{number}": key, f"read{number}": _one(decode, empty=empty)}
        # Invariant: what a declaration says is bound by number, and is no part of the code.
        value = f"raw.get(w{number})" if omitted else f"raw[w{number}]"
        test = straight.get(decode)
        if test is None:
            parts.append(f"k{number}: read{number}({value})")
        else:
            test = test.format(f"(v := {value})") + (" and v != ''" if empty else "")
            taken = "day(v)" if "len(v)" in test else "v"
            parts.append(f"k{number}: {taken} if {test} else read{number}(v)")
    made: Reader = eval(f"lambda raw: {{{', '.join(parts)}}}", bound)  # noqa: S307 - see above
    return made


def _one(decode: Decode, *, empty: bool) -> Decode:
    """What reads one value, which may be none."""

    def read(value: Any) -> Any:
        if value is None or (empty and value == ""):
            return None
        return decode(value)

    return read
