"""The quality of a delivery before it is used: what is in it, what is wrong, how it has changed.

A delivery that is refused says why and what mends it; no report has a value of anybody but the
least, the most and the mean of amounts and dates.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import reduce
from pathlib import Path
from typing import Any

from hub.population.deliveries import (
    KEY,
    Delivery,
    DeliveryRefused,
    as_declared,
    broken,
    opened,
    table,
)
from sources.bulk import PEOPLE

FOLDER = "quality"
"""The folder of reports, in that of reviews."""
_LARGEST = 10**15
"""Won beyond which an amount of one person can only be of another unit or column."""
_SHIFT = 2.0
"""How many times the mean of an amount may have grown or shrunk since the last delivery."""
_FEW = 1_000
"""Rows under which shares say nothing of change."""


@dataclass(frozen=True)
class Column:
    """What one item's values are like; least, most and mean of amounts, numbers and dates."""

    nulls: int
    broken: int
    least: str | None = None
    most: str | None = None
    mean: float | None = None


@dataclass(frozen=True)
class PartReport:
    """One part: rows, distinct people (of a list, about), rows without a key, people unknown."""

    sha256: str
    rows: int
    people: int
    keyless: int
    unmatched: int
    columns: Mapping[str, Column]


@dataclass(frozen=True)
class Refusal:
    """Why a delivery is not used, and what mends it."""

    reason: str
    remedy: str


@dataclass(frozen=True)
class Report:
    """The quality of one delivery. `since`: the delivery that its change is measured against."""

    source: str
    agency: str
    day: str
    parts: Mapping[str, PartReport]
    since: str | None
    refusals: tuple[Refusal, ...]

    @property
    def good(self) -> bool:
        """Whether it may be used."""
        return not self.refusals

    @property
    def digest(self) -> str:
        """A hash of all its files."""
        whole = "".join(f"{name}:{part.sha256};" for name, part in sorted(self.parts.items()))
        return hashlib.sha256(whole.encode()).hexdigest()


def examine(
    backend: Any, deliveries: Mapping[str, Delivery], identity: str, folder: Path
) -> tuple[list[Report], list[DeliveryRefused]]:
    """The quality of deliveries by source, and all that speaks against using them.

    `identity` is the source whose people the others' are compared with, `folder` where the reports
    of the deliveries before are kept.
    """
    measured: dict[str, Mapping[str, PartReport]] = {}
    faults = []
    for name, delivery in deliveries.items():
        try:
            measured[name] = measure(backend, delivery)
        except DeliveryRefused as refusal:
            faults.append(refusal)
    if identity not in measured:
        return [], faults  # Nothing can be said of the others without everybody.
    register = table(backend, deliveries[identity]).select(KEY)
    others = [deliveries[name] for name in measured if name != identity]
    strangers = unmatched(backend, others, register)
    reports = []
    for name, parts in measured.items():
        known = {
            part: replace(one, unmatched=strangers.get((name, part), 0))
            for part, one in parts.items()
        }
        last = kept_before(folder, name, deliveries[name].day)
        reports.append(report(deliveries[name], known, last))
        faults += refused(reports[-1])
    return reports, faults


def refused(found: Report) -> list[DeliveryRefused]:
    """Each reason why a delivery is not used."""
    return [DeliveryRefused(found.source, one.reason, one.remedy) for one in found.refusals]


def measure(backend: Any, delivery: Delivery) -> Mapping[str, PartReport]:
    """What is in each part of a delivery; whom nobody knows is left to `unmatched`.

    Raises DeliveryRefused where it cannot be read at all.
    """
    return {name: _measured(backend, delivery, name) for name in delivery.bulk.parts}


def unmatched(
    backend: Any, deliveries: Sequence[Delivery], register: Any
) -> Mapping[tuple[str, str], int]:
    """How many people of each part, by source and part, the table `register` of people lacks.

    All parts are gone through at once: looking up everyone takes longest.
    """
    parts = [(delivery, part) for delivery in deliveries for part in delivery.bulk.parts]
    keys = [
        table(backend, delivery, part).select(KEY).mutate(part=number)
        for number, (delivery, part) in enumerate(parts)
    ]
    if not keys:
        return {}
    strangers = reduce(lambda one, other: one.union(other), keys).anti_join(register, KEY)
    counted = strangers.group_by("part").aggregate(people=strangers[KEY].nunique())
    found = {row["part"]: row["people"] for row in backend.to_pyarrow(counted).to_pylist()}
    return {
        (delivery.source.name, part): found.get(number, 0)
        for number, (delivery, part) in enumerate(parts)
    }


def report(delivery: Delivery, parts: Mapping[str, PartReport], last: Report | None) -> Report:
    """What is to be said of a delivery, measured against the last good one."""
    refusals = [refusal for name, part in parts.items() for refusal in _wrong(delivery, name, part)]
    if last is not None:
        for name, part in parts.items():
            if name in last.parts:
                refusals += _drifted(delivery, name, part, last.parts[name])
    source = delivery.source
    since = None if last is None else last.day
    return Report(source.name, source.agency, str(delivery.day), parts, since, tuple(refusals))


def _measured(backend: Any, delivery: Delivery, name: str) -> PartReport:
    raw, items = opened(backend, delivery, name), delivery.items(name)
    wrong = {f"broken {item}": found for item, found in broken(raw, delivery, items).items()}
    typed = as_declared(raw, delivery, name, wrong)
    people = typed[KEY].nunique() if name == PEOPLE else typed[KEY].approx_nunique()
    keyless = typed[KEY].isnull().sum().coalesce(0)
    wanted: dict[str, Any] = {"rows": typed.count(), "keyless": keyless, "people": people}
    for item in items:
        column, label = typed[item.path[-1]], item.path[-1]
        wanted[f"nulls {label}"] = column.isnull().sum()
        if item.type in ("Won", "Int", "Float", "Date", "Month"):
            wanted[f"least {label}"] = column.min().cast("string")
            wanted[f"most {label}"] = column.max().cast("string")
        if item.type in ("Won", "Int", "Float"):
            wanted[f"mean {label}"] = column.mean()
    wanted |= {label: typed[label].sum() for label in wrong}
    [found] = backend.to_pyarrow(typed.aggregate(**wanted)).to_pylist()
    columns = {
        item.path[-1]: Column(
            nulls=found[f"nulls {item.path[-1]}"] or 0,
            broken=found.get(f"broken {item.path[-1]}") or 0,
            least=found.get(f"least {item.path[-1]}"),
            most=found.get(f"most {item.path[-1]}"),
            mean=found.get(f"mean {item.path[-1]}"),
        )
        for item in items
    }
    with delivery.files[name].open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return PartReport(digest, found["rows"], found["people"], found["keyless"], 0, columns)


def _wrong(delivery: Delivery, name: str, part: PartReport) -> Iterator[Refusal]:
    of = f"`{delivery.files[name].name}`"
    again = "have the agency correct and deliver it again"
    if part.rows == 0 and name == PEOPLE:
        yield Refusal(f"{of} is empty", again)
    if part.keyless:
        yield Refusal(f"{part.keyless:,} rows of {of} name nobody", again)
    if name == PEOPLE and part.rows - part.keyless > part.people:
        twice = part.rows - part.keyless - part.people
        yield Refusal(f"{twice:,} rows of {of} are of a person who is in it already", again)
    share = part.unmatched / part.people if part.people else 0
    if share > delivery.bulk.unmatched:
        reason = f"{share:.1%} of the people in {of} are unknown to the register of identity"
        yield Refusal(reason, f"{again}, or raise `unmatched` of `[bulk]` if that is right")
    for item, column in part.columns.items():
        if column.broken:
            reason = f"{column.broken:,} values of `{item}` in {of} are not as declared"
            yield Refusal(reason, f"{again}, or correct how `[bulk]` says that it is written")
        beyond = [value for value in (column.least, column.most) if column.mean is not None]
        if any(value is not None and abs(float(value)) > _LARGEST for value in beyond):
            yield Refusal(f"`{item}` in {of} has amounts that nobody can have", again)


def _drifted(
    delivery: Delivery, name: str, part: PartReport, last: PartReport
) -> Iterator[Refusal]:
    of, most = f"`{delivery.files[name].name}`", delivery.bulk.drift
    remedy = "ask the agency why, and raise `drift` of `[bulk]` if that is right"
    if max(part.rows, last.rows) < _FEW:
        return
    change = abs(part.rows - last.rows) / max(last.rows, 1)
    if change > most:
        yield Refusal(f"{of} has {part.rows:,} rows, the last had {last.rows:,}", remedy)
    for item, column in part.columns.items():
        before = last.columns.get(item)
        if before is None or not part.rows or not last.rows:
            continue
        nulls, were = column.nulls / part.rows, before.nulls / last.rows
        if abs(nulls - were) > most:
            reason = f"{nulls:.0%} of `{item}` in {of} say nothing; of the last {were:.0%} did"
            yield Refusal(reason, remedy)
        if column.mean and before.mean and not 1 / _SHIFT <= column.mean / before.mean <= _SHIFT:
            yield Refusal(
                f"the mean of `{item}` in {of} is {column.mean / before.mean:.2g} times"
                " that of the last",
                remedy,
            )


def kept_before(folder: Path, source: str, day: datetime.date) -> Report | None:
    """The report of the last good delivery of a source before a day, of those kept."""
    found = [
        report
        for path in sorted(folder.glob(f"{source}-*.json"))
        if (report := read_report(path)).good and report.day < str(day)
    ]
    return max(found, key=lambda report: report.day, default=None)


def keep_report(folder: Path, report: Report) -> None:
    """Keep a report beside those of other deliveries."""
    folder.mkdir(parents=True, exist_ok=True)
    path = _path(folder, report.source, report.day)
    path.write_text(json.dumps(asdict(report), indent=2, ensure_ascii=False) + "\n", "utf-8")


def kept_of(folder: Path, delivery: Delivery) -> Report | None:
    """The report that was kept of this delivery, unless it was delivered anew since."""
    path = _path(folder, delivery.source.name, str(delivery.day))
    if not path.exists():
        return None
    return read_report(path) if path.stat().st_mtime_ns > delivered(delivery) else None


def delivered(delivery: Delivery) -> int:
    """When the last of its files was written, in nanoseconds."""
    return max(file.stat().st_mtime_ns for file in delivery.files.values())


def _path(folder: Path, source: str, day: str) -> Path:
    return folder / f"{source}-{day}.json"


def read_report(path: Path) -> Report:
    """A report that was kept."""
    found = json.loads(path.read_text("utf-8"))
    parts = {
        name: PartReport(
            **{
                **part,
                "columns": {item: Column(**column) for item, column in part["columns"].items()},
            }
        )
        for name, part in found["parts"].items()
    }
    refusals = tuple(Refusal(**refusal) for refusal in found["refusals"])
    return Report(**{**found, "parts": parts, "refusals": refusals})
