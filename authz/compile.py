"""Compiles a purpose and those it inherits from into a table: one decision for every item."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace

from authz.condition import Condition
from authz.purpose import USES, Decision, Purpose
from authz.table import Selection, Table, line_of
from authz.transform import Transform
from sources.declaration import Catalogue, Item, exists_name


def compile_purpose(code: str, tables: Mapping[str, Table], catalogue: Catalogue) -> Purpose:
    """The purpose as it decides, with all that it inherits; its line may be at fault."""
    table = tables[code]
    line = [(name, tables[name]) for name in line_of(code, tables)]
    decisions = {item.name: decide_item(code, item, line) for item in catalogue.items.values()}
    conditions = _conditions(line, catalogue, decisions)
    for name, under in conditions.items():
        if decisions[name].allowed:
            rule = "; ".join((decisions[name].rule, *(condition.text for condition in under)))
            decisions[name] = replace(decisions[name], rule=rule)
    return Purpose(
        code=code,
        title=table.title,
        parent=table.parent,
        legal_basis=table.legal_basis,
        roles=frozenset(table.roles),
        relation=table.relation,
        programmes=frozenset(table.programmes),
        jurisdiction=table.jurisdiction,
        decisions=decisions,
        exists={item.name: exists_name(item) for item in catalogue.items.values()},
        valid=table.valid,
        limits=table.limits,
        obligations=table.obligations,
        retention=table.retention,
        protected=table.protected,
        derivations=dict(_decide_derivations(line)),
        prohibited=frozenset(
            item.name
            for item in catalogue.items.values()
            if any(table.prohibit.reason(item) for _, table in line)
        ),
        conditions=conditions,
        uses={use: _Used(code, use, line, catalogue) for use in USES},
    )


def _conditions(
    line: list[tuple[str, Table]], catalogue: Catalogue, decisions: Mapping[str, Decision]
) -> dict[str, tuple[Condition, ...]]:
    """The conditions on every item. That a source has a record rests on what all its items do."""
    found: dict[str, tuple[Condition, ...]] = {}
    shared: dict[str, tuple[Condition, ...]] = {}
    for item in catalogue.items.values():
        restrictions = (each for _, table in line for each in table.restrict)
        conditions = tuple(each.only_if for each in restrictions if each.reason(item))
        if conditions:
            found[item.name] = conditions
        if not item.is_exists and decisions[item.name].allowed:
            exists = exists_name(item)
            before = shared.get(exists, conditions)
            shared[exists] = tuple(each for each in before if each in conditions)
    for exists, conditions in shared.items():
        if every := tuple(dict.fromkeys((*found.get(exists, ()), *conditions))):
            found[exists] = every
    return found


class _Used(dict[str, Decision]):
    """Decisions on one use by item. Few items are named: denials of the others are made as asked.

    Invariant: what nobody names is denied.
    """

    def __init__(
        self, code: str, use: str, line: list[tuple[str, Table]], catalogue: Catalogue
    ) -> None:
        decided = ((item.name, _decide_use(use, item, line)) for item in catalogue.items.values())
        super().__init__((name, decision) for name, decision in decided if decision is not None)
        self._code, self._use = code, use

    def __missing__(self, item: str) -> Decision:
        remedy = f"do not {self._use} by `{item}`, or ask under a purpose that allows it"
        rule = f"`{self._code}` does not name it to {self._use} by"
        return Decision(item, False, rule, remedy, use=self._use)


def _decide_use(use: str, item: Item, line: list[tuple[str, Table]]) -> Decision | None:
    """Invariant: forbid wins, and leave to return an item is none to use it otherwise."""
    for name, table in line:
        if reason := table.prohibit.reason(item):
            rule = f"`{name}` prohibits {reason}"
            return _decided(item.name, False, rule, f"do not {use} by `{item.name}`", use=use)
    for name, table in line:
        selection: Selection = getattr(table.use, use)
        if reason := selection.reason(item):
            return _decided(item.name, True, f"`{name}` allows {reason} to {use} by", "", use=use)
    return None


def _decide_derivations(line: list[tuple[str, Table]]) -> Iterator[tuple[str, Decision]]:
    """Invariant: forbid wins over allow; what nobody names is decided by its items."""
    for name, table in line:
        for derived in table.allow.derivations:
            rule = f"`{name}` allows `{derived}`"
            yield derived, Decision(derived, True, rule, "")
    for name, table in line:
        for derived in table.prohibit.derivations:
            rule = f"`{name}` prohibits `{derived}`"
            yield derived, Decision(derived, False, rule, f"leave `{derived}` out")


def decide_item(code: str, item: Item, line: list[tuple[str, Table]]) -> Decision:
    """Invariant: forbid wins over allow, reduced over whole, and what nobody names is denied."""
    for name, table in line:
        if reason := table.prohibit.reason(item):
            rule = f"`{name}` prohibits {reason}"
            return _decided(item.name, False, rule, f"leave `{item.name}` out")
    for name, table in line:
        for reduction in table.reduce:
            if reason := reduction.grant(item):
                rule = f"`{name}` allows {reason}, reduced: {reduction.to.text}"
                return _decided(item.name, True, rule, "", reduction.to)
    for name, table in line:
        if reason := table.allow.grant(item):
            return _decided(item.name, True, f"`{name}` allows {reason}", "")
    remedy = f"leave `{item.name}` out, or ask under a purpose that names it"
    return _decided(item.name, False, f"`{code}` does not name it", remedy)


def _decided(
    item: str, allowed: bool, rule: str, remedy: str, transform: Transform | None = None,
    use: str | None = None,
) -> Decision:  # fmt: skip
    """A decision whose texts are kept once: they recur with items, uses and purposes."""
    return Decision(item, allowed, sys.intern(rule), sys.intern(remedy), transform, use)
