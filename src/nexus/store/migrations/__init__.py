"""The database's history, step by step; Alembic walks it."""
