"""The `xroad` adapter: a REST service behind X-Road security servers.

What is asked and answered is as `[rest]` says; the envelope is X-Road's message protocol for REST.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from sources.declaration import Source
from sources.fault import Fault
from sources.rest import RestAdapter, RestTable, rest_faults
from sources.table import read_table

_PART = r"[^/;%\\\x00-\x20]+"


def _member(least: int, most: int, shown: str) -> AfterValidator:
    pattern = re.compile(rf"{_PART}(/{_PART}){{{least - 1},{most - 1}}}\Z")

    def check(value: str) -> str:
        if pattern.match(value) is None:
            raise ValueError(f"`{value}` is no such identifier; write it like `{shown}`")
        return value

    return AfterValidator(check)


class XroadTable(RestTable):
    """`[xroad]` of a declaration; `url` is the hub's own security server."""

    client: Annotated[str, _member(3, 4, "KR/GOV/1000/hub")]
    service: Annotated[str, _member(4, 5, "KR/GOV/2000/register/persons")]
    user: str | None = Field(default=None, pattern=r"^[A-Z]{2}$")
    issue: bool = True
    represented: Annotated[str, _member(1, 2, "GOV/3000")] | None = None


class XroadAdapter(RestAdapter):
    """Asks one source through the hub's security server."""

    @staticmethod
    def check(source: Source) -> list[Fault]:
        """Every fault of `[xroad]`."""
        table, faults = read_table(source, XroadTable)
        if table is None:
            return faults
        return rest_faults(source, table)
