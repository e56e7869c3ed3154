"""Conditions on what is known of a case and a household: when items may be asked for at all. Pure.

A condition that cannot be evaluated does not hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from pydantic import Field, model_validator

from sources.terms import Strict


class AgeClass(Strict):
    """Full years of age: at least `since`, and less than `below`."""

    since: int | None = Field(default=None, ge=0, le=150)
    below: int | None = Field(default=None, ge=0, le=150)

    def holds(self, age: int | None) -> bool:
        """Whether somebody of this age is of the class."""
        return (
            age is not None
            and (self.since is None or age >= self.since)
            and (self.below is None or age < self.below)
        )

    @property
    def text(self) -> str:
        """As people read it."""
        parts = [f"{self.since} or older"] if self.since is not None else []
        parts += [f"younger than {self.below}"] if self.below is not None else []
        return " and ".join(parts)


class SoFar(Strict):
    """A means test on what was asked before, in per cent of the programme's threshold, at least."""

    recognised_income: int | None = Field(default=None, ge=0)
    financial_assets: int | None = Field(default=None, ge=0)

    @property
    def text(self) -> str:
        """As people read it."""
        parts = (
            ("recognised income", self.recognised_income),
            ("converted financial assets", self.financial_assets),
        )
        told = " and ".join(f"{what} at least {part} %" for what, part in parts if part is not None)
        return f"{told} of the threshold so far"


class Circumstance(Strict):
    """What has to be so, all of it."""

    programmes: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    age: AgeClass | None = None
    means_test: SoFar | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Circumstance:
        if not (self.programmes or self.stages or self.age or self.means_test):
            raise ValueError("says nothing: name programmes, stages, an age or a means test")
        return self

    @property
    def text(self) -> str:
        """As people read it."""
        parts = [f"programme {' or '.join(self.programmes)}"] if self.programmes else []
        parts += [f"case at stage {' or '.join(self.stages)}"] if self.stages else []
        parts += [self.age.text] if self.age else []
        parts += [self.means_test.text] if self.means_test else []
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class SoFarTested:
    """What a means test gives on what is known so far, a month and in won; nothing is guessed.

    Income and converted financial assets are the least they can be, None for no least; the
    threshold is exact.
    """

    recognised_income: int | None
    financial_assets: int | None
    threshold: int


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the case that leads to a person, and of that person.

    `tested` is None where the means test cannot be made, or has not been yet.
    """

    programmes: frozenset[str] = frozenset()
    stages: frozenset[str] = frozenset()
    age: int | None = None
    tested: SoFarTested | None = None


class Condition(Strict):
    """Items may be asked for where any of the circumstances holds; the law says which."""

    any: tuple[Circumstance, ...] = Field(min_length=1)
    act: str
    article: str
    mark: Literal["S", "K"]

    @property
    def waits(self) -> bool:
        """Whether it may rest on a means test, and so is settled when that can be made."""
        return any(one.means_test is not None for one in self.any)

    @property
    def text(self) -> str:
        """As people read it."""
        told = ", or ".join(one.text for one in self.any)
        return f"only if {told} ({self.act}, {self.article})"

    def holds(self, known: Known) -> bool:
        """Whether any circumstance is known to hold."""
        return any(_is_so(one, known) for one in self.any)


def _is_so(one: Circumstance, known: Known) -> bool:
    return (
        (not one.programmes or _within(known.programmes, one.programmes))
        and (not one.stages or _within(known.stages, one.stages))
        and (one.age is None or one.age.holds(known.age))
        and (one.means_test is None or _reaches(one.means_test, known.tested))
    )


def _within(known: frozenset[str], named: Iterable[str]) -> bool:
    """Whether all of what is known, and there is something, is named."""
    return bool(known) and known <= frozenset(named)


def _reaches(wanted: SoFar, tested: SoFarTested | None) -> bool:
    if tested is None:
        return False
    shares = (
        (wanted.recognised_income, tested.recognised_income),
        (wanted.financial_assets, tested.financial_assets),
    )
    return all(
        least is None or (amount is not None and amount >= Fraction(least, 100) * tested.threshold)
        for least, amount in shares
    )


def unmet(
    conditions: Mapping[str, tuple[Condition, ...]], items: Iterable[str], known: Known
) -> dict[str, str]:
    """The items for which a condition is not known to hold, each with that condition in words."""
    found: dict[str, str] = {}
    for item in items:
        for condition in conditions.get(item, ()):
            if not condition.holds(known):
                found[item] = condition.text
                break
    return found
