"""The pages about the catalogue, in Markdown: made from the declarations and the register."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from authz.purpose import Purpose
from sources.category import CATEGORIES, SENSITIVITIES
from sources.declaration import Item, Source

_HEAD = """\
# The catalogue

{number} sources with {items} data items. `hub catalogue --docs FOLDER` writes this page, and those
it leads to, from the declarations of the enabled sources and the purpose register.

They are models: no agency publishes its wire format, and the wording of many items is ours. The
mark says how far an item itself is known: S, a public source names it; K, to be checked before
anyone relies on it. What is counted does not include `exists`, which every source has: whether it
has a record of the person at all. The [grade](../conformance.md#grades) is what declaration and
adapter reached in the conformance suite, against a stand-in.
"""
_APART = """\
An item that is more sensitive than its category says so, and a purpose sees it only where it names
it.
"""


def pages(
    enabled: Sequence[Source],
    other: Sequence[Source],
    purposes: Sequence[Purpose],
    grades: Mapping[str, str],
) -> Mapping[str, str]:
    """Every page by its file's name: the overview, and one for each enabled source."""
    made = {f"{source.name}.md": _source_page(source, purposes) for source in enabled}
    return {"README.md": _overview(enabled, other, purposes, grades)} | made


def _overview(
    enabled: Sequence[Source],
    other: Sequence[Source],
    purposes: Sequence[Purpose],
    grades: Mapping[str, str],
) -> str:
    items = [item for source in enabled for item in source.items if not item.is_exists]
    parts = [
        _HEAD.format(number=len(enabled), items=len(items)),
        "## Sources\n",
        _table(
            ("source", "agency", "", "adapter", "grade", "items", "S", "what it holds"),
            (
                (
                    f"[`{source.name}`]({source.name}.md)",
                    source.agency,
                    source.agency_ko,
                    source.adapter,
                    grades[source.name],
                    str(len(_given(source))),
                    str(sum(item.mark == "S" for item in _given(source))),
                    source.description,
                )
                for source in enabled
            ),
        ),
    ]
    if other:
        names = ", ".join(f"`{source.name}`" for source in other)
        parts.append(f"Declared but not enabled: {names}.\n")
    parts += [
        "## Categories\n",
        _table(
            ("category", "covers", "items", "sensitivity", "W3C DPV"),
            (
                (
                    f"`{name}`",
                    category.covers,
                    str(sum(item.category == name for item in items)),
                    category.sensitivity,
                    f"`{category.dpv}`",
                )
                for name, category in CATEGORIES.items()
            ),
        ),
        _APART,
        _table(
            ("sensitivity", "what it means"),
            ((f"`{name}`", text) for name, text in SENSITIVITIES.items()),
        ),
        "## What each purpose may see\n",
        "How many of the items of a category each purpose may see; nothing where it sees none.\n",
        _matrix(items, purposes),
    ]
    return "\n".join(parts)


def _matrix(items: Sequence[Item], purposes: Sequence[Purpose]) -> str:
    found: dict[str, list[Item]] = {name: [] for name in CATEGORIES}
    for item in items:
        found[item.category].append(item)
    shown = {name: of for name, of in found.items() if of}

    def seen(purpose: Purpose, of: Sequence[Item]) -> str:
        number = sum(purpose.decisions[item.name].allowed for item in of)
        return str(number) if number else ""

    return _table(
        ("purpose", *shown),
        [
            ("of", *(str(len(of)) for of in shown.values())),
            *(
                (f"`{purpose.code}`", *(seen(purpose, of) for of in shown.values()))
                for purpose in purposes
            ),
        ],
    )


def _source_page(source: Source, purposes: Sequence[Purpose]) -> str:
    head = f"# {source.agency}\n\n"
    head += f"{source.agency_ko}. " if source.agency_ko else ""
    head += f"{source.description}.\n"
    facts = (
        f"Source `{source.name}`, adapter `{source.adapter}`, field `{source.field}` in GraphQL."
    )
    if source.found_by is not None:
        facts += f"\nFound by `{source.found_by}`: it is asked about what people have."
    cites = dict.fromkeys(item.cite for item in _given(source) if item.cite)
    if cites:
        facts += f"\nKnown from: {'; '.join(cites)}."
    parts = [head, f"{facts}\n", _items_table(_given(source)), "## Who may see what\n"]
    parts.append(
        _table(
            ("purpose", "law", "items"),
            (
                (f"`{purpose.code}`", purpose.legal_basis.text, _seen(source, purpose))
                for purpose in purposes
            ),
        )
    )
    return "\n".join(parts)


def _seen(source: Source, purpose: Purpose) -> str:
    """The items a purpose may see: all, none, or which, with how they are reduced."""
    given = _given(source)
    allowed = [item for item in given if purpose.decisions[item.name].allowed]
    transforms = purpose.transforms
    if not allowed:
        return "none"
    if len(allowed) == len(given) and not any(item.name in transforms for item in allowed):
        return "all"
    return ", ".join(
        f"`{_short(item)}`" + (" (reduced)" if item.name in transforms else "") for item in allowed
    )


def _items_table(items: Iterable[Item]) -> str:
    return _table(
        ("item", "what it is", "", "type", "category", "updated", "mark"),
        (
            (
                f"`{item.name}`",
                item.description
                + (f"; counts as `{'`, `'.join(item.places)}`" * bool(item.places)),
                item.description_ko,
                f"{item.type} a {item.per}" if item.per else item.type,
                item.category + (f", {item.sensitivity}" if item.is_apart else ""),
                item.updated or "",
                item.mark,
            )
            for item in items
        ),
    )


def _short(item: Item) -> str:
    return item.name.partition(".")[2]


def _given(source: Source) -> list[Item]:
    return [item for item in source.items if not item.is_exists]


def _table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [names, ["---"] * len(names), *rows]
    return "".join(f"| {' | '.join(_cell(cell) for cell in line)} |\n" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
