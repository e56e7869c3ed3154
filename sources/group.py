"""How the people of a population are grouped by an item: what a declaration says with `group`.

Statistics divide people by these groups and by nothing finer, and choose them by the edges of
these groups and by nothing between.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from sources.terms import Strict

Kind = Literal["values", "bands", "ages"]
FITTING = {
    "values": ("String", "Boolean", "Month"),
    "bands": ("Won", "Int", "Float"),
    "ages": ("Date",),
}
"""The types of items that each kind of grouping is for."""


class Group(Strict):
    """One of: the `values` themselves, `bands` of amounts by their edges, `ages` in full years.

    A band reaches from its edge to before the next one, the last without end; what is below the
    first edge is a band of its own. `total` of a list's column: the sum of a person's rows.
    """

    values: Literal[True] | None = None
    bands: tuple[float, ...] | None = Field(default=None, min_length=1, max_length=40)
    ages: tuple[int, ...] | None = Field(default=None, min_length=1, max_length=40)
    total: bool = False

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(each is not None for each in (self.values, self.bands, self.ages)) != 1:
            raise ValueError("say one of `values = true`, `bands = [...]` and `ages = [...]`")
        if any(after <= before for before, after in pairwise(self.edges)):
            raise ValueError("each edge has to be above the one before")
        if self.total and self.bands is None:
            raise ValueError("only what has `bands` is added up by `total`")
        return self

    @property
    def kind(self) -> Kind:
        """Which of the three it is."""
        return "bands" if self.bands is not None else "ages" if self.ages is not None else "values"

    @property
    def edges(self) -> tuple[float, ...]:
        """The edges of bands or ages, ascending; none of values."""
        return self.bands if self.bands is not None else self.ages or ()


def group_fault(group: Group, kind: str, *, listed: bool) -> str | None:
    """Why an item of this type cannot be grouped so; None where it can."""
    if kind not in FITTING[group.kind]:
        return f"a {kind} is not grouped by `{group.kind}`"
    if group.total and not listed:
        return "`total` is of a list's column"
    return None


def read_group(value: Any) -> Any:
    """`group = "values"` is short for `group = { values = true }`."""
    return {"values": True} if value == "values" else value
