"""Those whom the columns leave undecided, tested one by one within bounds, as in a single test.

What is not known may not matter: a result that is the same whatever it is, is decided.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from operator import itemgetter
from pathlib import Path
from typing import Any

from hub.population.deliveries import KEY
from hub.population.review_engine import Engine
from hub.population.reviewed import Reviewed, Tables
from hub.population.testing import OPEN, households, members
from schema.rules import columns
from schema.rules.assess import RESULTS, verdict
from schema.rules.book import Book, Input, Programme
from schema.rules.facts import Known, NotKnown, Value, bounded
from schema.rules.run import Given, Values
from schema.rules.year import Year

_ABOVE = "above the threshold whatever is not known"
_NONE_LEFT_OUT = False
"""The last of each member's row: whether it stands for others who are not known."""


def decide_by_bounds(
    engine: Engine, reviewed: Reviewed, tables: Tables, tested: Any, into: Path
) -> None:
    """Decide what can be decided of the table `tested`, in place; `into` is a file to write."""
    backend = engine.backend
    undecided = tested.filter(tested.result == OPEN).select(KEY, "programme")
    wanted: dict[str, list[str]] = {}
    for row in backend.to_pyarrow(undecided).to_pylist():
        wanted.setdefault(row[KEY], []).append(row["programme"])
    if not wanted:
        return
    programmes = {key: reviewed.programme(key) for key in reviewed.programmes}
    rules = _rules_of(reviewed, programmes.values())
    found = [
        {"of": key, "for": programme, **decided}
        for key, values in _worked_out(backend, rules, reviewed, tables, undecided)
        for programme in wanted[key]
        if (decided := _decided(rules, programmes[programme], values))
    ]
    if found:
        _put_in(engine, tested, found, into)


def _put_in(engine: Engine, tested: Any, found: Sequence[Mapping[str, Any]], into: Path) -> None:
    """Put what is decided in the place of what was open."""
    import pyarrow as pa  # noqa: PLC0415 - only where somebody is decided so
    from pyarrow import parquet  # noqa: PLC0415 - the same

    kinds = pa.schema([(name, pa.string()) for name in ("of", "for", "decided", "why")])
    parquet.write_table(pa.Table.from_pylist(list(found), schema=kinds), into)
    joined = tested.left_join(engine.read(into), [(KEY, "of"), ("programme", "for")])
    whole = joined.mutate(
        by_bounds=joined.decided.notnull(),
        result=joined.decided.coalesce(joined.result),
        reason=joined.reason.coalesce(joined.why),
    ).select(*tested.columns)
    engine.keep("decided", engine.compiled(whole))
    engine.keep("tested", "SELECT * FROM decided")
    into.unlink()


def _rules_of(reviewed: Reviewed, programmes: Iterable[Programme]) -> Year:
    """The rules of the year as far as any of the programmes rests on them: worked out once."""
    book = reviewed.book
    reached = frozenset(book.reached([name for one in programmes for name in one.needs]))
    return replace(
        reviewed.rules,
        formulas={name: one for name, one in reviewed.rules.formulas.items() if name in reached},
        facts=frozenset(name for name in reached if name in book.inputs) | {"applicant"},
    )


def _decided(rules: Year, programme: Programme, values: Values) -> dict[str, str | None]:
    """What a test comes to, and why not; nothing where it hangs on what is not known."""
    met = verdict(rules, programme, values)
    if met is None:
        return {}
    unmet = (name for name in programme.conditions if values.household.get(name) is False)
    why = next((f"not met: {rules.book.steps[name].en}" for name in unmet), _ABOVE)
    return {"decided": RESULTS[met].value, "why": None if met else why}


def _worked_out(
    backend: Any, rules: Year, reviewed: Reviewed, tables: Tables, keys: Any
) -> Iterator[tuple[str, Values]]:
    """What every step of each applicant's household must lie within.

    As `schema/rules/run.py` works it out for one, but for reading facts column by column.
    """
    layout = rules.layout
    rows = members(reviewed, tables.people, keys.select(KEY).distinct())
    rows = rows.order_by(columns.KEY, rows["applicant"].desc(), "member")
    own = households(reviewed, tables.people.semi_join(keys, KEY))
    told = _table(backend, own)
    of_household = dict(
        zip(told[columns.KEY], _bounds(rules.book, layout.household, told), strict=True)
    )
    told = _table(backend, rows)
    each = zip(told[columns.KEY], _bounds(rules.book, layout.member, told), strict=True)
    for key, found in itertools.groupby(each, key=itemgetter(0)):
        facts = [(*row, _NONE_LEFT_OUT) for _, row in found]
        steps, _ = rules.within(of_household[key], facts)
        household = dict(zip(layout.household_steps, steps, strict=True))
        yield key, Values(exact=False, household=household, members=(), given=Given({}, ()))


def _table(backend: Any, rows: Any) -> Mapping[str, list[Any]]:
    found: Mapping[str, list[Any]] = backend.to_pyarrow(rows).to_pydict()
    return found


def _bounds(
    book: Book, names: Sequence[str], told: Mapping[str, list[Any]]
) -> Iterator[tuple[Any, ...]]:
    """What the named facts of each row must lie within."""
    count = len(told[columns.KEY])
    if not names:
        return itertools.repeat((), count)
    nothing = [None] * count
    read = [
        map(
            _within(book.inputs[name]),
            *(told.get(f"{name}{end}", nothing) for end in ("", "_least", "_most")),
        )
        for name in names
    ]
    return zip(*read, strict=True)


def _within(entry: Input) -> Callable[[Value | None, int | None, int | None], Any]:
    """What a fact must lie within by its value or, where that is not known, its least and most."""
    known = cache(lambda value: bounded(entry, Known(value)))
    unknown = cache(
        lambda least, most: bounded(entry, NotKnown("unavailable", least=least, most=most))
    )

    def within(value: Value | None, least: int | None, most: int | None) -> Any:
        if value is None:
            value = entry.declared
        return unknown(least, most) if value is None else known(value)

    return within
