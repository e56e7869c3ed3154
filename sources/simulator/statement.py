"""Which columns a SELECT gives out: those in its select lists, nested selects included.

A reader of logged statements, not of SQL at large: it follows parentheses, clauses and
aliases, and takes every `table.column` of a known table that stands in a select list.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_TOKEN = re.compile(
    r"""'(?:[^']|'')*'            # text
    | "(?:[^"]|"")+"              # quoted name
    | [A-Za-z_][A-Za-z0-9_$]*     # name or keyword
    | \$\d+ | \d+(?:\.\d+)? | ::  # parameter, number, cast
    | [^\s]""",
    re.VERBOSE,
)
_ENDS_LIST = {"from", "where", "group", "order", "having", "limit", "offset", "union", "for"}
_NO_ALIAS = _ENDS_LIST | {"on", "join", "left", "right", "inner", "outer", "full", "cross"}
_NO_ALIAS |= {"natural", "using", "as", "lateral"}


@dataclass(frozen=True)
class Statement:
    """What a statement gives out and by which text literals it selects."""

    tables: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]
    literals: tuple[str, ...]


@dataclass
class _Scope:
    """One SELECT: its clause by depth of parentheses, its tables, its listed names."""

    clauses: list[str] = field(default_factory=lambda: [""])
    names: dict[str, str] = field(default_factory=dict)
    listed: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class _Reader:
    """The tokens of a statement and what has been found in them so far."""

    tokens: list[str]
    tables: Mapping[str, tuple[str, ...]]
    open: list[_Scope] = field(default_factory=lambda: [_Scope()])
    nested: list[_Scope] = field(default_factory=list)
    literals: list[str] = field(default_factory=list)


def read_statement(sql: str, tables: Mapping[str, tuple[str, ...]]) -> Statement:
    """Read one statement against the known tables and their columns."""
    reader = _Reader([_plain(word) for word in _TOKEN.findall(_without_comments(sql))], tables)
    scopes = [reader.open[0]]
    at = 0
    while at < len(reader.tokens):
        at = _step(reader, at)
    scopes += reader.nested
    named = dict.fromkeys(name for scope in scopes for name in scope.names.values())
    columns = [column for scope in scopes for column in _resolved(scope, tables)]
    return Statement(tuple(named), tuple(dict.fromkeys(columns)), tuple(reader.literals))


def _without_comments(sql: str) -> str:
    return re.sub(r"/\*.*?\*/", " ", sql, flags=re.DOTALL)


def _plain(word: str) -> str:
    """Quoted names as they are, others in lower case; text keeps its quotes."""
    if word.startswith('"'):
        return word[1:-1].replace('""', '"')
    return word if word.startswith("'") else word.lower()


def _step(reader: _Reader, at: int) -> int:
    """Take the word at `at` and give the place of the next one."""
    word, scope = reader.tokens[at], reader.open[-1]
    clause = scope.clauses[-1]
    if word == "(":
        if reader.tokens[at + 1 : at + 2] == ["select"]:
            reader.open.append(_Scope())
            reader.nested.append(reader.open[-1])
        else:
            scope.clauses.append(clause)
    elif word == ")":
        if len(scope.clauses) > 1:
            scope.clauses.pop()
        elif len(reader.open) > 1:
            reader.open.pop()
    elif word == "select" or (word in _ENDS_LIST and clause):
        scope.clauses[-1] = word
    elif clause == "from" and word in reader.tables and reader.tokens[at - 1] != ".":
        return _named_table(reader.tokens, at, scope)
    elif clause == "select":
        return _listed_name(reader.tokens, at, scope)
    elif word.startswith("'") and clause == "where":
        reader.literals.append(word[1:-1].replace("''", "'"))
    return at + 1


def _named_table(tokens: list[str], at: int, scope: _Scope) -> int:
    """A table of the FROM clause, by its own name and by its alias."""
    table = tokens[at]
    scope.names[table] = table
    after = at + 1
    if after < len(tokens) and tokens[after] == "as":
        after += 1
    if after < len(tokens) and tokens[after].isidentifier() and tokens[after] not in _NO_ALIAS:
        scope.names[tokens[after]] = table
        return after + 1
    return at + 1


def _listed_name(tokens: list[str], at: int, scope: _Scope) -> int:
    """A name of the select list, qualified or not; an alias after AS is none."""
    word = tokens[at]
    if word in ("as", "::"):
        return at + 2
    if at + 2 < len(tokens) and tokens[at + 1] == ".":
        scope.listed.append((word, tokens[at + 2]))
        return at + 3
    if word.isidentifier() or (word == "*" and tokens[at - 1] in ("select", ",")):
        scope.listed.append(("", word))
    return at + 1


def _resolved(scope: _Scope, tables: Mapping[str, tuple[str, ...]]) -> list[tuple[str, str]]:
    """Listed names as columns of known tables; whatever else stands in the list is none."""
    columns: list[tuple[str, str]] = []
    for qualifier, name in scope.listed:
        owners = dict.fromkeys(scope.names.values())
        if qualifier:
            owners = dict.fromkeys([scope.names.get(qualifier, qualifier)])
        for table in owners:
            if table not in tables:
                continue
            wanted = tables[table] if name == "*" else (name,)
            columns += [(table, column) for column in wanted if column in tables[table]]
    return columns
