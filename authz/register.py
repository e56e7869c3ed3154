"""The purpose register: loaded from TOML, checked against the declarations, compiled to tables.

A purpose inherits what its parents allow; a prohibition anywhere on its line wins (Byun and Li,
Purpose based access control for privacy protection, VLDB Journal 17, 2008). The hash of the
register's files is the policy version in every record of the query log.
"""

from __future__ import annotations

import datetime
import hashlib
import sys
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from authz.condition import Condition
from authz.obligations import Lack, Obligations, break_glass_lacks, oversight_lacks
from authz.transform import Transform
from sources.category import CATEGORIES
from sources.declaration import Catalogue, Item, exists_name
from sources.fault import Fault, Places, nearest, shape_faults

Relation = Literal[
    "case",
    "assigned",
    "receipt",
    "self",
    "household",
    "break-glass",
    "oversight",
    "audit",
    "population",
    "none",
]
BY_CASE: frozenset[Relation] = frozenset({"case", "assigned"})
"""The relations that rest on a case."""
OF_NOBODY: frozenset[Relation] = frozenset({"oversight", "audit", "population", "none"})
"""The relations by which no person is reached."""
ALONE: Mapping[Relation, str] = {
    "self": "reads one's own record and nothing else",
    "household": "reads one's own record and one's children's, each by its id, and nothing else",
    "break-glass": "reaches the recipient named and nothing else",
}
"""The relations that reach the recipients named and nobody by way of them, in words."""


USES: Mapping[str, str] = {
    "filter": "choose rows by their value",
    "sort": "put rows in the order of their value",
    "count": "say how many rows there are",
}
"""What may be done with an item beside returning it, each allowed apart."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LegalBasis(_Strict):
    """The act and article a purpose rests on; `mark` is S (sourced) or K (to be checked)."""

    act: str
    article: str
    mark: Literal["S", "K"]

    @property
    def text(self) -> str:
        """As an agency is told it and the log says it."""
        return f"{self.act}, {self.article}"


class Selection(_Strict):
    """Items by name, category or source."""

    items: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    def reason(self, item: Item, *, by_category: bool = True) -> str | None:
        """How the selection names the item, None where it does not."""
        if item.name in self.items:
            return f"item `{item.name}`"
        if by_category and item.category in self.categories:
            return f"category `{item.category}`"
        if item.source in self.sources:
            return f"source `{item.source}`"
        return None

    def grant(self, item: Item) -> str | None:
        """How it allows the item: what is more sensitive than its category, not through that."""
        return self.reason(item, by_category=not item.is_apart)


class Naming(Selection):
    """Items, and derived answers by name: whatever an answer is worked out from comes with it."""

    derivations: tuple[str, ...] = ()


class Reduction(Selection):
    """Items that are allowed, but reduced on release."""

    to: Transform


class Uses(_Strict):
    """Items that may be used otherwise than to be returned, by use."""

    filter: Selection = Field(default_factory=Selection)
    sort: Selection = Field(default_factory=Selection)
    count: Selection = Field(default_factory=Selection)


class Restriction(Selection):
    """Items that may be asked for under a condition only, wherever they are allowed."""

    only_if: Condition


class Validity(_Strict):
    """The days on which a purpose may be used, both included."""

    since: datetime.date | None = None
    until: datetime.date | None = None

    def refuses(self, today: datetime.date) -> str | None:
        """Why the purpose may not be used today; None where it may."""
        if self.since is not None and today < self.since:
            return f"is valid from {self.since}"
        if self.until is not None and today > self.until:
            return f"was valid until {self.until}"
        return None


class Limits(_Strict):
    """How many distinct recipients one operation may name, and one person may see in a day.

    `minutes`: how long a break-glass stays open. `anew`: whether sources may be asked again though
    what was kept of them would serve.
    """

    subjects_per_operation: int | None = Field(default=None, ge=1)
    subjects_per_day: int | None = Field(default=None, ge=1)
    minutes: int = Field(default=15, ge=1, le=60)
    anew: bool = False


class _Table(_Strict):
    title: str
    parent: str | None = None
    replaces: str | None = None
    legal_basis: LegalBasis
    roles: tuple[str, ...] = ()
    relation: Relation = "none"
    programmes: tuple[str, ...] = ()
    jurisdiction: Literal["district", "none"] = "none"
    protected: bool = False
    valid: Validity = Field(default_factory=Validity)
    limits: Limits = Field(default_factory=Limits)
    obligations: Obligations = Field(default_factory=Obligations)
    retention: int = Field(default=5, ge=1, le=100)
    allow: Naming = Field(default_factory=Naming)
    reduce: tuple[Reduction, ...] = ()
    prohibit: Naming = Field(default_factory=Naming)
    restrict: tuple[Restriction, ...] = ()
    use: Uses = Field(default_factory=Uses)


@dataclass(frozen=True, slots=True)
class Decision:
    """What is decided for one item, by which rule, and how the caller may mend a denial.

    `item` may be a derived answer. `use`: what the item is asked for, where it is to be worked with
    and not to be returned: one of `USES`, or a derived answer.
    """

    item: str
    allowed: bool
    rule: str
    remedy: str
    transform: Transform | None = None
    use: str | None = None


@dataclass(frozen=True)
class Purpose:
    """A purpose, compiled: `decisions` has one for every item of the enabled sources.

    `conditions` are those under which an item may be asked for at all, all of which have to hold.
    `uses` has decisions for each use of `USES`. `derivations` has one for every derived answer that
    the purpose or an ancestor names, and `prohibited` the items that one of them prohibits, which
    no derived answer makes use of.
    `exists` names, for every item, the item of its source's having a record. `protected` is set
    where it may see where a person lives whose address is kept safe.
    """

    code: str
    title: str
    parent: str | None
    legal_basis: LegalBasis
    roles: frozenset[str]
    relation: Relation
    programmes: frozenset[str]
    jurisdiction: Literal["district", "none"]
    decisions: Mapping[str, Decision]
    exists: Mapping[str, str]
    valid: Validity = field(default_factory=Validity)
    limits: Limits = field(default_factory=Limits)
    obligations: Obligations = field(default_factory=Obligations)
    protected: bool = False
    derivations: Mapping[str, Decision] = field(default_factory=dict)
    prohibited: frozenset[str] = frozenset()
    conditions: Mapping[str, tuple[Condition, ...]] = field(default_factory=dict)
    uses: Mapping[str, Mapping[str, Decision]] = field(default_factory=dict)
    retention: int = 5
    """Years that the query log keeps the details of the purpose's operations."""

    @cached_property
    def waiting(self) -> frozenset[str]:
        """The items that may rest on a means test, and so are asked for in a later round."""
        return frozenset(
            item
            for item, conditions in self.conditions.items()
            if any(condition.waits for condition in conditions)
        )

    @property
    def case_needed(self) -> bool:
        """Whether the caller must name a case."""
        return self.relation in BY_CASE

    @cached_property
    def allowed_items(self) -> tuple[str, ...]:
        """The items the purpose may see."""
        return tuple(name for name, decision in self.decisions.items() if decision.allowed)

    @cached_property
    def open_items(self) -> frozenset[str]:
        """The items it may see, together with whether their source has a record at all."""
        allowed = frozenset(self.allowed_items)
        return frozenset(name for name in allowed if self.exists[name] in allowed)

    @cached_property
    def transforms(self) -> Mapping[str, Transform]:
        """How the items are reduced that it may see reduced only."""
        return {
            name: decision.transform
            for name, decision in self.decisions.items()
            if decision.allowed and decision.transform is not None
        }


@dataclass(frozen=True)
class Register:
    """Every purpose by code, and the hash of the files they were read from."""

    purposes: Mapping[str, Purpose]
    version: str


def read_register(
    folder: Path, catalogue: Catalogue, derivations: Collection[str] | None = None
) -> tuple[Register, list[Fault]]:
    """Read and compile the register, with every fault of every file.

    `derivations` are the derived answers that the view has, None where that is not known.
    """
    faults: list[Fault] = []
    tables: dict[str, _Table] = {}
    places: dict[str, Places] = {}
    digest = hashlib.sha256()
    paths = sorted(folder.glob("*.toml"))
    for path in paths:
        content = path.read_bytes()
        digest.update(path.name.encode() + b"\0" + hashlib.sha256(content).digest())
        table = _read(path.name, content, places, faults)
        if table is not None:
            tables[path.stem] = table
    if not paths:
        faults.append(Fault(str(folder.name), "the folder", "no purpose", "add a TOML file to it"))
    faults += _role_faults(folder.parent / "roles.toml", tables, places, digest)
    for code, table in tables.items():
        faults += _faults(code, table, tables, catalogue, places[code])
        faults += _succession_faults(code, table, tables, places[code])
        faults += _derivation_faults(code, table, derivations, places[code])
    purposes = {code: _compile(code, tables, catalogue) for code in tables}
    return Register(purposes, digest.hexdigest()), faults


def _read(
    file: str, content: bytes, places: dict[str, Places], faults: list[Fault]
) -> _Table | None:
    code = file.removesuffix(".toml")
    try:
        text = content.decode()
        places[code] = Places(text)
        document = tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        faults.append(Fault(file, "the file", f"is not TOML: {error}", "correct the line named"))
        return None
    try:
        return _Table.model_validate(document)
    except ValidationError as error:
        faults += shape_faults(file, places[code], error)
        return None


def _line(code: str, tables: Mapping[str, _Table]) -> Iterator[str]:
    """The purpose and its ancestors, itself first; ends at a missing parent or a circle."""
    seen: list[str] = []
    current: str | None = code
    while current is not None and current in tables and current not in seen:
        seen.append(current)
        yield current
        current = tables[current].parent


def _faults(
    code: str,
    table: _Table,
    tables: Mapping[str, _Table],
    catalogue: Catalogue,
    places: Places,
) -> Iterator[Fault]:
    file = f"{code}.toml"

    def fault(keys: tuple[str, ...], message: str, remedy: str) -> Fault:
        return Fault(file, places.describe(keys), message, remedy)

    if table.parent is not None and table.parent not in tables:
        remedy = nearest(table.parent, tables)
        yield fault(("parent",), f"there is no purpose `{table.parent}`", remedy)
    line = list(_line(code, tables))
    if tables[line[-1]].parent == code:
        yield fault(("parent",), "the purpose is its own ancestor", "break the circle")
    if table.relation in (*BY_CASE, "receipt") and table.roles and not table.programmes:
        yield fault(("programmes",), "no programme is covered", "name at least one")
    if table.valid.since and table.valid.until and table.valid.since > table.valid.until:
        yield fault(("valid",), "it ends before it begins", "correct `since` or `until`")
    for lack in _lacks(table, tables):
        yield fault(lack.keys, lack.message, lack.remedy)
    yield from _selection_faults(table, catalogue, fault)
    yield from _restriction_faults(table, catalogue, fault)
    entries = [(name, tables[name]) for name in line]
    allowed = [
        item
        for item in catalogue.items.values()
        if _decide_item(code, item, entries).allowed and table.roles
    ]
    for item in catalogue.items.values():
        if item.name in table.allow.items and (reason := table.prohibit.reason(item)):
            message = f"`{item.name}` is allowed by name and prohibited by {reason}"
            yield fault(("allow", "items"), message, "take it out of one of the two")

    for name in sorted({exists_name(item) for item in allowed} - {item.name for item in allowed}):
        message = f"items of the source are allowed, but not `{name}`"
        yield fault(("allow",), message, "allow the category `existence` too")


def _role_faults(
    file: Path, tables: Mapping[str, _Table], places: Mapping[str, Places], digest: hashlib._Hash
) -> Iterator[Fault]:
    """Roles that nobody has, roles that no purpose is for, purposes that nobody can use.

    Without a file of roles nothing is known of them, and nothing is said.
    """
    if not file.is_file():
        return
    content = file.read_bytes()
    digest.update(hashlib.sha256(content).digest())
    try:
        roles = tomllib.loads(content.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        yield Fault(file.name, "the file", f"is not TOML: {error}", "correct the line named")
        return
    parents = {table.parent for table in tables.values()}
    for code, table in tables.items():
        if not table.roles and code not in parents:
            where = places[code].describe(("roles",))
            message = "it is for no role, and parent of no purpose: nobody can use it"
            yield Fault(f"{code}.toml", where, message, "name a role, or remove the file")
    for code, table in tables.items():
        for role in table.roles:
            if role not in roles:
                where = places[code].describe(("roles",))
                yield Fault(
                    f"{code}.toml", where, f"there is no role `{role}`", nearest(role, roles)
                )
    used = {role for table in tables.values() for role in table.roles}
    for role in sorted(roles.keys() - used):
        remedy = "name it in a purpose, or take it out"
        yield Fault(file.name, role, f"no purpose is for `{role}`", remedy)


def _succession_faults(
    code: str, table: _Table, tables: Mapping[str, _Table], places: Places
) -> Iterator[Fault]:
    """A purpose that takes over from another must not be valid beside it."""
    if table.replaces is None:
        return
    where = places.describe(("replaces",))
    before = tables.get(table.replaces)
    if before is None or table.replaces == code:
        message = f"there is no other purpose `{table.replaces}`"
        yield Fault(f"{code}.toml", where, message, nearest(table.replaces, tables.keys() - {code}))
        return
    since, until = table.valid.since, before.valid.until
    if since is None or until is None or until >= since:
        message = f"it is valid beside `{table.replaces}`, which it replaces"
        remedy = "end that with `valid.until` before this begins with `valid.since`"
        yield Fault(f"{code}.toml", where, message, remedy)


def _derivation_faults(
    code: str, table: _Table, derivations: Collection[str] | None, places: Places
) -> Iterator[Fault]:
    file = f"{code}.toml"
    for kind, selection in (("allow", table.allow), ("prohibit", table.prohibit)):
        place = places.describe((kind, "derivations"))
        for name in selection.derivations:
            if derivations is not None and name not in derivations:
                message = f"unknown derived answer `{name}`"
                yield Fault(file, place, message, nearest(name, derivations))
    for name in table.allow.derivations:
        if name in table.prohibit.derivations:
            message = f"`{name}` is allowed and prohibited"
            place = places.describe(("allow", "derivations"))
            yield Fault(file, place, message, "take it out of one of the two")


def _lacks(table: _Table, tables: Mapping[str, _Table]) -> Iterator[Lack]:
    """What is missing for the obligations to be met."""
    overseen = (entry for entry in tables.values() if entry.relation == "oversight")
    yield from oversight_lacks(
        table.obligations, {role for each in overseen for role in each.roles}
    )
    if table.relation == "break-glass":
        yield from break_glass_lacks(table.obligations, table.limits.subjects_per_operation)


def _selection_faults(
    table: _Table, catalogue: Catalogue, fault: Callable[[tuple[str, ...], str, str], Fault]
) -> Iterator[Fault]:
    """Names that nothing has, and values that cannot be reduced as they are to be."""
    known: Mapping[str, Collection[str]] = {
        "items": catalogue.items,
        "categories": CATEGORIES,
        "sources": catalogue.declared,
    }
    selections: list[tuple[str, Selection]] = [("allow", table.allow), ("prohibit", table.prohibit)]
    selections += [("reduce", entry) for entry in table.reduce]
    selections += [("restrict", entry) for entry in table.restrict]
    selections += [("use", getattr(table.use, use)) for use in USES]
    for kind, selection in selections:
        for key, choices in known.items():
            for name in getattr(selection, key):
                if name not in choices and not _of_source_not_enabled(name, key, catalogue):
                    message = f"unknown name `{name}`"
                    yield fault((kind, key), message, nearest(name, choices))
    for reduction in table.reduce:
        kind = reduction.to.kind
        for item in catalogue.items.values():
            if reduction.grant(item) and not item.is_exists and not reduction.to.fits(item.type):
                message = f"`{item.name}` is a {item.type}, which `{kind}` cannot reduce"
                yield fault(("reduce",), message, "reduce it otherwise, or name other items")


def _restriction_faults(
    table: _Table, catalogue: Catalogue, fault: Callable[[tuple[str, ...], str, str], Fault]
) -> Iterator[Fault]:
    """Conditions of part of a list: its rows are asked for together."""
    for restriction in table.restrict:
        lists: dict[tuple[str, str], set[bool]] = {}
        for item in catalogue.items.values():
            if len(item.path) == 2:
                named = bool(restriction.reason(item))
                lists.setdefault((item.source, item.path[0]), set()).add(named)
        for source, name in sorted(key for key, named in lists.items() if len(named) > 1):
            message = f"some columns of `{source}.{name}` are under the condition, and some not"
            yield fault(("restrict",), message, "name all columns of the list, or none")


def _of_source_not_enabled(name: str, key: str, catalogue: Catalogue) -> bool:
    """Whether an item is of a declared source that is not enabled, and so cannot be checked."""
    source = name.partition(".")[0]
    return key == "items" and source in catalogue.declared and source not in catalogue.sources


def _compile(code: str, tables: Mapping[str, _Table], catalogue: Catalogue) -> Purpose:
    table = tables[code]
    line = [(name, tables[name]) for name in _line(code, tables)]
    decisions = {item.name: _decide_item(code, item, line) for item in catalogue.items.values()}
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
    line: list[tuple[str, _Table]], catalogue: Catalogue, decisions: Mapping[str, Decision]
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
        self, code: str, use: str, line: list[tuple[str, _Table]], catalogue: Catalogue
    ) -> None:
        decided = ((item.name, _decide_use(use, item, line)) for item in catalogue.items.values())
        super().__init__((name, decision) for name, decision in decided if decision is not None)
        self._code, self._use = code, use

    def __missing__(self, item: str) -> Decision:
        remedy = f"do not {self._use} by `{item}`, or ask under a purpose that allows it"
        rule = f"`{self._code}` does not name it to {self._use} by"
        return Decision(item, False, rule, remedy, use=self._use)


def _decide_use(use: str, item: Item, line: list[tuple[str, _Table]]) -> Decision | None:
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


def _decide_derivations(line: list[tuple[str, _Table]]) -> Iterator[tuple[str, Decision]]:
    """Invariant: forbid wins over allow; what nobody names is decided by its items."""
    for name, table in line:
        for derived in table.allow.derivations:
            rule = f"`{name}` allows `{derived}`"
            yield derived, Decision(derived, True, rule, "")
    for name, table in line:
        for derived in table.prohibit.derivations:
            rule = f"`{name}` prohibits `{derived}`"
            yield derived, Decision(derived, False, rule, f"leave `{derived}` out")


def _decide_item(code: str, item: Item, line: list[tuple[str, _Table]]) -> Decision:
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
