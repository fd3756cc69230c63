"""One at a time in a store: who leads its workers, and who retrains.

With SQLite every process is on one machine, and the kernel locks a file of the data folder. With PostgreSQL the lock
belongs to a connection to the database, so that it is one for all machines. Either ends with its process.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Protocol

from sqlalchemy import Engine
from sqlmodel import Session

from store.engine import is_server_gone, is_sqlite
from store.files import is_held as is_file_held
from store.files import only_one
from store.locks import server
from store.locks.server import LockLost as LockLost


class Hold(Protocol):
    """A lock that this process has taken."""

    def is_kept(self) -> bool:
        """Whether it is still this process's: the database may have restarted, or taken it from a silent holder."""

    def fenced(self) -> AbstractContextManager[None]:
        """Inside, each `writing` of this thread to the store first makes sure of the lock, or raises LockLost."""

    def release(self) -> None:
        """Gives it back."""


def take(engine: Engine, lock: str, busy: str) -> Hold:
    """The lock WORKER_LOCK or RETRAIN_LOCK of a store that `open_store` opened.

    Raises Busy with the sentence `busy` while another process holds it, and on PostgreSQL with where that is.
    """
    if is_sqlite(engine):
        return _FileHold(Path(engine.get_execution_options()[lock]), busy)
    return server.take(engine, lock, busy)


@contextmanager
def holding(engine: Engine, lock: str, busy: str) -> Iterator[Hold]:
    """Holds the lock, and writes only with it: after it is lost the next `writing` raises LockLost. Raises Busy."""
    hold = take(engine, lock, busy)
    try:
        with hold.fenced():
            yield hold
    except Exception as error:
        if is_server_gone(error) and not hold.is_kept():
            raise LockLost(lock) from error
        raise
    finally:
        hold.release()


def is_held(session: Session, lock: str) -> bool | None:
    """Whether a living process holds the lock; None where the store was not opened by `open_store`."""
    bind = session.get_bind()
    if bind.dialect.name != "sqlite":
        return server.is_held(session, lock)
    path = bind.get_execution_options().get(lock)
    return None if path is None else is_file_held(Path(path))


class _FileHold:
    """A file that the kernel keeps locked as long as this process lives."""

    def __init__(self, path: Path, busy: str) -> None:
        self._held = ExitStack()
        self._held.enter_context(only_one(path, busy))

    def is_kept(self) -> bool:
        return True

    def fenced(self) -> AbstractContextManager[None]:
        return nullcontext()

    def release(self) -> None:
        self._held.close()
