"""The rules of one year: every formula in whole numbers, with the figures that stand in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

from schema.rules import bounds, points
from schema.rules.book import Book, Figure
from schema.rules.expression import Expression, Level, Over, nodes
from schema.rules.generated import Layout, generate
from schema.rules.lowering import Lowering, table_of

Run = Callable[[Sequence[Any], Sequence[Sequence[Any]]], tuple[tuple[Any, ...], list[Any]]]
"""Takes the household's facts and each member's in the order of the layout; gives the values of
the household's steps, and of each member's."""


@dataclass(frozen=True, eq=False)
class Year:
    """What can be worked out in a year. `gaps`: the figures that a step lacks.

    `facts` are those that it is worked out from; None for all.
    """

    book: Book
    year: int
    lowering: Lowering
    formulas: Mapping[str, Expression]
    gaps: Mapping[str, tuple[str, ...]]
    facts: frozenset[str] | None = None

    @cached_property
    def layout(self) -> Layout:
        """The order of facts and steps."""
        inputs = {
            name: entry
            for name, entry in self.book.inputs.items()
            if self.facts is None or name in self.facts
        }
        return Layout(
            household=tuple(name for name, entry in inputs.items() if entry.of == "household"),
            member=tuple(name for name, entry in inputs.items() if entry.of == "member"),
            household_steps=self._steps("household"),
            member_steps=self._steps("member"),
        )

    def _steps(self, of: Level) -> tuple[str, ...]:
        order = self.book.reached(self.formulas)
        return tuple(
            name for name in order if name in self.formulas and self.book.steps[name].of == of
        )

    @cached_property
    def over(self) -> tuple[Over, ...]:
        """Every sum and the like over the members, once."""
        found = (
            node
            for name in self.layout.household_steps
            for node in nodes(self.formulas[name])
            if isinstance(node, Over)
        )
        return tuple(dict.fromkeys(found))

    @cached_property
    def exactly(self) -> Run:
        """Works out every step from facts that are all known: whole numbers, yes or no, codes."""
        run: Run = generate(self, points.SPELLING)
        return run

    @cached_property
    def within(self) -> Run:
        """Works out what every step must lie within, from facts within bounds."""
        run: Run = generate(self, bounds.SPELLING)
        return run


@lru_cache(maxsize=64)
def year_of(book: Book, year: int) -> Year:
    """The rules of a year."""
    figures: dict[str, Figure] = {}
    for name, entry in book.parameters.items():
        figure = entry.of_year(year)
        if figure is not None:
            figures[name] = figure
    tables = {
        name: table_of(figure, book.parameters[name].beyond)
        for name, figure in figures.items()
        if book.parameters[name].by is not None
    }
    lowering = Lowering(year, figures, tables)
    formulas: dict[str, Expression] = {}
    gaps: dict[str, tuple[str, ...]] = {}
    for name in book.formulas:
        reached = book.reached((name,))
        lacking = tuple(
            entry for entry in reached if entry in book.parameters and entry not in figures
        )
        if lacking:
            gaps[name] = lacking
        else:
            formulas[name] = lowering.lower(book.formulas[name]).node
    return Year(book, year, lowering, formulas, gaps)


@lru_cache(maxsize=1000)
def rules_of(book: Book, year: int, code: str) -> Year:
    """The rules of a year as far as one programme rests on them."""
    whole, reached = year_of(book, year), frozenset(book.reached(book.programmes[code].needs))
    return replace(
        whole,
        formulas={name: node for name, node in whole.formulas.items() if name in reached},
        facts=facts_behind(book, code),
    )


@lru_cache(maxsize=1000)
def facts_behind(book: Book, code: str) -> frozenset[str]:
    """The facts that the rule of a programme rests on, in any year."""
    reached = book.reached(book.programmes[code].needs)
    return frozenset((*(name for name in reached if name in book.inputs), "applicant"))
