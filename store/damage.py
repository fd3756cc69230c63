"""What SQLite's errors mean for a person: damage, a full or read-only disk, a folder that is gone."""

import os
import shutil
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from store.errors import BadRequest, Busy, DamagedStore, MovedStore, NaysayerError, StoreError
from store.texts import find_control

NO_TEXT = ("could not decode", "codec can't decode")
DAMAGE = (
    *NO_TEXT,
    *("malformed", "not a database", "unsupported file format", "no such table", "no such column"),
    *("unknown function", "no such function", "no such collation"),  # only a damaged schema asks for one
)
DISK = {
    "is full": "the disk is full; make room",
    "readonly": "it can only be read; give this user the right to write to it and to its folder",
    "disk i/o error": "the disk failed; look at its health",
    "unable to open": "it cannot be opened; check NAYSAYER_DATA_DIR, NAYSAYER_STORE_URL and the rights to the folder",
}
SQLITE_NEEDS_BYTES = 2**16  # two pieces of its shared-memory file
NOT_OURS = ("json", "encodings", "codecs")
RESTORE = "restore a backup with `naysayer restore FILE` into another NAYSAYER_DATA_DIR"


class Place:
    """Where a database file was when it was first opened."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.identity = _identity(file)

    def check(self) -> None:
        """Remembers the file, or raises MovedStore when it is no longer the same one."""
        found = _identity(self.file)
        if self.identity is None:
            self.identity = found
        elif found != self.identity:
            raise MovedStore(self.file)


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def damaged(database: object, found: str) -> DamagedStore:
    """The error of a damaged database."""
    return DamagedStore(f"the database {database} is damaged ({found}); it was left as it is; {RESTORE}")


def explain(database: object, error: BaseException) -> NaysayerError | None:
    """Our error for one of SQLite's; None for one that says nothing about the file or the disk."""
    said = " ".join(str(error).split())
    low = said.lower()
    if any(word in low for word in DAMAGE):
        return damaged(database, "text that is not UTF-8" if any(word in low for word in NO_TEXT) else said[:200])
    if "is locked" in low:
        return Busy(f"another program held the database {database} for too long ({said}); try again later")
    for word, meaning in DISK.items():
        if word in low:
            meaning = DISK.get(_why_of(database), meaning)
            return StoreError(f"the database {database} was not changed: {meaning} ({said})")
    return None


def _why_of(database: object) -> str:
    """Why SQLite fails there, where the folder shows it: of its write-ahead log it only says that the disk failed."""
    folder = Path(str(database)).parent
    try:
        usage = shutil.disk_usage(folder)
        if usage.total and usage.free < SQLITE_NEEDS_BYTES:  # of /proc and the like, both are 0
            return "is full"
    except OSError:
        return ""
    return "" if os.access(folder, os.W_OK) else "readonly"


@contextmanager
def explained(database: object, *kinds: type[Exception]) -> Iterator[None]:
    """Inside it, the driver's errors of these kinds are raised as ours."""
    try:
        yield
    except kinds as error:
        if (ours := explain(database, error)) is None:
            raise
        raise ours from error


@contextmanager
def whole_rows(database: object) -> Iterator[None]:
    """Inside it, a row that SQLAlchemy cannot read (a word or a date that no program of ours wrote) is damage.

    A text that cannot be written is the giver's mistake: BadRequest.
    """
    try:
        yield
    except UnicodeEncodeError as error:
        raise BadRequest(
            f"{error.object[:80]!r} is not UTF-8 text ({find_control(error.object)}); write it again; "
            "nothing was changed"
        ) from error
    except (ValueError, LookupError, TypeError) as error:
        if _read_by_sqlalchemy(error):
            raise damaged(database, f"a row cannot be read: {' '.join(str(error).split())[:200]}") from error
        raise


def _read_by_sqlalchemy(error: Exception) -> bool:
    frames = (
        frame.f_globals.get("__name__", "").partition(".")[0] for frame, _ in traceback.walk_tb(error.__traceback__)
    )
    mine = [package for package in frames if package not in NOT_OURS]
    return bool(mine) and mine[-1] == "sqlalchemy"
