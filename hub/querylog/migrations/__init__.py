"""How the store's tables came to be what they are: revisions of Alembic, the first one first."""
