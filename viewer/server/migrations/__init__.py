"""Changes of the server's tables, in order (alembic)."""
