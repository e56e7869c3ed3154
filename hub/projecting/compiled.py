"""Operations compiled to projections, and kept; what is not compiled is executed by graphql-core.

What is kept is worked out from the schema and the document alone: no decision, nobody's data.
"""

from __future__ import annotations

import datetime
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from graphql import GraphQLError
from graphql.execution.values import VariableValues

from hub.plan import Plan
from hub.project import Projected, Reading, masked, project
from hub.projecting.fields import Values, kind_of
from hub.projecting.running import (
    Info,
    Run,
    at_path,
    leaf_by_leaf,
    listed,
    once,
    one_by_one,
    required,
    rows_one_by_one,
    sound,
)
from hub.projecting.shape import NotCompiled, conditions, shape
from hub.projecting.writing import Writer
from schema.build import HubSchema
from schema.whole import release, told_length, whole, whole_row, whole_rows

KEPT = 500
"""Projections that are kept; the least recently used goes first."""
_CALLED: Mapping[str, Any] = {
    "at_path": at_path,
    "date": datetime.date,
    "kind_of": kind_of,
    "leaf_by_leaf": leaf_by_leaf,
    "listed": listed,
    "once": once,
    "one_by_one": one_by_one,
    "release": release,
    "required": required,
    "rows_one_by_one": rows_one_by_one,
    "sound": sound,
    "told_length": told_length,
    "whole": whole,
    "whole_row": whole_row,
    "whole_rows": whole_rows,
}
_BUILTINS = {
    each.__name__: each for each in (Exception, bool, enumerate, float, int, max, str, type)
}


@dataclass(frozen=True, slots=True)
class Compiled:
    """A projection: its code, the function made of it, and the arguments that vary."""

    source: str
    function: Callable[[None, None, Run], dict[str, Any]]
    arguments: tuple[Values, ...]

    def run(self, arguments: Sequence[Mapping[str, Any]], reading: Reading) -> Projected:
        """Shape the view as the operation asks."""
        run = Run(Info(reading), arguments)
        try:
            data = self.function(None, None, run)
        except GraphQLError as error:
            run.errors.append(error)
            data = None
        return Projected(data, tuple(masked(found) for found in run.errors))


def compiled(schema: HubSchema, plan: Plan, flags: Mapping[str, bool]) -> Compiled:
    """Compile an operation for what its `@skip` and `@include` rest on. Raises NotCompiled."""
    query = schema.graphql.query_type
    if query is None:
        raise NotCompiled("there is nothing to ask")
    selected = shape(schema.graphql, plan.document, plan.operation, flags)
    writer = Writer(schema)
    name = writer.object(query, selected)
    bound = {**writer.constants, **_CALLED, "__builtins__": _BUILTINS}
    # Invariant: the code is of the writer's words; see there for what of a document is in it.
    exec(compile(writer.source, "<projection>", "exec"), bound)  # noqa: S102 - just that is meant
    return Compiled(writer.source, bound[name], tuple(writer.arguments))


class Projections:
    """Compiled operations of one schema; `NotCompiled` in the place of one that is none.

    An operation is compiled when it is asked for the second time: executing it once is quicker.
    """

    def __init__(self, schema: HubSchema) -> None:
        self._schema = schema
        self._conditions: WeakKeyDictionary[Plan, tuple[str, ...] | NotCompiled] = (
            WeakKeyDictionary()
        )
        self._kept: OrderedDict[tuple[Plan, tuple[Any, ...]], Compiled | NotCompiled] = (
            OrderedDict()
        )

    def __len__(self) -> int:
        return len(self._kept)

    def project(
        self, plan: Plan, given: Mapping[str, Any], variables: VariableValues, reading: Reading
    ) -> Projected:
        """Shape the view as the operation asks, with the variables as given and as coerced."""
        again = plan in self._conditions
        found = self.of(plan, variables.coerced) if again else self._note(plan)
        if isinstance(found, NotCompiled):
            return project(self._schema.graphql, plan, given, reading)
        try:
            arguments = [values(variables) for values in found.arguments]
        except GraphQLError:
            # The argument of one field has no value, which is that field's error.
            return project(self._schema.graphql, plan, given, reading)
        return found.run(arguments, reading)

    def of(self, plan: Plan, variables: Mapping[str, Any]) -> Compiled | NotCompiled:
        """The projection of an operation for the variables that its `@skip` and `@include` name."""
        if plan not in self._conditions:
            self._note(plan)
        names = self._conditions[plan]
        if isinstance(names, NotCompiled):
            return names
        key = (plan, tuple(variables.get(name) for name in names))
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        found = self._kept[key] = self._compiled(plan, dict(zip(names, key[1], strict=True)))
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return found

    def _note(self, plan: Plan) -> NotCompiled:
        self._conditions[plan] = _conditions(plan)
        return NotCompiled("it is asked for the first time")

    def _compiled(self, plan: Plan, flags: Mapping[str, Any]) -> Compiled | NotCompiled:
        if not all(isinstance(flag, bool) for flag in flags.values()):
            return NotCompiled("a variable of `@skip` or `@include` is null")
        try:
            return compiled(self._schema, plan, flags)
        except NotCompiled as found:
            return NotCompiled(*found.args)


def _conditions(plan: Plan) -> tuple[str, ...] | NotCompiled:
    try:
        return conditions(plan.document, plan.operation)
    except NotCompiled as found:
        return NotCompiled(*found.args)
