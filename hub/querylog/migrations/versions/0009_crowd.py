"""Whom records about crowds are about."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "index_crowd",
        sa.Column("operation", sa.LargeBinary(16), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("first", sa.LargeBinary(16), nullable=False),
        sa.Column("last", sa.LargeBinary(16), nullable=False),
        sa.Column("pseudonyms", sa.LargeBinary, nullable=False),
    )
    op.create_index("index_crowd_first", "index_crowd", ["first", "last"])
