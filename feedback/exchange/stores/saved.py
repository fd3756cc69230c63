"""A backup of a store on either kind of database: in it, the database is always a SQLite file."""

from functools import partial
from pathlib import Path

from sqlalchemy import make_url

from feedback.exchange.stores.move import copy_rows
from feedback.exchange.stores.rows import in_utc
from feedback.exchange.stores.still import disposed
from store.archive.backup import backup
from store.archive.contents import BackupReport
from store.engine import open_engine, reading, writing
from store.migrate import migrate, read_store
from store.settings import Settings


def save(settings: Settings, target: Path) -> BackupReport:
    """Writes the store into a new tar file while others use it; the rows of PostgreSQL are those of one instant.

    Raises as `store.archive.backup.backup` does.
    """
    is_sqlite = make_url(settings.url).get_backend_name() == "sqlite"
    return backup(settings, target, None if is_sqlite else partial(_copy, settings))


def _copy(settings: Settings, file: Path) -> None:
    url = Settings(data_dir=file.parent, store_url=f"sqlite:///{file.absolute()}").url
    with disposed(read_store(settings)) as source, disposed(open_engine(url)) as target, reading(source) as session:
        migrate(target)
        with writing(target) as written:
            copy_rows(in_utc(session.connection()), in_utc(written.connection()))
