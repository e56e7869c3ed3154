"""Every programme for one household: likely, unlikely or undetermined, why, and its worth."""

from __future__ import annotations

import datetime
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from schema.rules.assess import Bounds, Condition, Inquiry, Lacking, amount, comparison, verdict
from schema.rules.book import Book, Programme
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


@dataclass(frozen=True, slots=True)
class Entitlement:
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
    values = work_out(rules, facts)
    inquiry = Inquiry(rules, facts, values)
    found = [
        _entitlement(rules, code, values, inquiry, received)
        for code in book.programmes
        if code.startswith("WLF")
    ]
    return tuple(sorted(found, key=_rank))


def _entitlement(
    rules: Year,
    code: str,
    values: Values,
    inquiry: Inquiry,
    received: Collection[str] | None,
) -> Entitlement:
    programme = rules.book.programmes[code]
    got = None if received is None else programme.key in received
    if not programme.decidable:
        return _unruled(code, programme, got)
    met = verdict(rules, programme, values)
    return Entitlement(
        code=code,
        programme=programme,
        likelihood=_LIKELIHOOD[met],
        ruled=not any(name in rules.gaps for name in programme.needs),
        comparison=_comparison(programme, values),
        conditions=tuple(
            Condition(name, rules.book.steps[name], values.household.get(name))
            for name in programme.conditions
        ),
        lacking=inquiry.lacking(programme) if met is None else (),
        received=got,
        worth=_worth(programme, values, met),
    )


@lru_cache(maxsize=4096)
def _unruled(code: str, programme: Programme, received: bool | None) -> Entitlement:
    undetermined = Likelihood.UNDETERMINED
    return Entitlement(code, programme, undetermined, False, None, (), (), received, None)


def _comparison(programme: Programme, values: Values) -> Comparison | None:
    measure, threshold = amount(values, programme.measure), amount(values, programme.threshold)
    if measure is None or threshold is None:
        return None
    return Comparison(measure, threshold, comparison(measure, threshold))


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
