"""Compiled projections: equal to graphql-core's execution over the same view, whatever it is."""

from __future__ import annotations

import datetime
import json
import os
import random
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import FunctionType, SimpleNamespace
from typing import Any

import pytest

from hub.config import Limits
from hub.documents import Documents, variable_values
from hub.errors import RequestRefused
from hub.plan import Plan, make_plan, plan_of
from hub.project import Projected, Reading, project
from hub.projecting.compiled import KEPT, Compiled, Projections
from hub.projecting.shape import NotCompiled
from schema.build import build
from schema.view import Answer, State, View
from sources.reading import read_catalogue
from tests.command import hub
from tests.hub.memory import REGISTER, SOURCES
from tests.projecting.at_random import AT, VARIABLES, Operations, Views

COUNT = int(os.environ.get("HUB_PROJECTIONS", "60"))
"""Operations tried, each over three views. 3,000 is the long run, of some ten minutes."""
LINKED = ["buildingLedger", "businessRegister"]
CATALOGUE, _ = read_catalogue(
    Path("sources/catalogue"), [*SOURCES, *LINKED], "resident", "benefits"
)
SCHEMA = build(CATALOGUE)
DOCUMENTS = Documents(SCHEMA.graphql, Limits(depth=30, tokens=50_000, fields=9_000, aliases=9_000))
PROJECTIONS = Projections(SCHEMA)
GIVEN = {name: value for name, (_, value) in VARIABLES.items() if value is not None}
PURPOSE = REGISTER.purposes["basic-livelihood.application"]
ABOUT: Any = SimpleNamespace(purpose=PURPOSE, sources=lambda: iter(()))


def planned(text: str) -> Plan:
    document = DOCUMENTS.read(text)
    return make_plan(SCHEMA, document, document.operation(None))


def again(view: View) -> View:
    """The same view, of which nothing is released yet."""
    return replace(view, released={}, derived={}, _shown=[])


def told(projected: Projected, view: View) -> tuple[str, list[str], Any]:
    """The data as it is sent, the errors by their paths, and what was released."""
    errors = sorted(json.dumps(error.formatted, default=str) for error in projected.errors)
    return json.dumps(projected.data), errors, (view.settle(), view.derived)


def both(text: str, given: Mapping[str, Any], view: View) -> tuple[Any, Any]:
    """What graphql-core makes of it, and what the compiled operation does."""
    plan = planned(text)
    variables = variable_values(SCHEMA.graphql, plan.operation, given)
    assert isinstance(PROJECTIONS.of(plan, variables.coerced), Compiled), text
    executed, run = again(view), again(view)
    expected = project(SCHEMA.graphql, plan, given, Reading(executed, ABOUT))
    found = PROJECTIONS.project(plan, given, variables, Reading(run, ABOUT))
    return told(expected, executed), told(found, run)


def known(**values: Any) -> View:
    """A view in which everything is granted, and these are the answers on `r-1` by source."""
    answers = {
        (name, "r-1"): Answer(name, State.KNOWN, of, None, AT) for name, of in values.items()
    }
    granted = frozenset(CATALOGUE.items)
    return View(CATALOGUE, granted, {}, {}, answers, {}, frozenset({"r-1"}))


def code(text: str) -> str:
    found = PROJECTIONS.of(planned(text), {})
    assert isinstance(found, Compiled)
    return found.source


@pytest.mark.parametrize("part", range(5))
def test_whatever_is_asked_of_whatever_was_gathered_is_as_graphql_core_has_it(part: int) -> None:
    chance = random.Random(part)
    operations, views = Operations(SCHEMA, chance), Views(CATALOGUE, SCHEMA.derivations, chance)
    tried = 0
    while tried < COUNT // 5:
        text = operations.document()
        try:
            planned(text)
        except RequestRefused:
            continue
        tried += 1
        for _ in range(3):
            expected, found = both(text, GIVEN, views.view())
            assert found == expected, text


HOSTILE = "__import__", "exec", "__builtins__", "None", "class", "out", "run", "whole", "lambda"


def test_a_response_key_is_a_literal_whatever_it_is_called() -> None:
    keys = " ".join(f"{key}: arrears" for key in HOSTILE if not key.startswith("__"))
    text = f'{{ out: recipient(id: "r-1") {{ tax {{ {keys} _import_: arrears }} }} }}'
    expected, found = both(text, {}, known(tax={"arrears": 5}))
    assert found == expected
    assert json.loads(found[0])["out"]["tax"]["lambda"] == 5
    for key in ("lambda", "None", "class", "_import_"):
        assert f"'{key}': " in code(text)


def test_nothing_of_a_documents_strings_and_comments_is_in_the_code() -> None:
    evil = r"'''\n__import__('os').system('id')#"
    text = f"""query Evil($id: ID! = "{evil}") {{ # {evil}
        recipient(id: $id) {{ id }} other: recipient(id: "{evil}") {{ __typename }}
        tax: recipient(id: "r-1") {{
            tax {{ withholdings(where: {{payer: {{eq: "{evil}"}}}}) {{ payer }} }}
        }}
    }}"""
    expected, found = both(text, {}, known(tax={"withholdings": [{"payer": "a"}]}))
    assert found == expected
    written = code(text)
    assert [word for word in ("import", "system", "Evil", "'''", "#") if word in written] == []


def test_the_code_can_call_nothing_but_what_it_is_given() -> None:
    found = PROJECTIONS.of(planned('{ recipient(id: "r-1") { id tax { arrears } } }'), {})
    assert isinstance(found, Compiled)
    assert isinstance(found.function, FunctionType)
    bound = found.function.__globals__
    allowed = {"Exception", "bool", "enumerate", "float", "int", "max", "str", "type"}
    assert set(bound["__builtins__"]) == allowed


def test_what_is_not_compiled_says_why() -> None:
    names = [f"v{number}" for number in range(7)]
    fields = " ".join(f"{name}: id @skip(if: ${name})" for name in names)
    declared = " ".join(f"${name}: Boolean!" for name in names)
    reasons = {
        "{ __schema { queryType { name } } recipient(id: 1) { id } }": "it asks what the schema is",
        f"query({declared}) {{ recipient(id: 1) {{ {fields} }} }}": (
            "`@skip` and `@include` name 7 variables, 6 at most"
        ),
    }
    for text, reason in reasons.items():
        found = PROJECTIONS.of(planned(text), dict.fromkeys(names, True))
        assert isinstance(found, NotCompiled)
        assert str(found) == reason


def test_explaining_prints_the_code_or_why_there_is_none(tmp_path: Path) -> None:
    query = tmp_path / "query.graphql"
    told = {
        '{ recipient(id: "r-1") { tax { arrears } } }': "def query_1(it, path, run):",
        "{ sources { name } }": "executed by graphql-core because it touches no data item",
    }
    for text, expected in told.items():
        query.write_text(text)
        found = hub("explain", str(query), "--purpose", PURPOSE.code, "--code")
        assert found.stdout.splitlines()[0] == expected


def test_a_condition_that_is_null_is_for_graphql_core_to_refuse() -> None:
    text = "query($v: Boolean = true) { recipient(id: 1) { a: id @include(if: $v) __typename } }"
    plan, given = planned(text), {"v": None}
    variables = variable_values(SCHEMA.graphql, plan.operation, given)
    assert isinstance(PROJECTIONS.of(plan, variables.coerced), NotCompiled)
    projected = PROJECTIONS.project(plan, given, variables, Reading(known(), ABOUT))
    expected = project(SCHEMA.graphql, plan, given, Reading(known(), ABOUT))
    assert told(projected, known()) == told(expected, known())


def test_every_condition_has_a_projection_of_its_own() -> None:
    text = 'query($v: Boolean!) { recipient(id: "r-1") { id tax @skip(if: $v) { arrears } } }'
    for skipped in (True, False, True):
        expected, found = both(text, {"v": skipped}, known(tax={"arrears": 5}))
        assert found == expected
        assert ("arrears" in found[0]) is not skipped


def test_what_is_all_there_is_read_at_once() -> None:
    """Else it would be right still, and slow."""
    given = {"arrears": 5, "withholdings": [{"payer": "a", "paid": 7}], "taxOffice": "b"}
    text = """{ recipient(id: "r-1") { id identity { name birthDate }
        tax { arrears withholdings { payer paid } provenance { source state cacheAge } } } }"""
    compiled = PROJECTIONS.of(planned(text), {})
    assert isinstance(compiled, Compiled)
    assert isinstance(compiled.function, FunctionType)
    bound = compiled.function.__globals__
    bound["one_by_one"] = bound["rows_one_by_one"] = None
    born = datetime.date(1990, 1, 2)
    view = known(tax=given, resident={"name": "a name", "birthDate": born})
    projected = compiled.run([], Reading(view, ABOUT))
    assert projected.errors == ()
    assert projected.data is not None
    assert projected.data["recipient"]["identity"]["birthDate"] == "1990-01-02"


def test_a_document_is_planned_once_and_so_compiled_once() -> None:
    document = DOCUMENTS.read("query A { recipient(id: 1) { id } } query B { sources { name } }")
    plan = plan_of(SCHEMA, document, "A", {})
    assert plan_of(SCHEMA, document, "A", {}) is plan
    assert plan_of(SCHEMA, document, "B", {}) is not plan
    assert PROJECTIONS.of(plan, {}) is PROJECTIONS.of(plan_of(SCHEMA, document, "A", {}), {})


def test_an_operation_is_compiled_when_it_is_asked_for_the_second_time() -> None:
    plan, projections = planned('{ again: recipient(id: "r-1") { id } }'), Projections(SCHEMA)
    variables = variable_values(SCHEMA.graphql, plan.operation, {})
    for kept in (0, 1, 1):
        found = projections.project(plan, {}, variables, Reading(known(), ABOUT))
        assert found.data == {"again": {"id": "r-1"}}
        assert len(projections) == kept


def test_no_more_projections_are_kept_than_are_said() -> None:
    projections = Projections(SCHEMA)
    document = DOCUMENTS.read("{ recipient(id: 1) { id } }")
    for _ in range(KEPT + 5):
        projections.of(make_plan(SCHEMA, document, document.operation(None)), {})
    assert len(projections) == KEPT
