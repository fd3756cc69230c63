"""Machines of one PostgreSQL store, each with its own data folder."""

from sqlalchemy import Engine, text

END_LOCKS = text(
    "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name LIKE 'naysayer %' AND "
    "datname = current_database()"
)


def end_locks(engine: Engine) -> None:
    """Ends the connections that hold the store's locks, as a network that fails does."""
    with engine.connect() as connection:
        connection.execute(END_LOCKS)
