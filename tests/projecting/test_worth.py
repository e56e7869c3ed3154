"""What programmes are worth rests on what that may be worked out from, and on nothing else."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from hub.documents import variable_values
from hub.plan import plan_of
from hub.project import Reading
from schema.entitlements import ENTITLEMENTS, WORTH
from schema.view import State, View
from tests.projecting.at_random import Views
from tests.projecting.test_compiled import CATALOGUE, DOCUMENTS, PROJECTIONS, SCHEMA

QUERY = 'query { recipient(id: "r-1") { entitlements { id worth { least most } } } }'
EVERY = frozenset(CATALOGUE.items)
NO_MONEY = frozenset(name for name, item in CATALOGUE.items.items() if item.category != "income")


def gathered() -> list[View]:
    """Some views in which everything is granted and the recipient is known."""
    chance = random.Random(3)
    found = []
    for _ in range(50):
        view = Views(CATALOGUE, (), chance).view()
        identity = view.answers.get((CATALOGUE.identity, "r-1"))
        there = identity is not None and identity.state is not State.ABSENT
        if there and view.granted == EVERY and not (view.unmet or view.waiting):
            found.append(view)
    return found[:6]


def worth(view: View, decided_by: Iterable[str], worked_out_from: Iterable[str]) -> dict[str, Any]:
    """What each programme is worth, by its id."""
    derivable = {ENTITLEMENTS: frozenset(decided_by), WORTH: frozenset(worked_out_from)}
    asked = replace(view, derivable=derivable, released={}, derived={}, _shown=[])
    plan = plan_of(SCHEMA, DOCUMENTS.read(QUERY), None, {})
    about: Any = SimpleNamespace(purpose=None)
    variables = variable_values(SCHEMA.graphql, plan.operation, {})
    projected = PROJECTIONS.project(plan, {}, variables, Reading(asked, about))
    assert projected.errors == ()
    assert projected.data is not None
    assert asked.derived == {"r-1": {ENTITLEMENTS, WORTH}}
    return {each["id"]: each["worth"] for each in projected.data["recipient"]["entitlements"]}


def test_the_worth_is_not_worked_out_from_what_only_the_rest_may_be() -> None:
    differ = 0
    for view in gathered():
        whole, less = worth(view, EVERY, EVERY), worth(view, EVERY, NO_MONEY)
        assert less == worth(view, NO_MONEY, NO_MONEY)
        assert whole == worth(view, NO_MONEY, EVERY)
        differ += whole != less
    assert differ
