"""What one field is acted by: who acts, by which purpose, with which arguments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from authz.purpose import Purpose
from hub.about import About
from hub.operation import Hub
from hub.oversight.ledger import Ledger
from hub.plan import Plan
from hub.querylog.record import Entry

Arguments = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Acting:
    """Who acts, by which purpose, with which arguments; `entry` are the operation's records.

    `plan` and `variables` are the whole operation's, for a field whose own fields say more.
    """

    hub: Hub
    about: About
    purpose: Purpose
    arguments: Arguments
    entry: Entry
    plan: Plan
    variables: Mapping[str, Any]

    @property
    def ledger(self) -> Ledger:
        """The store of approvals, reviews and notices."""
        return self.hub.ledger
