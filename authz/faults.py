"""What is wrong with purposes: each with its place and how to mend it."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping

from authz.compile import decide_item
from authz.obligations import Lack, break_glass_lacks, oversight_lacks
from authz.purpose import BY_CASE, USES
from authz.table import Selection, Table, line_of
from sources.category import CATEGORIES
from sources.declaration import Catalogue, exists_name
from sources.fault import Fault, Places, nearest


def faults_of(
    code: str,
    table: Table,
    tables: Mapping[str, Table],
    catalogue: Catalogue,
    places: Places,
) -> Iterator[Fault]:
    """What is wrong with one purpose beside its register, its roles and derived answers aside."""
    file = f"{code}.toml"

    def fault(keys: tuple[str, ...], message: str, remedy: str) -> Fault:
        return Fault(file, places.describe(keys), message, remedy)

    if table.parent is not None and table.parent not in tables:
        remedy = nearest(table.parent, tables)
        yield fault(("parent",), f"there is no purpose `{table.parent}`", remedy)
    line = list(line_of(code, tables))
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
        if decide_item(code, item, entries).allowed and table.roles
    ]
    for item in catalogue.items.values():
        if item.name in table.allow.items and (reason := table.prohibit.reason(item)):
            message = f"`{item.name}` is allowed by name and prohibited by {reason}"
            yield fault(("allow", "items"), message, "take it out of one of the two")

    for name in sorted({exists_name(item) for item in allowed} - {item.name for item in allowed}):
        message = f"items of the source are allowed, but not `{name}`"
        yield fault(("allow",), message, "allow the category `existence` too")


def role_faults(
    file: str, content: bytes, tables: Mapping[str, Table], places: Mapping[str, Places]
) -> Iterator[Fault]:
    """Roles that nobody has, roles that no purpose is for, purposes that nobody can use."""
    try:
        roles = tomllib.loads(content.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        yield Fault(file, "the file", f"is not TOML: {error}", "correct the line named")
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
        yield Fault(file, role, f"no purpose is for `{role}`", remedy)


def succession_faults(
    code: str, table: Table, tables: Mapping[str, Table], places: Places
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


def derivation_faults(
    code: str, table: Table, derivations: Collection[str] | None, places: Places
) -> Iterator[Fault]:
    """Derived answers that the view does not have, or that are allowed and prohibited."""
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


def _lacks(table: Table, tables: Mapping[str, Table]) -> Iterator[Lack]:
    """What is missing for the obligations to be met."""
    overseen = (entry for entry in tables.values() if entry.relation == "oversight")
    yield from oversight_lacks(
        table.obligations, {role for each in overseen for role in each.roles}
    )
    if table.relation == "break-glass":
        yield from break_glass_lacks(table.obligations, table.limits.subjects_per_operation)


def _selection_faults(
    table: Table, catalogue: Catalogue, fault: Callable[[tuple[str, ...], str, str], Fault]
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
    table: Table, catalogue: Catalogue, fault: Callable[[tuple[str, ...], str, str], Fault]
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
