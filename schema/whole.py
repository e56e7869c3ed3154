"""Many items of a record read at once, where each may be read and is there.

What it may read and what it releases is what `schema/view.py` says, asked once for all the items.
Where any of them is not granted, kept back, waiting, broken or not there, nothing is read here:
they are then read one by one, so that each has its own value or error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from schema.view import Keyed, Person, Row, State
from sources.adapter import BROKEN
from sources.declaration import Item, exists_name

_PLAIN = (Keyed, Person)


class NotWhole(Exception):
    """The items have to be read one by one."""


class Together:
    """Items of one source that are read at once: all of the record, or all columns of one list."""

    def __init__(self, items: Sequence[Item]) -> None:
        self.source = items[0].source
        self.names = frozenset(item.name for item in items)
        self.released = self.names | {exists_name(item) for item in items}
        self.paths = {item.name: item.path[-1] for item in items}
        self.list = items[0].path[0] if len(items[0].path) == 2 else None
        self.absent = dict.fromkeys(item.path[0] for item in items)


def whole(keyed: Keyed, items: Together) -> Mapping[str, Any]:
    """The values by the name of each item, as they may be released. Raises NotWhole.

    Nothing is released by reading: `release` says that it was. A value may be `BROKEN`.
    """
    view, key = keyed.view, keyed.key
    answer = view.answers.get((items.source, key))
    if (
        keyed.derivation is not None
        or type(keyed) not in _PLAIN
        or not items.names <= view.granted
        or view.unmet.get(key)
        or view.waiting.get(key)
        or answer is None
        or answer.failure is not None
    ):
        raise NotWhole
    if answer.state is State.ABSENT:
        return items.absent
    if view.transforms and not items.names.isdisjoint(view.transforms):
        return _reduced(keyed, items, answer.values)
    return answer.values


def _reduced(keyed: Keyed, items: Together, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same, with what is released reduced only reduced. Raises NotWhole for a list's rows."""
    if items.list is not None:
        raise NotWhole
    found = dict(values)
    for name, path in items.paths.items():
        transform = keyed.view.transforms.get(name)
        value = values.get(path, BROKEN)
        if value is BROKEN:
            raise NotWhole
        if transform is not None and value is not None:
            found[path] = transform(value)
    return found


def whole_rows(keyed: Keyed, items: Together) -> Sequence[Mapping[str, Any]] | None:
    """The rows of the list that these items are columns of. Raises NotWhole.

    None where the source has no record of the person, or no such list.
    """
    rows = whole(keyed, items).get(items.list or "", BROKEN)
    if rows is BROKEN:
        raise NotWhole
    found: Sequence[Mapping[str, Any]] | None = rows
    return found


def told_length(keyed: Keyed, columns: Sequence[Item]) -> None:
    """Remember that it was told of the list of these columns how many rows it has, and no more."""
    granted = keyed.view.granted
    keyed.view.show_list(keyed, [item for item in columns if item.name in granted])


def whole_row(row: Row, items: Together) -> Mapping[str, Any]:
    """The values of one row by the name of each column. Raises NotWhole."""
    whole(row.owner, items)
    return row.values


def release(keyed: Keyed, items: Together) -> None:
    """Remember that the items of this key are released, and with them that there is a record."""
    keyed.view.released.setdefault(keyed.key, set()).update(items.released)
