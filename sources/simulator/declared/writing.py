"""How a declared agency writes its values, as its adapter's table says."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sources.declaration import Item
from sources.simulator.declared.document import put
from sources.simulator.declared.holdings import Held


@dataclass(frozen=True)
class Writing:
    """How dates, months, money and numbers are written, and what stands for none."""

    dates: str = "YYYY-MM-DD"
    months: str = "YYYY-MM"
    money: str = "won"
    numbers: str = "number"
    empty: str = "text"

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> "Writing":
        """The ways that a table names; what it leaves out is written as the hub would."""
        return cls(**{name: table[name] for name in cls.__dataclass_fields__ if name in table})

    def day(self, text: str) -> str:
        """A date, given as `YYYY-MM-DD`."""
        match self.dates:
            case "YYYYMMDD":
                return text.replace("-", "")
            case "date-time":
                return f"{text}T00:00:00+09:00"
            case _:
                return text

    def value(self, item: Item, value: Any) -> Any:
        """One value as the agency writes it; a code is written as it is."""
        if value is None:
            return "" if self.empty == "absent" else None
        if item.codes:
            return value
        match item.type:
            case "Date":
                return self.day(value)
            case "Month":
                return value.replace("-", "") if self.months == "YYYYMM" else value
            case "Won":
                return _MONEY[self.money](value)
            case "Int" | "Float":
                return str(value) if self.numbers == "text" else value
            case "Boolean":
                return str(value).lower() if self.numbers == "text" else value
            case _:
                return value

    def _row(self, columns: Sequence[Item], entry: Mapping[str, Any]) -> dict[str, Any]:
        row: dict[str, Any] = {}
        for item in columns:
            put(row, item.wire[-1], self.value(item, entry[item.path[1]]))
        return row

    def fields(self, held: Held, items: Sequence[Item]) -> dict[str, Any]:
        """A record by the places that wire names are, each list as rows of its columns."""
        fields: dict[str, Any] = {}
        lists: dict[str, list[Item]] = {}
        for item in items:
            if len(item.path) == 2:
                lists.setdefault(item.path[0], []).append(item)
            elif item.path:
                fields[item.wire[-1]] = self.value(item, held.values[item.path[0]])
        for name, columns in lists.items():
            fields[columns[0].wire[0]] = [self._row(columns, entry) for entry in held.values[name]]
        return fields


_MONEY: Mapping[str, Callable[[int], Any]] = {
    "won": int,
    "thousand-won": lambda won: won // 1000,
    "text": str,
}
