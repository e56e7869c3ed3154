"""What conditions leave of what is wanted of whom.

A condition on the case or on an age is settled before any agency is asked for data. One that may
rest on a means test is settled when that can be made, on what does not wait for it; what is under
it is asked for in a later round.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from authz.condition import Known, SoFarTested, unmet
from authz.purpose import Decision, Purpose
from hub.admission import Admitted, Denied
from hub.conceal import Concealed, conceal
from hub.plan import Deriving, Root, Subjects
from hub.relate import Relation
from hub.rounds import Key, Wanted, wanted
from schema.build import HubSchema
from schema.rules.book import the_book
from schema.so_far import SO_FAR, so_far
from schema.view import Denial, Person, View
from sources.declaration import Catalogue, Item, exists_name

REMEDY = "leave it out, or send `Hub-On-Denied: withhold`"


@dataclass(frozen=True, slots=True)
class Settled:
    """What may be asked of whom, what waits for a means test, and for what a condition fails."""

    wants: Mapping[Key, frozenset[str]]
    unmet: Mapping[str, Mapping[str, Denial]]
    waiting: Mapping[Key, frozenset[str]] = field(default_factory=dict)

    def refuse(self, granted: frozenset[str], *, withhold: bool) -> None:
        """Raise Denied for what was to be returned, unless it may be withheld."""
        denials = {item: each for of in self.unmet.values() for item, each in of.items()}
        refusing = tuple(
            Decision(each.item, False, each.rule, each.remedy)
            for item, each in sorted(denials.items())
            if item in granted
        )
        if refusing and not withhold:
            raise Denied(refusing)


def settle(
    catalogue: Catalogue,
    purpose: Purpose,
    wants: Mapping[Key, frozenset[str]],
    facts: Mapping[str, Known],
) -> Settled:
    """Settle every condition that rests on no means test."""
    if not purpose.conditions:
        return Settled(wants, {})
    rest, waiting = apart(catalogue, purpose, wants)
    # What may be asked for whatever a means test gives does not wait for it.
    held = _met(catalogue, purpose, waiting, facts).wants
    waiting = {key: names - held.get(key, frozenset()) for key, names in waiting.items()}
    rest = {key: names | held.get(key, frozenset()) for key, names in rest.items()}
    found = _met(catalogue, purpose, rest, facts)
    return replace(found, waiting={key: names for key, names in waiting.items() if names})


def narrow(
    catalogue: Catalogue, admitted: Admitted, whom: Subjects, relation: Relation, most: int
) -> tuple[Wanted, Concealed, Settled]:
    """What is wanted of whom, less what is kept and what a condition closes.

    Raises RequestRefused where answering would cost more than `most`.
    """
    wants = wanted(whom.by_root, relation.reach, admitted.verdict, most)
    concealed = conceal(catalogue, wants.items, relation.concealed)
    return wants, concealed, settle(catalogue, admitted.purpose, concealed.wants, relation.facts)


def apart(
    catalogue: Catalogue, purpose: Purpose, wants: Mapping[Key, frozenset[str]]
) -> tuple[Mapping[Key, frozenset[str]], Mapping[Key, frozenset[str]]]:
    """What is wanted at once, and what waits for a means test."""
    waiting = {
        key: _with_exists(catalogue, names & purpose.waiting, names)
        for key, names in wants.items()
        if names & purpose.waiting
    }
    return {key: names - waiting.get(key, frozenset()) for key, names in wants.items()}, waiting


def testing(schema: HubSchema, admitted: Admitted, whom: Subjects) -> tuple[Admitted, Subjects]:
    """The same, with a means test on what does not wait for it, where something waits for that."""
    purpose, verdict = admitted.purpose, admitted.verdict
    if verdict.requested.isdisjoint(purpose.waiting):
        return admitted, whom
    need = schema.so_far
    own, others, leads = (_names(items) for items in (need.items, need.household, need.leads))
    closed = purpose.prohibited | purpose.waiting
    usable = frozenset(item for item in own | others | leads if item not in closed)
    usable = frozenset(item for item in usable if purpose.exists[item] in usable)

    def deriving(root: Root) -> Deriving:
        asked = own | leads
        return Deriving(
            name=SO_FAR,
            recipient=frozenset() if root.of_case else asked,
            applicant=asked if root.of_case else frozenset(),
            member=others,
            leads=leads,
        )

    by_root = (
        (replace(root, derived=(*root.derived, deriving(root))), keys)
        for root, keys in whom.by_root
    )
    assessing = {SO_FAR} if leads <= usable else set()
    tested = replace(
        verdict,
        derivable={**verdict.derivable, SO_FAR: usable},
        assessing=verdict.assessing | assessing,
    )
    return replace(admitted, verdict=tested), Subjects(tuple(by_root))


def settle_waiting(
    view: View, purpose: Purpose, settled: Settled, facts: Mapping[str, Known], day: datetime.date
) -> Settled:
    """Settle the conditions that waited for a means test, on what the view knows by now."""
    tested = {key: _tested(view, key, known, day) for key, known in facts.items()}
    found = _met(view.catalogue, purpose, settled.waiting, tested)
    both = settled.unmet.keys() | found.unmet.keys()
    merged = {key: {**settled.unmet.get(key, {}), **found.unmet.get(key, {})} for key in both}
    return Settled(found.wants, merged)


def _tested(view: View, key: str, known: Known, day: datetime.date) -> Known:
    """With a means test for the programme of the case, where there is just one."""
    if len(known.programmes) != 1 or key not in view.assessed:
        return known
    (programme,) = known.programmes
    found = so_far(Person(view, key), the_book(), programme, day)
    if found is None:
        return known
    amounts = (found.recognised_income, found.financial_assets, found.threshold)
    return replace(known, tested=SoFarTested(*amounts))


def _names(items: Iterable[Item]) -> frozenset[str]:
    return frozenset(name for item in items for name in (item.name, exists_name(item)))


def _met(
    catalogue: Catalogue,
    purpose: Purpose,
    wants: Mapping[Key, frozenset[str]],
    facts: Mapping[str, Known],
) -> Settled:
    left: dict[Key, frozenset[str]] = {}
    denials: dict[str, dict[str, Denial]] = {}
    for (subject, key), names in wants.items():
        rules = unmet(purpose.conditions, names, facts.get(key, Known()))
        refused = _with_exists(catalogue, frozenset(rules), names)
        if refused:
            rule = next(iter(rules.values()))
            denials[key] = {
                item: Denial(item, rules.get(item, rule), REMEDY) for item in sorted(refused)
            }
        if names - refused:
            left[subject, key] = names - refused
    return Settled(left, denials)


def _with_exists(
    catalogue: Catalogue, names: frozenset[str], wanted: frozenset[str]
) -> frozenset[str]:
    """These items, and that their source has a record where nothing else is wanted of it."""
    rest = {
        exists_name(catalogue.items[name])
        for name in wanted - names
        if not catalogue.items[name].is_exists
    }
    added = {exists_name(catalogue.items[name]) for name in names}
    return names | {name for name in added - rest if name in wanted}
