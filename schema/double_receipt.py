"""Whether benefits are received twice, or by somebody who may not have them any more. Pure.

A fact that is not known never reads as one that clears: the check says that it is not known, and
who would settle it, unless no answer could change the result.
"""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import strawberry

from schema.law import Basis, Exclusion, ReceiptLaw
from schema.view import State


@strawberry.enum(description="What is checked.")
class Kind(Enum):
    """The ways in which receipts can be too many."""

    SAME_PROGRAMME = "same-programme"
    EXCLUSIVE = "exclusive"
    AFTER_DEATH = "after-death"
    ABROAD = "abroad"
    IN_CUSTODY = "in-custody"
    HOUSEHOLD_CHANGE = "household-change"


@strawberry.enum(description="What a check came to.")
class Result(Enum):
    """TO_REVIEW: nothing in the receipts says that the benefit was decided anew."""

    FOUND = "found"
    TO_REVIEW = "to-review"
    NOT_FOUND = "not-found"
    NOT_KNOWN = "not-known"


@dataclass(frozen=True, slots=True)
class Unknown:
    """A fact that is not known: why, and who would settle it. `item` where there is one."""

    state: State
    settled_by: str
    item: str | None = None


@dataclass(frozen=True, slots=True)
class Paid:
    """A receipt: a benefit for one month, `YYYY-MM`. What the agency leaves out is None."""

    programme: str | None
    office: str | None
    month: str | None
    state: str | None
    amount: int | None = None


Day = datetime.date | None | Unknown
"""A date; None where there is none: who is not dead has no date of death."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one person. A stay that is over has an end; one that lasts has none."""

    receipts: Sequence[Paid] | Unknown
    death: Day
    abroad_since: Day
    abroad_until: Day
    custody_since: Day
    custody_until: Day
    household_since: Day


@dataclass(frozen=True, slots=True)
class Finding:
    """Receipts that are too many, by one rule."""

    programmes: tuple[str, ...]
    offices: tuple[str, ...]
    months: tuple[str, ...]
    receipts: tuple[Paid, ...]
    basis: Basis
    reason: str

    @property
    def amount(self) -> int | None:
        """What all of these receipts come to, won; None while an amount is not known."""
        amounts = [paid.amount for paid in self.receipts]
        return None if None in amounts else sum(amount for amount in amounts if amount is not None)


@dataclass(frozen=True, slots=True)
class Check:
    """What one check came to, and what is missing for more."""

    kind: Kind
    result: Result
    findings: tuple[Finding, ...]
    missing: tuple[Unknown, ...]


def month_of(day: datetime.date) -> str:
    """The month of a day, as receipts name it."""
    return f"{day:%Y-%m}"


def checks(facts: Facts, law: ReceiptLaw, incomplete: Unknown) -> tuple[Check, ...]:
    """Every check of one person's receipts.

    `incomplete` is what is said of a receipt whose programme, month or state lacks.
    """
    if isinstance(facts.receipts, Unknown):
        missing = (facts.receipts,)
        return tuple(Check(kind, Result.NOT_KNOWN, (), missing) for kind in Kind)
    whole = [one for one in facts.receipts if one.programme and one.month and one.state]
    gap = () if len(whole) == len(facts.receipts) else (incomplete,)
    paid = [one for one in whole if one.state == "paid"]
    found: Mapping[Kind, tuple[list[Finding], list[Unknown]]] = {
        Kind.SAME_PROGRAMME: _same_programme(paid, law, incomplete),
        Kind.EXCLUSIVE: (list(_exclusive(paid, law)), []),
        Kind.AFTER_DEATH: _after_death(paid, facts, law),
        Kind.ABROAD: _abroad(paid, facts, law),
        Kind.IN_CUSTODY: _in_custody(paid, facts, law),
        Kind.HOUSEHOLD_CHANGE: _household_change(paid, facts, law),
    }
    return tuple(
        _check(kind, findings, (*gap, *missing)) for kind, (findings, missing) in found.items()
    )


def _check(kind: Kind, findings: Sequence[Finding], missing: Iterable[Unknown]) -> Check:
    lacking = tuple(dict.fromkeys(missing))
    result = Result.NOT_KNOWN if lacking else Result.NOT_FOUND
    if findings:
        result = Result.TO_REVIEW if kind is Kind.HOUSEHOLD_CHANGE else Result.FOUND
    return Check(kind, result, tuple(findings), lacking)


def _finding(receipts: Iterable[Paid], basis: Basis, reason: str) -> Finding:
    of = tuple(sorted(receipts, key=lambda one: (one.month or "", one.programme or "")))
    return Finding(
        programmes=tuple(sorted({one.programme for one in of if one.programme})),
        offices=tuple(sorted({one.office for one in of if one.office})),
        months=tuple(sorted({one.month for one in of if one.month})),
        receipts=of,
        basis=basis,
        reason=reason,
    )


def _same_programme(
    paid: Sequence[Paid], law: ReceiptLaw, incomplete: Unknown
) -> tuple[list[Finding], list[Unknown]]:
    """One programme, one month, two offices: a finding for each programme."""
    groups: dict[tuple[str | None, str | None], list[Paid]] = {}
    for one in paid:
        groups.setdefault((one.programme, one.month), []).append(one)
    twice: dict[str | None, list[Paid]] = {}
    missing = []
    for (programme, _), of in groups.items():
        if len({one.office for one in of if one.office}) > 1:
            twice.setdefault(programme, []).extend(of)
        elif len(of) > 1 and any(one.office is None for one in of):
            missing.append(incomplete)
    reason = "the same programme is paid for the same month by two offices"
    return [_finding(of, law.same_programme, reason) for of in twice.values()], missing


def _pairs(rule: Exclusion) -> Iterator[tuple[str, str]]:
    return itertools.product(rule.programmes, rule.excludes)


def _exclusive(paid: Sequence[Paid], law: ReceiptLaw) -> Iterator[Finding]:
    """Two programmes that exclude each other, in one month: a finding for each pair."""
    by_month: dict[tuple[str | None, str | None], list[Paid]] = {}
    for receipt in paid:
        by_month.setdefault((receipt.programme, receipt.month), []).append(receipt)
    months = sorted({month for _, month in by_month if month})
    for rule in law.exclusive:
        applying = [month for month in months if int(month[-2:]) in rule.months]
        for one, other in _pairs(rule):
            both = [
                month for month in applying if {(one, month), (other, month)} <= by_month.keys()
            ]
            of = [each for month in both for code in (one, other) for each in by_month[code, month]]
            if of:
                yield _finding(of, rule, rule.reason)


def _after_death(
    paid: Sequence[Paid], facts: Facts, law: ReceiptLaw
) -> tuple[list[Finding], list[Unknown]]:
    """Paid for a month after that of the death: a finding for each programme."""
    if not paid or facts.death is None:
        return [], []
    if isinstance(facts.death, Unknown):
        return [], [facts.death]
    late = _after(paid, month_of(facts.death))
    reason = "it is paid for months after the death"
    return [_finding(of, law.after_death, reason) for of in _by_programme(late)], []


def _abroad(
    paid: Sequence[Paid], facts: Facts, law: ReceiptLaw
) -> tuple[list[Finding], list[Unknown]]:
    """Paid for a month after the one in which the stay became too long."""
    findings: list[Finding] = []
    missing: list[Unknown] = []
    for rule in law.abroad:
        of = [one for one in paid if one.programme in rule.programmes]
        reason = f"the stay abroad has reached its day {rule.day}"
        found, lacking = _while_away(
            of, facts.abroad_since, facts.abroad_until, rule, reason, rule.day
        )
        findings += found
        missing += lacking
    return findings, missing


def _in_custody(
    paid: Sequence[Paid], facts: Facts, law: ReceiptLaw
) -> tuple[list[Finding], list[Unknown]]:
    """Paid for a month after the one in which the custody began."""
    findings: list[Finding] = []
    missing: list[Unknown] = []
    for rule in law.custody:
        of = [one for one in paid if one.programme in rule.programmes]
        reason = "it is paid for months in custody"
        found, lacking = _while_away(of, facts.custody_since, facts.custody_until, rule, reason, 0)
        findings += found
        missing += lacking
    return findings, missing


def _while_away(
    paid: Sequence[Paid], since: Day, until: Day, basis: Basis, reason: str, day: int
) -> tuple[list[Finding], list[Unknown]]:
    """Paid for a month after that of the stay's day, up to and with the month of its end."""
    if not paid or since is None:
        return [], []
    if isinstance(since, Unknown):
        return [], [since]
    try:
        reached = since + datetime.timedelta(days=day)
    except OverflowError:
        return [], []
    late = _after(paid, month_of(reached))
    if not late:
        return [], []
    if isinstance(until, Unknown):
        return [], [until]
    if until is not None:
        late = [] if until < reached else [one for one in late if str(one.month) <= month_of(until)]
    return [_finding(of, basis, reason) for of in _by_programme(late)], []


def _household_change(
    paid: Sequence[Paid], facts: Facts, law: ReceiptLaw
) -> tuple[list[Finding], list[Unknown]]:
    """A household's benefit paid on by the same office after the person changed household."""
    rule, since = law.household_change, facts.household_since
    of = [one for one in paid if one.programme in rule.programmes]
    if not of or since is None:
        return [], []
    if isinstance(since, Unknown):
        return [], [since]
    changed = month_of(since)
    before = {(one.programme, one.office) for one in of if str(one.month) <= changed}
    on = [one for one in _after(of, changed) if (one.programme, one.office) in before]
    reason = "the office pays on as before the change of household"
    return [_finding(late, rule, reason) for late in _by_programme(on)], []


def _after(paid: Iterable[Paid], month: str) -> list[Paid]:
    return [one for one in paid if str(one.month) > month]


def _by_programme(paid: Sequence[Paid]) -> Iterator[list[Paid]]:
    for code in sorted({str(one.programme) for one in paid}):
        yield [one for one in paid if one.programme == code]


@dataclass(frozen=True, slots=True)
class Conflict:
    """A programme received now that stands in the way of another."""

    kind: Kind
    finding: Finding


@dataclass(frozen=True, slots=True)
class Foresight:
    """Whether granting a programme would make a double receipt."""

    result: Result
    conflicts: tuple[Conflict, ...]
    missing: tuple[Unknown, ...]


def would_duplicate(
    programme: str,
    receipts: Sequence[Paid] | Unknown,
    month: str,
    law: ReceiptLaw,
    incomplete: Unknown,
) -> Foresight:
    """Whether granting a programme from a month would make a double receipt.

    What is received now is what was paid or held for that month or the one before: the month's
    own payments may not be made yet.
    """
    if isinstance(receipts, Unknown):
        return Foresight(Result.NOT_KNOWN, (), (receipts,))
    whole = [one for one in receipts if one.programme and one.month and one.state]
    now = [
        one
        for one in whole
        if one.state in ("paid", "held") and _before(month) <= str(one.month) <= month
    ]
    conflicts = []
    same = [one for one in now if one.programme == programme]
    if same:
        reason = "the programme is received already"
        conflicts.append(Conflict(Kind.SAME_PROGRAMME, _finding(same, law.same_programme, reason)))
    for rule in law.exclusive:
        if int(month[-2:]) not in rule.months:
            continue
        for pair in _pairs(rule):
            if programme in pair:
                other = pair[pair[0] == programme]
                of = [one for one in now if one.programme == other]
                if of:
                    conflicts.append(Conflict(Kind.EXCLUSIVE, _finding(of, rule, rule.reason)))
    missing = () if len(whole) == len(receipts) else (incomplete,)
    result = Result.NOT_KNOWN if missing else Result.NOT_FOUND
    return Foresight(Result.FOUND if conflicts else result, tuple(conflicts), missing)


def _before(month: str) -> str:
    year, number = int(month[:4]), int(month[-2:])
    return f"{year:04}-{number - 1:02}" if number > 1 else f"{year - 1:04}-12"
