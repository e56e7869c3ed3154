"""Asks a small agency through an adapter, as the hub does, for the tests of the adapters."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from hub.app import ADAPTERS
from sources.adapter import Adapter, Context, Question, Reply
from sources.declaration import Source
from sources.reading import read_catalogue
from tests.sources.agency import Agency, serving

HANA, DURI, SENA = "900101-1000001", "900101-1000002", "900101-1000003"
CONTEXT = Context("pension", "Basic Pension Act, Article 11", "C-1", "op-1", user="official-7")
ITEMS = """
[item.pay]
description = "Pay"
type = "Won"
category = "income"

[item.name]
description = "Name"
type = "String"
category = "identity"
wire = "name.surname"

[item.born]
description = "Born"
type = "Date"
category = "identity"

[item.stays]
description = "Stays"
type = "list"
wire = "stay"

[item.stays.item.day]
description = "Day"
type = "Date"
category = "health"

[item.stays.item.ward]
description = "Ward"
type = "String"
category = "health"
"""


def declared(
    folder: Path, adapter: str, table: str, source: str = "", items: str = ITEMS
) -> Source:
    """The source `a`, of which the adapter finds no fault."""
    head = f'[source]\nagency = "A"\ndescription = "D"\nadapter = "{adapter}"\n{source}\n'
    (folder / "a.toml").write_text(f"{head}\n[{adapter}]\n{table}\n{items}", encoding="utf-8")
    catalogue, faults = read_catalogue(folder, ["a"], "a", "a")
    assert [str(fault) for fault in faults] == []
    found = catalogue.sources["a"]
    assert [str(fault) for fault in ADAPTERS[adapter].check(found)] == []
    return found


@dataclass
class Asking:
    """A source's adapter, and the agency it asks where there is one."""

    source: Source
    adapter: Adapter
    agency: Agency

    async def ask(
        self, *keys: str, items: tuple[str, ...] = ("pay",), context: Context = CONTEXT
    ) -> Reply:
        """Ask for these items, by their names at the hub, of HANA unless others are named."""
        names = {"a.exists", *(f"a.{item}" for item in items)}
        wanted = tuple(item for item in self.source.items if item.name in names)
        return await self.adapter.ask(Question("person", keys or (HANA,), wanted, context))


@contextlib.asynccontextmanager
async def asking(
    folder: Path,
    adapter: str,
    table: str,
    *answers: bytes | None,
    source: str = "",
    items: str = ITEMS,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Asking]:
    """An agency that answers so, asked through an adapter; `URL` in the table is its address."""
    async with serving(Agency(list(answers) or [b""]), tls) as agency:
        found = declared(folder, adapter, table.replace("URL", agency.url), source, items)
        made = ADAPTERS[adapter](found)
        try:
            yield Asking(found, made, agency)
        finally:
            await made.close()
