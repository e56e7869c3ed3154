"""The people of a population as one table, joined over every agency's delivery by their keys.

Built of Ibis expressions, for DuckDB and for Spark alike. A value that an agency does not have of
somebody is null, and so is whatever leads to where a protected person lives.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from hub.population.deliveries import KEY
from hub.population.question import Filter, written
from sources.bulk import PEOPLE
from sources.declaration import Catalogue, Item

Open = Callable[[str, str], Any]
"""The table of a source's delivery and one of its parts."""
RECORD = "record"
"""The column of the people's record keys."""
PROTECTED = "identity.protected"


def joined(
    catalogue: Catalogue, tables: Open, looks: Iterable[Filter], items: Iterable[str], secret: str
) -> Any:
    """Everybody that the register of identity has, with these items and what filters look at."""
    base = tables(catalogue.identity, PEOPLE)
    found = base.select(KEY, **{RECORD: _record_key(base[KEY], secret)})
    parts = list(dict.fromkeys(part for where in looks for part in comparisons(where)))
    named = [part[1] for part in parts if part[0] != "some"]
    wanted = [catalogue.items[name] for name in dict.fromkeys((*items, *named))]
    if any(item.whereabouts for item in wanted):
        wanted += [each for each in catalogue.at(PROTECTED) if each not in wanted]
    for source in dict.fromkeys(item.source for item in wanted):
        own = [item for item in wanted if item.source == source]
        table = _of_source(tables, source, own)
        found = found.left_join(table, KEY).drop(f"{KEY}_right")
    for part in parts:
        if part[0] == "some":
            found = found.left_join(_having(tables, part), KEY).drop(f"{KEY}_right")
    return _concealed(catalogue, found, wanted)


def comparisons(where: Filter) -> Iterable[Filter]:
    """Everything that a filter compares."""
    if where[0] in ("and", "or", "not"):
        for part in where[1:]:
            yield from comparisons(part)
    else:
        yield where


def column_of(name: str) -> str:
    """What an item is called in the table."""
    return name.replace(".", "_")


def _record_key(key: Any, secret: str) -> Any:
    """32 bits of a keyed hash, the same for a person in every delivery."""
    import ibis  # noqa: PLC0415 - heavy, and needed only where populations are read

    digest = (ibis.literal(secret) + key + ibis.literal(secret)).hexdigest("sha256")
    return (ibis.literal("0x") + digest.substr(0, 8)).cast("int64")


def _of_source(tables: Open, source: str, items: Sequence[Item]) -> Any:
    people = tables(source, PEOPLE)
    plain = {column_of(item.name): people[item.path[0]] for item in items if len(item.path) == 1}
    made = people.select(KEY, **plain)
    for item in items:
        if len(item.path) == 2:
            name, rows = column_of(item.name), tables(source, item.path[0])
            for column, word in item.counts_when:
                value = rows[column]
                rows = rows.filter(value.isnull() if word == "absent" else value == word)
            total = rows.group_by(KEY).agg(**{name: rows[item.path[1]].sum()})
            made = made.left_join(total, KEY).drop(f"{KEY}_right")
            # Whom the agency knows, and nothing of this, has none of it.
            made = made.mutate(**{name: made[name].fill_null(0)})
    return made


def _having(tables: Open, part: Filter) -> Any:
    source, listed = part[1].split(".")
    rows = tables(source, listed)

    def column(item: str) -> Any:
        return rows[item.rpartition(".")[2]]

    alike = holds(("and", *part[2:]), column)
    import ibis  # noqa: PLC0415 - as above

    found = rows.filter(alike).select(KEY).distinct()
    return found.mutate(**{_having_name(part): ibis.literal(True)})


def _having_name(part: Filter) -> str:
    return "having_" + written(part)


def _concealed(catalogue: Catalogue, found: Any, items: Sequence[Item]) -> Any:
    """Invariant: of whoever is protected, or not known to be none, no whereabouts are counted."""
    kept = catalogue.at(PROTECTED)
    hidden = [item for item in items if item.whereabouts]
    if not hidden:
        return found
    import ibis  # noqa: PLC0415 - as above

    protected = ibis.literal(not kept)
    for item in kept:
        protected |= found[column_of(item.name)].fill_null(True)
    shown = {
        column_of(item.name): protected.ifelse(ibis.null(), found[column_of(item.name)])
        for item in hidden
    }
    return found.mutate(**shown)


def chosen(catalogue: Catalogue, people: Any, where: Filter, day: datetime.date) -> Any:
    """Whether each of the people is as a filter says: never null."""

    def value(name: str) -> Any:
        return value_of(catalogue.items[name], people, day)

    return holds(where, value, lambda part: people[_having_name(part)].fill_null(False))


def value_of(item: Item, people: Any, day: datetime.date) -> Any:
    """An item's column; of a date of birth, the age in full years on a day."""
    column = people[column_of(item.name)]
    if item.group is None or item.group.kind != "ages":
        return column
    before = (column.month() > day.month) | (
        (column.month() == day.month) & (column.day() > day.day)
    )
    return day.year - column.year() - before.cast("int64")


def holds(
    where: Filter, value: Callable[[str], Any], having: Callable[[Filter], Any] | None = None
) -> Any:
    """A filter as a boolean expression."""
    import ibis  # noqa: PLC0415 - as above

    match where[0]:
        case "and" | "or":
            found = ibis.literal(where[0] == "and")
            for part in where[1:]:
                inner = holds(part, value, having)
                found = found & inner if where[0] == "and" else found | inner
            return found
        case "not":
            return ~holds(where[1], value, having)
        case "some":
            return having(where) if having is not None else ibis.literal(False)
        case "exists":
            return value(where[1]).notnull()
        case "in":
            return value(where[1]).isin(list(where[2:])).fill_null(False)
    column, (low, high) = value(where[1]), where[2:]
    found = column.notnull()
    found = found if low is None else found & (column >= low)
    found = found if high is None else found & (column < high)
    return found.fill_null(False)


def grouped(item: Item, people: Any, day: datetime.date, edges: Sequence[float]) -> Any:
    """The group of each person as a column: its text, or the number of edges it is not below."""
    column = value_of(item, people, day)
    if not edges:
        return column.cast("string")
    import ibis  # noqa: PLC0415 - as above

    number = ibis.literal(0)
    for edge in edges:
        number += (column >= edge).cast("int64")
    return column.notnull().ifelse(number, ibis.null())
