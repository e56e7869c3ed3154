"""What others have allowed a caller, before an operation; what they are told of it, after."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from authz.caller import Caller
from authz.judge import CaseFacts, RecipientFacts
from authz.purpose import BY_CASE, Purpose
from hub.about import About
from hub.errors import refused
from hub.oversight.approvals import Approved, approved
from hub.oversight.ledger import Ledger
from hub.oversight.notices import tell
from hub.oversight.uses import check_not_suspended, note_sight, note_use, opened
from hub.plan import Subjects
from schema.view import View


@dataclass(frozen=True, slots=True)
class Allowances:
    """What is allowed to a caller: recipients opened by a break-glass, and approvals demanded.

    `uses` are the break-glasses, to be reviewed.
    """

    ledger: Ledger
    opened: frozenset[str] = frozenset()
    uses: tuple[str, ...] = ()
    demanded: Approved | None = None

    @property
    def told(self) -> dict[str, object]:
        """What the query log says of them."""
        told: dict[str, object] = {"breakGlass": self.uses} if self.uses else {}
        if self.demanded is not None:
            told["approvals"] = self.demanded.requests
        return told


async def allowances(
    ledger: Ledger,
    caller: Caller,
    purpose: Purpose,
    whom: Subjects,
    cases: Iterable[str],
) -> Allowances:
    """What is allowed, as far as a purpose demands that others have a part in it.

    Raises LogUnavailable, and RequestRefused where an approval or a break-glass is wanting.
    """
    found = None
    if purpose.obligations.second_approver is not None:
        async with ledger.reading() as connection:
            found = await approved(connection, ledger, caller, purpose)
        _check_approved(ledger, purpose, found, whom, cases)
    if purpose.relation != "break-glass":
        return Allowances(ledger, demanded=found)
    async with ledger.reading() as connection:
        await check_not_suspended(connection, ledger.person(caller), ledger.clock())
        glasses = await opened(connection, ledger, caller, purpose)
    asked = {recipient: ledger.pseudonyms.of(recipient) for recipient in whom.recipients}
    if not glasses.keys() >= set(asked.values()):
        message = "you have no break-glass open for a recipient named"
        raise refused("BREAK_GLASS_REQUIRED", message)
    uses = tuple(sorted({glasses[pseudonym] for pseudonym in asked.values()}))
    return Allowances(ledger, frozenset(asked), uses, found)


@dataclass(frozen=True, slots=True)
class Approvals:
    """The approvals that hold for a caller and a purpose."""

    ledger: Ledger
    found: Approved

    @property
    def requests(self) -> tuple[str, ...]:
        """The requests that were approved."""
        return self.found.requests

    def covers(
        self, recipient: str, facts: RecipientFacts | None, cases: Iterable[CaseFacts]
    ) -> bool:
        """Whether somebody of another office has approved of a recipient, or of their case."""
        pseudonym = self.ledger.pseudonyms.of
        if pseudonym(recipient) in self.found.recipients:
            return True
        households = {
            case.household for case in cases if pseudonym(case.reference) in self.found.cases
        }
        return facts is not None and facts.household is not None and facts.household in households


async def approvals(allowed: Allowances, caller: Caller, purpose: Purpose) -> Approvals:
    """The approvals that hold, read where nothing demanded them before. Raises LogUnavailable."""
    ledger, found = allowed.ledger, allowed.demanded
    if found is None:
        async with ledger.reading() as connection:
            found = await approved(connection, ledger, caller, purpose)
    return Approvals(ledger, found)


def _check_approved(
    ledger: Ledger,
    purpose: Purpose,
    found: Approved,
    whom: Subjects,
    cases: Iterable[str],
) -> None:
    """Approved cases cover whom they are about; else each recipient has to be approved."""
    named = set(map(ledger.pseudonyms.of, (*cases, *whom.cases)))
    if purpose.relation in BY_CASE and named and named <= found.cases:
        return
    people = set(map(ledger.pseudonyms.of, whom.recipients))
    if people and people <= found.recipients and not whom.cases:
        return
    message = f"`{purpose.code}` needs the approval of somebody of another office"
    raise refused("APPROVAL_REQUIRED", message)


@dataclass(frozen=True, slots=True)
class Released:
    """What an operation is about to release, and why it was asked."""

    operation: str
    reason: str
    view: View

    @property
    def by_person(self) -> dict[str, set[str]]:
        """The items and derived answers released of each person."""
        shown, derived = self.view.settle(), self.view.derived
        found = {key: {*shown.get(key, ()), *derived.get(key, ())} for key in self.view.reached}
        return {key: names for key, names in found.items() if names}


async def meet(allowed: Allowances, about: About, released: Released) -> None:
    """Meet the obligations that come with a release: tell the recipients, have it reviewed.

    Raises LogUnavailable: then nothing may be released.
    """
    caller, purpose, ledger = about.caller, about.purpose, allowed.ledger
    if purpose is None:
        return
    demanded = purpose.obligations
    broken = purpose.relation == "break-glass"
    if not (demanded.notice or demanded.review_days or broken):
        return
    people = released.by_person
    if not people:
        return
    items = set().union(*people.values())
    async with ledger.changing() as connection:
        uses = list(allowed.uses)
        if not broken and demanded.notice:
            await tell(connection, ledger, caller, purpose, people)
        if not broken and demanded.review_days:
            subjects = map(ledger.pseudonyms.of, people)
            uses.append(
                await note_use(connection, ledger, caller, purpose, released.reason, subjects)
            )
        await note_sight(connection, ledger, uses, released.operation, items)
