"""Until when tickets of values marked as wrong are kept."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

FIVE_YEARS = 5 * 365.25 * 24 * 3600


def upgrade() -> None:
    """Keep what there is for five years, as long as purposes keep details that say nothing."""
    op.add_column("correction", sa.Column("expires", sa.Float, nullable=False, server_default="0"))
    table = sa.table("correction", sa.column("filed", sa.Float), sa.column("expires", sa.Float))
    op.execute(sa.update(table).values(expires=table.c.filed + FIVE_YEARS))
