"""Until when approvals, reviewed uses and notices are kept; the roles of whoever approved."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

FIVE_YEARS = 5 * 365.25 * 24 * 3600


def upgrade() -> None:
    """Keep what there is for five years, as long as purposes keep details that say nothing."""
    for name in ("oversight_use", "oversight_approval", "oversight_notice"):
        op.add_column(name, sa.Column("expires", sa.Float, nullable=False, server_default="0"))
        table = sa.table(name, sa.column("at", sa.Float), sa.column("expires", sa.Float))
        op.execute(sa.update(table).values(expires=table.c.at + FIVE_YEARS))
    op.add_column("oversight_approval", sa.Column("approver_roles", sa.Text))
