"""How long decisions take at an office or in a district: the types of `decisionTimes`."""

from __future__ import annotations

import datetime
from typing import Any

import strawberry

from schema.needs import Acts, covered, needing


@strawberry.type(description="How long the decisions on one programme took.")
class DecisionTime:
    """Of at least ten decisions; those of fewer are left out."""

    programme: str = covered("Code of the programme, as the agency has it.")
    decisions: int = covered("How many were decided in the year, rounded down to tens.")
    median_days: int = covered("Days from application to decision: half took no longer.")
    ninetieth_percentile_days: int = covered("Nine in ten took no longer.")


@strawberry.type(description="How long decisions took at an office or in a district, in one year.")
class DecisionTimes:
    """Figures over many applications, and of none of them."""

    office: str | None = covered("The office that decided; null where it is of a district.")
    district: str | None = covered("The district in which the applicants live, where one is asked.")
    year: int = covered("The year of the decisions.")
    as_of: datetime.date = covered("The day of the delivery that was counted.")
    agency: str = covered("Whose delivery it is.")
    programmes: list[DecisionTime] = covered("By programme, the slowest first.")


def query_fields() -> dict[str, tuple[Any, Any]]:
    """The question about how long decisions take."""

    def decision_times(
        info: strawberry.Info,
        year: int,  # noqa: ARG001 - what is done with arguments is done before
        district: str | None = None,  # noqa: ARG001
    ) -> DecisionTimes:
        found: DecisionTimes = info.context.done["decisionTimes"]
        return found

    return {
        "decisionTimes": (
            DecisionTimes,
            needing(
                Acts(frozenset({"oversight", "population"})),
                decision_times,
                "Median and 90th percentile of the days from application to decision, by programme:"
                " at the caller's own office, or of those who live in a district.",
            ),
        ),
    }
