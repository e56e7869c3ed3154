"""The `soap` adapter: an agency whose service a WSDL describes (needs the extra `soap`)."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from sources.adapter import Question, Reply, SourceRefused, expand, unset
from sources.declaration import Source
from sources.fault import Fault
from sources.http import HttpTable, http_faults
from sources.table import Place, no_cases, read_table


class SoapTable(HttpTable):
    """`[soap]` of a declaration; `url` is the service's address, whatever the WSDL says."""

    wsdl: str
    service: str | None = None
    port: str | None = None
    operation: str
    keys: Place
    items: Place
    records: Place
    key: Place
    as_of: Place | None = None


class SoapAdapter:
    """Asks one SOAP source."""

    @staticmethod
    def check(source: Source) -> list[Fault]:
        """Every fault of `[soap]`."""
        table, faults = read_table(source, SoapTable)
        if table is None:
            return faults
        describe = source.places.describe
        if importlib.util.find_spec("zeep") is None:
            place = describe(("source", "adapter"))
            remedy = "install `welfare-hub[soap]`"
            faults.append(Fault(source.file, place, "the environment has no zeep", remedy))
        if not unset(table.wsdl) and not Path(expand(table.wsdl)).is_file():
            message = "the environment has no file there"
            remedy = "correct its path; the WSDL is read from a file, never over the network"
            faults.append(Fault(source.file, describe(("soap", "wsdl")), message, remedy))
        return faults + no_cases(source) + http_faults(source, table)

    def __init__(self, source: Source) -> None:
        self._table = SoapTable.model_validate(source.adapter_table)

    async def ask(self, question: Question) -> Reply:
        """Ask once."""
        raise SourceRefused(f"`{question.items[0].source}` cannot be asked yet")

    async def close(self) -> None:
        """Close the pooled connections."""
