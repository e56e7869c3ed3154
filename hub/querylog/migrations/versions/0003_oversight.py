"""Approvals, reviewed uses and notices."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "oversight_lock",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("turns", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "oversight_use",
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
    )
    op.create_table(
        "oversight_sight",
        sa.Column("use", sa.String(36), primary_key=True),
        sa.Column("operation", sa.String(36), primary_key=True),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("items", sa.Text, nullable=False),
    )
    op.create_table(
        "oversight_party",
        sa.Column("record", sa.String(36), primary_key=True),
        sa.Column("side", sa.String(8), primary_key=True),
        sa.Column("who", sa.String(64), primary_key=True, index=True),
    )
    op.create_table(
        "oversight_subject",
        sa.Column("record", sa.String(36), primary_key=True),
        sa.Column("subject", sa.String(64), primary_key=True),
    )
    op.create_table(
        "oversight_approval",
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
    )
    op.create_table(
        "oversight_notice",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("subject", sa.String(64), nullable=False, index=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("legal_basis", sa.Text, nullable=False),
        sa.Column("office", sa.Text),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("exported", sa.Float, index=True),
    )
