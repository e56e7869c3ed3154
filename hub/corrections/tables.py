"""The table of correction tickets, in the store of the query log."""

from __future__ import annotations

import sqlalchemy as sa

from hub.querylog.tables import METADATA

TICKETS = sa.Table(
    "correction",
    METADATA,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("subject", sa.String(64), nullable=False, index=True),
    sa.Column("source", sa.String(255), nullable=False),
    sa.Column("item", sa.String(255), nullable=False),
    sa.Column("why", sa.String(16), nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("filed", sa.Float, nullable=False),
    sa.Column("changed", sa.Float, nullable=False),
    sa.Column("turn", sa.BigInteger, nullable=False, index=True),
    sa.Column("mover", sa.Text),
    sa.Column("reply", sa.Text),
    sa.Column("expires", sa.Float, nullable=False, server_default="0"),
)
"""One row for each value marked as wrong; who marked it stands in `oversight_party` as `asked`.

`subject` is the recipient's pseudonym. `sealed` are the recipient's id and what is said of the
value, for the source. `turn` is that of the ledger in which the ticket changed last, `reply` what
the source said, as `mover` wrote it down. After `expires`, what the purpose's retention says,
`hub log shred` deletes a ticket that is not open. Times are seconds since 1970, UTC.
"""

OPEN = ("FILED", "WITH_SOURCE")
"""The states in which a ticket is shown with the value."""
