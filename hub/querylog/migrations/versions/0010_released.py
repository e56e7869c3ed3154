"""What was released of whom in an index of its own, from which indicators of misuse are counted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Make two indexes of one: each row stands in either."""
    op.drop_index("index_about_pseudonym", "index_about")
    for name, columns, chosen in (
        ("index_about_released", ["pseudonym", "person"], sa.text("part = 'released'")),
        ("index_about_pseudonym", ["pseudonym", "part"], sa.text("part <> 'released'")),
    ):
        op.create_index(name, "index_about", columns, sqlite_where=chosen, postgresql_where=chosen)
