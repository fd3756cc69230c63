"""Where pictures come from: a folder, or a ZIP archive that is never unpacked to disk."""

import os
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple, Protocol

from feedback.metadata.files import fooocus_log
from feedback.metadata.files.opened import MAX_BYTES
from feedback.metadata.files.parts import MAX_TEXT
from feedback.metadata.files.refused import Refused
from feedback.metadata.files.sidecar import ENDINGS as SIDECARS
from feedback.metadata.files.sidecar import beside, text_of_file
from feedback.metadata.found import RawText
from store.errors import BadRequest

PICTURES = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".apng", ".gif", ".bmp", ".tif", ".tiff", ".avif",
            ".heic", ".jxl", ".svg", ".psd")  # fmt: skip
"""Names of pictures, those that are refused too; other files are passed over."""
LISTS = ("metadata.jsonl", "metadata.csv")
"""What the Hub's imagefolder, and so our own exports, call a list of what is known of the pictures beside it."""
PREVIEWS = (".swarmpreview.jpg", ".preview.png")


class Entry(NamedTuple):
    """One picture: its name inside the source, and size and time of the file, which tell whether it is the same."""

    name: str
    stamp: str


class Source(Protocol):
    """A folder or an archive; what it gives can be sent to another process."""

    path: Path
    root: str
    """Where the pictures are, as it is recorded with each."""

    def entries(self) -> Iterator[Entry]:
        """The pictures, in the order of their names folder by folder."""

    def lists(self) -> list[str]:
        """The files in it that say something of the pictures, each of those below its own folder."""

    def read(self, name: str, most: int = MAX_BYTES + 1) -> bytes:
        """A file's first bytes, at most so many. Raises Refused when it cannot be read."""

    def beside(self, name: str) -> list[RawText]:
        """The texts beside a picture."""


def open_source(place: str | Path, root: str = "") -> Source:
    """The folder or archive at a path. Raises BadRequest for anything else, the empty path included."""
    if not str(place).strip():
        raise BadRequest("the path is empty; give a folder of pictures (. is the current one), or a ZIP archive")
    path = Path(place)
    if path.is_dir():
        return Folder(path, root)
    if path.is_file() and zipfile.is_zipfile(path):
        return Archive(path, root)
    found = "is neither a folder nor a ZIP archive" if path.exists() else "does not exist"
    raise BadRequest(f"{path} {found}; give a folder of pictures, or a ZIP archive")


def is_picture(name: str) -> bool:
    """Whether a file is looked at: named as a picture, and neither hidden nor a program's preview."""
    lower = PurePosixPath(name).name.lower()
    return lower.endswith(PICTURES) and not lower.endswith(PREVIEWS) and not lower.startswith(".")


class Folder:
    """A folder with everything in it; links to folders are not followed."""

    def __init__(self, path: Path, root: str = "") -> None:
        self.path, self.root = path, root or str(path.resolve())

    def entries(self) -> Iterator[Entry]:
        for folder, folders, files in os.walk(self.path):
            folders.sort()
            for name in sorted(filter(is_picture, files)):
                path = Path(folder, name)
                try:
                    found = path.stat()
                except OSError:
                    continue
                yield Entry(str(path.relative_to(self.path)), f"{found.st_size} {found.st_mtime_ns}")

    def lists(self) -> list[str]:
        return sorted(str(path.relative_to(self.path)) for name in LISTS for path in self.path.rglob(name))

    def read(self, name: str, most: int = MAX_BYTES + 1) -> bytes:
        try:
            with (self.path / name).open("rb") as file:
                return file.read(most)
        except OSError as error:
            raise Refused(f"it cannot be read ({error.strerror or type(error).__name__})") from error

    def beside(self, name: str) -> list[RawText]:
        return beside(self.path / name)


class Archive:
    """A ZIP archive; each process that reads opens it for itself."""

    def __init__(self, path: Path, root: str = "") -> None:
        self.path, self.root = path, root or str(path.resolve())
        self._opened: zipfile.ZipFile | None = None
        self._logs: dict[str, dict[str, str]] = {}

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__ | {"_opened": None}

    @property
    def zip(self) -> zipfile.ZipFile:
        if self._opened is None:
            self._opened = zipfile.ZipFile(self.path)
        return self._opened

    def entries(self) -> Iterator[Entry]:
        for name in sorted(self.zip.namelist()):
            if is_picture(name) and not name.startswith("__MACOSX/"):
                info = self.zip.getinfo(name)
                yield Entry(name, f"{info.file_size} {info.CRC}")

    def lists(self) -> list[str]:
        names = (name for name in self.zip.namelist() if not name.startswith("__MACOSX/"))
        return sorted(name for name in names if PurePosixPath(name).name in LISTS)

    def read(self, name: str, most: int = MAX_BYTES + 1) -> bytes:
        try:
            with self.zip.open(name) as file:
                return file.read(most)
        except KeyError as error:
            raise Refused("it is not in the archive any more") from error
        except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError, OSError) as error:
            raise Refused(f"it cannot be unpacked ({str(error)[:60]}); pack it again, without a password") from error

    def beside(self, name: str) -> list[RawText]:
        stem = str(PurePosixPath(name).with_suffix(""))
        found = []
        for ending in SIDECARS:
            place = next((one for one in (stem + ending, name + ending) if one in self.zip.NameToInfo), None)
            if place is not None and 0 < self.zip.getinfo(place).file_size <= MAX_TEXT:
                found.append(RawText(f"sidecar{ending}", text_of_file(self.read(place, MAX_TEXT))))
        return found or self._logged(PurePosixPath(name))

    def _logged(self, path: PurePosixPath) -> list[RawText]:
        log = str(path.with_name(fooocus_log.NAME))
        if log not in self._logs:
            info = self.zip.NameToInfo.get(log)
            is_read = info is not None and info.file_size <= fooocus_log.MAX_LOG
            self._logs = {log: fooocus_log.read_log(self.read(log, fooocus_log.MAX_LOG)) if is_read else {}}
        return fooocus_log.in_log(self._logs[log], path.name)
