"""What the rules of access rest on: which items of which register, and what their values say.

Invariant: case facts come from the case register and household facts from the identity register,
whatever other source claims the same places.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from authz.caller import Caller
from authz.decide import Verdict
from authz.judge import CaseFacts, RecipientFacts
from authz.purpose import BY_CASE, OF_NOBODY, Purpose
from hub.likeness import PLACES as LIKENESS_PLACES
from hub.likeness import Likeness, likeness
from schema.oversight import OFFICIALS
from schema.view import Answer, State
from sources.declaration import Catalogue, Item

CASE_PLACES = (
    "case.programme",
    "case.household",
    "case.applicant",
    "case.office",
    "case.state",
)
OFFICIAL_PLACES = ("case.official",)
RECIPIENT_PLACES = (
    "household.id",
    "identity.district",
    "identity.protected",
    "household.members.id",
    "household.members.protected",
)
CHILD_PLACES = ("household.relationToHead", "identity.birthDate")
STAGE_PLACES = ("case.stage",)
AGE_PLACES = ("identity.birthDate", "household.members.birthDate")
RECEIPT_PLACES = (
    "benefits.receipts.programme",
    "benefits.receipts.office",
    "benefits.receipts.month",
    "benefits.receipts.state",
)


@dataclass(frozen=True)
class Lookups:
    """Which items of which register the rules of access rest on, for one purpose.

    No rule rests on those of `likeness`: they are looked up along, for the log to flag.
    """

    case: tuple[Item, ...]
    recipient: tuple[Item, ...]
    receipts: tuple[Item, ...]
    likeness: tuple[Item, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The items' names."""
        every = (*self.case, *self.recipient, *self.receipts, *self.likeness)
        return tuple(item.name for item in every)

    def lookers(self, caller: Caller) -> tuple[str, ...]:
        """Those who look, as residents, where what is compared is looked up of them too."""
        return caller.residents if self.likeness else ()


def lookups(catalogue: Catalogue, purpose: Purpose, verdict: Verdict) -> Lookups:
    """What has to be looked up before a purpose reaches anyone."""

    def held(source: str, places: Iterable[str]) -> tuple[Item, ...]:
        found = (catalogue.held_by(source, place) for place in places)
        return tuple(item for item in found if item is not None)

    related = purpose.relation not in OF_NOBODY | {"self"} or bool(verdict.assessing)
    conditional = not verdict.requested.isdisjoint(purpose.conditions)
    cases = (
        *CASE_PLACES,
        *(OFFICIAL_PLACES if purpose.relation == "assigned" else ()),
        *(STAGE_PLACES if conditional else ()),
    )
    people = (
        *RECIPIENT_PLACES,
        *(CHILD_PLACES if purpose.relation == "household" else ()),
        *(AGE_PLACES if conditional else ()),
    )
    return Lookups(
        case=held(catalogue.cases, cases) if purpose.relation in BY_CASE else (),
        recipient=held(catalogue.identity, dict.fromkeys(people)) if related else (),
        receipts=held(catalogue.cases, RECEIPT_PLACES) if purpose.relation == "receipt" else (),
        likeness=held(catalogue.identity, LIKENESS_PLACES) if purpose.relation in OFFICIALS else (),
    )


def case_facts(catalogue: Catalogue, reference: str, answer: Answer | None) -> CaseFacts | None:
    """What the register of cases says of a case; None where it says nothing."""
    if answer is None or answer.state is not State.KNOWN:
        return None

    def at(place: str) -> Any:
        return value_of(catalogue.held_by(catalogue.cases, place), answer.values)

    return CaseFacts(
        reference=reference,
        programme=at("case.programme"),
        household=at("case.household"),
        applicant=at("case.applicant"),
        office=at("case.office"),
        state=at("case.state"),
        official=at("case.official"),
        stage=at("case.stage"),
    )


def recipient_facts(catalogue: Catalogue, answer: Answer) -> RecipientFacts:
    """What the register of identity says of a recipient and of who lives with them.

    Whoever is not said to be unprotected counts as protected, and so does the whole household. A
    member without an id leaves it unknown who the members are.
    """

    def held(place: str) -> Item | None:
        return catalogue.held_by(catalogue.identity, place)

    def at(place: str) -> Any:
        return value_of(held(place), answer.values)

    member, born = held("household.members.id"), held("household.members.birthDate")
    own, theirs = held("identity.protected"), held("household.members.protected")
    rows = answer.values.get(member.path[0]) if member is not None else None
    ids = [value_of(member, row) for row in rows or ()]
    flags = [value_of(own, answer.values)] if own is not None else []
    flags += [value_of(theirs, row) for row in rows or ()] if theirs is not None else []
    births = {}
    if born is not None:
        births = {key: value_of(born, row) for key, row in zip(ids, rows or (), strict=True)}
    return RecipientFacts(
        household=at("household.id"),
        district=at("identity.district"),
        members=tuple(ids) if ids and None not in ids else None,
        protected=any(flag is not False for flag in flags),
        relation=at("household.relationToHead"),
        birth=at("identity.birthDate"),
        births=births,
    )


def likeness_of(items: tuple[Item, ...], answer: Answer) -> Likeness:
    """What of a recipient is compared with others, for the log to flag."""
    found = {place: value_of(item, answer.values) for item in items for place in item.places}
    name, address = (found.get(place) for place in LIKENESS_PLACES)
    return likeness(
        name if isinstance(name, str) else None, address if isinstance(address, str) else None
    )


def value_of(item: Item | None, values: Mapping[str, Any]) -> Any:
    """The value of an item among those of its record or row; None where nothing holds it."""
    return values.get(item.path[-1]) if item is not None else None
