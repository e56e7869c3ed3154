"""What people do about values that are wrong: mark them, and be told what their source did."""

from __future__ import annotations

import datetime
from enum import Enum
from typing import Any

import strawberry

from schema.marked import CorrectionState, WrongBecause
from schema.needs import Acts, covered, needing
from schema.oversight import OFFICIALS

SHOWN_VALUES = Acts(OFFICIALS | {"self", "household"})
"""The relations by which values are shown, and may be marked."""


@strawberry.enum(description="What a source did about a correction.")
class SourceDid(Enum):
    """Took the ticket, corrected the value, or stands by it."""

    WITH_SOURCE = "WITH_SOURCE"
    CONFIRMED = "CONFIRMED"
    REJECTED = "REJECTED"


@strawberry.type(description="A value marked as wrong, and what became of it.")
class Correction:
    """A ticket: which item of which source, not of whom and not which value."""

    id: strawberry.ID = covered("The id that `withdrawCorrection` and `moveCorrection` take.")
    source: str = covered("The source that has to correct it.")
    agency: str = covered("The agency that runs the source.")
    item: str = covered("The data item.")
    why: WrongBecause = covered("Why it is said to be wrong.")
    state: CorrectionState = covered("How far it is.")
    filed_at: datetime.datetime = covered("When it was marked.")
    changed_at: datetime.datetime = covered("When its state changed last.")
    reply: str | None = covered("What the source replied.")


def query_fields() -> dict[str, tuple[Any, Any]]:
    """The questions about tickets."""

    def corrections(
        info: strawberry.Info,
        source: str | None = None,  # noqa: ARG001 - what is done with arguments is done before
    ) -> list[Correction]:
        found: list[Correction] = info.context.done["corrections"]
        return found

    def own_corrections(info: strawberry.Info) -> list[Correction]:
        found: list[Correction] = info.context.done["ownCorrections"]
        return found

    return {
        "corrections": (
            list[Correction],
            needing(
                Acts(frozenset({"oversight"})),
                corrections,
                "The tickets that no source has answered yet, the oldest first.",
            ),
        ),
        "ownCorrections": (
            list[Correction],
            needing(SHOWN_VALUES, own_corrections, "What the caller has marked as wrong."),
        ),
    }


def mutation_fields() -> dict[str, tuple[Any, Any]]:
    """What is done about values that are wrong."""

    def mark_wrong(
        info: strawberry.Info,
        recipient: strawberry.ID,  # noqa: ARG001 - what is done with arguments is done before
        item: str,  # noqa: ARG001 - the same
        why: WrongBecause,  # noqa: ARG001 - the same
        note: str = "",  # noqa: ARG001 - the same
    ) -> Correction:
        made: Correction = info.context.done["markWrong"]
        return made

    def withdraw_correction(
        info: strawberry.Info,
        ticket: strawberry.ID,  # noqa: ARG001 - the same
    ) -> Correction:
        made: Correction = info.context.done["withdrawCorrection"]
        return made

    def move_correction(
        info: strawberry.Info,
        ticket: strawberry.ID,  # noqa: ARG001 - the same
        to: SourceDid,  # noqa: ARG001 - the same
        reply: str = "",  # noqa: ARG001 - the same
    ) -> Correction:
        made: Correction = info.context.done["moveCorrection"]
        return made

    return {
        "markWrong": (
            Correction,
            needing(
                SHOWN_VALUES,
                mark_wrong,
                "Mark a data item that the caller was shown of a recipient as wrong. It is brought"
                " to its source with the note, which the log does not have; answers kept of it"
                " serve no longer, and it is shown with the value until the source answers.",
            ),
        ),
        "withdrawCorrection": (
            Correction,
            needing(SHOWN_VALUES, withdraw_correction, "Take back what one has marked oneself."),
        ),
        "moveCorrection": (
            Correction,
            needing(
                Acts(frozenset({"oversight"})),
                move_correction,
                "Note what the source did about a ticket, with its reply.",
            ),
        ),
    }
