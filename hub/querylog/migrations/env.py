"""Alembic's way in: it runs on the connection that `hub/querylog/schema.py` gives it."""

from __future__ import annotations

from alembic import context

from hub.querylog.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    transactional_ddl=True,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
