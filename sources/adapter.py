"""What an adapter is: the code that speaks one wire protocol for any source declared to use it.

An adapter is a class with three members: `check`, which reports every fault of its own table of
a declaration; its constructor, given a declared source; and `ask`. Errors are classed by what
the hub does next.
"""

from __future__ import annotations

import datetime
import math
import os
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple, Protocol

from sources.declaration import Item, Source, Subject
from sources.fault import Fault


class SourceError(Exception):
    """A source could not be used. `retry_after` is in seconds, where a later try may help.

    `passing` is set where the same call may do better at once: all calls are reads.
    """

    code: ClassVar[str] = "SOURCE_UNAVAILABLE"

    def __init__(
        self, reason: str, retry_after: float | None = None, *, passing: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after
        self.passing = passing


class SourceUnavailable(SourceError):
    """The source is down or failing: try again later."""


class SourceTimeout(SourceError):
    """The source did not answer within its deadline: try again later."""

    code = "SOURCE_TIMEOUT"


class SourceRefused(SourceError):
    """The source refuses the hub, its credentials or its question: an operator must mend it."""


class OverBudget(SourceError):
    """The source may not be asked about more people today: ask again later."""

    code = "SOURCE_BUDGET"


class ContractBroken(SourceError):
    """The source answered otherwise than it declares: its operator must mend it."""

    code = "SOURCE_CONTRACT"


class Context(NamedTuple):
    """What an agency may be told about why it is asked; nothing of it is a recipient's.

    `user` is the official who asks. It is told neither of `deadline`, on the event loop's clock,
    nor of `anew`: that nothing kept will do.
    """

    purpose: str
    legal_basis: str
    case: str
    operation: str
    user: str = ""
    deadline: float = math.inf
    anew: bool = False


class Question(NamedTuple):
    """Everything asked of one source in one call: these items of these people, or cases."""

    subject: Subject
    keys: tuple[str, ...]
    items: tuple[Item, ...]
    context: Context


class Record(NamedTuple):
    """What a source holds on one key.

    `values` maps an item's key to its value, a list's key to its rows (one mapping of column to
    value each). None is "the agency says there is none"; `BROKEN` a value against the declaration.
    """

    values: Mapping[str, Any]
    as_of: datetime.date | None


class _Broken:
    """The mark of a value that breaks the source's contract."""

    def __repr__(self) -> str:
        return "BROKEN"


BROKEN = _Broken()


class Reply(NamedTuple):
    """A source's answer: a record for each key it knows, and its breaches of contract by kind.

    `evidence` is what the protocol gives to prove the exchange by; the query log keeps it.
    `broken` are the keys of which nothing that was said can be relied on, as of two records of one.
    """

    records: Mapping[str, Record]
    breaches: Mapping[str, int] = MappingProxyType({})
    evidence: Mapping[str, str] = MappingProxyType({})
    broken: frozenset[str] = frozenset()


class Adapter(Protocol):
    """The seam between the hub and a wire protocol."""

    def __init__(self, source: Source) -> None: ...

    @staticmethod
    def check(source: Source) -> list[Fault]:
        """Every fault of the adapter's table in the declaration, unset variables included."""

    async def ask(self, question: Question) -> Reply:
        """Ask the source once. Raises SourceError; cancelled when the deadline passes."""

    async def close(self) -> None:
        """Give back connections."""


_VARIABLE = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")


def expand(text: str) -> str:
    """Put the environment's values in the place of `${NAME}`; `unset` finds those that lack."""
    return _VARIABLE.sub(lambda match: os.environ[match[1]], text)


def unset(text: str) -> list[str]:
    """The variables that a text names and the environment does not have."""
    return [name for name in _VARIABLE.findall(text) if name not in os.environ]


def unset_faults(source: Source, texts: Mapping[tuple[str, ...], str]) -> list[Fault]:
    """A fault for each variable that the texts (by their place) name and that is not set."""
    return [
        Fault(
            source.file,
            source.places.describe(keys),
            f"the environment has no `{name}`",
            f"set `{name}`, or take `{source.name}` out of `sources.enabled`",
        )
        for keys, text in texts.items()
        for name in unset(text)
    ]
