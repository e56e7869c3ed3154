"""The tables of the query log's store. How they came to be stands in `hub/querylog/migrations/`.

What is permanent holds nothing personal: `leaf`, `tile`, `checkpoint`, `cosignature`, `head` and
`details_key`. The details of a record and its rows of the index are personal; they go when their
key is destroyed.
"""

from __future__ import annotations

import sqlalchemy as sa

METADATA = sa.MetaData()
_INDEX = sa.BigInteger().with_variant(sa.Integer, "sqlite")

LEAF = sa.Table(
    "leaf",
    METADATA,
    sa.Column("idx", _INDEX, primary_key=True, autoincrement=False),
    sa.Column("leaf", sa.LargeBinary, nullable=False),
    sa.Column("key", sa.Integer, nullable=False, index=True),
)
"""The leaves of the tree, from 0 without gaps: canonical bytes, and the key of the details."""

DETAILS = sa.Table(
    "details",
    METADATA,
    sa.Column("idx", _INDEX, primary_key=True, autoincrement=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
)
"""Nonce (12 bytes) and AES-256-GCM of salt (32 bytes) and canonical details."""

DETAILS_KEY = sa.Table(
    "details_key",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("period", sa.String(10), nullable=False),
    sa.Column("subjects", sa.String(16), nullable=False),
    sa.Column("years", sa.Integer, nullable=False),
    sa.Column("wrapped", sa.LargeBinary),
    sa.Column("destroyed", sa.BigInteger),
    sa.UniqueConstraint("period", "subjects", "years", name="details_key_of"),
)
"""Keys of details, by day (UTC), class of subjects and years kept; wrapped, or destroyed when."""

INDEX_RECORD = sa.Table(
    "index_record",
    METADATA,
    sa.Column("idx", _INDEX, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False, index=True),
    sa.Column("operation", sa.LargeBinary(16), index=True),
    sa.Column("person", sa.String(255)),
    sa.Column("office", sa.String(255)),
    sa.Column("purpose", sa.String(255)),
    sa.Column("outcome", sa.String(32)),
    sa.Column("flags", sa.Integer, nullable=False),
    sa.Column("items", sa.BigInteger),
    sa.Index("index_record_person", "person", "idx"),
    sa.Index(
        "index_record_access",
        *("person", "office", "at", "purpose", "idx", "kind", "outcome"),
        sqlite_where=sa.text("kind = 'OUTCOME' AND outcome = 'answered'"),
        postgresql_where=sa.text("kind = 'OUTCOME' AND outcome = 'answered'"),
    ),
    sa.Index(
        "index_record_flags",
        "flags",
        sqlite_where=sa.text("flags > 0"),
        postgresql_where=sa.text("flags > 0"),
    ),
    sa.Index(
        "index_record_refused",
        "idx",
        sqlite_where=sa.text("outcome = 'refused'"),
        postgresql_where=sa.text("outcome = 'refused'"),
    ),
)
"""What records are found by. Of an INTENT: kind, time (ms since 1970, UTC) and operation only."""

INDEX_ABOUT = sa.Table(
    "index_about",
    METADATA,
    sa.Column("idx", _INDEX, primary_key=True, autoincrement=False),
    sa.Column("pseudonym", sa.LargeBinary(16), primary_key=True),
    sa.Column("part", sa.String(8), nullable=False),
    sa.Column("flags", sa.Integer, nullable=False),
    sa.Column("person", sa.String(255)),
    sa.Index(
        "index_about_released",
        "pseudonym",
        "person",
        "part",
        sqlite_where=sa.text("part = 'released'"),
        postgresql_where=sa.text("part = 'released'"),
    ),
    sa.Index(
        "index_about_pseudonym",
        "pseudonym",
        "part",
        sqlite_where=sa.text("part <> 'released'"),
        postgresql_where=sa.text("part <> 'released'"),
    ),
    sa.Index(
        "index_about_event",
        "part",
        "pseudonym",
        "idx",
        sqlite_where=sa.text("part NOT IN ('released', 'asked', 'case')"),
        postgresql_where=sa.text("part NOT IN ('released', 'asked', 'case')"),
    ),
    sqlite_with_rowid=False,
)
"""Whom and which cases an OUTCOME (or an event) is about; see `hub/querylog/index.py`."""

INDEX_ITEMS = sa.Table(
    "index_items",
    METADATA,
    sa.Column("items", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("item", sa.String(255), primary_key=True),
    sqlite_with_rowid=False,
)
"""The members of a set of items that `index_record.items` names."""

CROWD = sa.Table(
    "index_crowd",
    METADATA,
    sa.Column("operation", sa.LargeBinary(16), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("first", sa.LargeBinary(16), nullable=False),
    sa.Column("last", sa.LargeBinary(16), nullable=False),
    sa.Column("pseudonyms", sa.LargeBinary, nullable=False),
    sa.Index("index_crowd_first", "first", "last"),
)
"""Whom the record of an operation is about where they are a crowd: `hub/querylog/crowd.py`."""

HOLD = sa.Table(
    "log_hold",
    METADATA,
    sa.Column("idx", _INDEX, primary_key=True, autoincrement=False),
    sa.Column("until", sa.BigInteger, nullable=False),
)
"""Accesses that recipients are told of later only, and when (ms since 1970)."""

TILE = sa.Table(
    "tile",
    METADATA,
    sa.Column("level", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("hashes", sa.LargeBinary, nullable=False),
)
"""Tiles of the tree (C2SP tlog-tiles); each level's last is as wide as at the last checkpoint."""

CHECKPOINT = sa.Table(
    "checkpoint",
    METADATA,
    sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
)
"""Signed checkpoints (C2SP tlog-checkpoint) by size, with the hub's time in ms since 1970."""

COSIGNATURE = sa.Table(
    "cosignature",
    METADATA,
    sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("verifier", sa.String(255), primary_key=True),
    sa.Column("line", sa.Text, nullable=False),
)
"""Witnesses' cosignatures of checkpoints (C2SP tlog-cosignature): name and key, signature line."""

HEAD = sa.Table(
    "head",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("size", sa.BigInteger, nullable=False),
)
"""One row: how many leaves there are. Whoever appends takes its lock, and with it the order."""

RUN = sa.Table(
    "run",
    METADATA,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("place", sa.String(255), nullable=False),
    sa.Column("beat", sa.BigInteger, nullable=False),
    sa.Column("since", sa.BigInteger, nullable=False),
)
"""The hubs that run: where, a number that grows while they live, and the leaf from which on they
may have an operation under way."""

SUBJECT_USE = sa.Table(
    "subject_use",
    METADATA,
    sa.Column("person", sa.String(255), primary_key=True),
    sa.Column("subject", sa.String(64), primary_key=True),
    sa.Column("at", sa.Float, nullable=False),
)
"""Whom a person has asked about, for the limit of a day."""

SOURCE_USE = sa.Table(
    "source_use",
    METADATA,
    sa.Column("source", sa.String(255), primary_key=True),
    sa.Column("scope", sa.String(320), primary_key=True),
    sa.Column("hour", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("people", sa.BigInteger, nullable=False),
)
"""How many people a source was asked about, by hour since 1970: by all, a caller, or a purpose."""

FIRST_RECORD = sa.Table(
    "record",
    METADATA,
    sa.Column("seq", _INDEX, primary_key=True),
    sa.Column("operation", sa.String(36), nullable=False, index=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("at", sa.String(32), nullable=False),
    sa.Column("body", sa.Text, nullable=False),
)
"""Records of hubs before the tree; `hub log migrate` takes them into it."""
