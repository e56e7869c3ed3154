"""Every receipt checked: `schema/double_receipt.py` over columns, as Ibis expressions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hub.population.deliveries import KEY
from hub.population.reviewed import DATES, Reviewed, Tables, some, text
from schema.double_receipt import Kind as Receipt
from schema.law import Basis

FOUND = (KEY, "programme", "kind", "office", "months", "amount", "why")
"""The columns of what is found, in their order."""


def of_receipts(reviewed: Reviewed, tables: Tables) -> list[Any]:
    """What is found of receipts, by check."""
    law = reviewed.law
    everything = tables.receipts.filter(tables.receipts.state == "paid")
    paid = everything.filter(everything.programme.isin(reviewed.programmes))
    days = tables.people.filter(some(tables.people[name].notnull() for name in DATES))
    with_days = paid.join(days.select(KEY, *DATES), KEY)
    found = [_same(paid, law.same_programme)]
    for rule in law.exclusive:
        found += _excluded(reviewed, everything, rule)
    dead = with_days.filter(with_days.month > _month(with_days.death))
    found.append(
        _late(
            dead,
            Receipt.AFTER_DEATH,
            _said("it is paid for months after the death", law.after_death),
        )
    )
    for stay in law.abroad:
        reason = f"the stay abroad has reached its day {stay.day}"
        away = _away(with_days, stay.programmes, "abroad", stay.day)
        found.append(_late(away, Receipt.ABROAD, _said(reason, stay)))
    for held in law.custody:
        away = _away(with_days, held.programmes, "custody", 0)
        found.append(
            _late(away, Receipt.IN_CUSTODY, _said("it is paid for months in custody", held))
        )
    found.append(_moved(with_days, reviewed))
    return found


def _said(reason: str, basis: Basis) -> str:
    return f"{reason} ({basis.act}, {basis.article})"


def _same(paid: Any, basis: Basis) -> Any:
    """One programme, one month, two offices."""
    several = (
        paid.group_by(KEY, "programme", "month")
        .aggregate(offices=paid.office.nunique())
        .filter(lambda one: one.offices > 1)
        .drop("offices")
    )
    twice = paid.semi_join(several, [KEY, "programme", "month"])
    reason = "the same programme is paid for the same month by two offices"
    return _late(twice, Receipt.SAME_PROGRAMME, _said(reason, basis))


def _excluded(reviewed: Reviewed, paid: Any, rule: Any) -> list[Any]:
    """Two programmes that exclude each other in one month, told of the one that is reviewed."""
    found = []
    applying = paid.filter(paid.month.substr(5, 2).cast("int64").isin(list(rule.months)))
    for one in rule.programmes:
        for other in rule.excludes:
            for own, beside in ((one, other), (other, one)):
                if own not in reviewed.programmes:
                    continue
                others = (
                    applying.filter(applying.programme == beside).select(KEY, "month").distinct()
                )
                both = applying.filter(applying.programme == own).semi_join(others, [KEY, "month"])
                reason = _said(f"`{beside}` is paid beside it: {rule.reason}", rule)
                found.append(_late(both, Receipt.EXCLUSIVE, reason))
    return found


def _away(rows: Any, programmes: Sequence[str], what: str, day: int) -> Any:
    """Receipts for a month after that of the stay's day, up to and with the month of its end."""
    import ibis  # noqa: PLC0415 - heavy, and needed only where populations are read

    since, until = rows[f"{what}_since"], rows[f"{what}_until"]
    reached = since + ibis.interval(days=day)
    lasts = until.isnull() | ((until >= reached) & (rows.month <= _month(until)))
    return rows.filter(rows.programme.isin(programmes) & (rows.month > _month(reached)) & lasts)


def _moved(rows: Any, reviewed: Reviewed) -> Any:
    """A household's benefit paid on by the same office after the person changed household."""
    rule = reviewed.law.household_change
    changed = _month(rows.household_since)
    of = rows.filter(rows.programme.isin(rule.programmes))
    before = of.filter(of.month <= changed).select(KEY, "programme", "office").distinct()
    after = of.filter(of.month > changed)
    on = after.semi_join(before, [KEY, "programme", "office"])
    return _late(
        on,
        Receipt.HOUSEHOLD_CHANGE,
        _said("the office pays on as before the change of household", rule),
    )


def _month(day: Any) -> Any:
    return day.cast("string").substr(0, 7)


def _late(rows: Any, kind: Receipt, reason: str) -> Any:
    """A finding for each programme, of all these receipts."""
    found = rows.group_by(KEY, "programme").aggregate(
        office=rows.office.min(), months=_span(rows.month), amount=rows.amount.sum()
    )
    return found.mutate(kind=text(kind.value), why=text(reason)).select(*FOUND)


def _span(month: Any) -> Any:
    """The first month, and the last where that is another."""
    one, other = month.min(), month.max()
    return (one == other).ifelse(one, one + " to " + other)
