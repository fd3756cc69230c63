"""Folders in which a backup or a restore works, and what is told when the disk does not allow it."""

import fcntl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from store.errors import StoreError
from store.files import remove_folder

WORK = ".naysayer-work-"
LOCK = "held.lock"


@contextmanager
def work_folder(parent: Path) -> Iterator[Path]:
    """A folder inside `parent` that is gone afterwards; those that killed programs left there go too."""
    for left in abandoned(parent):
        remove_folder(left)
    folder = Path(tempfile.mkdtemp(prefix=WORK, dir=parent))
    try:
        with (folder / LOCK).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder
    finally:
        remove_folder(folder)


def abandoned(parent: Path) -> list[Path]:
    """The work folders in `parent` whose program has ended: nobody holds their lock any more."""
    found = [path for path in parent.glob(f"{WORK}*") if path.is_dir() and not path.is_symlink()]
    return [folder for folder in found if _is_free(folder / LOCK)]


def _is_free(lock: Path) -> bool:
    if not lock.is_file():
        return False
    with lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


@contextmanager
def disk_told(what: str) -> Iterator[None]:
    """Inside it, an error of the disk becomes a StoreError that begins with the words `what`."""
    try:
        yield
    except OSError as error:
        where = f", {error.filename}" if error.filename else ""
        raise StoreError(
            f"{what} ({error.strerror or error}{where}), and nothing of it was left; make room, or choose a place "
            "that this user can write to"
        ) from error
