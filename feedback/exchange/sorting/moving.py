"""Takes flagged pictures elsewhere with the files beside them; nothing is overwritten, nothing is lost."""

import errno
import filecmp
import glob
import json
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from feedback.exchange.pictures.sources import Entry, Folder, is_picture
from feedback.exchange.sorting.table import Row
from feedback.metadata.files.sidecar import ENDINGS
from store.archive.work import work_folder
from store.errors import BadRequest
from store.files import fsync_folder, make_folder
from store.phrases import plural

MOVED = "naysayer-moved.jsonl"
"""The file in a target that says which of its pictures were moved there, and from where."""


@dataclass(frozen=True)
class Target:
    """The folder that flagged pictures go to; `moves`: they leave their own."""

    folder: Path
    moves: bool


class Moved(NamedTuple):
    """The pictures that went, and how many stayed too, in words."""

    rows: list[Row]
    words: str


def require_apart(source: Path, target: Path) -> None:
    """Raises BadRequest where the target is the sorted folder or lies in it: the next call would sort it too."""
    if target.resolve().is_relative_to(source.resolve()):
        raise BadRequest(f"{target} lies in {source}, which is sorted; name a folder outside of it")
    if target.exists() and not target.is_dir():
        raise BadRequest(f"{target} is a file; name a folder")


def take_along(source: Path, rows: Sequence[Row], target: Target, say: Callable[[str], None]) -> Moved:
    """Moves or copies the pictures and what stands beside them.

    A file whose name is taken by another one stays where it is, and so does one that changed since it was scored;
    `say` is told.
    """
    make_folder(target.folder)
    done: list[Row] = []
    with work_folder(target.folder) as scratch:
        for row in tqdm(rows, desc="moving" if target.moves else "copying", unit=" pictures", delay=1):
            why = _refusal(source, row, target) or _take(source / row.entry.name, source, target, scratch)
            if why:
                say(f"{row.entry.name} stays: {why}")
            else:
                done.append(row)
                if target.moves:
                    _note(source, row, target)
    left = f"; {len(rows) - len(done):,} stayed" if len(done) < len(rows) else ""
    words = f"{'moved' if target.moves else 'copied'} {plural(len(done), 'picture')} to {target.folder}{left}"
    return Moved(done, words)


def moved_from(source: Path, target: Target) -> list[Entry]:
    """The pictures that were moved to the target from there, and still are in it."""
    names: set[str] = set()
    with suppress(FileNotFoundError):
        for line in (target.folder / MOVED).read_text(encoding="utf-8", errors="replace").splitlines():
            with suppress(ValueError, KeyError, TypeError):
                said = json.loads(line)
                names |= {said["file"]} if said["from"] == str(source.resolve()) else set()
    return [entry for entry in Folder(target.folder).entries() if entry.name in names] if names else []


def _note(source: Path, row: Row, target: Target) -> None:
    line = json.dumps({"file": row.entry.name, "from": str(source.resolve()), "score": row.score})
    with (target.folder / MOVED).open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")


def _refusal(source: Path, row: Row, target: Target) -> str:
    """Why a picture stays where it is; empty: it goes."""
    path = source / row.entry.name
    try:
        found = path.stat()
    except OSError as error:
        return f"it cannot be read ({error.strerror})"
    if row.entry.stamp != f"{found.st_size} {found.st_mtime_ns}":
        return "it changed since it was scored; run this again"
    for file in (path, *_beside(path)):
        there = target.folder / file.relative_to(source)
        if there.exists() and not filecmp.cmp(file, there, shallow=False):
            return f"{there} is another file; move that one away, then run this again"
    return ""


def _take(path: Path, source: Path, target: Target, scratch: Path) -> str:
    """The files beside a picture come first and go last, so that a picture never stands without them."""
    beside = _beside(path)
    try:
        for file in (*beside, path):
            _copy(file, target.folder / file.relative_to(source), scratch)
        if target.moves:
            for file in (path, *(one for one in beside if not _is_shared(one, path))):
                file.unlink()
    except FileExistsError as error:
        return f"{error.filename2 or error.filename} came up meanwhile; run this again"
    return ""


def _copy(file: Path, place: Path, scratch: Path) -> None:
    """The whole file at its place, or nothing. Raises FileExistsError for a file that came up there meanwhile."""
    if place.exists():  # compared before
        return
    make_folder(place.parent)
    staged = scratch / "file"
    shutil.copy2(file, staged)
    with staged.open("rb") as written:
        os.fsync(written.fileno())
    try:
        os.link(staged, place)  # unlike a rename, it never replaces a file
        staged.unlink()
    except FileExistsError:
        raise
    except OSError:  # a disk without hard links
        if place.exists():
            raise FileExistsError(errno.EEXIST, "File exists", str(place)) from None
        staged.rename(place)
    fsync_folder(place.parent)


def _beside(path: Path) -> list[Path]:
    """The files that say something of a picture."""
    endings = (*ENDINGS, ".xmp")
    names = [path.with_suffix(ending) for ending in endings] + [path.with_name(path.name + end) for end in endings]
    return [one for one in dict.fromkeys(names) if one.is_file()]


def _is_shared(beside: Path, path: Path) -> bool:
    """Whether another picture has its text from the same file."""
    if beside.name.startswith(path.name):
        return False
    with suppress(OSError):
        return any(
            is_picture(one.name) and one != path
            for one in path.parent.glob(f"{glob.escape(path.stem)}.*")
            if one.stem == path.stem
        )
    return True
