"""`applications { progress }`: how far an application has come, in GraphQL."""

from __future__ import annotations

import datetime
from typing import Any

import strawberry

from schema.duplicates import RuleBasis, rule_basis
from schema.law import law
from schema.needs import OfHousehold, Place, covered, needing
from schema.progress import Actor, Filed, Stage, Timeliness, progress
from schema.view import Row
from schema.working_days import today

_PLACES = {
    "status": "applications.status",
    "applied": "applications.applied",
    "decided": "applications.decided",
    "outcome": "applications.outcome",
    "extended": "applications.extended",
}
"""Where the facts of an application stand."""


@strawberry.type(description="A text for whoever the data is about.")
class PlainWords:
    """The same in two languages."""

    ko: str = covered("In Korean.")
    en: str = covered("In English.")


@strawberry.type(description="How far an application has come, as of today.")
class ApplicationProgress:
    """The GraphQL form of `Progress`."""

    stage: Stage = covered("How far it has come.")
    working_days: int | None = covered(
        "Working days after the day of the application, up to the decision or today; null where"
        " the dates are not known or it was withdrawn."
    )
    due: datetime.date | None = covered("The last day for the decision, by law.")
    due_if_extended: datetime.date | None = covered(
        "The last day where the office has told why it takes longer."
    )
    due_basis: RuleBasis = covered("What `due` rests on.")
    timeliness: Timeliness = covered("Whether the decision keeps, or kept, to that.")
    next_to_act: Actor = covered("Who has to act next.")
    object_until: datetime.date | None = covered(
        "After a refusal: the last day to object, if it was learned of on its day."
    )
    explanation: PlainWords = covered("The same in plain words, for whoever applied.")


def _whole(row: Row, place: str) -> Any:
    """The value of the column at a place, whole and to be released; None where there is none.

    Raises NotKnown.
    """
    for item in row.columns.values():
        if place in item.places:
            value = row.peek(item)
            row.owner.release(item)
            return value
    return None


def _progress(self: Any) -> ApplicationProgress:
    filed = Filed(**{name: _whole(self.row, place) for name, place in _PLACES.items()})
    found = progress(filed, law().applications, today())
    return ApplicationProgress(
        stage=found.stage,
        working_days=found.working_days,
        due=found.due,
        due_if_extended=found.due_if_extended,
        due_basis=rule_basis(found.due_basis),
        timeliness=found.timeliness,
        next_to_act=found.next_to_act,
        object_until=found.object_until,
        explanation=PlainWords(ko=found.explanation.ko, en=found.explanation.en),
    )


def application_progress() -> Any:
    """The field `progress` of a type that has a `row` of applications."""
    return needing(
        OfHousehold(own=tuple(Place(place) for place in _PLACES.values())),
        _progress,
        "How far it has come, by when it has to be decided, and who acts next.",
    )
