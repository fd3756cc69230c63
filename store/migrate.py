"""Migrates a store to this program's schema; refuses a newer or a damaged one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, make_url, text
from sqlalchemy.exc import DatabaseError

from store.engine import WRITE_LOCK, is_sqlite, open_engine
from store.errors import DamagedStore, NewerStore, StoreError
from store.settings import Settings

MIGRATIONS = Path(__file__).parent / "migrations"


def open_store(settings: Settings) -> Engine:
    """The engine of the store the settings name, created or migrated to the newest schema.

    Raises NewerStore when a newer Naysayer wrote it, DamagedStore when the file is not a sound database.
    """
    engine = open_engine(settings.url)
    try:
        migrate(engine)
    except NewerStore:
        engine.dispose()
        raise
    except DatabaseError as error:
        engine.dispose()
        if "malformed" in str(error) or "not a database" in str(error):
            raise _damaged(settings, str(error.orig)) from error
        raise StoreError(
            f"the store {engine.url.render_as_string()} cannot be opened ({' '.join(str(error.orig).split())}); "
            "check NAYSAYER_STORE_URL, NAYSAYER_DATA_DIR and that the disk has room"
        ) from error
    return engine


def migrate(engine: Engine) -> None:
    """Runs the missing migrations in one transaction that holds the write lock."""
    with _foreign_keys_off(engine) as connection, connection.begin():
        if not is_sqlite(engine):
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": WRITE_LOCK})
        found, known = schema_of(connection), _script().get_current_head()
        if found == known:
            return
        if found is not None and found not in {script.revision for script in _script().walk_revisions()}:
            raise NewerStore(
                f"the store has schema {found}, this program knows up to {known}; "
                "upgrade Naysayer, or restore a backup made by this version"
            )
        command.upgrade(_config(connection), "head")
        if is_sqlite(engine) and (orphans := list(connection.exec_driver_sql("PRAGMA foreign_key_check"))):
            raise DamagedStore(
                f"{len(orphans)} rows of the store refer to missing rows, first in the table {orphans[0][0]}; "
                "it was left as it is; restore a backup"
            )


@contextmanager
def _foreign_keys_off(engine: Engine) -> Iterator[Connection]:
    """A connection for migrations: SQLite rebuilds a table by dropping it, which foreign keys take for lost rows."""
    with engine.connect().execution_options(sqlite_begin="IMMEDIATE") as connection:
        driver = connection.connection.driver_connection
        if not is_sqlite(engine) or driver is None:
            yield connection
            return
        driver.execute("PRAGMA foreign_keys=OFF")  # has no effect inside a transaction, so it comes before
        try:
            yield connection
        finally:
            driver.execute("PRAGMA foreign_keys=ON")


def schema_of(connection: Connection) -> str | None:
    """The revision the store is at, or None for an empty database."""
    return MigrationContext.configure(connection).get_current_revision()


def check_integrity(engine: Engine) -> list[str]:
    """What SQLite finds wrong with its file and its foreign keys; empty when all is well or on PostgreSQL."""
    if not is_sqlite(engine):
        return []
    try:
        with engine.begin() as connection:
            found = [row[0] for row in connection.exec_driver_sql("PRAGMA integrity_check") if row[0] != "ok"]
            orphans = list(connection.exec_driver_sql("PRAGMA foreign_key_check"))
    except DatabaseError as error:
        return [str(error.orig)]
    return found + [f"row {row[1]} of {row[0]} refers to a missing row of {row[2]}" for row in orphans]


def _script() -> ScriptDirectory:
    return ScriptDirectory(str(MIGRATIONS))


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def _damaged(settings: Settings, found: str) -> DamagedStore:
    return DamagedStore(
        f"the database {make_url(settings.url)} is damaged ({found}); it was left as it is; "
        "restore a backup with `naysayer restore FILE` into another NAYSAYER_DATA_DIR"
    )
