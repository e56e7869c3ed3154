"""Every recipient tested again, and whoever may be entitled, as Ibis expressions.

The rules are those of the single test: `schema/rules/columns.py` reads the same formulas. Pure but
for the tables that the expressions stand for; DuckDB and Spark give the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hub.population.deliveries import KEY
from hub.population.fact_columns import HEAD, HOUSEHOLD, RESIDENCE, of_household, related
from hub.population.reviewed import Reviewed, Tables, every, text, together
from schema.rules import columns
from schema.rules.assess import RESULTS
from schema.rules.book import Programme
from schema.rules.expression import Over, nodes

ELIGIBLE, NOT_ELIGIBLE, OPEN = (RESULTS[met].value for met in (True, False, None))
"""What a test comes to."""
_APPLICANT = (KEY, "programme", "received", "office")


def applicants(reviewed: Reviewed, tables: Tables) -> Any:
    """Who is tested: `received` is null of those who do not receive and may be entitled."""
    found = []
    for key in reviewed.programmes:
        recipients = _recipients(reviewed, tables, key)
        found += [recipients, _candidates(reviewed, tables, key, recipients)]
    return together(found)


def _recipients(reviewed: Reviewed, tables: Tables, key: str) -> Any:
    """Who is paid the programme for the month, and how much, by one office."""
    paid = tables.receipts
    paid = paid.filter(
        (paid.programme == key) & (paid.month == reviewed.month) & (paid.state == "paid")
    )
    found = paid.group_by(KEY).aggregate(received=paid.amount.max(), office=paid.office.min())
    return found.select(KEY, "received", "office", programme=text(key)).select(*_APPLICANT)


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
        met = met.filter(every(met[name] for name in alone))
        people = people.semi_join(met, [(KEY, columns.KEY)])
    return people.select(
        KEY, programme=text(key), received=ibis.null("int64"), office=ibis.null("string")
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
    rows = people.mutate(applicant=True, relation=text("self")).drop(HOUSEHOLD)
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
                result=ibis.cases((met, ELIGIBLE), (~met, NOT_ELIGIBLE), else_=OPEN),
                recognised=of[programme.measure] if programme.measure else nothing,
                threshold=of[programme.threshold] if programme.threshold else nothing,
                payable=nothing if pays is None else met.ifelse(pays, nothing),
                reason=_why(reviewed, programme, of),
                by_bounds=ibis.literal(False),
            )
        )
    whole = together(found)
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
    return every(parts)


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
