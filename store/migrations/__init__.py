"""Alembic migrations, one file a schema change; each runs in one transaction with the row that records it."""
