"""The tree: leaves, sealed details, the index beside them, tiles, checkpoints, who runs.

`record` stays for the hubs before it that still run; `hub log migrate` empties it into the tree.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_INDEX = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "leaf",
        sa.Column("idx", _INDEX, primary_key=True, autoincrement=False),
        sa.Column("leaf", sa.LargeBinary, nullable=False),
        sa.Column("key", sa.Integer, nullable=False),
    )
    op.create_index("ix_leaf_key", "leaf", ["key"])
    op.create_table(
        "details",
        sa.Column("idx", _INDEX, primary_key=True, autoincrement=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "details_key",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("period", sa.String(10), nullable=False),
        sa.Column("subjects", sa.String(16), nullable=False),
        sa.Column("years", sa.Integer, nullable=False),
        sa.Column("wrapped", sa.LargeBinary),
        sa.Column("destroyed", sa.BigInteger),
        sa.UniqueConstraint("period", "subjects", "years", name="details_key_of"),
    )
    _index()
    op.create_table(
        "tile",
        sa.Column("level", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("hashes", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "checkpoint",
        sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "cosignature",
        sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("verifier", sa.String(255), primary_key=True),
        sa.Column("line", sa.Text, nullable=False),
    )
    head = op.create_table(
        "head",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("size", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(head, [{"id": 1, "size": 0}])
    op.create_table(
        "run",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("place", sa.String(255), nullable=False),
        sa.Column("beat", sa.BigInteger, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
    )


def _index() -> None:
    op.create_table(
        "index_record",
        sa.Column("idx", _INDEX, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("operation", sa.LargeBinary(16)),
        sa.Column("person", sa.String(255)),
        sa.Column("office", sa.String(255)),
        sa.Column("purpose", sa.String(255)),
        sa.Column("outcome", sa.String(32)),
        sa.Column("flags", sa.Integer, nullable=False),
        sa.Column("items", sa.BigInteger),
    )
    op.create_index("ix_index_record_at", "index_record", ["at"])
    op.create_index("ix_index_record_operation", "index_record", ["operation"])
    op.create_index("index_record_person", "index_record", ["person", "idx"])
    op.create_table(
        "index_about",
        sa.Column("idx", _INDEX, primary_key=True, autoincrement=False),
        sa.Column("pseudonym", sa.LargeBinary(16), primary_key=True),
        sa.Column("part", sa.String(8), nullable=False),
        sa.Column("flags", sa.Integer, nullable=False),
        sa.Column("person", sa.String(255)),
        sqlite_with_rowid=False,
    )
    op.create_index("index_about_pseudonym", "index_about", ["pseudonym", "idx"])
    op.create_table(
        "index_items",
        sa.Column("items", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("item", sa.String(255), primary_key=True),
        sqlite_with_rowid=False,
    )
