"""What a change of declarations does to clients: `hub schema diff`.

Everything in the schema that is an agency's comes from its declaration, so declarations are what is
compared: an integrator's CI needs no other source to be there.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hub.config import read_settings
from sources.declaration import Item, Source
from sources.fault import Fault, FaultyConfiguration
from sources.reading import read_catalogue

Effect = Literal["breaking", "dangerous", "safe"]
EFFECTS: Mapping[Effect, str] = {
    "breaking": "documents that were valid are no longer, or values mean something else",
    "dangerous": "documents stay valid, but may be answered or refused otherwise",
    "safe": "no document is answered otherwise",
}
"""What each effect means, the gravest first."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change, by what it does to clients."""

    effect: Effect
    where: str
    text: str


def run_schema_diff(options: argparse.Namespace) -> int:
    """Print what changed; 1 if anything is breaking."""
    changes = differences(declared(options.old), declared(options.new))
    if options.json:
        print(json.dumps([dataclasses.asdict(change) for change in changes], indent=2))
    else:
        for change in changes:
            print(f"{change.effect}: `{change.where}` {change.text}")
    counts = {effect: sum(one.effect == effect for one in changes) for effect in EFFECTS}
    if not options.json:
        print(", ".join(f"{number} {effect}" for effect, number in counts.items()))
    return int(counts["breaking"] > 0)


def declared(path: Path) -> Mapping[str, Source]:
    """The sources of a folder of declarations, or those that a file of settings enables.

    Raises FaultyConfiguration.
    """
    folder, names = path, [file.stem for file in sorted(path.glob("*.toml"))]
    if not path.is_dir():
        settings = read_settings(path, {}).sources
        folder, names = settings.catalogue, settings.enabled
    if not names:
        remedy = "name a folder of declarations, or a file of settings"
        raise FaultyConfiguration([Fault(str(path), "the folder", "has no declaration", remedy)])
    catalogue, faults = read_catalogue(folder, names, names[0], names[0])
    if faults:
        raise FaultyConfiguration(faults)
    return catalogue.sources


def differences(old: Mapping[str, Source], new: Mapping[str, Source]) -> list[Change]:
    """Every change, the gravest first."""
    changes: list[Change] = []
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        if before is None and after is not None:
            counted = any(item.places for item in after.items)
            text = "is new" + (", and counts in the unified view" if counted else "")
            changes.append(Change("dangerous" if counted else "safe", name, text))
        elif after is None:
            changes.append(Change("breaking", name, "is gone"))
        elif before is not None:
            changes += _source(before, after)
    return sorted(changes, key=lambda change: list(EFFECTS).index(change.effect))


def _source(before: Source, after: Source) -> Iterator[Change]:
    name = after.name
    if before.field != after.field:
        text = f"has the field `{after.field}`, before `{before.field}`"
        yield Change("breaking", name, text)
    if before.found_by != after.found_by:
        text = f"is found by {_word(after.found_by)}, before by {_word(before.found_by)}"
        yield Change("breaking", name, text)
    asked = [
        key
        for key in ("adapter", "adapter_table", "terms")
        if getattr(before, key) != getattr(after, key)
    ]
    if asked:
        yield Change("safe", name, f"is asked otherwise: {', '.join(asked)}")
    olds, news = _items(before), _items(after)
    for item in olds.keys() - news.keys():
        yield Change("breaking", item, "is gone")
    for item in sorted(news.keys() - olds.keys()):
        places = news[item].places
        text = "is new" + (f", and counts as {_words(places)}" if places else "")
        yield Change("dangerous" if places else "safe", item, text)
    for item in sorted(olds.keys() & news.keys()):
        yield from _item(olds[item], news[item])


def _items(source: Source) -> dict[str, Item]:
    return {item.name: item for item in source.items}


_BREAKING: Mapping[str, str] = {"type": "is of the type", "per": "is of the period"}
_DANGEROUS: Mapping[str, str] = {
    "category": "is of the category",
    "sensitivity": "is of the sensitivity",
    "places": "counts as",
    "reports": "reports",
    "rank": "is of the rank",
    "counts_when": "counts when",
    "whereabouts": "leads to where people are:",
}
"""Who may see an item, and what is made of it; the keys are attributes of `Item`."""
_SAFE: Mapping[str, str] = {
    "description": "is described",
    "description_ko": "is described in Korean",
    "wire": "is called by the agency",
    "updated": "is renewed",
    "mark": "is marked",
    "cite": "is cited from",
}


def _item(before: Item, after: Item) -> Iterator[Change]:
    classes: Sequence[tuple[Effect, Mapping[str, str]]] = (
        ("breaking", _BREAKING),
        ("dangerous", _DANGEROUS),
        ("safe", _SAFE),
    )
    for effect, attributes in classes:
        for name, said in attributes.items():
            was, now = getattr(before, name), getattr(after, name)
            if was != now:
                yield Change(effect, after.name, f"{said} {_word(now)}, before {_word(was)}")
    yield from _codes(before, after)


def _codes(before: Item, after: Item) -> Iterator[Change]:
    """What becomes of the words that codes stand for: those are what clients compare with."""
    if before.codes == after.codes:
        return
    was, now = set(before.codes.values()), set(after.codes.values())
    if not before.codes or not after.codes:
        text = f"has {'codes' if after.codes else 'no codes any more'}, so that it has other words"
        yield Change("breaking", after.name, text)
        return
    if was - now:
        yield Change("breaking", after.name, f"is never {_words(sorted(was - now))} any more")
    if now - was:
        yield Change("dangerous", after.name, f"may be {_words(sorted(now - was))} too")
    if was == now:
        yield Change("safe", after.name, "has other codes for the same words")


def _words(several: Sequence[str]) -> str:
    return ", ".join(f"`{word}`" for word in several)


def _word(value: Any) -> str:
    """A value of a declaration in words."""
    if value is None or value in ((), ""):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return _words([" is ".join(one) if isinstance(one, tuple) else one for one in value])
    return f"`{value}`"
