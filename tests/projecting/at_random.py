"""Operations and gathered views at random, by one seed: whatever the schema lets be asked."""

from __future__ import annotations

import datetime
import random
from collections.abc import Iterable, Mapping
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    get_named_type,
    is_abstract_type,
    is_composite_type,
    is_required_argument,
)

from schema.build import HubSchema
from schema.view import Answer, Denial, Failure, State, View
from sources.adapter import BROKEN
from sources.declaration import Catalogue, Item

VARIABLES: Mapping[str, tuple[str, Any]] = {
    "id": ("ID!", "r-1"),
    "ids": ("[ID!]!", ["r-1", "r-2", "r-4", "r-1"]),
    "yes": ("Boolean!", True),
    "no": ("Boolean! = false", None),
    "set": ("Boolean = true", False),
    "few": ("Int! = 2", None),
    "won": ("Won", 5),
    "day": ("Date", "2026-10-01"),
}
"""The variables that an operation may name: the type of each, and its value where one is sent."""
LITERALS = {"ID": '"livelihood"', "Date": '"2026-10-01"', "Int": "2020", "String": '"text"'}
PEOPLE = ("r-1", "r-2", "r-3")
KEYS = ("text", "k-1")
FAULTS = (
    "not granted",
    "no answer",
    "nobody known",
    "reduced",
    "not derivable",
    "unmet",
    "waiting",
    "down",
    "broken",
    "missing",
)
AT = datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC)
CODES = ("SOURCE_UNAVAILABLE", "SOURCE_TIMEOUT", "SOURCE_CONTRACT", "SOURCE_BUDGET")
SOUND: Mapping[str, tuple[Any, ...]] = {
    "String": ("text", "가구", '"; import os #'),
    "ID": ("text", "k-1"),
    "Int": (0, 7, -3),
    "Float": (1.5, -0.0),
    "Boolean": (True, False),
    "Date": (datetime.date(1960, 2, 29), datetime.date(2026, 10, 1)),
    "Month": ("2026-10",),
    "Won": (0, 12_345, 2**40),
}
WRONG: tuple[Any, ...] = (BROKEN, "text", 2**40, float("nan"), datetime.date(2020, 1, 1), ["x"])


class Operations:
    """Documents at random."""

    def __init__(self, schema: HubSchema, chance: random.Random) -> None:
        self._schema: GraphQLSchema = schema.graphql
        self._chance = chance
        self._used: set[str] = set()
        self._fragments: list[tuple[str, str]] = []
        self._count = 0

    def document(self) -> str:
        """A document that is valid, or nearly always."""
        self._used, self._fragments, self._count = set(), [], 0
        roots = ["recipient(id: $id)", "recipients(ids: $ids)", 'case(reference: "c-1")']
        kinds = {"recipient": "Recipient", "recipients": "Recipient", "case": "Case"}
        fields = []
        for _ in range(self._chance.choice((1, 1, 1, 2))):
            root = self._chance.choices(roots, (4, 2, 1))[0]
            self._used.update({"id", "ids"} & {root.partition("$")[2].rstrip(")")})
            below = self._selection(kinds[root.partition("(")[0]], self._chance.choice((3, 3, 4)))
            fields.append(f"{self._alias()}: {root}{self._directive()} {below}")
        if self._chance.random() < 0.1:
            fields.append("__typename programmes { id name { ko } } sources { name state }")
        declared = "".join(f"${name}: {VARIABLES[name][0]} " for name in sorted(self._used))
        fragments = "".join(text for _, text in self._fragments)
        head = f"query At({declared})" if declared else "query At"
        return f"{head} {{ {' '.join(fields)} }} {fragments}"

    def _alias(self) -> str:
        self._count += 1
        return f"a{self._count}"

    def _directive(self) -> str:
        if self._chance.random() > 0.12:
            return ""
        name = self._chance.choice(("skip", "include"))
        value = self._chance.choice(("true", "false", "$yes", "$no", "$set"))
        self._use(value)
        return f" @{name}(if: {value})"

    def _use(self, value: str) -> None:
        if value.startswith("$"):
            self._used.add(value[1:])

    def _selection(self, kind: str, depth: int) -> str:
        of = self._schema.type_map[kind]
        assert isinstance(of, GraphQLObjectType | GraphQLInterfaceType)
        names = [
            name
            for name, field in of.fields.items()
            if (depth > 0 or not is_composite_type(get_named_type(field.type)))
            and (name != "entitlements" or self._chance.random() < 0.1)
        ]
        most = min(len(names), self._chance.choice((1, 2, 3, 5, 9)))
        parts = [self._field(of, name, depth) for name in self._chance.sample(names, most)]
        if self._chance.random() < 0.2 or not parts:
            parts.append("__typename")
        if is_abstract_type(of):
            parts += [
                f"... on {possible.name} {self._aliased(possible, depth)}"
                for possible in self._schema.get_possible_types(of)
                if self._chance.random() < 0.5
            ]
        elif self._chance.random() < 0.15:
            where = self._chance.choice((f" on {kind}", ""))
            inner = self._selection(kind, depth - 1)
            parts.append(f"...{where}{self._directive()} {inner}")
        elif self._chance.random() < 0.15:
            parts.append(f"...{self._fragment(kind, depth)}{self._directive()}")
        self._chance.shuffle(parts)
        return f"{{ {' '.join(parts)} }}"

    def _aliased(self, of: GraphQLObjectType, depth: int) -> str:
        """Fields under names of their own: those of several types must not differ."""
        names = self._chance.sample(sorted(of.fields), min(3, len(of.fields)))
        return f"{{ {' '.join(self._field(of, name, depth, own=True) for name in names)} }}"

    def _fragment(self, kind: str, depth: int) -> str:
        there = [text.split()[1] for of, text in self._fragments if of == kind]
        if there and self._chance.random() < 0.6:
            return self._chance.choice(there)
        text = self._selection(kind, depth - 1)
        name = f"F{len(self._fragments)}"
        self._fragments.append((kind, f" fragment {name} on {kind} {text}"))
        return name

    def _field(
        self,
        of: GraphQLObjectType | GraphQLInterfaceType,
        name: str,
        depth: int,
        *,
        own: bool = False,
    ) -> str:
        field = of.fields[name]
        arguments = self._arguments(field)
        own = own or bool(arguments) or self._chance.random() < 0.2
        head = f"{self._alias()}: {name}{arguments}" if own else name
        kind = get_named_type(field.type)
        if not is_composite_type(kind):
            return head + self._directive()
        found = f"{head}{self._directive()} {self._selection(kind.name, max(0, depth - 1))}"
        if self._chance.random() < 0.12:
            found += f" {head}{self._directive()} {self._selection(kind.name, 0)}"
        return found

    def _arguments(self, field: GraphQLField) -> str:
        given = []
        for name, argument in field.args.items():
            if is_required_argument(argument) or self._chance.random() < 0.25:
                value = self._value(name, argument)
                if value is not None:
                    self._use(value)
                    given.append(f"{name}: {value}")
        return f"({', '.join(given)})" if given else ""

    def _value(self, name: str, argument: GraphQLArgument) -> str | None:
        kind = get_named_type(argument.type)
        if name == "first":
            return self._chance.choice(("0", "1", "$few", "-2"))
        if isinstance(kind, GraphQLInputObjectType):
            column = self._chance.choice(sorted(kind.fields))
            inner = get_named_type(kind.fields[column].type)
            if name == "orderBy":
                return f"[{{{column}: {self._chance.choice(('ASC', 'DESC'))}}}]"
            if name != "where":
                return None
            if inner.name == "WonIs" and self._chance.random() < 0.5:
                self._used.add("won")
                return f"{{{column}: {{ge: $won}}}}"
            return f"{{{column}: {{exists: {self._chance.choice(('true', 'false'))}}}}}"
        if isinstance(kind, GraphQLScalarType) and name == "asOf":
            nullable = not isinstance(argument.type, GraphQLNonNull)
            return "$day" if nullable else LITERALS["Date"]
        return LITERALS.get(kind.name)


class Views:
    """Gathered views at random: values known, absent, stale, broken, withheld, kept back."""

    def __init__(
        self, catalogue: Catalogue, derivations: Iterable[str], chance: random.Random
    ) -> None:
        self._catalogue = catalogue
        self._derivations = tuple(derivations)
        self._chance = chance
        self._kinds: frozenset[str] = frozenset()
        self._rate = 0.0

    def view(self) -> View:
        """One view, without faults, with those of some kinds, or of all: few or many."""
        several = self._chance.choice((0, 1, 1, 1, 2, len(FAULTS)))
        self._kinds = frozenset(self._chance.sample(FAULTS, several))
        self._rate = self._chance.choice((0.02, 0.15, 0.4))
        items = self._catalogue.items
        granted = frozenset(name for name in items if not self._fault("not granted"))
        answers = self._answers()
        reached = frozenset(PEOPLE[: self._chance.choice((1, 2, 3))])
        households = {} if self._fault("nobody known") else dict.fromkeys(PEOPLE, PEOPLE[:2])
        uses = (*self._derivations, "filter", "sort", "count")
        denied = {name for name in items if self._chance.random() < 0.5}
        return View(
            catalogue=self._catalogue,
            granted=granted,
            withheld={
                (name, use): Denial(name, "a rule", "a remedy", use)
                for name in sorted(denied)
                for use in (None, *uses)
            },
            transforms={name: lambda _: "…" for name in granted if self._fault("reduced")},
            answers=answers,
            households=households,
            reached=reached,
            cases={} if self._fault("nobody known") else {"c-1": "r-1"},
            known={(self._catalogue.identity, "r-1")},
            derivable={
                name: frozenset(one for one in items if not self._fault("not derivable"))
                for name in uses
                if not self._fault("not derivable")
            },
            unmet={
                key: {
                    name: Denial(name, "a condition", "a remedy")
                    for name in items
                    if self._fault("unmet")
                }
                for key in (*PEOPLE, "c-1", *KEYS)
                if "unmet" in self._kinds
            },
            waiting={
                key: frozenset(name for name in items if self._fault("waiting"))
                for key in PEOPLE
                if "waiting" in self._kinds
            },
            later=self._answers(),
            assessed=households,
        )

    def _fault(self, kind: str) -> bool:
        return kind in self._kinds and self._chance.random() < self._rate

    def _answers(self) -> dict[tuple[str, str], Answer]:
        return {
            (name, key): self._answer(name)
            for name, source in self._catalogue.sources.items()
            for key in (*PEOPLE, "c-1", *(KEYS if source.found_by else ()))
            if not self._fault("no answer")
        }

    def _answer(self, source: str) -> Answer:
        if self._fault("down"):
            code = self._chance.choice(CODES)
            return Answer(source, State.UNAVAILABLE, {}, None, AT, Failure(code, 7.0))
        if self._chance.random() < 0.1:
            return Answer(source, State.ABSENT, {}, None, AT)
        state = self._chance.choices((State.KNOWN, State.STALE), (9, 1))[0]
        return Answer(source, state, self._values(source), AT.date(), AT, cache_age=3)

    def _values(self, source: str) -> dict[str, Any]:
        values: dict[str, Any] = {}
        columns: dict[str, list[Item]] = {}
        for item in self._catalogue.sources[source].items:
            if len(item.path) == 2:
                columns.setdefault(item.path[0], []).append(item)
            elif not item.is_exists and not self._fault("missing"):
                values[item.path[0]] = self._of(item)
        for name, items in columns.items():
            rows = [{item.path[1]: self._of(item) for item in items} for _ in range(4)]
            few = rows[: self._chance.choice((0, 1, 2, 4))]
            whole = self._chance.choices((few, None), (9, 1))[0]
            values[name] = BROKEN if self._fault("broken") else whole
        return values

    def _of(self, item: Item) -> Any:
        if item.path[-1] == "id" and item.type == "ID":
            return self._chance.choice(PEOPLE)
        if self._fault("broken"):
            return self._chance.choice(WRONG)
        return self._chance.choice((*SOUND[item.type], *SOUND[item.type], None))
