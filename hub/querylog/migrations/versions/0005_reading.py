"""What indicators of misuse are computed by; accesses that recipients are told of later."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_INDEX = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make indexes and tables."""
    op.drop_index("index_about_pseudonym", "index_about")
    op.create_index("index_about_pseudonym", "index_about", ["pseudonym", "person", "part"])
    events = sa.text("part NOT IN ('released', 'asked', 'case')")
    op.create_index(
        "index_about_event",
        "index_about",
        ["part", "pseudonym", "idx"],
        sqlite_where=events,
        postgresql_where=events,
    )
    for name, column, chosen in (
        ("index_record_flags", "flags", "flags > 0"),
        ("index_record_refused", "idx", "outcome = 'refused'"),
    ):
        op.create_index(
            name,
            "index_record",
            [column],
            sqlite_where=sa.text(chosen),
            postgresql_where=sa.text(chosen),
        )
    op.create_table(
        "log_hold",
        sa.Column("idx", _INDEX, primary_key=True, autoincrement=False),
        sa.Column("until", sa.BigInteger, nullable=False),
    )
