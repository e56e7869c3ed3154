"""What a review finds of tests and of receipts, with all that is told beside, as expressions."""

from __future__ import annotations

from typing import Any

from hub.population.deliveries import KEY
from hub.population.fact_columns import HOUSEHOLD, RESIDENCE
from hub.population.facts import PROTECTED
from hub.population.receipts import of_receipts
from hub.population.reviewed import (
    BLIND_SPOT,
    INELIGIBLE,
    NOT_REGISTERED,
    OVERPAID,
    UNDECIDED,
    UNDERPAID,
    Reviewed,
    Tables,
    text,
    together,
)
from hub.population.testing import ELIGIBLE, NOT_ELIGIBLE, OPEN

_WHERE = ("office", "district")


def findings(reviewed: Reviewed, tables: Tables, tested: Any) -> Any:
    """Every finding, a row each, with what the test came to; `tested` are the results.

    `together` are the keys of the whole household: none of them may read it as an official. Of
    whoever is protected neither office nor district is told, so it is on no office's worklist.
    """
    import ibis  # noqa: PLC0415 - as above

    known = tables.people
    dead = known.filter(known.death.notnull()).select(KEY, "death")
    rows = tested.left_join(dead, KEY).drop(f"{KEY}_right")
    parts = [*_of_tests(reviewed, rows), *of_receipts(reviewed, tables)]
    found = together(parts)
    # Few are found: all that is told of them beside is looked up of them alone.
    more = tested.semi_join(found, KEY).drop("reason", "office", RESIDENCE)
    more = more.mutate(tested_key=more[KEY]).drop(KEY).rename(tested_programme="programme")
    joined = found.left_join(more, [(KEY, "tested_key"), ("programme", "tested_programme")]).drop(
        "tested_key", "tested_programme"
    )
    where = known.semi_join(found, KEY).select(
        place_key=KEY, home=HOUSEHOLD, district=RESIDENCE, hidden=PROTECTED
    )
    homes = known.semi_join(where, [(HOUSEHOLD, "home")])
    homes = homes.group_by(HOUSEHOLD).aggregate(together=homes[KEY].collect().sort())
    joined = joined.left_join(where, [(KEY, "place_key")]).drop("place_key")
    joined = joined.left_join(homes, [("home", HOUSEHOLD)]).drop("home", HOUSEHOLD)
    told = {name: joined.hidden.ifelse(ibis.null("string"), joined[name]) for name in _WHERE}
    return joined.mutate(**told).drop("hidden").rename(recipient=KEY, reason="why")


def _of_tests(reviewed: Reviewed, rows: Any) -> list[Any]:
    receives, alive = rows.received.notnull(), rows.death.isnull()
    registered = rows[RESIDENCE].notnull()
    entitled = rows.result == ELIGIBLE
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
            receives & alive & registered & (rows.result == NOT_ELIGIBLE),
            rows.received,
            rows.reason,
        ),
        (
            OVERPAID,
            receives & alive & entitled & is_monthly & (over > 0),
            over,
            text("more is paid than is due at most"),
        ),
        (
            UNDERPAID,
            receives & alive & entitled & is_monthly & rows.programme.isin(exact) & (under > 0),
            under,
            text("less is paid than is due"),
        ),
        (
            UNDECIDED,
            receives & alive & registered & (rows.result == OPEN),
            rows.received,
            text("it hangs on what the deliveries do not tell"),
        ),
        (
            BLIND_SPOT,
            ~receives & entitled,
            rows.payable,
            text("looks entitled and does not receive it"),
        ),
        (
            NOT_REGISTERED,
            receives & ~registered,
            rows.received,
            text("the register of identity does not know the recipient"),
        ),
    ]
    return [
        rows.filter(holds).select(
            KEY,
            programme="programme",
            kind=text(kind),
            office="office",
            months=text(reviewed.month),
            amount=amount,
            why=why,
        )
        for kind, holds, amount, why in tests
    ]
