"""What an operation is asked with, and the parts of a hub that it goes through."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from authz.register import Register
from hub.config import Audit, Limits
from hub.corrections.marks import Marks
from hub.documents import Documents
from hub.gather import Call, Gatherer
from hub.officials import Officials
from hub.oversight.ledger import Ledger
from hub.project import Projected
from hub.projecting.compiled import Projections
from hub.querylog.record import Log
from hub.trusted import Sent, Trusted
from hub.visible import Visibility
from schema.build import HubSchema

if TYPE_CHECKING:
    from hub.population.statistics import Statistics

Encode = Callable[[Projected, Sequence[Call], Mapping[str, str]], bytes]


@dataclass(frozen=True, slots=True)
class Request:
    """A GraphQL request, and the headers that say why it is made.

    `anew`: nothing kept will do, sources are to be asked now. `by_url` is set where it came in a
    URL, and so may touch no data item.
    """

    sent: Sent
    variables: Mapping[str, Any]
    operation_name: str | None
    purpose: str | None
    cases: str | None
    reason: str
    withhold: bool
    by_url: bool
    anew: bool = False


@dataclass(frozen=True, slots=True)
class Hub:
    """The parts that an operation goes through."""

    schema: HubSchema
    register: Register
    documents: Documents
    projections: Projections
    visibility: Visibility
    trusted: Trusted
    gatherer: Gatherer
    log: Log
    ledger: Ledger
    marks: Marks
    officials: Officials
    audit: Audit
    limits: Limits
    statistics: Statistics | None = None
    reviews: Path = Path("reviews")
