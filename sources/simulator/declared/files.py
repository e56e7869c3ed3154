"""An agency that delivers files, as `[file]` of a declaration describes them.

It delivers once, dated yesterday, and again when it is told to break.
"""

import csv
import datetime
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sources.declaration import Item, Source
from sources.simulator.declared.credentials import address_variables
from sources.simulator.declared.faults import Fault
from sources.simulator.declared.holdings import Holdings
from sources.simulator.declared.writing import Writing

Rows = list[dict[str, Any]]


class FileStand:
    """The folder of one agency's deliveries; nobody is asked, so there are no calls."""

    modes = frozenset(
        {"wrong-type", "missing-item", "duplicate", "garbage", "half-body", "nobody", "error"}
    )

    def __init__(self, source: Source, holdings: Holdings, directory: Path) -> None:
        self.source = source
        self._table: Mapping[str, Any] = source.adapter_table
        self._holdings = holdings
        self._folder = directory / "deliveries"
        csv_like = self._table.get("format", "parquet") == "csv"
        written = {"numbers": "text", "empty": "absent"} if csv_like else {}
        self._writing = Writing.of({**written, **self._table})
        self._csv = csv_like

    async def start(self) -> Mapping[str, str]:
        """Deliver everything; the environment has the folder."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for old in self._folder.iterdir():
            old.unlink()
        await self.show(Fault())
        return dict.fromkeys(address_variables(self.source, "folder"), str(self._folder))

    async def stop(self) -> None:
        """Leave the files to whoever wants to look at them."""

    def calls(self) -> list[dict[str, Any]]:
        """None: a delivery is read where it lies."""
        return []

    async def show(self, fault: Fault) -> None:
        """Deliver anew, whole or in the way of the fault."""
        keys = [key for some in self._holdings.every_key() for key in some]
        items = [item for item in self.source.items if item.subject == "person"]
        held = self._holdings.records("person", keys, items)
        plain = [item for item in items if len(item.path) == 1]
        person = self._table["person"]
        people = [{person["key"]: one.key, **self._writing.fields(one, plain)} for one in held]
        self._deliver(person, people, plain, fault)
        for name, declared in self._table.get("lists", {}).items():
            columns = [item for item in items if item.path[:1] == (name,)]
            rows: Rows = []
            for one in held:
                for number, entry in enumerate(one.values[name]):
                    values = {
                        item.wire[-1]: self._writing.value(item, entry[item.path[1]])
                        for item in columns
                    }
                    rows.append(
                        {declared["order"]: f"{number:04}", declared["key"]: one.key, **values}
                    )
            rows.sort(key=lambda row: (row[declared["key"]], str(row[declared["order"]])))
            self._deliver(declared, rows, columns, fault)

    def _deliver(
        self, declared: Mapping[str, str], rows: Rows, items: Sequence[Item], fault: Fault
    ) -> None:
        yesterday = datetime.datetime.now(datetime.UTC).date() - datetime.timedelta(1)
        pattern = "%Y%m%d" if self._table.get("date") == "YYYYMMDD" else "%Y-%m-%d"
        path = self._folder / declared["files"].replace("{date}", yesterday.strftime(pattern))
        if fault.mode == "error":
            path.unlink(missing_ok=True)
            return
        names = [declared["key"], *([declared["order"]] if "order" in declared else [])]
        names += [item.wire[-1] for item in items]
        names = list(dict.fromkeys(names))
        if fault.mode in _SPOIL:
            names, rows = _SPOIL[fault.mode](names, rows, declared["key"])
        part = path.with_name(f".{path.name}.part")
        (self._write_csv if self._csv else _write_parquet)(part, names, rows)
        if fault.mode == "garbage":
            part.write_bytes(b"\xff\x00 no delivery")
        elif fault.mode == "half-body":
            whole = part.read_bytes()
            part.write_bytes(whole[: len(whole) // 2])
        part.rename(path)

    def _write_csv(self, path: Path, names: Sequence[str], rows: Rows) -> None:
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(
                stream, names, delimiter=self._table.get("delimiter", ","), extrasaction="ignore"
            )
            writer.writeheader()
            for row in rows:
                writer.writerow({name: _text(row.get(name)) for name in names})


def _text(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _write_parquet(path: Path, names: Sequence[str], rows: Rows) -> None:
    table = pa.table({name: pa.array([row.get(name) for row in rows]) for name in names})
    pq.write_table(table, path)


def _wrong_type(names: list[str], rows: Rows, key: str) -> tuple[list[str], Rows]:
    return names, [
        {name: value if name == key else f"wrong {value}" for name, value in row.items()}
        for row in rows
    ]


def _missing(names: list[str], rows: Rows, _key: str) -> tuple[list[str], Rows]:
    return names[:-1], rows


def _duplicate(names: list[str], rows: Rows, _key: str) -> tuple[list[str], Rows]:
    return names, rows[:1] + rows


def _nobody(names: list[str], _rows: Rows, key: str) -> tuple[list[str], Rows]:
    return names, [dict.fromkeys(names) | {key: "nobody"}]


_SPOIL: Mapping[str, Callable[[list[str], Rows, str], tuple[list[str], Rows]]] = {
    "wrong-type": _wrong_type,
    "missing-item": _missing,
    "duplicate": _duplicate,
    "nobody": _nobody,
}
