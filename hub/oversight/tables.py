"""The tables of approvals, reviewed uses and notices, in the store of the query log.

Recipients and cases stand there as keyed pseudonyms. Times are seconds since 1970, UTC. After
`expires`, what the purpose's retention says, `hub log shred` deletes a row.
"""

from __future__ import annotations

import sqlalchemy as sa

from hub.querylog.tables import METADATA

LOCK = sa.Table(
    "oversight_lock",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("turns", sa.BigInteger, nullable=False),
)
"""One row, which every change takes first: changes of all replicas come one after the other."""

USES = sa.Table(
    "oversight_use",
    METADATA,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("person", sa.Text, nullable=False),
    sa.Column("office", sa.Text),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("marks", sa.LargeBinary, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("until", sa.Float),
    sa.Column("due", sa.Float, nullable=False, index=True),
    sa.Column("closed", sa.Float, index=True),
    sa.Column("finding", sa.String(16)),
    sa.Column("reviewer", sa.Text),
    sa.Column("reviewer_office", sa.Text),
    sa.Column("note", sa.Text),
    sa.Column("expires", sa.Float, nullable=False, server_default="0"),
)
"""Uses that have to be reviewed: break-glasses, and operations of purposes that demand it.

`marks` are those of the reason, `until` is when a break-glass closes again.
"""

SIGHTS = sa.Table(
    "oversight_sight",
    METADATA,
    sa.Column("use", sa.String(36), primary_key=True),
    sa.Column("operation", sa.String(36), primary_key=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("items", sa.Text, nullable=False),
)
"""What was released under a use, by operation: the items' names as JSON."""

PARTIES = sa.Table(
    "oversight_party",
    METADATA,
    sa.Column("record", sa.String(36), primary_key=True),
    sa.Column("side", sa.String(8), primary_key=True),
    sa.Column("who", sa.String(64), primary_key=True, index=True),
)
"""Everyone who asked (`asked`) or approved or reviewed (`answered`), by all their pseudonyms."""

SUBJECTS = sa.Table(
    "oversight_subject",
    METADATA,
    sa.Column("record", sa.String(36), primary_key=True),
    sa.Column("subject", sa.String(64), primary_key=True),
)
"""Whom an approval or a use is about."""

APPROVALS = sa.Table(
    "oversight_approval",
    METADATA,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("person", sa.Text, nullable=False),
    sa.Column("office", sa.Text, nullable=False),
    sa.Column("case", sa.String(64)),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("decided", sa.Float),
    sa.Column("granted", sa.Boolean),
    sa.Column("until", sa.Float),
    sa.Column("approver", sa.Text),
    sa.Column("approver_office", sa.Text),
    sa.Column("note", sa.Text),
    sa.Column("expires", sa.Float, nullable=False, server_default="0"),
    sa.Column("approver_roles", sa.Text),
)
"""Requests for somebody else's approval, and how they were decided.

`approver_roles` are those of whoever decided, with spaces between.
"""

NOTICES = sa.Table(
    "oversight_notice",
    METADATA,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("subject", sa.String(64), nullable=False, index=True),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("legal_basis", sa.Text, nullable=False),
    sa.Column("office", sa.Text),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("exported", sa.Float, index=True),
    sa.Column("expires", sa.Float, nullable=False, server_default="0"),
)
"""What recipients are to be told. `sealed` is the recipient's id, for whoever sends letters."""
