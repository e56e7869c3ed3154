"""Every declaration of the catalogue, enabled or not, for people and programs: `hub catalogue`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from authz.purpose import Purpose
from authz.register import Register, read_register
from hub import tables
from hub.config import Settings, read_settings
from hub.pages import pages
from sources.declaration import Catalogue, Item, Source
from sources.fault import FaultyConfiguration, nearest
from sources.reading import read_catalogue


@dataclass(frozen=True)
class Listed:
    """Every declared source, which of them are enabled, and the register over all of them."""

    catalogue: Catalogue
    enabled: tuple[str, ...]
    register: Register

    @property
    def sources(self) -> tuple[Source, ...]:
        """The enabled sources in the order of the configuration, then the rest by name."""
        rest = sorted(self.catalogue.sources.keys() - set(self.enabled))
        return tuple(self.catalogue.sources[name] for name in (*self.enabled, *rest))

    def seeing(self, item: Item) -> list[str]:
        """The purposes that may see an item, of those that somebody may use."""
        return [
            code
            for code, purpose in sorted(self.register.purposes.items())
            if purpose.roles and purpose.decisions[item.name].allowed
        ]


def listed(settings: Settings) -> Listed:
    """Read every declaration of the catalogue. Raises FaultyConfiguration."""
    folder, enabled = settings.sources.catalogue, tuple(dict.fromkeys(settings.sources.enabled))
    declared = sorted(path.stem for path in folder.glob("*.toml"))
    names = dict.fromkeys((*enabled, *declared))
    roles = settings.roles
    catalogue, faults = read_catalogue(folder, list(names), roles.identity, roles.cases)
    register, found = read_register(settings.register_.folder, catalogue)
    if faults or found:
        raise FaultyConfiguration([*faults, *found])
    return Listed(catalogue, enabled, register)


def run_catalogue(options: argparse.Namespace) -> int:
    """List the declarations, show one of them, or write the pages about the enabled ones."""
    settings = read_settings(options.config)
    found = listed(settings)
    if options.name is not None and options.name not in found.catalogue.sources:
        remedy = nearest(options.name, found.catalogue.sources)
        print(f"there is no declaration `{options.name}`: {remedy}", file=sys.stderr)
        return 2
    if options.docs is not None:
        _write(options.docs, found, _grades(settings.sources.catalogue, found))
    elif options.json:
        shown = [found.catalogue.sources[options.name]] if options.name else found.sources
        document = {"sources": [_as_json(source, found) for source in shown]}
        print(json.dumps(document, indent=2, ensure_ascii=False))
    elif options.name is not None:
        _print_source(found.catalogue.sources[options.name], found)
    else:
        _print_list(found)
    return 0


def data_items(source: Source) -> list[Item]:
    """The items that an agency gives; whether it has a record at all is the hub's own."""
    return [item for item in source.items if not item.is_exists]


def _as_json(source: Source, found: Listed) -> dict[str, Any]:
    return {
        "name": source.name,
        "agency": source.agency,
        "agencyKo": source.agency_ko,
        "description": source.description,
        "adapter": source.adapter,
        "enabled": source.name in found.enabled,
        "foundBy": source.found_by,
        "items": [
            {
                "name": item.name,
                "type": item.type,
                "category": item.category,
                "sensitivity": item.sensitivity,
                "description": item.description,
                "descriptionKo": item.description_ko,
                "per": item.per,
                "updated": item.updated,
                "countsAs": list(item.places),
                "mark": item.mark,
                "cite": item.cite,
                "purposes": found.seeing(item),
            }
            for item in data_items(source)
        ],
    }


def _print_list(found: Listed) -> None:
    number = sum(len(data_items(source)) for source in found.sources)
    enabled = len(found.enabled)
    tables.show(
        f"{len(found.sources)} sources, {enabled} of them enabled; {number} data items",
        ("Source", "Enabled", "Adapter", "Items", "Agency", "", "Categories"),
        [
            (
                source.name,
                "yes" if source.name in found.enabled else "no",
                source.adapter,
                str(len(data_items(source))),
                source.agency,
                source.agency_ko,
                ", ".join(sorted({item.category for item in data_items(source)})),
            )
            for source in found.sources
        ],
    )


def _print_source(source: Source, found: Listed) -> None:
    enabled = "enabled" if source.name in found.enabled else "not enabled"
    tables.show(
        f"{source.name}: {source.agency} {source.agency_ko}; {source.adapter}, {enabled}",
        ("Item", "Type", "Category", "Sensitivity", "What", "", "Updated", "Mark", "Purposes"),
        [
            (
                item.name,
                f"{item.type} a {item.per}" if item.per else item.type,
                item.category,
                item.sensitivity,
                item.description,
                item.description_ko,
                item.updated or "",
                item.mark,
                ", ".join(found.seeing(item)),
            )
            for item in data_items(source)
        ],
    )


def _grades(folder: Path, found: Listed) -> dict[str, str]:
    """The grade of every source, in words."""
    # Imported here: listing declarations needs nothing of what tests them.
    from hub.kit.testing import read_grades, shown  # noqa: PLC0415

    kept = read_grades(folder)
    return {source.name: shown(folder, source.name, kept) for source in found.sources}


def _write(folder: Path, found: Listed, grades: Mapping[str, str]) -> None:
    """Write the pages, and take away those of sources that are enabled no more."""
    purposes: list[Purpose] = [
        purpose for _, purpose in sorted(found.register.purposes.items()) if purpose.roles
    ]
    written = pages(
        [source for source in found.sources if source.name in found.enabled],
        [source for source in found.sources if source.name not in found.enabled],
        purposes,
        grades,
    )
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.md"):
        if path.name not in written:
            path.unlink()
    for name, text in written.items():
        (folder / name).write_text(text, encoding="utf-8")
    print(f"{len(written)} pages in `{folder}`")
