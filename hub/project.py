"""The gathered view in the shape of the operation: executed by GraphQL over what is in memory.

Does no I/O: every value was gathered, or is not known and becomes an error at its path.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import ExecutionResult, GraphQLError, GraphQLSchema, execute
from graphql.pyutils import is_awaitable

from hub.about import About
from hub.errors import codes, error
from hub.plan import Plan
from schema.view import View

_log = logging.getLogger("hub.project")


@dataclass(frozen=True)
class Reading:
    """What resolvers read from: the view, what the hub says of itself, what was done by a field."""

    view: View
    about: About
    done: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Projected:
    """The response's data and its errors."""

    data: dict[str, Any] | None
    errors: tuple[GraphQLError, ...]

    @property
    def codes(self) -> list[str]:
        """The errors' codes, each once."""
        return codes(self.errors)


def project(
    schema: GraphQLSchema, plan: Plan, variables: Mapping[str, Any], reading: Reading
) -> Projected:
    """Shape the view as the operation asks."""
    name = plan.operation.name
    result = execute(
        schema,
        plan.document.ast,
        context_value=reading,
        variable_values=dict(variables),
        operation_name=name.value if name else None,
    )
    if is_awaitable(result) or not isinstance(result, ExecutionResult):
        raise TypeError("projection does no I/O, so no resolver may be asynchronous")
    return Projected(result.data, tuple(masked(found) for found in result.errors or ()))


def masked(found: GraphQLError) -> GraphQLError:
    """The error, or an anonymous one where the hub itself failed: its text may be personal."""
    original = found.original_error
    if original is None or isinstance(original, GraphQLError):
        return found
    _log.error("resolver failed", extra={"error": type(original).__qualname__})
    internal = error("INTERNAL", "the hub could not make this value")
    return GraphQLError(
        internal.message, nodes=found.nodes, path=found.path, extensions=internal.extensions
    )
