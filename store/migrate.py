"""Opens a store: to write, after moving it to this program's schema; or to read, without changing anything.

Before an older schema is touched, whoever registered under the entry points `naysayer.before_migration` may refuse (the
trainer does, when it cannot load the store's base model), and the database is copied.
"""

import json
import logging
import os
import shutil
import tempfile
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, NamedTuple

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, inspect, text
from sqlalchemy.exc import DatabaseError

from store.damage import RESTORE, damaged
from store.engine import (
    RETRAIN_LOCK,
    WORKER_LOCK,
    WRITE_LOCK,
    is_sqlite,
    open_engine,
    open_reader,
    sqlite_module,
)
from store.errors import DamagedStore, NewerStore, StoreError
from store.layout import Layout, layout_of
from store.phrases import plural
from store.safety.copies import copy_database, keep_copy
from store.safety.identity import claim_folders, is_lost, refuse_lost_database
from store.safety.place import file_of, place_of
from store.settings import Settings

log = logging.getLogger(__name__)

MIGRATIONS = Path(__file__).parent / "migrations"
BEFORE_MIGRATION = "naysayer.before_migration"
QUICK_CHECK_S = 2.0
"""Longest look at the pages of a database when it is opened; `naysayer doctor` looks at all of them."""
STEPS_BETWEEN_LOOKS = 10_000
"""Steps of SQLite's machine between two looks at the clock."""


class Begun(NamedTuple):
    """The base model with which a store began, as its v0 records it."""

    base_model: str
    base_sha256: str
    facts: dict[str, Any]


def open_store(settings: Settings) -> Engine:
    """The engine of the store the settings name, created or migrated to the newest schema.

    Raises NewerStore when a newer Naysayer wrote it, DamagedStore when the file is not a sound database or is lost
    although its pictures or versions are there, OtherStore when those belong to another database.
    """
    layout, file = place_of(settings)
    if file is not None and is_lost(file):
        refuse_lost_database(str(file), layout)
    elif file is not None and os.access(file.parent, os.W_OK):
        with _opened(settings, open_reader(settings.url, file)) as reader:  # which leaves a file it refuses as it is
            _look_over(reader)
            _refuse_no_store(reader, layout)
            reader.dispose()
    with _opened(settings, open_engine(settings.url)) as engine:
        _refuse_no_store(engine, layout)
        migrate(engine, lambda connection, schema: _prepare(settings, connection, schema))
        claim_folders(engine, layout)
        return _knowing(engine, layout)


def _knowing(engine: Engine, layout: Layout) -> Engine:
    """The engine, which from now on tells every session where the locks of a retrain and of the worker are."""
    locks = {RETRAIN_LOCK: layout.retrain_lock, WORKER_LOCK: layout.worker_lock}
    engine.update_execution_options(**{name: str(lock.absolute()) for name, lock in locks.items()})
    return engine


def read_store(settings: Settings) -> Engine:
    """The engine of the store for reading only: no file of the store changes.

    A store of an earlier schema, or on a disk that can only be read, is read from a copy that ends with this process; a
    missing one is empty. Raises NewerStore, DamagedStore or StoreError.
    """
    return _knowing(_read_store(settings), layout_of(settings))


def _read_store(settings: Settings) -> Engine:
    layout, file = place_of(settings)
    if file is None:
        return _read_server(settings)
    if is_lost(file):
        refuse_lost_database(str(file), layout)
        return _read_copy(settings, lambda _copy: None)
    if os.access(file.parent, os.W_OK):
        with _opened(settings, open_reader(settings.url, file)) as engine:
            _look_over(engine)
            _refuse_no_store(engine, layout)
            if is_newest(engine):
                return engine
            engine.dispose()
        log.warning("the store %s has an earlier schema; it is read from a copy and left as it is", file)
    return _read_copy(settings, lambda copy: copy_database(file, copy))


def _read_server(settings: Settings) -> Engine:
    with _opened(settings, create_engine(settings.url, pool_pre_ping=True)) as engine:
        if not is_newest(engine):
            raise StoreError(
                "the store has an earlier schema, which this command cannot read without moving it; save it with "
                "pg_dump, then let `naysayer generate` or `naysayer run` move it"
            )
        return engine


def _read_copy(settings: Settings, copy_to: Callable[[Path], None]) -> Engine:
    folder = tempfile.mkdtemp(prefix="naysayer-read-")
    try:
        copy = Path(folder) / "naysayer.db"
        copy_to(copy)
        with _opened(settings, open_engine(Settings(data_dir=Path(folder), store_url="").url)) as engine:
            migrate(engine)
            engine.dispose()
        reader = open_reader(settings.url, copy)
    except BaseException:
        shutil.rmtree(folder)
        raise
    weakref.finalize(reader, shutil.rmtree, folder, ignore_errors=True)
    return reader


@contextmanager
def _opened(settings: Settings, engine: Engine) -> Iterator[Engine]:
    """Disposes of the engine when the block fails, and says in a sentence what the driver found."""
    try:
        yield engine
    except DatabaseError as error:
        engine.dispose()
        raise StoreError(
            f"the store {engine.url.render_as_string()} cannot be opened ({' '.join(str(error.orig).split())}); "
            "check NAYSAYER_STORE_URL, NAYSAYER_DATA_DIR and that the disk has room"
        ) from error
    except BaseException:
        engine.dispose()
        raise


def migrate(engine: Engine, prepare: Callable[[Connection, str], None] = lambda connection, schema: None) -> None:
    """Runs the missing migrations in one transaction that holds the write lock.

    `prepare` is called before an older schema is touched, and may refuse by raising.
    """
    with _foreign_keys_off(engine) as connection, connection.begin():
        if not is_sqlite(engine):
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": WRITE_LOCK})
        found = schema_of(connection)
        if not _is_older(found):
            return
        if found is not None:
            prepare(connection, found)
        command.upgrade(_config(connection), "head")
        if is_sqlite(engine) and (orphans := list(connection.exec_driver_sql("PRAGMA foreign_key_check"))):
            raise DamagedStore(
                f"missing rows are referred to by {plural(len(orphans), 'row')} of the store, first in the table "
                f"{orphans[0][0]}; "
                "it was left as it is; restore a backup"
            )


def _is_older(found: str | None) -> bool:
    """Whether migrations are missing. Raises NewerStore for a schema that this program does not know."""
    known = _script().get_current_head()
    if found is not None and found not in {script.revision for script in _script().walk_revisions()}:
        raise NewerStore(
            f"the store has schema {found}, this program knows up to {known}; "
            "upgrade Naysayer, or restore a backup made by this version"
        )
    return found != known


def is_newest(engine: Engine) -> bool:
    """Whether the store has this program's schema. Raises NewerStore when it has a later one."""
    with engine.connect() as connection:
        return not _is_older(schema_of(connection))


def _prepare(settings: Settings, connection: Connection, schema: str) -> None:
    """Asks whether the store's base can still be loaded, then copies the database."""
    row = connection.execute(text("SELECT base_model, base_sha256, settings FROM version WHERE number = 0")).first()
    if row is not None:
        facts = json.loads(row.settings) if isinstance(row.settings, str) else row.settings
        for point in entry_points(group=BEFORE_MIGRATION):
            point.load()(settings, Begun(row.base_model, row.base_sha256, facts or {}))
    if (file := file_of(settings)) is not None:
        kept = keep_copy(file, schema)
        log.warning(
            "the store is moved from schema %s to this program's; its database as it was is kept in %s", schema, kept
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


def _refuse_no_store(engine: Engine, layout: Layout) -> None:
    """Raises when a database without a schema number is not a new one: it holds others' tables, or was emptied."""
    with engine.connect() as connection:
        if schema_of(connection) is not None:
            return
        tables = [name for name in inspect(connection).get_table_names() if name != "alembic_version"]
    if tables:
        raise StoreError(
            f"the database {engine.url.render_as_string()} holds tables ({tables[0]}) but is no store of "
            f"Naysayer; nothing was changed; check NAYSAYER_STORE_URL and NAYSAYER_DATA_DIR, or {RESTORE}"
        )
    refuse_lost_database(engine.url.render_as_string(), layout, "empty")


def _look_over(engine: Engine) -> None:
    """Looks at the pages of a SQLite file for QUICK_CHECK_S at most. Raises DamagedStore."""
    module, until = sqlite_module(), time.monotonic() + QUICK_CHECK_S
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.set_progress_handler(lambda: time.monotonic() > until, STEPS_BETWEEN_LOOKS)
        try:
            found = [row[0] for row in driver.execute("PRAGMA quick_check(1)")]
        except module.OperationalError as error:
            if "interrupted" not in str(error):
                raise damaged(engine.url.database, str(error)) from error
            return
        except (module.DatabaseError, UnicodeDecodeError) as error:
            raise damaged(engine.url.database, str(error)) from error
        finally:
            driver.set_progress_handler(None, 0)
    if found != ["ok"]:
        raise damaged(engine.url.database, " ".join(found[0].split()))


def check_integrity(engine: Engine) -> list[str]:
    """What SQLite finds wrong with its file and its foreign keys; empty when all is well or on PostgreSQL."""
    if not is_sqlite(engine):
        return []
    try:
        with engine.begin() as connection:
            found = [row[0] for row in connection.exec_driver_sql("PRAGMA integrity_check") if row[0] != "ok"]
            orphans = list(connection.exec_driver_sql("PRAGMA foreign_key_check"))
    except DamagedStore as error:
        return [str(error)]
    return found + [f"row {row[1]} of {row[0]} refers to a missing row of {row[2]}" for row in orphans]


@cache
def _script() -> ScriptDirectory:
    """The migrations, which are read once: each opening asks for them."""
    return ScriptDirectory(str(MIGRATIONS))


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config
