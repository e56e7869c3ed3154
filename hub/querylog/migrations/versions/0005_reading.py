"""What indicators of misuse are computed by; accesses that recipients are told of later."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from hub.querylog.migrations.online import beside_writers, drop_index, make_index

revision = "0005"
down_revision = "0004"

_INDEX = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make indexes and tables."""
    events = "part NOT IN ('released', 'asked', 'case')"
    with beside_writers():
        make_index("index_about_person", "index_about", ["pseudonym", "person", "part"])
        make_index("index_about_event", "index_about", ["part", "pseudonym", "idx"], events)
        make_index("index_record_flags", "index_record", ["flags"], "flags > 0")
        make_index("index_record_refused", "index_record", ["idx"], "outcome = 'refused'")
        drop_index("index_about_pseudonym", "index_about")
    op.create_table(
        "log_hold",
        sa.Column("idx", _INDEX, primary_key=True, autoincrement=False),
        sa.Column("until", sa.BigInteger, nullable=False),
    )
