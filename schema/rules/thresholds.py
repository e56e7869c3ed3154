"""The thresholds of a programme by size, read off its rule."""

from __future__ import annotations

from schema.rules.book import Book
from schema.rules.points import NoFigure
from schema.rules.reference import Reading
from schema.rules.year import year_of

SIZES = range(1, 9)
"""The sizes that are listed; the rule goes on beyond them."""


def thresholds(book: Book, code: str, year: int) -> tuple[tuple[int, int], ...]:
    """Size and amount, won, of a programme whose threshold goes by a size and nothing else.

    None for other programmes, and none for years and sizes of which there are no figures.
    """
    programme, rules = book.programmes[code], year_of(book, year)
    threshold = programme.threshold
    if threshold is None or threshold in rules.gaps:
        return ()
    reached = book.reached((threshold,))
    tables = {book.parameters[name].by for name in reached if name in book.parameters} - {None}
    size = next(iter(tables), None)
    if len(tables) != 1 or size is None:
        return ()
    found = []
    for people in SIZES:
        names = {size: people}
        try:
            for name in reached:
                if name in book.formulas and size in book.reached((name,)) and name != size:
                    reading = Reading(year, rules.lowering.figures, book.parameters, names)
                    names[name] = int(reading.value(book.formulas[name]))
        except (NoFigure, KeyError):
            break
        found.append((people, names[threshold]))
    return tuple(found)
