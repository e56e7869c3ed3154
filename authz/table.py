"""A purpose as its file says it, and the line of those that it inherits from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import Field

from authz.condition import Condition
from authz.obligations import Obligations
from authz.purpose import LegalBasis, Limits, Relation, Validity
from authz.transform import Transform
from sources.declaration import Item
from sources.terms import Strict


class Selection(Strict):
    """Items by name, category or source."""

    items: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    def reason(self, item: Item, *, by_category: bool = True) -> str | None:
        """How the selection names the item, None where it does not."""
        if item.name in self.items:
            return f"item `{item.name}`"
        if by_category and item.category in self.categories:
            return f"category `{item.category}`"
        if item.source in self.sources:
            return f"source `{item.source}`"
        return None

    def grant(self, item: Item) -> str | None:
        """How it allows the item: what is more sensitive than its category, not through that."""
        return self.reason(item, by_category=not item.is_apart)


class Naming(Selection):
    """Items, and derived answers by name: whatever an answer is worked out from comes with it."""

    derivations: tuple[str, ...] = ()


class Reduction(Selection):
    """Items that are allowed, but reduced on release."""

    to: Transform


class Uses(Strict):
    """Items that may be used otherwise than to be returned, by use."""

    filter: Selection = Field(default_factory=Selection)
    sort: Selection = Field(default_factory=Selection)
    count: Selection = Field(default_factory=Selection)


class Restriction(Selection):
    """Items that may be asked for under a condition only, wherever they are allowed."""

    only_if: Condition


class Table(Strict):
    """A purpose's file."""

    title: str
    parent: str | None = None
    replaces: str | None = None
    legal_basis: LegalBasis
    roles: tuple[str, ...] = ()
    relation: Relation = "none"
    programmes: tuple[str, ...] = ()
    jurisdiction: Literal["district", "none"] = "none"
    protected: bool = False
    valid: Validity = Field(default_factory=Validity)
    limits: Limits = Field(default_factory=Limits)
    obligations: Obligations = Field(default_factory=Obligations)
    retention: int = Field(default=5, ge=1, le=100)
    allow: Naming = Field(default_factory=Naming)
    reduce: tuple[Reduction, ...] = ()
    prohibit: Naming = Field(default_factory=Naming)
    restrict: tuple[Restriction, ...] = ()
    use: Uses = Field(default_factory=Uses)


def line_of(code: str, tables: Mapping[str, Table]) -> Iterator[str]:
    """The purpose and its ancestors, itself first; ends at a missing parent or a circle."""
    seen: list[str] = []
    current: str | None = code
    while current is not None and current in tables and current not in seen:
        seen.append(current)
        yield current
        current = tables[current].parent
