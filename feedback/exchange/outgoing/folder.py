"""An export as a folder: built beside its place, then renamed, so that a folder with its name is always whole."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Engine
from tqdm import tqdm

from feedback.exchange.outgoing.card import Held
from feedback.exchange.outgoing.chosen import Wanted, count_chosen, require_rater
from feedback.exchange.outgoing.parts import Part, parts_of
from feedback.pool.browse.gallery import Which
from feedback.sample.lists.rows import file_name
from store.errors import BadRequest, StoreError
from store.files import Blobs, fsync_folder, make_folder, only_one, remove_folder, sha256_of_file
from store.phrases import plural

WORK = ".naysayer-export-"
LOCK, FILES, SCRATCH = "held.lock", "files", "scratch"


class Exported(NamedTuple):
    """What was written, and how many of the pictures an earlier try had left."""

    folder: Path
    held: Held
    resumed: int

    @property
    def words(self) -> str:
        """What was written, in a sentence."""
        held = self.held
        again = f" ({self.resumed:,} were there from an earlier try)" if self.resumed else ""
        lost = f"; {plural(held.lost, 'picture')} left out, because the file is lost or altered" if held.lost else ""
        return (
            f"wrote {plural(held.pictures, 'picture')}{again}, {plural(held.votes, 'vote')} of "
            f"{plural(len(held.presses), 'rater')} and {plural(held.pairs, 'pair')} into {self.folder}{lost}; "
            "README.md says which file is for which program"
        )


def export_folder(engine: Engine, blobs: Blobs, wanted: Wanted, folder: Path) -> Exported:
    """Writes the export into a new folder. One that was interrupted is taken up: its pictures are not written again.

    Raises BadRequest when the folder exists, nothing is chosen or nobody has the rater's name, Busy while another
    process exports there, StoreError when the disk is full or cannot be written.
    """
    folder = folder.absolute()
    if os.path.lexists(folder):
        raise BadRequest(f"{folder} exists and an export never overwrites a folder; choose another name")
    require_rater(engine, wanted)
    if not (count := count_chosen(engine, wanted)):
        out = count_chosen(engine, wanted._replace(parts=(Which.taken_out,)))
        hint = f"; {plural(out, 'picture')} taken out of the pool would pass: --which 'taken out'" if out else ""
        raise BadRequest(f"no picture is chosen, so nothing was written; rate pictures, or take other filters{hint}")
    work = folder.with_name(f"{WORK}{folder.name}")
    try:
        make_folder(work)
        with only_one(work / LOCK, f"another export writes {folder}; wait until it has ended"):
            held, resumed = _fill(engine, blobs, wanted, work, file_name(folder), count)
            os.sync()  # once for all, instead of a wait after each picture
            (work / FILES).rename(folder)
            fsync_folder(folder.parent)
            remove_folder(work)
    except OSError as error:
        left = (
            f"; what was written waits in {work}, and the same command goes on from there"
            if (work / FILES).is_dir()
            else ""
        )
        raise StoreError(
            f"{folder} was not written ({error.strerror or error}, {error.filename}); make room, or choose a place "
            f"that this user can write to{left}"
        ) from error
    return Exported(folder, held, resumed)


def _fill(engine: Engine, blobs: Blobs, wanted: Wanted, work: Path, name: str, count: int) -> tuple[Held, int]:
    files, scratch = work / FILES, work / SCRATCH
    for left in (scratch, *(files / part for part in ("pairs", "shards"))):
        remove_folder(left)
    scratch.mkdir()
    (files / "train").mkdir(parents=True, exist_ok=True)

    def is_there(file: str, sha256: str) -> bool:
        path = files / file
        return path.is_file() and sha256_of_file(path) == sha256

    held, resumed, written = Held(), 0, set[str]()
    with tqdm(total=count, desc="exporting", unit=" pictures", delay=1) as bar:
        for part in parts_of(engine, blobs, wanted, scratch, name, held, is_there=is_there):
            _put(files / part.name, part)
            written.add(part.name)
            resumed += part.content is None
            bar.update(part.name.endswith(".png"))
    for path in _strays(files, written):
        path.unlink()
    return held, resumed


def _put(path: Path, part: Part) -> None:
    """A file that is there is whole: it comes under another name first."""
    if part.content is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    source = part.content
    if isinstance(source, bytes):
        temporary = path.with_name(f".{path.name}.tmp")
        temporary.write_bytes(source)
        source = temporary
    source.replace(path)


def _strays(files: Path, written: set[str]) -> Iterator[Path]:
    """What an earlier try wrote and this one did not, as where votes came in between."""
    return (path for path in files.rglob("*") if path.is_file() and path.relative_to(files).as_posix() not in written)
