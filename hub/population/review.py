"""What a review finds, as Ibis expressions: every recipient tested again, every receipt checked.

The rules are those of the single test: `schema/rules/columns.py` reads the same formulas. Pure but
for the tables that the expressions stand for; DuckDB and Spark give the same.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any

from hub.population.deliveries import KEY
from hub.population.facts import (
    HEAD,
    HOUSEHOLD,
    PROTECTED,
    RESIDENCE,
    of_household,
    related,
)
from schema.double_receipt import Kind as Receipt
from schema.law import Basis, ReceiptLaw
from schema.rules import columns
from schema.rules.assess import RESULTS, standing
from schema.rules.book import Book, Programme
from schema.rules.expression import Over, nodes
from schema.rules.year import Year, year_of

INELIGIBLE, OVERPAID, UNDERPAID = "ineligible", "overpaid", "underpaid"
UNDECIDED, BLIND_SPOT, NOT_REGISTERED = "undecided", "blind-spot", "not-registered"
KINDS = (
    INELIGIBLE,
    OVERPAID,
    UNDERPAID,
    UNDECIDED,
    BLIND_SPOT,
    NOT_REGISTERED,
    *(kind.value for kind in Receipt),
)
"""What a review finds, the checks of receipts among it."""
DATES: Mapping[str, str] = {
    "death": "identity.deathDate",
    "abroad_since": "stay.abroadSince",
    "abroad_until": "stay.abroadUntil",
    "custody_since": "custody.since",
    "custody_until": "custody.until",
    "household_since": "household.since",
}
"""The days that the checks of receipts rest on, by their places in the view."""
RECEIPT = "benefits.receipts."
_ELIGIBLE, _NOT, _OPEN = (RESULTS[met].value for met in (True, False, None))
_APPLICANT = (KEY, "programme", "received", "office")


class NotReviewable(Exception):
    """A programme that cannot be reviewed on a day, and why."""


@dataclass(frozen=True)
class Reviewed:
    """What is reviewed: programmes by key, as of a day, for a month (`YYYY-MM`) of receipts."""

    book: Book
    law: ReceiptLaw
    programmes: tuple[str, ...]
    day: datetime.date
    month: str

    @cached_property
    def rules(self) -> Year:
        """The rules of the day's year."""
        return year_of(self.book, self.day.year)

    def programme(self, key: str) -> Programme:
        """A programme by its key. Raises NotReviewable."""
        code = self.book.by_key.get(key)
        programme = None if code is None else self.book.programmes[code]
        if programme is None:
            raise NotReviewable(f"there is no programme `{key}`: `hub programmes` lists them")
        if not programme.decidable:
            raise NotReviewable(f"no rule decides `{key}`: review one that is decided by rule")
        if not standing(programme, self.day.year):
            raise NotReviewable(f"there is no `{key}` in {self.day.year}: give another day")
        gaps = sorted({gap for name in programme.needs for gap in self.rules.gaps.get(name, ())})
        if gaps:
            raise NotReviewable(f"`{key}` lacks figures of {self.day.year}: {', '.join(gaps)}")
        return programme

    @cached_property
    def steps(self) -> tuple[str, ...]:
        """The steps of the households that the programmes rest on: the trace of each finding."""
        needs = [name for key in self.programmes for name in self.programme(key).needs]
        return tuple(
            name
            for name in self.book.reached(needs)
            if name in self.book.steps and self.book.steps[name].of == "household"
        )

    @cached_property
    def facts(self) -> tuple[str, ...]:
        """The facts that they rest on."""
        reached = self.book.reached(self.steps)
        return tuple(name for name in reached if name in self.book.inputs)


@dataclass(frozen=True)
class Tables:
    """The people of a batch, whole households, with their facts; and their receipts."""

    people: Any
    receipts: Any


def applicants(reviewed: Reviewed, tables: Tables) -> Any:
    """Who is tested: `received` is null of those who do not receive and may be entitled."""
    found = []
    for key in reviewed.programmes:
        recipients = _recipients(reviewed, tables, key)
        found += [recipients, _candidates(reviewed, tables, key, recipients)]
    return reduce(lambda one, other: one.union(other), found)


def _recipients(reviewed: Reviewed, tables: Tables, key: str) -> Any:
    """Who is paid the programme for the month, and how much, by one office."""
    paid = tables.receipts
    paid = paid.filter(
        (paid.programme == key) & (paid.month == reviewed.month) & (paid.state == "paid")
    )
    found = paid.group_by(KEY).aggregate(received=paid.amount.max(), office=paid.office.min())
    return found.select(KEY, "received", "office", programme=_text(key)).select(*_APPLICANT)


def _candidates(reviewed: Reviewed, tables: Tables, key: str, recipients: Any) -> Any:
    """Who does not receive a programme and may apply for it, by what is known of them alone."""
    import ibis  # noqa: PLC0415 - heavy, and needed only where populations are read

    people = tables.people
    programme = reviewed.programme(key)
    people = people.filter(people.death.isnull())
    if programme.assessed is None:
        # One application is made for the household, by its head.
        served = tables.people.semi_join(recipients, KEY).select(HOUSEHOLD).distinct()
        people = people.filter(people[HEAD] == "head").anti_join(served, HOUSEHOLD)
    else:
        people = people.anti_join(recipients, KEY)
    alone = [name for name in programme.conditions if _of_applicant(reviewed, name)]
    if alone:
        met = _tested_alone(reviewed, people, alone)
        met = met.filter(_all(met[name] for name in alone))
        people = people.semi_join(met, [(KEY, columns.KEY)])
    return people.select(
        KEY, programme=_text(key), received=ibis.null("int64"), office=ibis.null("string")
    ).select(*_APPLICANT)


def _of_applicant(reviewed: Reviewed, name: str) -> bool:
    """Whether a condition hangs on the applicant and on nobody else."""
    reached = reviewed.book.reached((name,))
    return all(
        node.how == "applicant"
        for step in reached
        if step in reviewed.rules.formulas
        for node in nodes(reviewed.rules.formulas[step])
        if isinstance(node, Over)
    )


def _all(found: Any) -> Any:
    return reduce(lambda one, other: one & other, found)


def _text(value: str) -> Any:
    import ibis  # noqa: PLC0415 - heavy, and needed only where populations are read

    return ibis.literal(value, "string")


def members(reviewed: Reviewed, people: Any, keys: Any) -> Any:
    """The members of the households of these applicants, as each stands to the applicant."""
    own = people.semi_join(keys, KEY)
    own = own.select(applying=own[KEY], of=own[HOUSEHOLD], applying_head=own[HEAD])
    joined = own.join(people, [("of", HOUSEHOLD)])
    themselves = joined["applying"] == joined[KEY]
    made = {
        columns.KEY: joined["applying"],
        "member": joined[KEY],
        "applicant": themselves,
        "relation": themselves.ifelse("self", related(joined["applying_head"], joined[HEAD])),
    }
    return joined.select(**made, **{name: joined[name] for name in known_facts(reviewed, people)})


def known_facts(reviewed: Reviewed, people: Any) -> list[str]:
    """The columns of facts, and of what they must lie within."""
    names = [name for name in reviewed.facts if reviewed.book.inputs[name].of == "member"]
    every = [f"{name}{end}" for name in names for end in ("", "_least", "_most")]
    return [name for name in every if name in people.columns]


def households(reviewed: Reviewed, own: Any) -> Any:
    """The facts of the households of these people, who apply, themselves."""
    found = of_household(reviewed.book, reviewed.facts, own[RESIDENCE])
    return own.select(own[KEY].name(columns.KEY), **found)


def _tested(reviewed: Reviewed, people: Any, keys: Any) -> Any:
    rows = members(reviewed, people, keys)
    return columns.assess(
        reviewed.rules, reviewed.steps, rows, households(reviewed, people.semi_join(keys, KEY))
    )


def _tested_alone(reviewed: Reviewed, people: Any, steps: Sequence[str]) -> Any:
    """Steps that hang on the applicant only, of everyone as an applicant."""
    rows = people.mutate(applicant=True, relation=_text("self")).drop(HOUSEHOLD)
    rows = rows.rename({columns.KEY: KEY})
    return columns.assess(reviewed.rules, steps, rows, households(reviewed, people))


def results(reviewed: Reviewed, tables: Tables, tested: Any) -> Any:
    """Each applicant's test of each programme: its result, and every step of the household."""
    import ibis  # noqa: PLC0415 - heavy, and needed only where populations are read

    worked = _tested(reviewed, tables.people, tested)
    where = tables.people.select(KEY, RESIDENCE)
    rows = tested.left_join(where, KEY).drop(f"{KEY}_right")
    rows = rows.left_join(worked, [(KEY, columns.KEY)]).drop(columns.KEY)
    found = []
    for key in reviewed.programmes:
        programme = reviewed.programme(key)
        of = rows.filter(rows.programme == key)
        met = _met(programme, of)
        pays = None if programme.pays is None else of[programme.pays.step]
        nothing = ibis.null("int64")
        found.append(
            of.mutate(
                result=ibis.cases((met, _ELIGIBLE), (~met, _NOT), else_=_OPEN),
                recognised=of[programme.measure] if programme.measure else nothing,
                threshold=of[programme.threshold] if programme.threshold else nothing,
                payable=nothing if pays is None else met.ifelse(pays, nothing),
                reason=_why(reviewed, programme, of),
                by_bounds=ibis.literal(False),
            )
        )
    whole = reduce(lambda one, other: one.union(other), found)
    return whole.select(
        KEY,
        *("programme", "office", RESIDENCE, "result", "by_bounds", "reason"),
        *("recognised", "threshold", "payable", "received"),
        *reviewed.steps,
    )


def _met(programme: Programme, rows: Any) -> Any:
    parts = [rows[name] for name in programme.conditions]
    if programme.measure and programme.threshold:
        parts.append(rows[programme.measure] <= rows[programme.threshold])
    return _all(parts)


def _why(reviewed: Reviewed, programme: Programme, rows: Any) -> Any:
    """Why somebody is not entitled, in words; null of whoever is."""
    import ibis  # noqa: PLC0415 - as above

    unmet = [
        (~rows[name], f"not met: {reviewed.book.steps[name].en}") for name in programme.conditions
    ]
    if programme.measure and programme.threshold:
        above = rows[programme.measure] > rows[programme.threshold]
        names = (reviewed.book.steps[name].en for name in (programme.measure, programme.threshold))
        unmet.append((above, " is above the ".join(names)))
    return ibis.cases(*unmet)


_WHERE = ("office", "district")
_FOUND = (KEY, "programme", "kind", "office", "months", "amount", "why")


def findings(reviewed: Reviewed, tables: Tables, tested: Any) -> Any:
    """Every finding, a row each, with what the test came to; `tested` are the results.

    `together` are the keys of the whole household: none of them may read it as an official. Of
    whoever is protected neither office nor district is told, so it is on no office's worklist.
    """
    import ibis  # noqa: PLC0415 - as above

    known = tables.people
    rows = tested.left_join(known.select(KEY, "death"), KEY).drop(f"{KEY}_right")
    parts = [*_of_tests(reviewed, rows), *_of_receipts(reviewed, tables)]
    found = reduce(lambda one, other: one.union(other), parts)
    more = tested.drop("reason", "office", RESIDENCE).mutate(tested_key=tested[KEY]).drop(KEY)
    more = more.rename(tested_programme="programme")
    joined = found.left_join(more, [(KEY, "tested_key"), ("programme", "tested_programme")]).drop(
        "tested_key", "tested_programme"
    )
    homes = known.group_by(HOUSEHOLD).aggregate(together=known[KEY].collect().sort())
    where = known.select(
        place_key=known[KEY], home=known[HOUSEHOLD], district=known[RESIDENCE], hidden=PROTECTED
    )
    joined = joined.left_join(where, [(KEY, "place_key")]).drop("place_key")
    joined = joined.left_join(homes, [("home", HOUSEHOLD)]).drop("home", HOUSEHOLD)
    told = {name: joined.hidden.ifelse(ibis.null("string"), joined[name]) for name in _WHERE}
    return joined.mutate(**told).drop("hidden").rename(recipient=KEY, reason="why")


def _of_tests(reviewed: Reviewed, rows: Any) -> list[Any]:
    receives, alive = rows.received.notnull(), rows.death.isnull()
    registered = rows[RESIDENCE].notnull()
    entitled = rows.result == _ELIGIBLE
    exact = [
        key
        for key in reviewed.programmes
        if (pays := reviewed.programme(key).pays) is not None and not pays.at_most
    ]
    monthly = [
        key
        for key in reviewed.programmes
        if (pays := reviewed.programme(key).pays) is not None and pays.per == "month"
    ]
    over, under = rows.received - rows.payable, rows.payable - rows.received
    is_monthly = rows.programme.isin(monthly)
    tests = [
        (
            INELIGIBLE,
            receives & alive & registered & (rows.result == _NOT),
            rows.received,
            rows.reason,
        ),
        (
            OVERPAID,
            receives & alive & entitled & is_monthly & (over > 0),
            over,
            _text("more is paid than is due at most"),
        ),
        (
            UNDERPAID,
            receives & alive & entitled & is_monthly & rows.programme.isin(exact) & (under > 0),
            under,
            _text("less is paid than is due"),
        ),
        (
            UNDECIDED,
            receives & alive & registered & (rows.result == _OPEN),
            rows.received,
            _text("it hangs on what the deliveries do not tell"),
        ),
        (
            BLIND_SPOT,
            ~receives & entitled,
            rows.payable,
            _text("looks entitled and does not receive it"),
        ),
        (
            NOT_REGISTERED,
            receives & ~registered,
            rows.received,
            _text("the register of identity does not know the recipient"),
        ),
    ]
    return [
        rows.filter(holds).select(
            KEY,
            programme="programme",
            kind=_text(kind),
            office="office",
            months=_text(reviewed.month),
            amount=amount,
            why=why,
        )
        for kind, holds, amount, why in tests
    ]


def _of_receipts(reviewed: Reviewed, tables: Tables) -> list[Any]:
    """The checks of `schema/double_receipt.py` over columns."""
    law = reviewed.law
    everything = tables.receipts.filter(tables.receipts.state == "paid")
    paid = everything.filter(everything.programme.isin(reviewed.programmes))
    with_days = paid.join(tables.people.select(KEY, *DATES), KEY)
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
    return found.mutate(kind=_text(kind.value), why=_text(reason)).select(*_FOUND)


def _span(month: Any) -> Any:
    """The first month, and the last where that is another."""
    one, other = month.min(), month.max()
    return (one == other).ifelse(one, one + " to " + other)
