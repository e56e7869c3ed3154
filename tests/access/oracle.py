"""Judges one operation by what it left behind: the answer, the log, and the agencies' own records.

It knows the schema, which items a field needs, and what the agencies hold of whom; nothing of how
the hub decides. It holds for any operation that was asked while no source was at fault.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    parse,
    value_from_ast_untyped,
)

from authz.purpose import Purpose
from authz.register import Register
from hub.querylog.record import Pseudonyms
from schema.build import HubSchema, Need
from sources.declaration import exists_name
from sources.simulator.access import Access
from tests.access.transcript import Exchange
from tests.access.truth import Truth, wire_name
from tests.access.world import World

AREAS = {"Income": "income", "Assets": "assets"}
"""The types whose fields show what is put together of many items, by the field that leads there."""
TELLING = ("components", "total")
"""The fields of these that tell of every item of the area."""


@dataclass
class Shown:
    """What an answer shows of one person or case: items it tells of, and those it must rest on.

    `derived` are the derived answers it gives.
    """

    possible: set[str] = field(default_factory=set)
    certain: list[tuple[str, frozenset[str]]] = field(default_factory=list)
    derived: set[str] = field(default_factory=set)

    def by(self, path: str, names: Iterable[str]) -> None:
        """Something at a path tells of one of these items at least."""
        found = frozenset(names)
        self.possible |= found
        if found:
            self.certain.append((path, found))


@dataclass
class Oracle:
    """What is known beside the hub, to hold its answers against."""

    schema: HubSchema
    register: Register
    world: World
    truth: Truth
    pseudonyms: Pseudonyms
    personal: set[Any] = field(default_factory=set)
    """The values of everyone asked about so far that may be in no log, metric or error."""

    def judge(self, exchange: Exchange) -> None:
        """Raises AssertionError, saying what does not hold."""
        if not exchange.records:
            assert not exchange.accesses, "agencies were asked, and the log has nothing"
            return
        operations = {record["operation"] for record in exchange.records}
        assert len(operations) == 1, "one request, one operation"
        outcome = exchange.outcome
        assert exchange.records[-1] is outcome, "the outcome comes last"
        if outcome["outcome"] == "refused":
            assert "data" not in exchange.answer.body
            assert sorted(set(exchange.answer.codes)) == outcome["errors"]
        granted = set(exchange.intents[0]["granted"]) if exchange.intents else set()
        lookups = set(exchange.intents[0]["lookups"]) if exchange.intents else set()
        denied = {entry["item"] for entry in outcome["denied"] if "use" not in entry}
        assert exchange.intents or outcome["outcome"] == "refused", "answered without an intent"
        requested = next(iter(exchange.intents), outcome).get("requested", ())
        assert granted <= set(requested), "granted beyond what was requested"
        assert not granted & denied
        disclosed = self._disclosed(outcome)
        for subject, items in disclosed.items():
            assert items <= granted, f"disclosed of {subject} beyond the grant: {items - granted}"
        derivable = exchange.intents[0]["derivable"] if exchange.intents else {}
        self._judge_wire(exchange, granted.union(*derivable.values()), lookups)
        reading = _Reading(self, exchange)
        shown = reading.read()
        self._judge_disclosed(shown, disclosed, granted)
        self._judge_derived(shown, outcome)
        self._judge_values(exchange, reading, granted, denied)

    def _disclosed(self, outcome: Mapping[str, Any]) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for groups in outcome.get("disclosed", {}).values():
            for group in groups:
                for subject in group["subjects"]:
                    found.setdefault(subject, set()).update(group["items"])
        return found

    def _derivable(self, exchange: Exchange) -> set[str]:
        """What the log says that derived answers may be worked out from."""
        found = [exchange.intents[0].get("derivable", {})] if exchange.intents else []
        return {item for derivable in found for items in derivable.values() for item in items}

    def _judge_derived(self, shown: Mapping[str, Shown], outcome: Mapping[str, Any]) -> None:
        """The log names the derived answers that were given of everyone, no fewer and no more."""
        given = {(name, self._subject(key)) for key, of in shown.items() for name in of.derived}
        logged = outcome.get("derived", {}).items()
        assert given == {(name, subject) for name, subjects in logged for subject in subjects}

    def _judge_wire(self, exchange: Exchange, granted: set[str], lookups: set[str]) -> None:
        """What agencies say they were asked is what was granted, and what rules rest on."""
        if not exchange.intents:
            assert not exchange.accesses, "agencies were asked before there was an intent"
            return
        outcome, derivable = exchange.outcome, self._derivable(exchange)
        unreached = {entry["subject"] for entry in outcome.get("unreached", ())}
        intended = {subject for intent in exchange.intents for subject in intent["subjects"]}
        intended |= set(exchange.intents[0]["casesNamed"])
        # Whoever looks is looked up along, for what they have in common with the recipient.
        lookers = set(exchange.intents[0].get("lookers", ()))
        names = {
            (item.source, wire_name(item, self.schema.catalogue)): item.name
            for item in self.schema.catalogue.items.values()
            if not item.is_exists
        }
        asked: set[str] = set()
        # The register of officials is asked about the office, and keeps a record of its own.
        wanted = {name for name in lookups if name in self.schema.catalogue.items}
        assert set(lookups) - wanted <= {"officials.officials.id"}
        for access in sorted(exchange.accesses, key=lambda access: access.at.replace(" ", "T")):
            items = {names[access.source, wire] for wire in access.items}
            if access.subject == "case":
                # A case comes back under the reference it was asked by.
                items -= {"benefits.case.reference"} - granted - lookups
            looking_up = {name for name in wanted if self._fits(name, access)}
            if looking_up:
                assert items <= looking_up | {"benefits.case.reference"}, "more looked up than said"
                wanted -= looking_up
            else:
                beyond = items - granted - derivable
                assert not beyond, f"asked beyond the grant: {beyond}"
                asked |= items
            for key in access.keys:
                if key.startswith("nobody-"):
                    assert looking_up
                    continue
                subject = self.pseudonyms.of(key)
                if looking_up and subject in lookers:
                    continue
                assert subject in intended, "somebody was asked about without an intent"
                assert looking_up or subject not in unreached, "somebody unreached was asked about"
        if outcome["outcome"] == "refused":
            assert not asked, "a refused operation asked for data"
        elif not unreached and intended and "resident.members.id" not in self._denied(exchange):
            facts = {name for name in granted if not self.schema.catalogue.items[name].is_exists}
            if exchange.variables != {"ids": []} and not outcome["concealed"]:
                assert facts <= asked, f"granted, but not asked: {facts - asked}"

    def _fits(self, name: str, access: Access) -> bool:
        item = self.schema.catalogue.items[name]
        return (item.source, item.subject) == (access.source, access.subject)

    def _denied(self, exchange: Exchange) -> set[str]:
        return {entry["item"] for entry in exchange.outcome["denied"]}

    def _judge_disclosed(
        self,
        shown: Mapping[str, Shown],
        disclosed: Mapping[str, set[str]],
        granted: Collection[str],
    ) -> None:
        """The log says of everyone what the answer tells of them, no less and no more."""
        items = self.schema.catalogue.items
        logged = {self._subject(key): parts for key, parts in shown.items()}
        for subject, found in disclosed.items():
            parts = logged.get(subject, Shown())
            possible = parts.possible | {exists_name(items[name]) for name in parts.possible}
            assert found <= possible, f"logged, but not shown: {found - possible}"
        for subject, parts in logged.items():
            for path, names in parts.certain:
                assert names & set(granted), f"{path} shows what was not granted"
                assert names & disclosed.get(subject, set()), f"{path} is shown, but not logged"

    def _subject(self, key: str) -> str:
        return key if key in self.world.applicants else self.pseudonyms.of(key)

    def _judge_values(
        self, exchange: Exchange, reading: _Reading, granted: set[str], denied: set[str]
    ) -> None:
        """No value of a denied item is in the answer, and nothing personal in the log."""
        keys = reading.everyone()
        told = self.truth.distinctive(granted, keys) | set(keys) | _flat(exchange.variables)
        items_denied = denied & self.schema.catalogue.items.keys()
        hidden = self.truth.distinctive(items_denied, keys) - told
        text = json.dumps(exchange.answer.body, ensure_ascii=False)
        for entry in exchange.outcome.get("concealed", ()):
            keys_kept = [key for key in keys if self.pseudonyms.of(key) == entry["subject"]]
            items = self.schema.catalogue.items.values()
            kept = {one.name for one in items if one.source in entry["sources"]}
            hidden |= self.truth.distinctive(kept, keys_kept) - set(keys)
        # A province that is denied of others is told by the address that is granted.
        hidden = {value for value in hidden if not any(str(value) in str(one) for one in told)}
        found = occurring(hidden, text)
        assert not found, f"values of denied items are in the answer: {found}"
        caller = exchange.records[0]
        public = {caller["person"], caller["office"], *reading.cases()}
        everything = [item.name for item in self.schema.catalogue.items.values()]
        personal = self.truth.distinctive(everything, keys) | set(reading.people())
        personal = {value for value in personal - public if not _is_of_an_office(value)}
        logged = json.dumps(exchange.records, ensure_ascii=False)
        found = occurring(personal, logged)
        assert not found, f"personal values are in the log: {found}"
        self.personal |= personal

    def purpose(self, exchange: Exchange) -> Purpose | None:
        """The purpose that the operation was asked for."""
        return self.register.purposes.get(exchange.records[0]["purpose"] or "")


def _flat(variables: Mapping[str, Any]) -> set[Any]:
    values = (value if isinstance(value, list) else [value] for value in variables.values())
    return {one for several in values for one in several}


def _is_of_an_office(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(("office-", "official-"))


_NUMBER = re.compile(r"(?<![\w.-])\d+(?![\w.-])")
"""Not within a hash, an id or a fraction, whose digits mean nothing."""
_parsed = lru_cache(parse)


def occurring(values: Collection[Any], text: str) -> set[Any]:
    """Those of these distinctive values that stand in a text."""
    numbers = set(_NUMBER.findall(text))
    return {
        value
        for value in values
        if (value in text if isinstance(value, str) else str(value) in numbers)
    }


class _Reading:
    """Reads an answer along its document: which field of which type stands where, and of whom."""

    def __init__(self, oracle: Oracle, exchange: Exchange) -> None:
        self._oracle = oracle
        self._schema = oracle.schema
        self._exchange = exchange
        document: DocumentNode = _parsed(exchange.document)
        self._fragments = {
            node.name.value: node
            for node in document.definitions
            if isinstance(node, FragmentDefinitionNode)
        }
        (self._operation, *_) = (
            node for node in document.definitions if isinstance(node, OperationDefinitionNode)
        )
        errors = exchange.answer.body.get("errors", [])
        self._errors = [tuple(error.get("path", ())) for error in errors]
        self._shown: dict[str, Shown] = {}
        purpose = oracle.purpose(exchange)
        self._decisions = purpose.decisions if purpose else {}

    def read(self) -> dict[str, Shown]:
        """What the answer shows of whom."""
        data = self._exchange.answer.body.get("data")
        if data:
            self._object("Query", data, self._operation.selection_set.selections, "", ())
        return self._shown

    def everyone(self) -> list[str]:
        """Whom the operation could be about: those named, their households, the cases named."""
        people = self.people()
        members = [member for key in people for member in self._oracle.world.members(key)]
        return list(dict.fromkeys((*people, *members, *self.cases())))

    def people(self) -> list[str]:
        """The ids the operation names, and the applicants of the cases it names."""
        found = [key for root, keys in self._roots() if root != "case" for key in keys]
        found += [
            self._oracle.world.applicants[key]
            for key in self.cases()
            if key in self._oracle.world.applicants
        ]
        return [key for key in dict.fromkeys(found) if self._oracle.world.row(key) >= 0]

    def cases(self) -> list[str]:
        """The references that the document names."""
        return [key for root, keys in self._roots() if root == "case" for key in keys]

    def _roots(self) -> Iterator[tuple[str, list[str]]]:
        for nodes in self._fields("Query", self._operation.selection_set.selections).values():
            for node in nodes:
                yield node.name.value, self._arguments(node)

    def _arguments(self, node: FieldNode) -> list[str]:
        found: list[str] = []
        for argument in node.arguments or ():
            value = value_from_ast_untyped(argument.value, dict(self._exchange.variables))
            found += value if isinstance(value, list) else [str(value)]
        return found

    def _fields(self, kind: str, selections: Iterable[SelectionNode]) -> dict[str, list[FieldNode]]:
        """The fields of an object by response key, fragments that apply to its type opened."""
        found: dict[str, list[FieldNode]] = {}
        for node in selections:
            if isinstance(node, FieldNode):
                key = node.alias.value if node.alias else node.name.value
                found.setdefault(key, []).append(node)
                continue
            if isinstance(node, FragmentSpreadNode):
                fragment = self._fragments[node.name.value]
                condition, inner = fragment.type_condition.name.value, fragment.selection_set
            else:
                assert isinstance(node, InlineFragmentNode)
                condition = node.type_condition.name.value if node.type_condition else kind
                inner = node.selection_set
            if self._applies(condition, kind):
                for key, nodes in self._fields(kind, inner.selections).items():
                    found.setdefault(key, []).extend(nodes)
        return found

    def _applies(self, condition: str, kind: str) -> bool:
        of = self._schema.graphql.type_map[condition]
        if is_abstract_type(of):
            return any(found.name == kind for found in self._schema.graphql.get_possible_types(of))
        return condition == kind

    def _object(
        self,
        kind: str,
        data: Mapping[str, Any],
        selections: Iterable[SelectionNode],
        owner: str,
        path: tuple[str | int, ...],
    ) -> None:
        parent = self._schema.graphql.type_map[kind]
        assert isinstance(parent, GraphQLObjectType)
        if kind in AREAS:
            self._area(kind, data, self._fields(kind, selections), owner, path)
            return
        for key, nodes in self._fields(kind, selections).items():
            if key not in data or nodes[0].name.value.startswith("__"):
                continue
            name, here = nodes[0].name.value, (*path, key)
            need = self._schema.needs.get((kind, name), Need())
            if data[key] is None and self._failed(here):
                continue
            kind_below = get_named_type(parent.fields[name].type)
            if is_leaf_type(kind_below):
                self._leaf(need, data[key], owner, here)
                continue
            inner = [one for node in nodes for one in _selections(node)]
            if kind != "Query":
                self._composite(need, name, data[key], owner, here)
            for value, whom, where in self._below(kind, nodes[0], data[key], owner, here):
                below = kind_below.name
                if name == "records":
                    (*_, place) = where
                    sources = list(self._schema.catalogue.sources.values())
                    field_name = sources[int(place)].field
                    below = field_name[0].upper() + field_name[1:]
                self._object(below, value, inner, whom, where)

    def _composite(
        self, need: Need, name: str, value: Any, owner: str, path: tuple[str | int, ...]
    ) -> None:
        """A record, a list, or what leads to others: it tells that there is one."""
        parts, where = self._of(owner), _text(path)
        if name in AREAS.values():
            return
        if need.derivation is not None:
            parts.derived.add(need.derivation)
            return
        if name == "records":
            for source, record in zip(self._schema.catalogue.sources, value, strict=True):
                if record is not None:
                    parts.by(where, [f"{source}.exists"])
            return
        parts.by(where, (item.name for item in need.items))
        parts.by(where, (item.name for item in need.alone))

    def _below(
        self, kind: str, node: FieldNode, value: Any, owner: str, path: tuple[str | int, ...]
    ) -> Iterator[tuple[Mapping[str, Any], str, tuple[str | int, ...]]]:
        """The objects in a field's value, and whom each is of."""
        name, world = node.name.value, self._oracle.world
        whom: Sequence[str] = ()
        if kind == "Query" and name in ("recipient", "recipients", "case"):
            whom = self._arguments(node)
            exists = "benefits.case.exists" if name == "case" else "resident.exists"
            values = value if isinstance(value, list) else [value]
            for key, found in zip(whom, values, strict=True):
                if found is not None:
                    self._of(key).by(_text(path), [exists])
        elif kind == "Household" and name == "members":
            whom = world.members(owner)
        elif kind == "Case" and name == "household":
            whom = [world.applicants[owner]]
        if not isinstance(value, list):
            if value is not None:
                yield value, whom[0] if whom else owner, path
            return
        assert not whom or len(whom) == len(value), f"{_text(path)} is not of whom it should be"
        for place, found in enumerate(value):
            if found is not None:
                yield found, whom[place] if whom else owner, (*path, place)

    def _leaf(self, need: Need, value: Any, owner: str, path: tuple[str | int, ...]) -> None:
        """A value: it is of an item that is logged as disclosed, and it is what the agency has."""
        if need.derivation is not None:
            self._of(owner).derived.add(need.derivation)
            return
        if not need.items:
            return
        self._of(owner).by(_text(path), (item.name for item in need.items))
        held = {
            self._reduced(item.name, one)
            for item in need.items
            for one in self._oracle.truth.values(item.name, owner)
        }
        assert value in held or (value is None and not held), f"{_text(path)} is nobody's: {value}"

    def _reduced(self, name: str, value: Any) -> Any:
        transform = self._decisions[name].transform
        if transform is None or value is None:
            return value
        assert transform.year, "the oracle knows how years are reduced, and nothing else yet"
        return f"{value[:4]}-01-01" if len(value) == 10 else f"{value[:4]}-01"

    def _area(
        self,
        kind: str,
        data: Mapping[str, Any],
        fields: Mapping[str, list[FieldNode]],
        owner: str,
        path: tuple[str | int, ...],
    ) -> None:
        """Income or assets: the components and the total tell of all that they are made of."""
        items = [item.name for item in self._schema.needs["Recipient", AREAS[kind]].items]
        parts = self._of(owner)
        for key, nodes in fields.items():
            name, value = nodes[0].name.value, data.get(key)
            if key not in data or value is None:
                continue
            if name in TELLING:
                parts.possible |= set(items)
                if name == "total":
                    parts.certain += [(_text((*path, key)), frozenset({one})) for one in items]
            elif name == "totals" and _amounts(nodes, value):
                parts.by(_text((*path, key)), items)
            text = json.dumps(value) if isinstance(value, list) else ""
            if name == "components":
                named = [one for one in items if f'"{one}"' in text]
                parts.certain += [(_text((*path, key)), frozenset({one})) for one in named]

    def _of(self, owner: str) -> Shown:
        return self._shown.setdefault(owner, Shown())

    def _failed(self, path: tuple[str | int, ...]) -> bool:
        return any(error[: len(path)] == path for error in self._errors)


def _selections(node: FieldNode) -> Iterable[SelectionNode]:
    return node.selection_set.selections if node.selection_set else ()


def _amounts(nodes: Sequence[FieldNode], rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether any amount of the totals is given, under whatever name."""
    texts = [value for row in rows for value in row.values()]
    return any(type(value) is int for value in texts) and bool(nodes)


def _text(path: tuple[str | int, ...]) -> str:
    return ".".join(map(str, path))
