"""The accesses of officials in one index, from which indicators of misuse are counted."""

from __future__ import annotations

from hub.querylog.migrations.online import beside_writers, make_index

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the index."""
    chosen = "kind = 'OUTCOME' AND outcome = 'answered'"
    with beside_writers():
        make_index(
            "index_record_access",
            "index_record",
            ["person", "office", "at", "purpose", "idx"],
            chosen,
        )
