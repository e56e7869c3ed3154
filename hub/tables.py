"""Tables for people: names that have to be copied are never cut off."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TextIO

from rich.console import Console
from rich.table import Column, Table

_PIPED = 240
"""Columns of text where there is no terminal to fit."""


def show(
    title: str | None,
    names: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    whole: int = 1,
    stream: TextIO | None = None,
) -> None:
    """Print a table, to the standard output or another stream.

    Its first `whole` columns are names, and stand on one line each.
    """
    columns = [
        Column(name, no_wrap=place < whole, overflow="fold") for place, name in enumerate(names)
    ]
    table = Table(*columns, title=title)
    for row in rows:
        table.add_row(*row)
    stream = stream or sys.stdout
    Console(file=stream, width=None if stream.isatty() else _PIPED).print(table)
