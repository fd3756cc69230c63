"""A lock of PostgreSQL, for all machines of a store: it belongs to a separate connection and ends with it.

The holder says every BEAT_S seconds on that connection that it lives. Whoever wants the lock ends the connection of one
that has been silent for SILENT_S, as a stopped process or a machine without network is. So a holder may have lost the
lock without knowing it; that is why it writes behind a fence. The fence and whoever takes the lock both wait for the
store's write lock: what the old holder still wrote is there before the new one reads, and later it writes no more.
"""

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC
from socket import gethostname
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, NullPool, create_engine, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlmodel import Session

from store.engine import FENCES, RETRAIN_LOCK, WORKER_LOCK, WRITE_LOCK, connect_options, watch_peers, writing
from store.errors import Busy, StoreError

log = logging.getLogger(__name__)

BEAT_S, SILENT_S = 4.0, 30.0
GIVE_WAY_S = 5.0
"""How long a connection that was ended may take to go."""
NUMBERS = {WORKER_LOCK: 1, RETRAIN_LOCK: 2}
POOLED = (
    "the database is reached through a pooler that gives every statement another connection, on which no lock can be "
    "held; set NAYSAYER_STORE_URL to PostgreSQL itself, or let the pooler keep sessions (pool_mode = session)"
)
WHAT = {WORKER_LOCK: "the leading worker", RETRAIN_LOCK: "a retrain"}

# The lock has two numbers, the program's and its own; objsubid 2 tells such locks from those of one number.
GRANTED = (
    "pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 "
    "AND l.classid = :space AND l.objid = :number "
    "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
TRY = text("SELECT pg_try_advisory_lock(:space, :number)")
GIVE_BACK = text("SELECT pg_advisory_unlock(:space, :number)")
OWN = text(f"SELECT a.pid, a.backend_start FROM {GRANTED} AND a.pid = pg_backend_pid()")
HOLDER = text(
    "SELECT a.pid, a.application_name, a.backend_start, "
    f"extract(epoch FROM clock_timestamp() - a.state_change)::float8 AS silent_s FROM {GRANTED}"
)
SPEAKS = "coalesce(clock_timestamp() - a.state_change < make_interval(secs => :silent_s), true)"
IS_HELD = text(f"SELECT EXISTS (SELECT 1 FROM {GRANTED} AND {SPEAKS})")
IS_MINE = text(f"SELECT EXISTS (SELECT 1 FROM {GRANTED} AND a.pid = :pid AND a.backend_start = :backend_start)")


class LockLost(Busy):
    """The connection that held a lock ended, so that another process may hold it now; nothing more was written.

    Run the command again.
    """

    def __init__(self, lock: str) -> None:
        super().__init__(
            f"the connection to the database that made this {WHAT[lock]} ended, so nothing more was written; "
            "the same command goes on from what was saved"
        )


class Backend(NamedTuple):
    """A connection as the server knows it: the number of its process, which may be used again, and its start."""

    pid: int
    backend_start: Any


class ServerHold:
    """The lock, its connection, and a thread that says on it that this process lives."""

    def __init__(self, engine: Engine, lock: str, connection: Connection) -> None:
        self.engine, self.lock, self._connection = engine, lock, connection
        if (own := connection.execute(OWN, _key(lock)).one_or_none()) is None:
            raise StoreError(POOLED)
        self._backend = Backend(*own)
        self._speaking, self._end, self._is_lost = threading.Lock(), threading.Event(), False
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    def is_kept(self) -> bool:
        """Asks on the connection itself: as long as it answers, the lock is its own."""
        with self._speaking:
            if not self._is_lost:
                try:
                    self._connection.scalar(text("SELECT 1"))
                except SQLAlchemyError:
                    self._is_lost = True
            return not self._is_lost

    @contextmanager
    def fenced(self) -> Iterator[None]:
        token = FENCES.set((*FENCES.get(), (self.engine.url, self._check)))
        try:
            yield
        finally:
            FENCES.reset(token)

    def release(self) -> None:
        self._end.set()
        self._thread.join()
        with suppress(SQLAlchemyError):  # at once: the server may take its time to notice that the connection is closed
            self._connection.execute(GIVE_BACK, _key(self.lock))
        _close(self._connection)

    def _check(self, session: Session) -> None:
        if not session.execute(IS_MINE, _key(self.lock) | self._backend._asdict()).scalar_one():
            raise LockLost(self.lock)

    def _beat(self) -> None:
        while not self._end.wait(BEAT_S):
            if not self.is_kept():
                return


def take(engine: Engine, lock: str, busy: str) -> ServerHold:
    """The lock on a new connection. Raises Busy with who has it while its holder lives."""
    connection = _connect(engine, lock)
    try:
        _lock(connection, lock, busy)
        hold = ServerHold(engine, lock, connection)
    except BaseException:
        _close(connection)
        raise
    try:
        with writing(engine):  # what an earlier holder was about to write is there, or never will be
            return hold
    except BaseException:
        hold.release()
        raise


def is_held(session: Session, lock: str) -> bool:
    """Whether a connection to the store's database holds the lock, and its process has not been silent for too long."""
    return bool(session.execute(IS_HELD, _key(lock) | {"silent_s": SILENT_S}).scalar_one())


def is_pooled(engine: Engine) -> bool:
    """Whether a program between this one and PostgreSQL hands out connections: it names another one than it uses."""
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        return bool(driver.info.backend_pid != connection.execute(text("SELECT pg_backend_pid()")).scalar_one())


def _connect(engine: Engine, lock: str) -> Connection:
    name = f"naysayer {lock.removesuffix('_lock')} {os.getpid()} on {gethostname()}".encode()[:63].decode(
        "utf-8", "ignore"
    )
    options = connect_options(engine.url) | {"application_name": name}
    own = create_engine(engine.url, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args=options)
    watch_peers(own)
    return own.connect()


def _lock(connection: Connection, lock: str, busy: str) -> None:
    until = time.monotonic() + GIVE_WAY_S
    while not connection.execute(TRY, _key(lock)).scalar_one():
        holder = connection.execute(HOLDER, _key(lock)).one_or_none()
        if holder is None and time.monotonic() < until:
            continue  # it has gone between the two questions
        if holder is None or (holder.silent_s or 0.0) < SILENT_S or not _end_connection(connection, holder.pid):
            raise Busy(busy + _words(holder))
        log.warning("%s was silent for %.0f s, so its lock is taken", holder.application_name, holder.silent_s)
        if time.monotonic() > until:
            raise Busy(busy + _words(holder))
        time.sleep(0.1)


def _end_connection(connection: Connection, pid: int) -> bool:
    """Ends a connection of the same user; False where the server does not let this one."""
    with suppress(DBAPIError):
        return bool(connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid}).scalar_one())
    return False


def _words(holder: Any) -> str:
    """Who holds the lock, where the server tells it."""
    _, _, host = (holder.application_name or "" if holder else "").partition(" on ")
    return f" (it runs on {host} since {holder.backend_start.astimezone(UTC):%H:%M} UTC)" if host else ""


def _close(connection: Connection) -> None:
    with suppress(SQLAlchemyError):
        connection.close()
    connection.engine.dispose()


def _key(lock: str) -> dict[str, Any]:
    return {"space": WRITE_LOCK, "number": NUMBERS[lock]}
