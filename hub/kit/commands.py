"""What `hub source` and `hub sources` do. Each returns the exit code."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from hub import tables
from hub.config import read_settings
from hub.kit import bench, fixture, scaffold, testing, trying
from hub.kit.sources import Workplace, check, names_of, read, stand_in, workplace
from sources.adapter import SourceError
from sources.conformance.run import GRADES, Result, grade
from sources.declaration import Item, Source, Subject
from sources.fault import FaultyConfiguration
from sources.standins import StandInFailed


def run_source_new(options: argparse.Namespace) -> int:
    """Write a declaration, its fixture and its line in `hub.toml`."""
    place = _workplace(options)
    agency = options.agency or f"The agency of {options.name}"
    new = scaffold.New(options.name, options.adapter, agency, options.agency_ko or "")
    try:
        path = scaffold.write_declaration(new, place.declarations)
    except scaffold.NotWritten as error:
        print(error, file=sys.stderr)
        return 2
    print(f"wrote {_near(path)}: say there what the agency holds and how it is asked")
    if options.config.is_file() and scaffold.enable(options.name, options.config):
        print(f"enabled `{options.name}` in {options.config}")
    else:
        print(f'add "{options.name}" to `enabled` below `[sources]` of your hub.toml')
    if (code := _record(place, options.name, None, None, test_system=False)) != 0:
        return code
    print(f"next: hub source test {options.name}")
    return 0


def run_source_check(options: argparse.Namespace) -> int:
    """Print every fault of the declarations, each with its remedy."""
    place = _workplace(options)
    names = options.names or names_of(place)
    if faults := check(place, names, environment=options.environment):
        raise FaultyConfiguration(faults)
    print(f"no faults: {', '.join(names)}")
    for name in names:
        source = read(place, name, environment=False)
        if lacking := fixture.lacking(source, place.declarations):
            print(f"the fixture of `{name}` lacks `{lacking[0]}`; `hub source record {name}`")
    return 0


def run_source_try(options: argparse.Namespace) -> int:
    """Ask once and show request, response and record; 1 if the source fails or breaks faith."""
    place = _workplace(options)
    try:
        tried = _tried(place, options.name, options)
    except trying.WrongQuestion as error:
        print(error, file=sys.stderr)
        return 2
    except StandInFailed as error:
        print(error, file=sys.stderr)
        return 1
    trying.show(tried)
    if tried.error is not None:
        print(f"{tried.error.code}: {tried.error.reason}", file=sys.stderr)
        return 1
    return int(bool(tried.reply and tried.reply.breaches))


def run_source_record(options: argparse.Namespace) -> int:
    """Keep a redacted fixture."""
    return _record(
        _workplace(options),
        options.name,
        options.person,
        options.items,
        test_system=options.test_system,
    )


def run_source_test(options: argparse.Namespace) -> int:
    """Run the conformance suite; 1 if a source does not reach the grade asked for."""
    place = _workplace(options)
    names = options.names or names_of(place)
    found: dict[str, list[Result]] = {}
    for name in names:
        source = read(place, name, environment=False)
        try:
            found[name] = asyncio.run(_examine(place, source, quiet=options.json))
        except StandInFailed as error:
            print(f"`{name}` cannot be examined: {error}", file=sys.stderr)
            return 1
        graded = testing.graded(place, source, found[name])
        if not options.json:
            _show_results(source, found[name], graded.grade)
        if options.keep:
            testing.keep(place.declarations, name, graded)
    if options.json:
        print(json.dumps({name: _as_json(results) for name, results in found.items()}, indent=2))
    return int(any(not _reaches(results, options.grade) for results in found.values()))


def run_source_bench(options: argparse.Namespace) -> int:
    """Measure what asking a source costs."""
    place = _workplace(options)
    source = read(place, options.name, environment=False)
    try:
        rows = asyncio.run(_measure(place, source, options.seconds))
    except (StandInFailed, SourceError) as error:
        print(f"`{options.name}` cannot be measured: {error}", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps([dataclasses.asdict(row) for row in rows], indent=2))
        return 0
    names = ("People a call", "Calls at once", "Calls", "Median ms", "95 % ms", "People a second")
    shown = [
        (
            *(str(row.people), str(row.at_once), str(row.calls)),
            *(f"{row.middle:.1f}", f"{row.slow:.1f}", f"{row.people_a_second:,.0f}"),
        )
        for row in rows
    ]
    tables.show(f"`{source.name}` and its stand-in, on this machine, all items", names, shown)
    return 0


def run_sources(options: argparse.Namespace) -> int:
    """List the declared sources with their grades."""
    place = _workplace(options)
    enabled = _enabled(options)
    grades = testing.read_grades(place.declarations)
    rows = []
    for name in names_of(place):
        source = read(place, name, environment=False)
        items = sum(1 for item in source.items if item.path)
        graded = testing.shown(place.declarations, name, grades)
        on = "yes" if name in enabled else "no"
        rows.append((name, source.agency, source.adapter, str(items), on, graded))
    if options.json:
        keys = ("name", "agency", "adapter", "items", "enabled", "grade")
        print(json.dumps([dict(zip(keys, row, strict=True)) for row in rows], indent=2))
    else:
        names = ("Source", "Agency", "Adapter", "Items", "Enabled", "Grade")
        tables.show(None, names, rows)
    return 0


def _workplace(options: argparse.Namespace) -> Workplace:
    if options.declarations is not None and not options.config.is_file():
        return Workplace(options.declarations.resolve(), options.folder.resolve())
    return workplace(read_settings(options.config), options.folder, options.declarations)


def _enabled(options: argparse.Namespace) -> Sequence[str]:
    return read_settings(options.config).sources.enabled if options.config.is_file() else ()


def _tried(place: Workplace, name: str, options: argparse.Namespace) -> trying.Tried:
    """Ask the stand-in, or the agency's test system. Raises WrongQuestion, StandInFailed."""
    source = read(place, name, environment=options.test_system)
    subject: Subject = "person" if options.case is None else "case"
    items = trying.items_of(source, options.items, subject)
    keys = tuple((options.case or options.person or "").split(",")) if _given(options) else ()
    if options.test_system:
        if not keys:
            raise trying.WrongQuestion("name a made-up person of the test system by `--person`")
        return asyncio.run(trying.ask(place.adapters, source, keys, items))
    return asyncio.run(_with_stand_in(place, source, keys, items))


def _given(options: argparse.Namespace) -> bool:
    return options.person is not None or options.case is not None


async def _with_stand_in(
    place: Workplace, source: Source, keys: tuple[str, ...], items: tuple[Item, ...]
) -> trying.Tried:
    async with stand_in(place, source) as found:
        known = found.about["known"][items[0].subject][: min(2, source.batch)]
        return await trying.ask(place.adapters, source, keys or tuple(known), items)


def _record(
    place: Workplace, name: str, person: str | None, items: str | None, *, test_system: bool
) -> int:
    options = argparse.Namespace(person=person, case=None, items=items, test_system=test_system)
    try:
        tried = _tried(place, name, options)
    except trying.WrongQuestion as error:
        print(error, file=sys.stderr)
        return 2
    except StandInFailed as error:
        print(error, file=sys.stderr)
        return 1
    if tried.error is not None:
        print(f"{tried.error.code}: {tried.error.reason}", file=sys.stderr)
        return 1
    source = read(place, name, environment=False)
    try:
        kept = fixture.fixture(source, tried, made_up=not test_system)
    except ValueError:
        print(f"what `{name}` answers is no JSON: no fixture is kept", file=sys.stderr)
        return 0
    path = fixture.keep(place.declarations, source, kept)
    print(f"wrote {_near(path)}: what went over the wire, every value in it made")
    return 0


async def _examine(place: Workplace, source: Source, *, quiet: bool) -> list[Result]:
    def told(result: Result) -> None:
        if not quiet and sys.stderr.isatty():
            print(f"\r\033[K{source.name}: {result.check.name}", end="", file=sys.stderr)

    try:
        return await testing.examine(place, source, told)
    finally:
        if not quiet and sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr)


def _show_results(source: Source, results: Sequence[Result], reached: str | None) -> None:
    rows = [
        (one.check.name, one.check.grade, one.verdict, one.reason or one.check.shows)
        for one in results
    ]
    title = f"{source.name}: {reached or 'no grade'}, against a stand-in"
    tables.show(title, ("Check", "Needed for", "Result", "What"), rows)


def _reaches(results: Sequence[Result], wanted: str) -> bool:
    reached = grade(results)
    return reached is not None and GRADES.index(reached) >= GRADES.index(wanted)


def _as_json(results: Sequence[Result]) -> dict[str, object]:
    return {
        "grade": grade(results),
        "checks": [
            {
                "name": one.check.name,
                "grade": one.check.grade,
                "result": one.verdict,
                "reason": one.reason,
            }
            for one in results
        ],
    }


async def _measure(place: Workplace, source: Source, seconds: float) -> list[bench.Measured]:
    async with stand_in(place, source) as found:
        adapter = place.adapters[source.adapter](source)
        return [row async for row in bench.measure(adapter, source, found, seconds)]


def _near(path: Path) -> Path:
    """A path as the reader would write it here."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
