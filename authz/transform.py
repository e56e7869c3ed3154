"""How an allowed value is reduced before release: masked, banded, or told by its part. Pure."""

from __future__ import annotations

import datetime
from typing import Any, Literal

from pydantic import Field, model_validator

from sources.declaration import ItemType
from sources.terms import Strict

_TYPES: dict[str, frozenset[ItemType]] = {
    "mask": frozenset({"String", "ID"}),
    "band": frozenset({"Won", "Int", "Float"}),
    "exists": frozenset({"String", "ID"}),
    "district": frozenset({"String"}),
    "year": frozenset({"Date", "Month"}),
}


class Transform(Strict):
    """One way of reducing a value; a value that is absent stays absent.

    `mask`: all but so many last characters become `*`. `band`: the highest of these steps that
    the value reaches, the lowest where it reaches none. `exists`: the word `exists`. `district`:
    the first two words of an address, province and district. `year`: the first day, or month, of
    the year.
    """

    mask: int | None = Field(default=None, ge=0, le=8)
    band: tuple[int, ...] | None = Field(default=None, min_length=1)
    exists: Literal[True] | None = None
    district: Literal[True] | None = None
    year: Literal[True] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Transform:
        if len(self.model_fields_set) != 1:
            raise ValueError("it says not just one way to reduce; name one of " + ", ".join(_TYPES))
        if self.band is not None and list(self.band) != sorted(set(self.band)):
            raise ValueError("the steps of `band` do not rise; write them from low to high")
        return self

    @property
    def kind(self) -> str:
        """The one way it says."""
        return next(iter(self.model_fields_set))

    @property
    def text(self) -> str:
        """It in words, for people: `band 0, 10000000`."""
        value = getattr(self, self.kind)
        if isinstance(value, tuple):
            return f"{self.kind} {', '.join(map(str, value))}"
        return self.kind if value is True else f"{self.kind} {value}"

    def fits(self, kind: ItemType) -> bool:
        """Whether values of a type can be reduced in this way."""
        return kind in _TYPES[self.kind]

    def reduce(self, value: Any) -> Any:
        """The reduced value, of the same type."""
        if value is None:
            return None
        if self.mask is not None:
            kept = value[len(value) - self.mask :] if self.mask < len(value) else ""
            return "*" * (len(value) - len(kept)) + kept
        if self.band is not None:
            return max((step for step in self.band if step <= value), default=self.band[0])
        if self.exists:
            return "exists"
        if self.district:
            return " ".join(str(value).split()[:2])
        if isinstance(value, datetime.date):
            return value.replace(month=1, day=1)
        return f"{value[:4]}-01"
