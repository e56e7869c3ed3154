"""`python -m bench.projecting`: what it takes to put gathered answers in the shape of a question.

In µs of the processor, by graphql-core's execution and by the compiled operation, over the same
view in memory: medians of rounds that take turns. `q1` and `q2` are the questions of `make bench`,
for one recipient and for fifty; the others are the one-stop question (every programme for a
household) and a means test, which work out rules besides: what these take alone is in the last
column.
"""

from __future__ import annotations

import argparse
import datetime
import gc
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from rich.console import Console
from rich.table import Table

from hub.config import Limits
from hub.documents import Documents, variable_values
from hub.plan import make_plan
from hub.project import Reading, project
from hub.projecting.compiled import Compiled, Projections, compiled
from schema.build import HubSchema, build
from schema.entitlements import ENTITLEMENTS, WORTH
from schema.household_facts import facts_of
from schema.rules.book import the_book
from schema.rules.entitlements import entitlements
from schema.view import Answer, Person, State, View
from schema.working_days import today
from sources.declaration import Item, Source
from sources.reading import read_catalogue

BENCH = (Path("bench/declarations"), "benefits")
DEMO = (Path("sources/catalogue"), "resident")
SOURCES = ["resident", "tax", "labour", "property", "benefits"]
PEOPLE = [f"r-{number}" for number in range(50)]
ONE_STOP = """query($id: ID!) { recipient(id: $id) { entitlements {
    programme { nameKo } likelihood missing { fact } received worth { least most } } } }"""
MEANS_TEST = """query($id: ID!) { recipient(id: $id) { meansTest(programme: "livelihood") {
    result conditions { name en met basis } missing { fact en member why settledBy } } } }"""
AT = datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC)
VALUES: Mapping[str, Any] = {
    "String": "text",
    "ID": "text",
    "Int": 7,
    "Float": 1.5,
    "Boolean": False,
    "Date": datetime.date(1980, 1, 1),
    "Month": "2026-10",
    "Won": 12_345,
}


@dataclass(frozen=True, slots=True)
class Question:
    """A question to measure."""

    name: str
    declarations: tuple[Path, str]
    text: str
    variables: Mapping[str, Any]
    rules: bool = False


@dataclass(frozen=True, slots=True)
class Measured:
    """Medians in µs: executed, compiled, to compile, and the rules alone where there are."""

    executed: float
    compiled: float
    compiling: float
    rules: float | None


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.projecting", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    gc.set_threshold(20_000, 50, 100)  # as `hub serve` has it
    queries = Path("bench/queries")
    questions = (
        Question("q1", BENCH, (queries / "hub-q1.graphql").read_text(), {"id": PEOPLE[0]}),
        Question("q2", BENCH, (queries / "hub-q2.graphql").read_text(), {"ids": PEOPLE}),
        Question("one-stop", DEMO, ONE_STOP, {"id": PEOPLE[0]}, rules=True),
        Question("means test", DEMO, MEANS_TEST, {"id": PEOPLE[0]}),
    )
    schemas = {where: _schema(where) for where in (BENCH, DEMO)}
    table = Table("Question", "graphql-core", "compiled", "ratio", "to compile", "rules alone")
    for question in questions:
        found = _measure(schemas[question.declarations], question, options.rounds)
        ratio = f"{found.executed / found.compiled:.1f}"
        alone = "" if found.rules is None else f"{found.rules:.0f}"
        cells = (f"{found.executed:.0f}", f"{found.compiled:.0f}", ratio, f"{found.compiling:.0f}")
        table.add_row(question.name, *cells, alone)
    Console().print("Projecting, in µs", table, sep="\n")
    return 0


def _schema(where: tuple[Path, str]) -> HubSchema:
    catalogue, faults = read_catalogue(where[0], SOURCES, where[1], "benefits")
    if faults:
        raise SystemExit("\n".join(map(str, faults)))
    return build(catalogue)


def _measure(schema: HubSchema, question: Question, rounds: int) -> Measured:
    document = Documents(schema.graphql, Limits()).read(question.text)
    plan = make_plan(schema, document, document.operation(None))
    variables = variable_values(schema.graphql, plan.operation, question.variables)
    projections, view = Projections(schema), _view(schema)
    if not isinstance(projections.of(plan, {}), Compiled):
        raise SystemExit(f"{question.name} is not compiled")
    about: Any = SimpleNamespace(purpose=None)

    def reading() -> Reading:
        return Reading(replace(view, released={}, derived={}, _shown=[]), about)

    works: dict[str, Callable[[], object]] = {
        "executed": lambda: project(schema.graphql, plan, question.variables, reading()),
        "compiled": lambda: projections.project(plan, question.variables, variables, reading()),
        "compiling": lambda: compiled(schema, plan, {}),
    }
    if question.rules:
        works["rules"] = lambda: _rules(replace(view, derived={}))
    first = projections.project(plan, question.variables, variables, reading())
    if first.errors or first != project(schema.graphql, plan, question.variables, reading()):
        raise SystemExit(f"{question.name} is not answered the same")
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            times[name].append(_microseconds(work))
    medians = {name: statistics.median(found) for name, found in times.items()}
    return Measured(**{"rules": None, **medians})  # type: ignore[arg-type]


def _rules(view: View) -> object:
    """Every programme for the household, from the facts to the order."""
    person = Person(view, PEOPLE[0], ENTITLEMENTS)
    day = today()
    return entitlements(the_book(), facts_of(person, the_book(), day), day, frozenset())


def _microseconds(work: Callable[[], object], times: int = 10) -> float:
    started = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - started) / times * 1e6


def _view(schema: HubSchema) -> View:
    """A view in which everything is granted and known of everybody."""
    catalogue = schema.catalogue
    items = frozenset(catalogue.items)
    household = dict.fromkeys(PEOPLE, PEOPLE[:4])
    return View(
        catalogue=catalogue,
        granted=items,
        withheld={},
        transforms={},
        answers={
            (name, person): Answer(name, State.KNOWN, _values(source), AT.date(), AT)
            for name, source in catalogue.sources.items()
            for person in PEOPLE
        },
        households=household,
        reached=frozenset(PEOPLE),
        derivable=dict.fromkeys((*schema.derivations, ENTITLEMENTS, WORTH), items),
        assessed=household,
    )


def _values(source: Source) -> dict[str, Any]:
    values: dict[str, Any] = {}
    columns: dict[str, list[Item]] = {}
    for item in source.items:
        if len(item.path) == 2:
            columns.setdefault(item.path[0], []).append(item)
        elif not item.is_exists:
            values[item.path[0]] = VALUES[item.type]
    for name, items in columns.items():
        values[name] = [{item.path[1]: VALUES[item.type] for item in items} for _ in range(4)]
    return values


if __name__ == "__main__":
    sys.exit(main())
