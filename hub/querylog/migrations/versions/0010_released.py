"""Indexes from which indicators of misuse are counted without looking at the rows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Make two indexes of one, each row in either; and one of accesses that has all it takes."""
    op.drop_index("index_about_pseudonym", "index_about")
    for name, columns, chosen in (
        ("index_about_released", ["pseudonym", "person", "part"], sa.text("part = 'released'")),
        ("index_about_pseudonym", ["pseudonym", "part"], sa.text("part <> 'released'")),
    ):
        op.create_index(name, "index_about", columns, sqlite_where=chosen, postgresql_where=chosen)
    op.drop_index("index_record_access", "index_record")
    answered = sa.text("kind = 'OUTCOME' AND outcome = 'answered'")
    op.create_index(
        "index_record_access",
        "index_record",
        ["person", "office", "at", "purpose", "idx", "kind", "outcome"],
        sqlite_where=answered,
        postgresql_where=answered,
    )
