"""The accesses of officials in one index, from which indicators of misuse are counted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the index."""
    chosen = sa.text("kind = 'OUTCOME' AND outcome = 'answered'")
    op.create_index(
        "index_record_access",
        "index_record",
        ["person", "office", "at", "purpose", "idx"],
        sqlite_where=chosen,
        postgresql_where=chosen,
    )
