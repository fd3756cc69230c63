"""Blobs in a bucket, with a folder of this machine as cache: read often, fetched once, the least used out first."""

import fcntl
import logging
import os
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from store.blobs.bucket import Bucket
from store.errors import DamagedStore
from store.files import Blobs, make_folder, sha256_of, write_file

log = logging.getLogger(__name__)

PREFIX = "blobs"
AT_ONCE = 16
FULL_TO = 0.9
"""The cache is emptied down to this part of its limit."""
LOOK_EVERY = 0.02
"""Part of the limit that a process writes before it looks at the whole cache again."""
USED_S = 3600.0
"""A file counts as used when its time is older than this; not at each look, which would write to the disk."""
_written: dict[Path, int] = {}
_counting = threading.Lock()


def object_name(sha256: str) -> str:
    """The name of a blob in a bucket: the same as in a data folder."""
    return Blobs(Path(PREFIX)).path(sha256).as_posix()


class CachedBlobs(Blobs):
    """As `Blobs`, but every machine sees the same; `root` is this machine's cache."""

    def __init__(self, bucket: Bucket, root: Path, cache: "Cache") -> None:
        super().__init__(root)
        self.bucket, self.cache = bucket, cache

    def put(self, data: bytes) -> str:
        """The hash of `data`, once the bucket holds it. Raises NoBucket when it does not answer."""
        sha256 = sha256_of(data)
        self.bucket.put(object_name(sha256), data)
        self._keep(sha256, data)
        return sha256

    def get(self, sha256: str) -> bytes:
        """The bytes of a blob, from the cache where they are there unchanged.

        Raises DamagedStore when the bucket says that there is none, or it no longer has that hash, and NoBucket when it
        does not answer.
        """
        with suppress(OSError, ValueError):
            data = self.path(sha256).read_bytes()
            if sha256_of(data) == sha256:
                self.note_use(self.path(sha256))
                return data
        data = self._fetch(sha256)
        self._keep(sha256, data)
        return data

    def has(self, sha256: str) -> bool:
        """Whether the bucket holds a blob with that name."""
        return self.bucket.find(object_name(sha256)) is not None

    def is_there(self) -> bool:
        """True: a bucket that is not there does not answer, and is no proof that a picture is lost."""
        return True

    def note_use(self, path: Path) -> None:
        """Lets a cached file that is used be among the last to go."""
        self.cache.note_use(path)

    def prepare(self, hashes: Sequence[str]) -> None:
        """Fetches several at once what is not in the cache; what cannot be had is left to `get`."""
        missing = [sha256 for sha256 in dict.fromkeys(hashes) if not self.path(sha256).is_file()]
        with ThreadPoolExecutor(AT_ONCE, "fetching") as threads:
            list(threads.map(self._try, missing))

    def _try(self, sha256: str) -> None:
        with suppress(DamagedStore):
            self.get(sha256)

    def _fetch(self, sha256: str) -> bytes:
        try:
            data = self.bucket.read(object_name(sha256))
        except ValueError as error:
            raise DamagedStore(f"a row of the database names a file that no store has ({error})") from error
        except FileNotFoundError:
            raise DamagedStore(
                f"{self.bucket.url} has no object {object_name(sha256)}; restore it from a backup (`naysayer restore`)"
            ) from None
        if sha256_of(data) != sha256:
            raise DamagedStore(
                f"the object {object_name(sha256)} of {self.bucket.url} does not have the content it was stored with; "
                "restore it from a backup (`naysayer restore`)"
            )
        return data

    def _keep(self, sha256: str, data: bytes) -> None:
        """Keeps a copy here; a full disk costs only the next reader's time."""
        try:
            self._make_folder(self.path(sha256).parent)
            write_file(self.path(sha256), data)
        except OSError as error:
            log.warning("a picture was not kept in the cache %s: %s", self.root, error.strerror)
            return
        self.cache.note_written(len(data))


class Cache:
    """The folders of a data folder that hold what can be had again, and how much they may hold in all."""

    def __init__(self, folders: Iterable[Path], limit_bytes: int) -> None:
        self.folders, self.limit_bytes = tuple(folders), limit_bytes

    def note_use(self, path: Path) -> None:
        """Lets a file that is used be among the last to go."""
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > USED_S:
                os.utime(path)

    def note_written(self, count: int) -> None:
        """Counts bytes that this process wrote; now and then, and at its first write, makes room."""
        with _counting:
            before = _written.get(self.folders[0])
            _written[self.folders[0]] = (before or 0) + count
            is_due = before is None or before + count > LOOK_EVERY * self.limit_bytes
            if is_due:
                _written[self.folders[0]] = 0
        if is_due:
            self.make_room()

    def make_room(self) -> None:
        """Removes the files least used lately, when the folders hold more than their limit; one process at a time.

        A file that somebody reads stays readable until it is closed.
        """
        make_folder(self.folders[0])
        with (self.folders[0] / "room.lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            files = sorted(_files(self.folders))
            held = sum(size for _, size, _ in files)
            if held <= self.limit_bytes:
                return
            for _, size, path in files:
                if held <= FULL_TO * self.limit_bytes:
                    break
                with suppress(FileNotFoundError):
                    path.unlink()
                held -= size


def _files(folders: Iterable[Path]) -> Iterable[tuple[float, int, Path]]:
    """Time of use, size and path of each file in the two levels of the folders."""
    for folder in folders:
        for inner in _scan(folder):
            if inner.is_dir(follow_symlinks=False):
                for file in _scan(inner):
                    with suppress(FileNotFoundError):
                        found = file.stat(follow_symlinks=False)
                        yield found.st_mtime, found.st_size, Path(file.path)


def _scan(folder: Path | os.DirEntry[str]) -> list[os.DirEntry[str]]:
    with suppress(FileNotFoundError), os.scandir(folder) as found:
        return list(found)
    return []
