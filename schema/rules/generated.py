"""The rules of a year as one straight-line function, generated from the formulas.

Every step is worked out once, whatever number of programmes rest on it. What is generated holds
names of the book, which are checked, and numbers; nothing of a formula's text is executed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from schema.rules.expression import Expression, Name, Over
from schema.rules.lowering import Table

if TYPE_CHECKING:
    from schema.rules.year import Year


@dataclass(frozen=True, slots=True)
class Layout:
    """The order in which facts are given and steps come out."""

    household: tuple[str, ...]
    member: tuple[str, ...]
    household_steps: tuple[str, ...]
    member_steps: tuple[str, ...]


Emit = Callable[[Expression], str]


class Spelling(Protocol):
    """How an interpreter writes formulas as Python. `extra`: what it is told of each member too."""

    known: Mapping[str, Any]
    extra: tuple[str, ...]

    def table(self, table: Table) -> Any:
        """What a table is looked up by: called with the key."""

    def formula(self, node: Expression, emit: Emit) -> str:
        """A formula; `emit` writes its parts."""

    def start(self, over: Over) -> str:
        """What a sum or the like begins with."""

    def gather(self, name: str, over: Over, emit: Emit) -> str:
        """The statement that takes one member into it."""


def generate(rules: Year, spelling: Spelling) -> Any:
    """The function of a year's rules in a spelling."""
    layout, over = rules.layout, rules.over
    places = {node: f"a{number}" for number, node in enumerate(over)}

    def emit(node: Expression) -> str:
        if isinstance(node, Over):
            return places[node]
        if isinstance(node, Name):
            return f"{'m' if node.of == 'member' else 'h'}_{node.name}"
        return spelling.formula(node, emit)

    lines = ["def run(household, members):"]
    lines.append(f"  {_unpacked('h', layout.household)} = household")
    lines += [f"  {place} = {spelling.start(node)}" for node, place in places.items()]
    lines += ["  rows = []", "  for member in members:"]
    lines.append(f"    {_unpacked('m', (*layout.member, *spelling.extra))} = member")
    lines += [f"    m_{name} = {emit(rules.formulas[name])}" for name in layout.member_steps]
    lines += [f"    {spelling.gather(place, node, emit)}" for node, place in places.items()]
    lines.append(f"    rows.append({_packed('m', layout.member_steps)})")
    lines += [f"  h_{name} = {emit(rules.formulas[name])}" for name in layout.household_steps]
    lines.append(f"  return {_packed('h', layout.household_steps)}, rows")
    tables = {
        f"t_{name}": spelling.table(table) for name, (table, _) in rules.lowering.tables.items()
    }
    names: dict[str, Any] = {**spelling.known, **tables}
    exec(compile("\n".join(lines), f"<rules of {rules.year}>", "exec"), names)  # noqa: S102 - see above
    return names["run"]


def _unpacked(prefix: str, names: tuple[str, ...]) -> str:
    return "(" + "".join(f"{prefix}_{name}, " for name in names) + ")"


_packed = _unpacked
