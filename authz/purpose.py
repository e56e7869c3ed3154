"""A purpose as it is decided by: which items it may see, of whom, how long and at what duty."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from pydantic import Field

from authz.condition import Condition
from authz.obligations import Obligations
from authz.transform import Transform
from sources.terms import Strict

Relation = Literal[
    "case",
    "assigned",
    "receipt",
    "self",
    "household",
    "break-glass",
    "oversight",
    "audit",
    "population",
    "none",
]
BY_CASE: frozenset[Relation] = frozenset({"case", "assigned"})
"""The relations that rest on a case."""
OF_NOBODY: frozenset[Relation] = frozenset({"oversight", "audit", "population", "none"})
"""The relations by which no person is reached."""
ALONE: Mapping[Relation, str] = {
    "self": "reads one's own record and nothing else",
    "household": "reads one's own record and one's children's, each by its id, and nothing else",
    "break-glass": "reaches the recipient named and nothing else",
}
"""The relations that reach the recipients named and nobody by way of them, in words."""


USES: Mapping[str, str] = {
    "filter": "choose rows by their value",
    "sort": "put rows in the order of their value",
    "count": "say how many rows there are",
}
"""What may be done with an item beside returning it, each allowed apart."""


class LegalBasis(Strict):
    """The act and article a purpose rests on; `mark` is S (sourced) or K (to be checked)."""

    act: str
    article: str
    mark: Literal["S", "K"]

    @property
    def text(self) -> str:
        """As an agency is told it and the log says it."""
        return f"{self.act}, {self.article}"


class Validity(Strict):
    """The days on which a purpose may be used, both included."""

    since: datetime.date | None = None
    until: datetime.date | None = None

    def refuses(self, today: datetime.date) -> str | None:
        """Why the purpose may not be used today; None where it may."""
        if self.since is not None and today < self.since:
            return f"is valid from {self.since}"
        if self.until is not None and today > self.until:
            return f"was valid until {self.until}"
        return None


class Limits(Strict):
    """How many distinct recipients one operation may name, and one person may see in a day.

    `minutes`: how long a break-glass stays open. `anew`: whether sources may be asked again though
    what was kept of them would serve.
    """

    subjects_per_operation: int | None = Field(default=None, ge=1)
    subjects_per_day: int | None = Field(default=None, ge=1)
    minutes: int = Field(default=15, ge=1, le=60)
    anew: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What is decided for one item, by which rule, and how the caller may mend a denial.

    `item` may be a derived answer. `use`: what the item is asked for, where it is to be worked with
    and not to be returned: one of `USES`, or a derived answer.
    """

    item: str
    allowed: bool
    rule: str
    remedy: str
    transform: Transform | None = None
    use: str | None = None


@dataclass(frozen=True)
class Purpose:
    """A purpose, compiled: `decisions` has one for every item of the enabled sources.

    `conditions` are those under which an item may be asked for at all, all of which have to hold.
    `uses` has decisions for each use of `USES`. `derivations` has one for every derived answer that
    the purpose or an ancestor names, and `prohibited` the items that one of them prohibits, which
    no derived answer makes use of.
    `exists` names, for every item, the item of its source's having a record. `protected` is set
    where it may see where a person lives whose address is kept safe.
    """

    code: str
    title: str
    parent: str | None
    legal_basis: LegalBasis
    roles: frozenset[str]
    relation: Relation
    programmes: frozenset[str]
    jurisdiction: Literal["district", "none"]
    decisions: Mapping[str, Decision]
    exists: Mapping[str, str]
    valid: Validity = field(default_factory=Validity)
    limits: Limits = field(default_factory=Limits)
    obligations: Obligations = field(default_factory=Obligations)
    protected: bool = False
    derivations: Mapping[str, Decision] = field(default_factory=dict)
    prohibited: frozenset[str] = frozenset()
    conditions: Mapping[str, tuple[Condition, ...]] = field(default_factory=dict)
    uses: Mapping[str, Mapping[str, Decision]] = field(default_factory=dict)
    retention: int = 5
    """Years that the query log keeps the details of the purpose's operations."""

    @cached_property
    def waiting(self) -> frozenset[str]:
        """The items that may rest on a means test, and so are asked for in a later round."""
        return frozenset(
            item
            for item, conditions in self.conditions.items()
            if any(condition.waits for condition in conditions)
        )

    @property
    def case_needed(self) -> bool:
        """Whether the caller must name a case."""
        return self.relation in BY_CASE

    @cached_property
    def allowed_items(self) -> tuple[str, ...]:
        """The items the purpose may see."""
        return tuple(name for name, decision in self.decisions.items() if decision.allowed)

    @cached_property
    def open_items(self) -> frozenset[str]:
        """The items it may see, together with whether their source has a record at all."""
        allowed = frozenset(self.allowed_items)
        return frozenset(name for name in allowed if self.exists[name] in allowed)

    @cached_property
    def transforms(self) -> Mapping[str, Transform]:
        """How the items are reduced that it may see reduced only."""
        return {
            name: decision.transform
            for name, decision in self.decisions.items()
            if decision.allowed and decision.transform is not None
        }
