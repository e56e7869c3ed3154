"""What conditions leave of what is wanted of whom, before any agency is asked for data. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from authz.condition import Known, unmet
from authz.register import Decision, Purpose
from hub.rounds import Key
from schema.view import Denial
from sources.declaration import Catalogue, exists_name

REMEDY = "leave it out, or send `Hub-On-Denied: withhold`"


@dataclass(frozen=True, slots=True)
class Settled:
    """What may be asked of whom, and what not, as a condition does not hold."""

    wants: Mapping[Key, frozenset[str]]
    unmet: Mapping[str, Mapping[str, Denial]]

    def refusing(self, granted: frozenset[str]) -> tuple[Decision, ...]:
        """The decisions on what was to be returned, each once."""
        denials = {item: each for of in self.unmet.values() for item, each in of.items()}
        return tuple(
            Decision(each.item, False, each.rule, each.remedy)
            for item, each in sorted(denials.items())
            if item in granted
        )


def settle(
    catalogue: Catalogue,
    purpose: Purpose,
    wants: Mapping[Key, frozenset[str]],
    facts: Mapping[str, Known],
) -> Settled:
    """Take out of what is wanted whatever is under a condition that is not known to hold."""
    if not purpose.conditions:
        return Settled(wants, {})
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
