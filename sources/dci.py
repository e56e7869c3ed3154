"""The `dci` adapter: registries that speak the DCI interfaces' synchronous search.

Strict in what it writes, as the specifications of the five registries say; tolerant in what it
reads.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sources.adapter import Question, Reply, SourceRefused
from sources.declaration import Source
from sources.fault import Fault
from sources.http import HttpTable, http_faults
from sources.table import Place, no_cases, read_table


class DciTable(HttpTable):
    """`[dci]` of a declaration."""

    path: str = Field(default="/registry/sync/search", pattern=r"^/")
    registry: Literal["civil", "social", "disability", "farmer", "beneficiary"]
    sender: str = Field(min_length=1, max_length=99)
    receiver: str | None = Field(default=None, min_length=1, max_length=99)
    id_type: str = "UIN"
    record_type: str | None = None
    key: Place = "identifier"
    as_of: Place | None = None
    purpose_uri: str | None = Field(default=None, pattern=r"^https://")
    dates: Literal["YYYY-MM-DD", "YYYYMMDD", "date-time"] = "date-time"
    empty: Literal["text", "absent"] = "absent"


class DciAdapter:
    """Asks one registry."""

    @staticmethod
    def check(source: Source) -> list[Fault]:
        """Every fault of `[dci]`."""
        table, faults = read_table(source, DciTable)
        if table is None:
            return faults
        return no_cases(source) + http_faults(source, table)

    def __init__(self, source: Source) -> None:
        self._table = DciTable.model_validate(source.adapter_table)

    async def ask(self, question: Question) -> Reply:
        """Ask once."""
        raise SourceRefused(f"`{question.items[0].source}` cannot be asked yet")

    async def close(self) -> None:
        """Close the pooled connections."""
