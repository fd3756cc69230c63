"""A store's rows copied into another database, as they are; its pictures and versions stay in their folders."""

from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError
from sqlalchemy import Connection, Engine, Table, delete, insert, inspect, make_url, select
from sqlalchemy.exc import OperationalError
from sqlmodel import Session, col, func
from tqdm import tqdm

from feedback.exchange.stores.rows import (
    all_tables,
    checksum,
    count_rows,
    in_utc,
    read_batches,
    refusals_told,
    set_sequences,
)
from feedback.exchange.stores.still import disposed, kept_still
from store.engine import open_engine, reading, sqlite_file, writing
from store.errors import BadRequest, Busy, StoreError
from store.layout import layout_of
from store.migrate import migrate, read_store, schema_of
from store.phrases import plural
from store.settings import PREFIX, Settings
from store.settings.checks import without_password
from store.tables import NewRejects, StoreRow, Vote

WORDS = {"vote": "vote", "image": "picture", "version": "version"}
SQLITE = b"SQLite format 3\0"
NEW = (StoreRow, NewRejects)
"""Tables of which every new database holds one row."""


class Moved(NamedTuple):
    """What was copied, and the URL under which the store is found from now on."""

    url: str
    data_dir: Path
    rows: dict[str, int]

    @property
    def words(self) -> str:
        """What was copied and what to do next, in lines."""
        held = [plural(self.rows[table], word) for table, word in WORDS.items()]
        setting = f"{PREFIX}STORE_URL"
        default = Settings(data_dir=self.data_dir, store_url="").url
        change = f"unset {setting}" if self.url == default else f"set {setting} to {without_password(self.url)}"
        return (
            f"copied {', '.join(held)} ({plural(sum(self.rows.values()), 'row')} in all) and compared every row\n"
            f"{change} for every program of this store, then start them again; the old database is as it was\n"
            f"pictures and versions stay in {self.data_dir}"
        )


def move(settings: Settings, target_url: str) -> Moved:
    """Copies the database into another, empty one; in the other one all of it appears at once or none.

    Raises BadRequest when the other database is this one, or none that can hold a store, or there is nothing to copy;
    StoreError when it is not empty or refuses a row; Busy while a worker or a retrain runs, or votes came meanwhile.
    """
    target_url = _checked(settings, target_url)
    with disposed(read_store(settings)) as source, kept_still(layout_of(settings), source), reading(source) as session:
        rows = in_utc(session.connection())
        if not any(count_rows(rows, table) for table in _tables_of_content()):
            raise BadRequest("the store is empty, so nothing was moved; check NAYSAYER_DATA_DIR and NAYSAYER_STORE_URL")
        with disposed(open_engine(target_url)) as target:
            try:
                _refuse_full(target)
            except OperationalError as error:
                where, why = without_password(target_url), " ".join(str(error.orig).split())[:200]
                raise StoreError(f"{where} cannot be used ({why}), so nothing was moved") from error
            migrate(target)
            with writing(target) as written:
                counts = copy_rows(rows, in_utc(written.connection()))
                _refuse_late_votes(session, source)
    return Moved(target_url, settings.data_dir, counts)


def _checked(settings: Settings, url: str) -> str:
    """The URL as programs write it. Raises BadRequest."""
    try:
        checked = Settings(data_dir=settings.data_dir, store_url=url).url
    except ValidationError as error:
        said = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise BadRequest(f"--to cannot be used: {said}; nothing was moved") from None
    if make_url(checked) == make_url(settings.url):
        raise BadRequest(f"the store is in {without_password(checked)} already; nothing was moved")
    if make_url(checked).get_backend_name() == "sqlite":
        _refuse_file(sqlite_file(checked))
    return checked


def _refuse_file(file: Path) -> None:
    """Raises BadRequest for a file that only this folder's programs would find, or that is no database."""
    if not file.is_absolute():
        raise BadRequest(
            f"--to names {file} from this folder, and programs that start elsewhere would not find it; write "
            f"sqlite:///{file.absolute()}; nothing was moved"
        )
    if file.is_dir() or (file.is_file() and file.stat().st_size and not _begins_as_database(file)):
        raise BadRequest(f"{file} is there and is no database; name a new file; nothing was moved")


def _begins_as_database(file: Path) -> bool:
    with file.open("rb") as opened:
        return opened.read(len(SQLITE)) == SQLITE


def _tables_of_content() -> list[Table]:
    return [table for table in all_tables() if table.name not in {new.__tablename__ for new in NEW}]


def _refuse_full(target: Engine) -> None:
    with target.connect() as connection:
        if schema_of(connection) is None:
            full = [name for name in inspect(connection).get_table_names() if name != "alembic_version"]
        else:
            found = inspect(connection).get_table_names()
            full = [t.name for t in _tables_of_content() if t.name in found and count_rows(connection, t)]
    if full:
        raise StoreError(
            f"the database {target.url.render_as_string()} is not empty (it holds the table {full[0]}), so nothing was "
            "moved; name an empty one, or bring two stores together with `naysayer merge`"
        )


def copy_rows(source: Connection, target: Connection) -> dict[str, int]:
    """Copies every row into a new database; how many of each table there were.

    Raises StoreError when a table arrived otherwise than it was.
    """
    counts = {table.name: count_rows(source, table) for table in all_tables()}
    for new in NEW:
        target.execute(delete(new))
    with tqdm(total=2 * sum(counts.values()), desc="copying", unit=" rows", delay=1) as bar:
        for table in all_tables():
            sent = arrived = 0
            for rows in read_batches(source, select(table).order_by(*table.primary_key)):
                with refusals_told(table):
                    target.execute(insert(table), rows)
                sent += checksum(rows)
                bar.update(len(rows))
            for rows in read_batches(target, select(table)):
                arrived += checksum(rows)
                bar.update(len(rows))
            if sent != arrived:
                raise StoreError(
                    f"the table {table.name} does not read the same in the other database, so nothing was moved; "
                    "look at its encoding, or restore a backup on it"
                )
        set_sequences(target, all_tables())
    return counts


def _refuse_late_votes(session: Session, source: Engine) -> None:
    newest = select(func.max(col(Vote.id)))
    with reading(source) as later:
        if session.execute(newest).scalar() != later.execute(newest).scalar():
            raise Busy("votes came in meanwhile, so nothing was moved; stop the pages, then move again")
