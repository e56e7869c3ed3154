"""Every programme for one household: likely, unlikely or undetermined, why, and its worth."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

from schema.rules.assess import (
    Bounds,
    Condition,
    Inquiry,
    Lacking,
    amount,
    comparison,
    standing,
)
from schema.rules.book import Book, Programme, Step
from schema.rules.bounds import both
from schema.rules.facts import HouseholdFacts
from schema.rules.run import Values, work_out
from schema.rules.year import Year, year_of

_A_YEAR = {"month": 12, "year": 1, "once": 1}


class Likelihood(Enum):
    """Whether a household could receive a programme, by what the hub knows."""

    LIKELY = "LIKELY"
    UNLIKELY = "UNLIKELY"
    UNDETERMINED = "UNDETERMINED"


_LIKELIHOOD = {
    True: Likelihood.LIKELY,
    False: Likelihood.UNLIKELY,
    None: Likelihood.UNDETERMINED,
}
_ORDER = {Likelihood.LIKELY: 0, Likelihood.UNDETERMINED: 1, Likelihood.UNLIKELY: 2}


@dataclass(frozen=True, slots=True)
class Comparison:
    """Recognised income against the threshold, where a programme goes by one."""

    measure: Bounds
    threshold: Bounds
    met: bool | None


class Entitlement(NamedTuple):
    """What is to be said of one programme. `received` is None where receipts are not known.

    `worth` is in won a year, or once; None where no rule gives the amount. `ruled`: whether a rule
    decides it in this year; where none does it is undetermined, whatever is known.
    """

    code: str
    programme: Programme
    likelihood: Likelihood
    ruled: bool
    comparison: Comparison | None
    conditions: tuple[Condition, ...]
    lacking: tuple[Lacking, ...]
    received: bool | None
    worth: Bounds | None


def entitlements(
    book: Book,
    facts: HouseholdFacts,
    day: datetime.date,
    received: Collection[str] | None = None,
) -> tuple[Entitlement, ...]:
    """Every programme of the list for a household, likely ones first, by worth to it.

    `received` are the keys of what the household receives already, None where that is not known.
    """
    rules = year_of(book, day.year)
    household = _Household(rules, facts)
    found = [
        household.entitlement(one, None if received is None else one.key in received)
        for one in _listed(rules)
    ]
    return tuple(sorted(found, key=_rank))


@dataclass(frozen=True, slots=True, eq=False)
class _Offer:
    """A programme of the list in a year; `unruled` is what is said where no rule decides it.

    `steps` are its conditions, `compared` its measure and its threshold. `stands`: there is such a
    programme in the year.
    """

    code: str
    key: str
    programme: Programme
    ruled: bool
    unruled: Mapping[bool | None, Entitlement]
    steps: tuple[Step, ...]
    compared: tuple[str, str] | None
    stands: bool


@lru_cache(maxsize=64)
def _listed(rules: Year) -> tuple[_Offer, ...]:
    """The programmes of the list in a year."""
    found = []
    for code in sorted(rules.book.listed):
        entry = rules.book.programmes[code]
        unruled = {}
        if not entry.decidable:
            unruled = {
                received: Entitlement(
                    code, entry, Likelihood.UNDETERMINED, False, None, (), (), received, None
                )
                for received in (True, False, None)
            }
        ruled = entry.decidable and not any(name in rules.gaps for name in entry.needs)
        compared = (entry.measure, entry.threshold) if entry.measure and entry.threshold else None
        steps = tuple(rules.book.steps[name] for name in entry.conditions)
        stands = standing(entry, rules.year)
        found.append(_Offer(code, entry.key, entry, ruled, unruled, steps, compared, stands))
    return tuple(found)


class _Household:
    """One household's values, and what several programmes share of them, made once."""

    def __init__(self, rules: Year, facts: HouseholdFacts) -> None:
        self._values = work_out(rules, facts)
        self._inquiry = Inquiry(rules, facts, self._values)
        self._met = self._values.household.get
        self._comparisons: dict[tuple[str, str], Comparison | None] = {}

    def entitlement(self, offer: _Offer, received: bool | None) -> Entitlement:
        """What is to be said of a programme."""
        if offer.unruled:
            return offer.unruled[received]
        programme, compared = offer.programme, None
        truths = [self._met(name) for name in programme.conditions]
        if offer.compared:
            compared = self._comparison(*offer.compared)
            truths.append(compared.met if compared else None)
        said = _said(offer, tuple(truths))
        return Entitlement(
            code=offer.code,
            programme=programme,
            likelihood=said.likelihood,
            ruled=offer.ruled,
            comparison=compared,
            conditions=said.conditions,
            lacking=self._inquiry.keeping_open(said.open) if said.open else (),
            received=received,
            worth=_worth(programme, self._values, said.met),
        )

    def _comparison(self, measure: str, threshold: str) -> Comparison | None:
        if (measure, threshold) not in self._comparisons:
            one, other = amount(self._values, measure), amount(self._values, threshold)
            found = one and other and Comparison(one, other, comparison(one, other))
            self._comparisons[measure, threshold] = found or None
        return self._comparisons[measure, threshold]


class _Said(NamedTuple):
    """What follows from the conditions of a programme, and the steps that leave it open."""

    met: bool | None
    likelihood: Likelihood
    conditions: tuple[Condition, ...]
    open: tuple[str, ...]


@lru_cache(maxsize=10_000)
def _said(offer: _Offer, truths: tuple[bool | None, ...]) -> _Said:
    """What is said where these are the truths of the conditions, and of the comparison after."""
    names = offer.programme.conditions
    met = both(*truths) if offer.stands else False
    steps = tuple(name for name, truth in zip(names, truths, strict=False) if truth is None)
    if offer.compared and truths[-1] is None:
        steps += offer.compared
    conditions = zip(names, offer.steps, truths, strict=False)
    return _Said(
        met=met,
        likelihood=_LIKELIHOOD[met],
        conditions=tuple(Condition(*each) for each in conditions),
        open=steps if met is None else (),
    )


def _worth(programme: Programme, values: Values, met: bool | None) -> Bounds | None:
    if programme.pays is None:
        return None
    found = amount(values, programme.pays.step)
    if met is False or found is None:
        return (0, 0) if met is False else None
    times = _A_YEAR[programme.pays.per]
    low, high = found
    least = (0 if low is None else low * times) if met else 0
    return (least, None if high is None else high * times)


def _rank(found: Entitlement) -> tuple[int, int, int, str]:
    """Likely first; of those alike, what is surely worth most, then what may be, then by id."""
    least, most = found.worth or (0, 0)
    return (_ORDER[found.likelihood], -(least or 0), -(most or 0), found.code)
