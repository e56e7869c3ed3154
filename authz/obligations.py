"""What must be done along with an allow: a reason, an approval, a notice, a review. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from pydantic import Field

from sources.terms import Strict

LEAST_REASON = 20
"""Characters of a reason for a break-glass at least; a register may ask for more."""


class SecondApprover(Strict):
    """Somebody else of another office has to approve; for so many hours that then holds."""

    roles: tuple[str, ...] = Field(min_length=1)
    hours: int = Field(default=24, ge=1, le=720)


class Obligations(Strict):
    """What must be done along with an allow.

    `reason`: the fewest characters of a reason. `notice`: the recipient is told. `review_days`:
    within how many days somebody else of another office has to have reviewed the use.
    """

    reason: int | None = Field(default=None, ge=1, le=1000)
    second_approver: SecondApprover | None = None
    notice: bool = False
    review_days: int | None = Field(default=None, ge=1, le=90)

    @property
    def demands(self) -> Mapping[str, str]:
        """What is demanded, in words by key."""
        found: dict[str, str] = {}
        if self.reason is not None:
            found["reason"] = f"a reason of {self.reason} characters"
        if self.second_approver is not None:
            roles = " or ".join(self.second_approver.roles)
            hours = self.second_approver.hours
            found["second_approver"] = f"the approval of {roles}, for {hours} hours"
        if self.notice:
            found["notice"] = "a notice to the recipient"
        if self.review_days is not None:
            found["review_days"] = f"a review within {self.review_days} days"
        return found

    @property
    def overseen(self) -> bool:
        """Whether others have a part in it."""
        return self.second_approver is not None or self.review_days is not None


def lighter(before: Obligations, after: Obligations) -> frozenset[str]:
    """The keys by which less is demanded than before."""
    found = {key for key in before.demands if key not in after.demands}
    if before.reason is not None and after.reason is not None and after.reason < before.reason:
        found.add("reason")
    was, now = before.second_approver, after.second_approver
    if (
        was is not None
        and now is not None
        and not ({*now.roles} <= {*was.roles} and now.hours <= was.hours)
    ):
        found.add("second_approver")
    days, later = before.review_days, after.review_days
    if days is not None and later is not None and later > days:
        found.add("review_days")
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class Lack:
    """A fault: at which key of the purpose, what is wrong, and the remedy."""

    keys: tuple[str, ...]
    message: str
    remedy: str


def break_glass_lacks(
    obligations: Obligations, subjects_per_operation: int | None
) -> Iterator[Lack]:
    """What a purpose of the relation `break-glass` lacks: its obligations are never light."""
    if (obligations.reason or 0) < LEAST_REASON:
        message = f"a break-glass needs a reason of {LEAST_REASON} characters or more"
        yield Lack(("obligations", "reason"), message, "give the fewest characters")
    if not obligations.notice:
        message = "a break-glass is told to the recipient"
        yield Lack(("obligations", "notice"), message, "write `notice = true`")
    if obligations.review_days is None:
        yield Lack(("obligations", "review_days"), "a break-glass is reviewed", "give the days")
    if subjects_per_operation != 1:
        message = "a break-glass reaches one recipient"
        yield Lack(("limits", "subjects_per_operation"), message, "write 1")


def oversight_lacks(obligations: Obligations, overseers: Collection[str]) -> Iterator[Lack]:
    """Why nobody could do what is demanded; `overseers` are the roles that approve and review."""
    approver = obligations.second_approver
    if obligations.overseen and not overseers:
        message = "no purpose of the relation `oversight` lets anybody approve or review it"
        yield Lack(("obligations",), message, "add one, with the roles that do")
    elif approver is not None and not {*approver.roles} & {*overseers}:
        message = "its second approver has no role that may approve"
        remedy = f"name one of {', '.join(sorted(overseers))}"
        yield Lack(("obligations", "second_approver", "roles"), message, remedy)
