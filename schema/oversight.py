"""What people do about each other's uses: approve, open a break-glass, review, be told."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

import strawberry

from schema.agency import make_type
from schema.needs import Acts, covered, needing

OFFICIALS: frozenset[str] = frozenset({"case", "assigned", "receipt", "break-glass"})
"""The relations by which officials reach others."""


@strawberry.enum(description="What a reviewer found.")
class Finding(Enum):
    """Whether a use was justified."""

    JUSTIFIED = "JUSTIFIED"
    UNJUSTIFIED = "UNJUSTIFIED"


@strawberry.enum(description="How far a request for approval is.")
class ApprovalState(Enum):
    """Waiting, decided, or too old."""

    WAITING = "WAITING"
    APPROVED = "APPROVED"
    REFUSED = "REFUSED"
    EXPIRED = "EXPIRED"


@strawberry.type(description="A request that somebody of another office approves.")
class ApprovalRequest:
    """A request and how it was decided; whom it is about, the requester tells the approver."""

    id: strawberry.ID = covered("The id that `approve` takes.")
    purpose: str = covered("Code of the purpose.")
    person: str = covered("Who asks.")
    office: str = covered("Their office.")
    reason: str = covered("Why they ask.")
    requested_at: datetime.datetime = covered("When they asked.")
    recipients: int = covered("How many recipients it is about.")
    of_case: bool = covered("Whether it is about a case.")
    state: ApprovalState = covered("How far it is.")
    until: datetime.datetime | None = covered("Until when the approval holds.")
    approver: str | None = covered("Who decided.")


@strawberry.type(description="What was released under a use, at one time.")
class Sight:
    """The items' names, no values."""

    at: datetime.datetime = covered("When.")
    items: list[str] = covered("The data items released.")


@strawberry.type(description="A use of a purpose that somebody of another office reviews.")
class ReviewedUse:
    """A break-glass, or an operation of a purpose that demands a review."""

    id: strawberry.ID = covered("The id that the reviewing mutation takes.")
    break_glass: bool = covered("Whether it is a break-glass.")
    purpose: str = covered("Code of the purpose.")
    person: str = covered("Whose use it is.")
    office: str | None = covered("Their office.")
    reason: str = covered("The reason they gave.")
    opened_at: datetime.datetime = covered("When it was opened, or used.")
    until: datetime.datetime | None = covered("When a break-glass closes again.")
    due: datetime.datetime = covered("By when it has to be reviewed.")
    overdue: bool = covered("Whether it should have been reviewed by now.")
    seen: list[Sight] = covered("What was released under it.")
    reviewed_at: datetime.datetime | None = covered("When it was reviewed.")
    finding: Finding | None = covered("What the reviewer found.")
    reviewer: str | None = covered("Who reviewed it.")


@strawberry.type(description="What waits for the caller.")
class Waiting:
    """Requests to approve and uses to review, those left out that the caller may not decide."""

    approvals: list[ApprovalRequest] = covered("Requests that the caller may approve.")
    reviews: list[ReviewedUse] = covered("Uses that the caller may review, those due first.")


@strawberry.type(description="What the caller has asked for and used.")
class OwnUses:
    """The caller's own requests and uses."""

    approvals: list[ApprovalRequest] = covered("Requests for approval.")
    uses: list[ReviewedUse] = covered("Uses that are or were to be reviewed.")
    suspended: bool = covered("Whether an overdue review keeps the caller from break-glass.")


@strawberry.type(description="That somebody opened the caller's record.")
class Notice:
    """When, why, on which ground, by which office; not by whom."""

    at: datetime.datetime = covered("When.")
    purpose: str = covered("Code of the purpose.")
    title: str = covered("What the purpose is for.")
    legal_basis: str = covered("The law it rests on.")
    office: str | None = covered("The office.")


def _done(field: str) -> Callable[[strawberry.Info], Any]:
    """What was done, or read, for a field before the answer is shaped."""

    def read(info: strawberry.Info) -> Any:
        return info.context.done[field]

    return read


def query_fields() -> dict[str, tuple[Any, Any]]:
    """The questions about what waits for people, and what they are told."""
    oversight, officials = Acts(frozenset({"oversight"})), Acts(OFFICIALS)
    return {
        "waiting": (Waiting, needing(oversight, _done("waiting"), "What waits for the caller.")),
        "ownUses": (
            OwnUses,
            needing(officials, _done("ownUses"), "What the caller has asked for and used."),
        ),
        "notices": (
            list[Notice],
            needing(
                Acts(frozenset({"self"})),
                _done("notices"),
                "Who opened the caller's own record in an emergency, or has to tell of it.",
            ),
        ),
    }


def mutation_type(others: Mapping[str, tuple[Any, Any]]) -> Any:
    """`Mutation`: one of these, or of the others, an operation."""

    def request_approval(
        info: strawberry.Info,
        reason: str,  # noqa: ARG001 - what is done with arguments is done before
        recipients: list[strawberry.ID] | None = None,  # noqa: ARG001 - the same
        case: strawberry.ID | None = None,  # noqa: ARG001 - the same
    ) -> ApprovalRequest:
        made: ApprovalRequest = info.context.done["requestApproval"]
        return made

    def approve(
        info: strawberry.Info,
        request: strawberry.ID,  # noqa: ARG001 - the same
        recipients: list[strawberry.ID] | None = None,  # noqa: ARG001 - the same
        case: strawberry.ID | None = None,  # noqa: ARG001 - the same
        granted: bool = True,  # noqa: ARG001, FBT002 - the same; GraphQL names its arguments
        note: str = "",  # noqa: ARG001 - the same
    ) -> ApprovalRequest:
        made: ApprovalRequest = info.context.done["approve"]
        return made

    def open_break_glass(
        info: strawberry.Info,
        recipient: strawberry.ID,  # noqa: ARG001 - the same
        reason: str,  # noqa: ARG001 - the same
    ) -> ReviewedUse:
        made: ReviewedUse = info.context.done["openBreakGlass"]
        return made

    def reviewing(field: str) -> Callable[..., ReviewedUse]:
        def review(
            info: strawberry.Info,
            use: strawberry.ID,  # noqa: ARG001 - the same
            finding: Finding,  # noqa: ARG001 - the same
            note: str,  # noqa: ARG001 - the same
        ) -> ReviewedUse:
            made: ReviewedUse = info.context.done[field]
            return made

        return review

    oversight = Acts(frozenset({"oversight"}))
    return make_type(
        "Mutation",
        {
            "requestApproval": (
                ApprovalRequest,
                needing(
                    Acts(OFFICIALS),
                    request_approval,
                    "Ask somebody of another office to approve that the caller asks about these"
                    " recipients, or this case, for the declared purpose.",
                ),
            ),
            "approve": (
                ApprovalRequest,
                needing(
                    oversight,
                    approve,
                    "Approve a request, or refuse it (`granted: false`). The approver names again"
                    " the recipients and the case that it is about.",
                ),
            ),
            "openBreakGlass": (
                ReviewedUse,
                needing(
                    Acts(frozenset({"break-glass"})),
                    open_break_glass,
                    "Open one recipient for minutes. The recipient is told, and somebody of"
                    " another office reviews it.",
                ),
            ),
            "reviewBreakGlass": (
                ReviewedUse,
                needing(oversight, reviewing("reviewBreakGlass"), "Close a break-glass's review."),
            ),
            "reviewUse": (
                ReviewedUse,
                needing(oversight, reviewing("reviewUse"), "Close the review of any other use."),
            ),
            **others,
        },
    )
