"""The `xroad` adapter: a REST service behind X-Road security servers.

What is asked and answered is as `[rest]` says; the envelope is X-Road's message protocol for REST.
"""

from __future__ import annotations

import re
import uuid
from typing import Annotated
from urllib.parse import quote

from pydantic import AfterValidator, Field

from sources.adapter import Question, SourceRefused, SourceUnavailable
from sources.client import Answered
from sources.declaration import Source
from sources.fault import Fault
from sources.http import told_of
from sources.rest import RestAdapter, RestTable, rest_faults
from sources.table import read_table

_PART = r"[^/;%\\\x00-\x1f]+"


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


_OURS = ("Server.ServerProxy.AccessDenied", "Server.ServerProxy.UnknownService")
"""Errors of the provider's side that asking again does not mend."""


class XroadAdapter(RestAdapter):
    """Asks one source through the hub's security server."""

    table = XroadTable
    evidence = ("x-road-id", "x-road-request-id", "x-road-request-hash")

    @staticmethod
    def check(source: Source) -> list[Fault]:
        """Every fault of `[xroad]`."""
        table, faults = read_table(source, XroadTable)
        return faults if table is None else rest_faults(source, table)

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self._xroad = table = XroadTable.model_validate(source.adapter_table)
        said = {"case": table.issue, "user": table.user is not None}
        self.told = told_of(table, *(name for name, is_said in said.items() if is_said))
        service = "/".join(quote(part, safe="") for part in table.service.split("/"))
        self._path = f"/r1/{service}{table.path}"
        self._client_id = "/".join(quote(part, safe="") for part in table.client.split("/"))

    def _envelope(self, question: Question) -> dict[str, str]:
        """The headers of one message: who asks whom, for which case, on whose behalf."""
        table, context = self._xroad, question.context
        said = {"X-Road-Client": self._client_id, "X-Road-Id": str(uuid.uuid4())}
        if table.issue and context.case:
            said["X-Road-Issue"] = quote(context.case, safe=",-./")
        if table.user and context.user:
            said["X-Road-UserId"] = table.user + quote(context.user, safe="")
        if table.represented:
            said["X-Road-Represented-Party"] = table.represented
        return said

    def _check(self, answered: Answered) -> None:
        """Raise SourceError where either security server, or the provider, gives an error."""
        kind = answered.headers.get("x-road-error")
        if kind is None:
            answered.check()
        elif kind.startswith(("Client.", *_OURS)):
            raise SourceRefused("X-Road refuses the message")
        elif kind.startswith("Server.ClientProxy."):
            raise SourceUnavailable("the hub's own security server fails")
        else:
            raise SourceUnavailable("the provider's security server fails")
