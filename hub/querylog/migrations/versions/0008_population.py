"""Questions about populations that teams have asked and kept."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "population_question",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("team", sa.String(255), nullable=False),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("where", sa.Text, nullable=False),
        sa.Column("tables", sa.Text, nullable=False),
        sa.Column("empty", sa.Boolean, nullable=False),
    )
    op.create_index("population_question_team", "population_question", ["team", "at"])
    op.create_table(
        "population_saved",
        sa.Column("team", sa.String(255), primary_key=True),
        sa.Column("name", sa.String(80), primary_key=True),
        sa.Column("query", sa.Text, nullable=False),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
    )
