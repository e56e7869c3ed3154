"""Those whom the columns leave undecided, tested one by one within bounds, as in a single test.

What is not known may not matter: a result that is the same whatever it is, is decided.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hub.population.deliveries import KEY
from hub.population.review_engine import Engine
from hub.population.reviewed import Reviewed, Tables
from hub.population.testing import OPEN, households, known_facts, members
from schema.rules import columns
from schema.rules.assess import RESULTS, verdict
from schema.rules.book import Programme
from schema.rules.facts import Fact, HouseholdFacts, Known, Member, NotKnown
from schema.rules.run import work_out
from schema.rules.year import Year, rules_of

_ABOVE = "above the threshold whatever is not known"


def decide_by_bounds(
    engine: Engine, reviewed: Reviewed, tables: Tables, tested: Any, into: Path
) -> None:
    """Decide what can be decided of the table `tested`, in place; `into` is a file to write."""
    backend = engine.backend
    undecided = tested.filter(tested.result == OPEN).select(KEY, "programme")
    wanted: dict[str, list[str]] = {}
    for row in backend.to_pyarrow(undecided).to_pylist():
        wanted.setdefault(row[KEY], []).append(row["programme"])
    tests = {key: _test_of(reviewed, key) for key in reviewed.programmes}
    found = [
        {"of": key, "for": programme, **decided}
        for key, facts in (_facts(backend, reviewed, tables, undecided) if wanted else ())
        for programme in wanted[key]
        if (decided := _decided(*tests[programme], facts))
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


def _test_of(reviewed: Reviewed, key: str) -> tuple[Programme, Year]:
    rules = rules_of(reviewed.book, reviewed.day.year, reviewed.book.by_key[key])
    return reviewed.programme(key), rules


def _decided(programme: Programme, rules: Year, facts: HouseholdFacts) -> dict[str, str | None]:
    """What a test comes to, and why not; nothing where it hangs on what is not known."""
    values = work_out(rules, facts)
    met = verdict(rules, programme, values)
    if met is None:
        return {}
    unmet = (name for name in programme.conditions if values.household.get(name) is False)
    why = next((f"not met: {rules.book.steps[name].en}" for name in unmet), _ABOVE)
    return {"decided": RESULTS[met].value, "why": None if met else why}


def _facts(
    backend: Any, reviewed: Reviewed, tables: Tables, keys: Any
) -> Iterator[tuple[str, HouseholdFacts]]:
    """The facts of each applicant's household, the applicant first."""
    rows = members(reviewed, tables.people, keys)
    own = households(reviewed, tables.people.semi_join(keys, KEY))
    of_household = {row[columns.KEY]: row for row in backend.to_pyarrow(own).to_pylist()}
    names = [name for name in known_facts(reviewed, tables.people) if name in reviewed.facts]
    by_applicant: dict[str, list[Mapping[str, Any]]] = {}
    for row in backend.to_pyarrow(rows).to_pylist():
        by_applicant.setdefault(row[columns.KEY], []).append(row)
    for key, found in by_applicant.items():
        found.sort(key=lambda row: (not row["applicant"], row["member"]))
        yield (
            key,
            HouseholdFacts(
                tuple(Member(row["member"], _of_member(reviewed, row, names)) for row in found),
                {
                    name: Known(value)
                    for name, value in of_household[key].items()
                    if name != columns.KEY and value is not None
                },
            ),
        )


def _of_member(reviewed: Reviewed, row: Mapping[str, Any], names: list[str]) -> dict[str, Fact]:
    facts: dict[str, Fact] = {}
    for name in (*names, "relation"):
        if row[name] is not None:
            facts[name] = Known(row[name])
        elif reviewed.book.inputs[name].declared is None:
            facts[name] = NotKnown(
                "unavailable", least=row.get(f"{name}_least"), most=row.get(f"{name}_most")
            )
    return facts
