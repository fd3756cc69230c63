"""The engine and the two kinds of session: `reading` and `writing`."""

import fcntl
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlmodel import Session

from store.damage import Place, explain, explained, whole_rows
from store.errors import BadRequest, MovedStore, StoreError
from store.files import make_folder

log = logging.getLogger(__name__)

# Any fixed numbers: an advisory lock for all writers of a PostgreSQL store, and one for workers that plan.
WRITE_LOCK = 0x6E617973
PLAN_LOCK = WRITE_LOCK + 1
RETRAIN_LOCK, WORKER_LOCK = "retrain_lock", "worker_lock"
"""The locks of a running retrain and of the leading worker (`store.locks`). On SQLite the engine's execution options of
these names are the files to lock."""
FENCES: ContextVar[tuple[tuple[URL, Callable[[Session], None]], ...]] = ContextVar("FENCES", default=())
"""What each `writing` of this thread to the store at a URL checks first; it raises to write nothing."""
IDLE_MS = 60_000
"""How long a writer may say nothing to PostgreSQL, while all others wait for it: its process may have been stopped."""
PEER_S = 20
"""How long PostgreSQL and a program take to notice that the other one's machine is gone."""
BUSY_S = 30.0
"""How long a connection to SQLite waits for another's lock."""


def sqlite_module() -> ModuleType:
    """The SQLite driver in use: pysqlite3 where it is installed (a newer engine), else the standard one."""
    try:
        import pysqlite3.dbapi2 as newer
    except ImportError:
        return sqlite3
    return newer


def has_wal_reset_bug(version: tuple[int, ...]) -> bool:
    """True for SQLite engines that can corrupt a WAL database when two connections checkpoint at once.

    Source: sqlite.org, fixed in 3.51.3 and backported to 3.44.6 and 3.50.7.
    """
    fixed_branches = {(3, 44): 6, (3, 50): 7, (3, 51): 3}
    branch = version[:2]
    if branch in fixed_branches:
        return version[2] < fixed_branches[branch]
    return (3, 7) <= branch < (3, 51)


def open_engine(url: str, driver: ModuleType | None = None) -> Engine:
    """An engine for the store at `url` (SQLite or PostgreSQL); creates only the folder of the SQLite file.

    `driver` is the SQLite driver, `sqlite_module()` unless given. Once the file was opened, MovedStore is raised when
    another file is in its place, or none.
    """
    if make_url(url).get_backend_name() != "sqlite":
        engine = create_engine(url, pool_pre_ping=True, connect_args=connect_options(make_url(url)))
        watch_peers(engine)
        return engine
    module = driver or sqlite_module()
    file = sqlite_file(url)
    make_folder(file.parent)
    is_unsafe = has_wal_reset_bug(module.sqlite_version_info)
    if is_unsafe:
        log.warning("SQLite %s has the WAL-reset bug: using journal_mode=DELETE", module.sqlite_version)
    engine = _sqlite_engine(url, module, file, "rwc")

    @event.listens_for(engine, "connect")
    def set_pragmas(connection: Any, _record: Any) -> None:
        with explained(file, module.Error, UnicodeDecodeError):
            _set_journal(connection, "DELETE" if is_unsafe else "WAL", module.OperationalError)
            connection.execute("PRAGMA synchronous=FULL")

    @event.listens_for(engine, "begin")
    def emit_begin(connection: Any) -> None:
        options = connection.get_execution_options()
        kind = options.get("sqlite_begin", "DEFERRED")
        if kind == "IMMEDIATE":
            is_flushed = options.get("is_durable", True) or is_unsafe
            connection.exec_driver_sql(f"PRAGMA synchronous={'FULL' if is_flushed else 'NORMAL'}")
        connection.exec_driver_sql(f"BEGIN {kind}")

    return engine


def connect_options(url: URL) -> dict[str, int]:
    """What makes a program notice within PEER_S that PostgreSQL's machine is gone; what the URL says itself goes."""
    options = {"connect_timeout": 10, "keepalives": 1, "keepalives_idle": 5, "keepalives_interval": 5}
    options |= {"keepalives_count": PEER_S // 5 - 1, "tcp_user_timeout": 1000 * PEER_S}
    return {name: value for name, value in options.items() if name not in url.query}


def watch_peers(engine: Engine) -> None:
    """Asks PostgreSQL to notice the same of a program's machine: its locks would be held for hours."""

    @event.listens_for(engine, "connect")
    def set_keepalives(connection: Any, _record: Any) -> None:
        was, connection.autocommit = connection.autocommit, True
        connection.execute(
            "SELECT set_config('tcp_keepalives_idle', '5', false), set_config('tcp_keepalives_interval', '5', false), "
            f"set_config('tcp_keepalives_count', '{PEER_S // 5 - 1}', false), "
            f"set_config('tcp_user_timeout', '{PEER_S}s', false)"
        )
        connection.autocommit = was


def is_server_gone(error: BaseException) -> bool:
    """Whether PostgreSQL does not answer, or ended the connection, as while it restarts: it may answer later."""
    if not isinstance(error, DBAPIError) or not type(error.orig).__module__.startswith("psycopg"):
        return False
    return error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)


def sqlite_file(url: str) -> Path:
    """The file of a SQLite store. Raises BadRequest when the URL names none."""
    database = make_url(url).database
    if not database or database == ":memory:":
        raise BadRequest(f"NAYSAYER_STORE_URL is {url}, which names no file; write sqlite:////folder/naysayer.db")
    return Path(database)


def open_reader(url: str, file: Path) -> Engine:
    """An engine for the SQLite store at `url` that can only read, from `file`: the store's own, or a copy of it."""
    engine = _sqlite_engine(url, sqlite_module(), file, "ro")

    @event.listens_for(engine, "begin")
    def emit_begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine


def _sqlite_engine(url: str, module: ModuleType, file: Path, mode: str) -> Engine:
    place = Place(file)

    def connect() -> Any:
        is_new = mode == "rwc" and place.identity is None
        if not is_new:
            place.check()
        name = f"file:{quote(str(file.absolute()))}?mode={'rw' if mode == 'rwc' and not is_new else mode}"
        connection = module.connect(name, uri=True, timeout=BUSY_S, check_same_thread=False)
        place.check()
        return connection

    engine = create_engine(url, module=module, creator=connect, pool_size=20, max_overflow=50)

    @event.listens_for(engine, "connect")
    def set_pragmas(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver's own BEGIN is off, ours is in `emit_begin`
        with explained(file, module.Error, UnicodeDecodeError):
            for pragma in (
                "foreign_keys=ON",
                "trusted_schema=OFF",
                "cache_size=-16384",  # 16 MiB a connection, so that the inner pages of a large index stay
            ):
                connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def check_place(_connection: Any) -> None:
        place.check()

    @event.listens_for(engine, "handle_error")
    def explain_error(context: Any) -> None:
        if ours := explain(file, context.original_exception):
            raise ours from context.original_exception

    return engine


def _set_journal(connection: Any, mode: str, failed: type[Exception]) -> None:
    """Waits where SQLite itself does not: it gives up at once when another process is about to write a new file."""
    until = time.monotonic() + BUSY_S
    while True:
        try:
            connection.execute(f"PRAGMA journal_mode={mode}")
            return
        except failed as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.02)


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """One read transaction: everything read inside it is of the same instant."""
    snapshot = engine if is_sqlite(engine) else engine.execution_options(isolation_level="REPEATABLE READ")
    with whole_rows(engine.url.database), Session(snapshot, expire_on_commit=False) as session, session.begin():
        yield session


@contextmanager
def writing(engine: Engine, *, is_durable: bool = True) -> Iterator[Session]:
    """One transaction that holds the store's write lock from its first statement, flushed to the disk at its end.

    Without `is_durable` it does not wait for the disk: a power cut may undo it and later ones that are not durable, but
    never a durable one, and never half of one. It is for what can be done again, such as a reservation.

    SQLite: IMMEDIATE, because a deferred transaction that reads and then writes fails at once with
    "database is locked" when another writer came between, whatever the busy timeout.
    PostgreSQL: an advisory lock, so that both engines give the same guarantee.
    """
    immediate = engine.execution_options(sqlite_begin="IMMEDIATE", is_durable=is_durable)
    with (
        _turn(engine),
        whole_rows(engine.url.database),
        Session(immediate, expire_on_commit=False) as session,
        session.begin(),
    ):
        if not is_sqlite(engine):
            unflushed = "" if is_durable else ", set_config('synchronous_commit', 'off', true)"
            idle = ", set_config('idle_in_transaction_session_timeout', :idle, true)"
            lock = text(f"SELECT pg_advisory_xact_lock(:key){idle}{unflushed}")
            session.execute(lock, {"key": WRITE_LOCK, "idle": str(IDLE_MS)})
            for url, check in FENCES.get():
                if url == engine.url:
                    check(session)
        yield session


@contextmanager
def writing_own(engine: Engine) -> Iterator[Session]:
    """One transaction, not durable, for rows that nobody else writes: on PostgreSQL it waits for no other writer."""
    if is_sqlite(engine):
        with writing(engine, is_durable=False) as session:
            yield session
        return
    with Session(engine, expire_on_commit=False) as session, session.begin():
        session.execute(text("SELECT set_config('synchronous_commit', 'off', true)"))
        yield session


@contextmanager
def _turn(engine: Engine) -> Iterator[None]:
    """Writers queue here: SQLite itself waits by sleeping, which starves some of them, and waiting for PostgreSQL's
    lock would hold a connection. The queue for SQLite is of all processes, the one for PostgreSQL of this process."""
    if not is_sqlite(engine):
        with _line(engine.url):
            yield
        return
    with _file_turn(engine, "line"):
        yield


@contextmanager
def planning(engine: Engine) -> Iterator[None]:
    """One worker at a time is inside; no vote waits for it.

    Workers that plan at the same instant plan the same pictures, and all but one of them in vain: where many do, they
    would plan again and again. PostgreSQL ends the turn of a worker that was stopped inside.
    """
    if is_sqlite(engine):
        with _file_turn(engine, "plan"):
            yield
        return
    with engine.begin() as connection:
        lock = "SELECT pg_advisory_xact_lock(:key), set_config('idle_in_transaction_session_timeout', :idle, true)"
        connection.execute(text(lock), {"key": PLAN_LOCK, "idle": str(IDLE_MS)})
        yield


@contextmanager
def _file_turn(engine: Engine, ending: str) -> Iterator[None]:
    """One of all processes on a SQLite store at a time; `ending` names the file beside it that is locked."""
    try:
        file = Path(f"{engine.url.database}.{ending}").open("a")  # noqa: SIM115
    except FileNotFoundError:
        raise MovedStore(engine.url.database) from None
    except OSError as error:
        raise StoreError(f"the store {engine.url.database} cannot be written to ({error.strerror})") from error
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@cache
def _line(_url: URL) -> threading.Lock:
    return threading.Lock()


def is_sqlite(engine: Engine) -> bool:
    return engine.dialect.name == "sqlite"
