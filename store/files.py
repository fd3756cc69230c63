"""Files that survive a crash: written under another name, flushed to disk, then renamed into place."""

import fcntl
import hashlib
import os
import shutil
import threading
import time
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from store.errors import BadRequest, Busy, DamagedStore, MovedStore


def sha256_of(data: bytes) -> str:
    """Hex SHA-256 of the bytes."""
    return hashlib.sha256(data).hexdigest()


def sha256_of_file(path: Path) -> str:
    """Hex SHA-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fsync_folder(folder: Path) -> None:
    """Makes the names inside `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def refuse_file(folder: Path, needed: str = "a folder") -> None:
    """Raises BadRequest where a file, or a link to nothing, stands in the place of a folder or of one above it."""
    there = next((one for one in (folder, *folder.parents) if os.path.lexists(one)), None)
    if there is not None and not there.is_dir():
        found = "a file" if there.exists() else "a link that leads nowhere"
        raise BadRequest(f"{there} is {found}, and {needed} is needed there; name another folder, or move it away")


def make_folder(folder: Path) -> None:
    """Makes `folder` and its parents where they are missing, their names durable. Raises BadRequest for a file."""
    if folder.is_dir():
        return
    refuse_file(folder)
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    fsync_folder(folder.parent)


def write_file(path: Path, data: bytes) -> None:
    """Writes and flushes one file; a reader sees all of it or none. Leaves no temporary behind on failure."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        fsync_folder(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def flush_folder(folder: Path) -> None:
    """Flushes every file directly in `folder`, then its names."""
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            os.fsync(file.fileno())
    fsync_folder(folder)


def put_in_place(staging: Path, final: Path) -> None:
    """Renames a finished staging folder to its final name, durably; never overwrites."""
    flush_folder(staging)
    staging.rename(final)
    fsync_folder(final.parent)


LOOKS_S = (0.01, 0.04, 0.15)
"""Waits between the tries to get a lock."""


@contextmanager
def only_one(lock_file: Path, busy: str) -> Iterator[None]:
    """Holds an exclusive lock on `lock_file`; the kernel releases it however the process ends.

    Raises Busy with the sentence `busy` when another process holds it.
    """
    lock_file.parent.mkdir(parents=True, exist_ok=True)
    with lock_file.open("a") as file:
        for patience in (*LOOKS_S, None):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if patience is None:
                    raise Busy(busy) from None
                time.sleep(patience)  # perhaps somebody only looks, as `is_held` does
        yield


def is_held(lock_file: Path) -> bool:
    """Whether a living process holds `lock_file` in `only_one`."""
    try:
        with lock_file.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


class Blobs:
    """Immutable files named by the SHA-256 of their bytes, in two levels of folders."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, sha256: str) -> Path:
        """The path of the blob with that hash, whether or not it exists."""
        if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
            raise ValueError(f"{sha256[:80]!r} is not a SHA-256 in lower-case hex")
        return self.root / sha256[:2] / sha256

    def put(self, data: bytes) -> str:
        """The hash of `data`, once it is on disk."""
        sha256 = sha256_of(data)
        path = self.path(sha256)
        if not path.exists():
            self._make_folder(path.parent)
            write_file(path, data)
        return sha256

    def _make_folder(self, folder: Path) -> None:
        """Never makes the data folder again: where it was moved away, a picture would be left at its old place."""
        if not self.root.parent.is_dir():
            raise MovedStore(self.root.parent)
        make_folder(folder)

    def has(self, sha256: str) -> bool:
        """Whether a blob with that name is there."""
        return self.path(sha256).is_file()

    def is_there(self) -> bool:
        """Whether the folder is there; without it, no picture can be said to be lost."""
        return self.root.is_dir()

    def note_use(self, path: Path) -> None:
        """Does nothing: only a cache forgets what nobody uses."""

    def prepare(self, hashes: Sequence[str]) -> None:
        """Does nothing: every blob is here."""

    def get(self, sha256: str) -> bytes:
        """The bytes of a blob. Raises DamagedStore when the file is missing or no longer has that hash."""
        try:
            data = self.path(sha256).read_bytes()
        except ValueError as error:
            raise DamagedStore(f"a row of the database names a file that no store has ({error})") from error
        except OSError as error:
            found = "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
            raise DamagedStore(
                f"the file {self.path(sha256)} {found}; restore it from a backup (`naysayer restore`)"
            ) from error
        if sha256_of(data) != sha256:
            raise DamagedStore(
                f"the file {self.path(sha256)} does not have the content it was stored with; "
                "restore it from a backup (`naysayer restore`)"
            )
        return data


def remove_folder(folder: Path) -> None:
    """Deletes a folder and everything in it, if it exists."""
    if folder.exists():
        shutil.rmtree(folder)


def expand_home(path: str) -> str:
    """The path with the home folder for a leading `~`.

    Raises ValueError for the home of nobody, and for a `$` that no shell has filled in: it would name a new folder.
    """
    if "$" in path:
        raise ValueError("it holds a $ that no shell has filled in; write the path out")
    try:
        return str(Path(path).expanduser()) if path.startswith("~") else path
    except RuntimeError as error:
        raise ValueError("it begins with ~, but there is no such home folder; write the path out") from error


def read_toml(path: Path) -> dict[str, Any]:
    """What a TOML file holds. Raises BadRequest when it is not TOML, or no file."""
    if not path.is_file():
        raise BadRequest(f"{path} is no file; move it away or put the file there")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"{path} cannot be read as TOML: {error}; correct it or remove it") from error
