"""How far an application has come, by when it has to be decided, and who acts next. Pure."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from enum import Enum

import strawberry

from schema.law import ApplicationLaw, Basis, Situation, Words
from schema.working_days import last_day, working_days


@strawberry.enum(description="How far an application has come.")
class Stage(Enum):
    """The stages of an application; UNKNOWN where the agency's word is none of them."""

    RECEIVED = "received"
    INVESTIGATING = "investigating"
    DECIDED = "decided"
    WITHDRAWN = "withdrawn"
    UNKNOWN = "unknown"


@strawberry.enum(description="Whether the decision keeps, or kept, to the period of the law.")
class Timeliness(Enum):
    """LATE_UNLESS_EXTENDED: the first period is over, and an extension is not known of."""

    IN_TIME = "in-time"
    LATE_UNLESS_EXTENDED = "late-unless-extended"
    LATE = "late"
    UNKNOWN = "unknown"


@strawberry.enum(description="Who has to act next.")
class Actor(Enum):
    """RECIPIENT: they may object, within the period for that."""

    OFFICE = "office"
    RECIPIENT = "recipient"
    NOBODY = "nobody"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Filed:
    """What the agency says of an application; `extended` is None where it does not say."""

    status: str | None
    applied: datetime.date | None
    decided: datetime.date | None = None
    outcome: str | None = None
    extended: bool | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an application has come on one day.

    `working_days` are those after the application's day, up to the decision or that day. `due` is
    the last day of the period that applies as far as is known, `due_if_extended` of the longer
    one. `object_until` holds if the decision was learned of on its day.
    """

    stage: Stage
    working_days: int | None
    due: datetime.date | None
    due_if_extended: datetime.date | None
    due_basis: Basis
    timeliness: Timeliness
    next_to_act: Actor
    object_until: datetime.date | None
    explanation: Words


def progress(filed: Filed, law: ApplicationLaw, today: datetime.date) -> Progress:
    """How far an application has come, today.

    A date that lies after today is taken for an error of the agency's, and nothing is worked out
    from it.
    """
    stage = next((one for one in Stage if one.value == filed.status), Stage.UNKNOWN)
    applied, decided = filed.applied, filed.decided
    if applied is None or applied > today:
        return _unknown(stage, law)
    if stage is Stage.DECIDED and (decided is None or not applied <= decided <= today):
        return _unknown(stage, law)
    until = decided if stage is Stage.DECIDED and decided is not None else today
    due = last_day(applied, law.decision.days)
    extended = last_day(applied, law.decision_extended.days)
    if filed.extended:
        due = extended
    lateness = _timeliness(until, due, extended, filed.extended)
    objection = None
    if stage is Stage.DECIDED and filed.outcome == "refused":
        objection = last_day(until, law.objection.days)
    case = _situation(stage, filed.outcome, lateness)
    running = stage in (Stage.RECEIVED, Stage.INVESTIGATING)
    days = working_days(applied, until) if running or stage is Stage.DECIDED else None
    words = law.explanation[case]
    values = {
        "applied": applied,
        "days": days,
        "due": due,
        "extended": extended,
        "decided": decided,
        "objection": objection,
    }
    return Progress(
        stage=stage,
        working_days=days,
        due=due if days is not None else None,
        due_if_extended=extended if days is not None else None,
        due_basis=law.decision_extended if filed.extended else law.decision,
        timeliness=lateness if days is not None else Timeliness.UNKNOWN,
        next_to_act=_next(stage, objection, today),
        object_until=objection,
        explanation=Words(ko=words.ko.format(**values), en=words.en.format(**values)),
    )


def _unknown(stage: Stage, law: ApplicationLaw) -> Progress:
    return Progress(
        stage=stage,
        working_days=None,
        due=None,
        due_if_extended=None,
        due_basis=law.decision,
        timeliness=Timeliness.UNKNOWN,
        next_to_act=Actor.UNKNOWN,
        object_until=None,
        explanation=law.explanation["unknown"],
    )


def _timeliness(
    until: datetime.date,
    due: datetime.date,
    extended: datetime.date,
    known: bool | None,
) -> Timeliness:
    if until <= due:
        return Timeliness.IN_TIME
    return (
        Timeliness.LATE_UNLESS_EXTENDED if known is None and until <= extended else Timeliness.LATE
    )


def _situation(stage: Stage, outcome: str | None, lateness: Timeliness) -> Situation:
    if stage is Stage.DECIDED:
        if outcome == "granted":
            return "granted"
        return "refused" if outcome == "refused" else "decided"
    if stage is Stage.WITHDRAWN:
        return "withdrawn"
    if stage is Stage.UNKNOWN:
        return "unknown"
    if lateness is Timeliness.LATE:
        return "late"
    return "received" if stage is Stage.RECEIVED else "investigating"


def _next(stage: Stage, objection: datetime.date | None, today: datetime.date) -> Actor:
    if stage in (Stage.RECEIVED, Stage.INVESTIGATING):
        return Actor.OFFICE
    if stage is Stage.UNKNOWN:
        return Actor.UNKNOWN
    return Actor.RECIPIENT if objection is not None and today <= objection else Actor.NOBODY
