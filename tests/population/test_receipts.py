"""The checks of receipts over columns find what those of one person find, of people at random."""

from __future__ import annotations

import dataclasses
import datetime
import random
from collections import Counter

import ibis
import pyarrow as pa

from hub.population.receipts import of_receipts
from hub.population.reviewed import DATES, Reviewed, Tables, together
from schema.double_receipt import Facts, Finding, Kind, Paid, Unknown, checks
from schema.law import law
from schema.rules.book import the_book
from schema.view import State

LAW = law().receipts
PROGRAMMES = tuple(sorted({key for _, keys in LAW.rules() for key in keys} | {"other-programme"}))
MONTHS = tuple(f"2026-{month:02}" for month in range(1, 12))
Found = tuple[str, str, str, str, int]
"""Whose, by which check, which programme, from the first month to the last, how much."""


def someone(draw: random.Random) -> tuple[list[Paid], dict[str, datetime.date | None]]:
    """Receipts of a few programmes, and days that may stand in their way."""
    few = draw.sample(PROGRAMMES, min(4, len(PROGRAMMES)))
    receipts = [
        Paid(programme, office, month, draw.choice(("paid",) * 6 + ("held",)), amount)
        for programme in few
        for month in MONTHS
        for office in draw.choice(("A",) * 8 + ("B", "AB"))
        if (amount := draw.randrange(1, 1_000)) > 400
    ]
    days = {
        name: datetime.date(2025, 11, 1) + datetime.timedelta(days=draw.randrange(380))
        if draw.random() < 0.5
        else None
        for name in DATES
    }
    return receipts, days


def span(months: list[str]) -> str:
    return months[0] if months[0] == months[-1] else f"{months[0]} to {months[-1]}"


def told(key: str, kind: Kind, found: Finding) -> list[Found]:
    """A finding, of each of its programmes."""
    return [
        (
            key,
            kind.value,
            programme,
            span(sorted({str(one.month) for one in of})),
            sum(one.amount or 0 for one in of),
        )
        for programme in found.programmes
        if (of := [one for one in found.receipts if one.programme == programme])
    ]


def test_columns_find_what_the_checks_of_one_person_find() -> None:
    draw = random.Random(1)
    people = {f"p{number}": someone(draw) for number in range(150)}
    nobody = Unknown(State.UNAVAILABLE, "nobody")
    alone = Counter(
        each
        for key, (receipts, days) in people.items()
        for check in checks(Facts(receipts=receipts, **days), LAW, nobody)
        for finding in check.findings
        for each in told(key, check.kind, finding)
    )
    backend = ibis.duckdb.connect()
    kinds = pa.schema([("key", pa.string()), *((name, pa.date32()) for name in DATES)])
    of_people = [{"key": key, **days} for key, (_, days) in people.items()]
    known = ibis.memtable(pa.Table.from_pylist(of_people, kinds))
    rows = [
        {"key": key, **dataclasses.asdict(one)}
        for key, (receipts, _) in people.items()
        for one in receipts
    ]
    paid = ibis.memtable(pa.Table.from_pylist(rows))
    reviewed = Reviewed(the_book(), LAW, PROGRAMMES, datetime.date(2026, 11, 30), MONTHS[-1])
    expression = together(of_receipts(reviewed, Tables(known, paid)))
    columns = Counter(
        (row["key"], row["kind"], row["programme"], row["months"], row["amount"])
        for row in backend.to_pyarrow(expression).to_pylist()
    )
    assert columns == alone
    assert {kind for _, kind, *_ in alone} == {kind.value for kind in Kind}
