"""Reads declarations, one TOML file a source: every fault of every file is told at once."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from sources.bulk import Bulk
from sources.category import CATEGORIES
from sources.declaration import Catalogue, Item, Source, Subject
from sources.fault import Fault, Places, nearest, shape_faults
from sources.format import CaseTable, ItemTable, ListTable, SourceTable
from sources.group import group_fault
from sources.terms import Strict

_Table = TypeVar("_Table", bound=Strict)
_NAME = re.compile(r"[a-z][A-Za-z0-9]*\Z")
_NAME_REMEDY = "use camelCase letters and digits"
_RESERVED = {
    ("item",): {"exists", "case", "provenance", "answer", "keyed"},
    ("case", "item"): {"exists"},
}
"""Words of the hub's own, by the table in which nothing may be called by them."""
_EXISTS: Mapping[str, tuple[str, str]] = {
    "person": ("The person has a record here", "기록 보유 여부"),
    "case": ("There is such a case", "사례 존재 여부"),
    "key": ("There is such a record", "기록 존재 여부"),
}


class _Reader:
    """Reads one declaration and keeps every fault met on the way."""

    def __init__(self, path: Path) -> None:
        self.file = path.name
        self.name = path.stem
        self.faults: list[Fault] = []
        self.items: list[Item] = []
        self.lists: dict[str, str] = {}
        self.lists_ko: dict[str, str] = {}
        self.source: SourceTable | None = None
        self.places = Places("")
        self.document: dict[str, Any] = {}
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            remedy = "add the file, or take its name out of `sources.enabled`"
            self.fault((), f"cannot be read ({error.strerror})", remedy)
            return
        except UnicodeDecodeError:
            self.fault((), "is not UTF-8", "save it as UTF-8")
            return
        self.places = Places(text)
        try:
            self.document = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            self.fault((), f"is not TOML: {error}", "correct the line named")

    def fault(self, keys: tuple[str, ...], message: str, remedy: str) -> None:
        self.faults.append(Fault(self.file, self.places.describe(keys), message, remedy))

    def read(self) -> Source | None:
        if self.faults:
            return None
        if not _NAME.match(self.name):
            self.fault((), f"`{self.name}` cannot name a source", "use letters and digits only")
        self.source = table = self._table(SourceTable, self.document.get("source", {}), ("source",))
        self._record("person", self.document.get("item", {}), ("item",))
        if "case" in self.document:
            cases = self._table(CaseTable, self.document["case"], ("case",))
            if cases is not None:
                self._record("case", cases.item, ("case", "item"))
        self._check_tables()
        bulk = self._bulk()
        if table is None:
            return None
        if table.field is not None and not _NAME.match(table.field):
            keys = ("source", "field")
            self.fault(keys, f"`{table.field}` cannot name a field", _NAME_REMEDY)
        return Source(
            name=self.name,
            agency=table.agency,
            agency_ko=table.agency_ko,
            description=table.description,
            adapter=table.adapter,
            batch=table.batch,
            timeout=table.timeout,
            terms=table,
            field=table.field or self.name,
            items=tuple(self.items),
            lists=dict(self.lists),
            lists_ko=dict(self.lists_ko),
            adapter_table=self.document.get(table.adapter, {}),
            file=self.file,
            places=self.places,
            found_by=table.found_by,
            bulk=bulk,
        )

    def _bulk(self) -> Bulk | None:
        """How it delivers in bulk, if it does."""
        if "bulk" not in self.document:
            return None
        bulk = self._table(Bulk, self.document["bulk"], ("bulk",))
        if bulk is not None:
            people = [item for item in self.items if item.subject == "person" and item.path]
            paths = {".".join(item.path): item.wire[-1] for item in people}
            for keys, message, remedy in bulk.faults(paths):
                self.fault(("bulk", *keys), message, remedy)
        return bulk

    def _check_tables(self) -> None:
        source = self.document.get("source")
        adapter = source.get("adapter") if isinstance(source, Mapping) else None
        for key in self.document:
            if key not in ("source", "item", "case", "bulk", adapter):
                remedy = f'remove it, or set `adapter = "{key}"`'
                self.fault((key,), f"unknown table `{key}`", remedy)

    def _table(
        self, model: type[_Table], table: Mapping[str, Any], keys: tuple[str, ...]
    ) -> _Table | None:
        try:
            return model.model_validate(table)
        except ValidationError as error:
            self.faults += shape_faults(self.file, self.places, error, keys)
            return None

    def _record(self, subject: Subject, tables: Any, keys: tuple[str, ...]) -> None:
        prefix = self.name if subject == "person" else f"{self.name}.case"
        if not isinstance(tables, Mapping):
            self.fault(keys, "is no table", f"declare each item as `[{'.'.join(keys)}.NAME]`")
            return
        if not tables:
            self.fault(keys, "no item is declared", "declare at least one")
        linked = self.source is not None and self.source.found_by is not None
        what, what_ko = _EXISTS["key" if linked else subject]
        exists = Item(
            name=f"{prefix}.exists",
            source=self.name,
            subject=subject,
            path=(),
            wire=(),
            type="Boolean",
            description=what,
            category="existence",
            description_ko=what_ko,
        )
        self.items.append(exists)
        for key, table in tables.items():
            where = (*keys, key)
            self._check_name(key, where)
            if isinstance(table, Mapping) and table.get("type") == "list":
                self._list(subject, prefix, key, table, where)
            else:
                self._item(subject, prefix, (key,), (), table, where)

    def _list(
        self,
        subject: Subject,
        prefix: str,
        key: str,
        table: Mapping[str, Any],
        keys: tuple[str, ...],
    ) -> None:
        declared = self._table(ListTable, table, keys)
        if declared is None:
            return
        self.lists[key] = declared.description
        self.lists_ko[key] = declared.description_ko
        condition = tuple(sorted(declared.counts_when.items()))
        for column, _ in condition:
            if column not in declared.item:
                remedy = nearest(column, declared.item)
                self.fault((*keys, "counts_when"), f"no column `{column}`", remedy)
        for column, entry in declared.item.items():
            where = (*keys, "item", column)
            self._check_name(column, where)
            wire = (declared.wire or key,)
            self._item(subject, prefix, (key, column), wire, entry, where, condition)

    def _item(
        self,
        subject: Subject,
        prefix: str,
        path: tuple[str, ...],
        wire: tuple[str, ...],
        table: Any,
        keys: tuple[str, ...],
        counts_when: tuple[tuple[str, str], ...] = (),
    ) -> None:
        declared = self._table(ItemTable, table, keys)
        if declared is None:
            return
        if declared.reports and declared.type != "Won":
            self.fault((*keys, "reports"), "only an amount reports a thing", "remove `reports`")
        self._check_codes(declared, (*keys, "codes"))
        self._check_facts(declared, keys)
        self.items.append(
            Item(
                name=".".join((prefix, *path)),
                source=self.name,
                subject=subject,
                path=path,
                wire=(*wire, declared.wire or path[-1]),
                type=declared.type,
                description=declared.description,
                category=declared.category,
                per=declared.per,
                places=declared.counts_as,
                reports=declared.reports,
                rank=declared.rank,
                codes=declared.codes,
                counts_when=counts_when,
                whereabouts=declared.whereabouts,
                description_ko=declared.description_ko,
                sensitivity=declared.sensitivity or CATEGORIES[declared.category].sensitivity,
                updated=declared.updated or (self.source.updated if self.source else None),
                mark=declared.mark,
                cite=declared.cite or (self.source.cite if self.source else None),
                group=declared.group,
            )
        )

    def _check_codes(self, declared: ItemTable, keys: tuple[str, ...]) -> None:
        """A code stands for a word; of an item that is no text, only a yes or no has codes."""
        if declared.codes and declared.type not in ("String", "ID", "Boolean"):
            self.fault(keys, f"`{declared.type}` has no codes", "remove them, or make it a String")
        if declared.type == "Boolean" and set(declared.codes.values()) - {"true", "false"}:
            message = "a code of a Boolean stands for another word than `true` or `false`"
            self.fault(keys, message, 'write it like `{ Y = "true", N = "false" }`')

    def _check_facts(self, declared: ItemTable, keys: tuple[str, ...]) -> None:
        """No item is held to be less sensitive than its category, nor sourced without a source."""
        of_category = CATEGORIES[declared.category].sensitivity
        if declared.sensitivity not in (None, of_category) and of_category != "ordinary":
            message = f"`{declared.category}` is {of_category}, and so is what is in it"
            self.fault((*keys, "sensitivity"), message, "remove it, or choose another category")
        named = declared.cite or self.source is None or self.source.cite
        if declared.mark == "S" and not named:
            remedy = "name it in `cite`, here or of the source, or mark it `K`"
            self.fault((*keys, "mark"), "it is sourced, but no source is named", remedy)
        listed = len(keys) > 3
        told = declared.group and group_fault(declared.group, declared.type, listed=listed)
        if told:
            self.fault((*keys, "group"), told, "group it otherwise, or remove `group`")

    def _check_name(self, key: str, keys: tuple[str, ...]) -> None:
        if not _NAME.match(key):
            self.fault(keys, f"`{key}` cannot name an item", _NAME_REMEDY)
        elif key in _RESERVED.get(keys[:-1], ()) or (key == "row" and len(keys) == 4):
            self.fault(keys, f"`{key}` is a word of the hub's own", "choose another name")


def read_catalogue(
    folder: Path, enabled: Sequence[str], identity: str, cases: str
) -> tuple[Catalogue, list[Fault]]:
    """Read the declarations of the enabled sources: those without fault, and every fault found."""
    faults: list[Fault] = []
    sources: dict[str, Source] = {}
    fields: dict[str, str] = {}
    for name in dict.fromkeys(enabled):
        reader = _Reader(folder / f"{name}.toml")
        source = reader.read()
        faults += reader.faults
        if source is None or reader.faults:
            continue
        sources[name] = source
        other = fields.setdefault(source.field, name)
        if other != name:
            message = f"`{source.field}` is also the field of `{other}`"
            place = source.places.describe(("source", "field"))
            faults.append(Fault(source.file, place, message, "give it a `field` of its own"))
    faults += [fault for source in sources.values() for fault in _key_faults(source, sources)]
    for role, name in (("identity", identity), ("cases", cases)):
        if name not in enabled:
            remedy = f"enable it, or {nearest(name, sources)}"
            message = f"`{name}` is not enabled"
            faults.append(Fault("hub.toml", f"roles.{role}", message, remedy))
    declared = frozenset(path.stem for path in folder.glob("*.toml"))
    return Catalogue(sources, identity, cases, declared), faults


def with_finders(folder: Path, names: Sequence[str]) -> list[str]:
    """The names, with those of the sources that they are found by, and so on."""
    found = list(dict.fromkeys(names))
    for name in found:
        try:
            declared = tomllib.loads((folder / f"{name}.toml").read_text("utf-8"))
            finder = str(declared["source"]["found_by"]).split(".")[0]
        except (OSError, ValueError, KeyError, TypeError):
            continue  # There is none, or reading the declaration tells what is wrong with it.
        if finder not in found:
            found.append(finder)
    return found


_NAMES_PEOPLE = re.compile(r"household\.members\.id\Z|case\.applicant\Z")
"""The places whose values are people: relations settle who of them is reached."""


def _key_faults(source: Source, sources: Mapping[str, Source]) -> Iterator[Fault]:
    """What is wrong with the item that a source is found by."""
    if source.found_by is None:
        return
    known = {
        item.name: item
        for other in sources.values()
        for item in other.items
        if item.subject == "person" and item.type in ("String", "ID")
    }
    place = source.places.describe(("source", "found_by"))
    key = known.get(source.found_by)
    if key is None:
        message = f"no enabled source has a text `{source.found_by}`"
        remedy = f"enable the source that has it, or {nearest(source.found_by, known)}"
        yield Fault(source.file, place, message, remedy)
        return
    if key.sensitivity == "identifier" or any(map(_NAMES_PEOPLE.match, key.places)):
        message = f"`{key.name}` is a person's, and who may be asked about is no matter of keys"
        yield Fault(source.file, place, message, "name the key of a thing: a parcel, a business")
        return
    line = [source.name]
    step: Source | None = source
    while step is not None and step.found_by in known:
        step = sources[known[step.found_by].source]
        if step.name in line:
            message = "the source is found by what it leads to itself"
            yield Fault(source.file, place, message, "name an item of a source of people")
            return
        line.append(step.name)
    if not key.whereabouts and any(item.whereabouts for item in source.items):
        message = f"its records lead to where people are, and `{key.name}` is not said to"
        yield Fault(source.file, place, message, "declare that item with `whereabouts = true`")
    if any(item.places or item.subject == "case" for item in source.items):
        message = "what is found by a key counts at no place of the view, and is no case"
        yield Fault(source.file, place, message, "remove `counts_as` and `[case]`")
