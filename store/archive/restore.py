"""Makes a data folder from a backup, completely or not at all."""

import re
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, delete
from sqlmodel import col, select
from tqdm import tqdm

from store.archive.contents import (
    ALLOWED_NAME,
    CONTENTS,
    CONTENTS_JSON,
    DATABASE,
    BackupReport,
    Contents,
    count_rows,
    list_missing,
    named_blobs,
    named_versions,
    opened,
    report_of,
    sqlite_path,
)
from store.archive.in_bucket import copy_files
from store.archive.work import WORK, abandoned, disk_told, work_folder
from store.engine import writing
from store.errors import BadRequest, DamagedStore
from store.files import fsync_folder, make_folder, remove_folder, sha256_of_file
from store.layout import Layout
from store.migrate import check_integrity, migrate
from store.phrases import plural
from store.process import DETAILS
from store.safety.bucket_mark import filling
from store.safety.identity import claim_folders
from store.settings import Settings
from store.settings.sources import SETTINGS_FILE
from store.tables import Run, RunStatus, Task, TaskStatus, Worker

MAX_CONTENTS_BYTES = 2**30
NOT_THE_STORES = re.compile(
    rf"lost\+found|{SETTINGS_FILE}|{DETAILS}|.+\.(lock|line|log)|(retrain|settings)\.jsonl|\.DS_Store|Thumbs\.db|desktop\.ini|{WORK}.*",
    re.IGNORECASE,
)
"""What an empty data folder may hold: a volume's own folder, settings for the store to come, what commands said or
locked while there was no store (cron's log too), and what desktops leave in every folder."""
COMPRESSED = {
    b"\x1f\x8b": "gunzip",
    b"\xfd7zXZ": "unxz",
    b"BZh": "bunzip2",
    b"\x28\xb5\x2f\xfd": "unzstd",
    b"PK": "unzip",
}
NAMED = 4
MOVING = "moving"
PARTS = ("blobs", "versions", DATABASE)
"""In the order in which they are moved into place: a folder without its database is refused by every command."""


def restore(archive: Path, settings: Settings) -> BackupReport:
    """Makes the data folder from a backup; returns what it holds.

    The folder may be a mounted volume; it keeps its mode. With a bucket the files go there. Raises BadRequest when it
    is not empty or the store is not in SQLite, DamagedStore when the archive does not hold a complete and sound store,
    NewerStore when a newer Naysayer wrote it, OtherStore for another store's bucket, NoBucket when that does not
    answer, StoreError when the disk is full or cannot be written.
    """
    final = settings.data_dir.resolve()
    sqlite_path(settings)
    if settings.store_url:
        raise BadRequest("a backup is restored into the data folder; unset NAYSAYER_STORE_URL and restore again")
    with disk_told(f"{archive} was not restored into {final}"), _made(final):
        for left in abandoned(final):
            _undo(left, final)
        _refuse_full(final)
        with work_folder(final) as folder:
            contents = _extract(archive, folder)
            _check(archive, folder, contents)
            _send(settings, folder)
            _flush_all(folder)
            _move(folder, final)
        fsync_folder(final)
    return report_of(archive, contents)


def _send(settings: Settings, folder: Path) -> None:
    """Copies what was restored into the bucket, where the settings name one; its pictures are then nowhere else."""
    if not settings.blobs:
        return
    here = Layout(folder)
    with opened(folder / DATABASE) as engine:
        count = len(named_blobs(engine)) + len(named_versions(engine))
        with (
            filling(engine, Layout(folder, settings.blobs)),
            tqdm(total=count, desc="copying", unit=" files", delay=1) as bar,
        ):
            copy_files(engine, here, Layout(folder, settings.blobs), bar.update)
    remove_folder(here.blobs.root)


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    """Makes the folder; takes it away again when what follows fails, if it was not there before."""
    if folder.exists() and not folder.is_dir():
        raise BadRequest(f"{folder} is no folder and is left as it is; restore into another NAYSAYER_DATA_DIR")
    is_new = not folder.exists()
    make_folder(folder)
    try:
        yield
    except BaseException:
        if is_new:
            folder.rmdir()
        raise


def _refuse_full(folder: Path) -> None:
    if found := sorted(path.name for path in folder.iterdir() if not NOT_THE_STORES.fullmatch(path.name)):
        more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
        raise BadRequest(
            f"{folder} is not empty (it holds {', '.join(found[:NAMED])}{more}) and is left as it is; move its content "
            "away, or restore into another NAYSAYER_DATA_DIR"
        )


def _move(folder: Path, final: Path) -> None:
    """Moves the parts into place, and back when one cannot be moved."""
    (folder / MOVING).touch()
    fsync_folder(folder)
    try:
        for part in PARTS:
            if (folder / part).exists():
                (folder / part).rename(final / part)
        fsync_folder(final)
    except BaseException:
        _undo(folder, final)
        raise


def _undo(folder: Path, final: Path) -> None:
    """Takes back what a restore that did not come to its end had moved out of its work folder."""
    if not (folder / MOVING).exists() or not (folder / DATABASE).exists():
        return
    for part in PARTS:
        if not (folder / part).exists() and (final / part).exists():
            (final / part).rename(folder / part)


def _extract(archive: Path, folder: Path) -> Contents:
    if archive.is_dir():
        raise BadRequest(f"{archive} is a folder, a backup is one file; nothing was restored; name the file")
    if not archive.exists():
        raise BadRequest(f"there is no backup {archive}; nothing was restored")
    if program := next((COMPRESSED[start] for start in COMPRESSED if _begins_with(archive, start)), ""):
        raise BadRequest(f"{archive} is compressed; unpack it with `{program}` first; nothing was restored")
    try:
        with tarfile.open(archive, "r:") as tar:
            contents = _read_contents(tar)
            _extract_listed(tar, contents, folder)
    except (tarfile.TarError, ValueError, KeyError, TypeError, EOFError, OverflowError, RecursionError) as error:
        raise _damaged(archive, f"{type(error).__name__}: {' '.join(str(error).split())[:300]}") from error
    return contents


def _begins_with(file: Path, start: bytes) -> bool:
    with file.open("rb") as opened:
        return opened.read(len(start)) == start


def _read_contents(tar: tarfile.TarFile) -> Contents:
    first = tar.next()
    if first is None or first.name != CONTENTS or not first.isreg() or first.size > MAX_CONTENTS_BYTES:
        raise ValueError(f"it does not begin with {CONTENTS}")
    file = tar.extractfile(first)
    contents = CONTENTS_JSON.validate_json(file.read() if file else b"", strict=True)
    if not all(ALLOWED_NAME.fullmatch(name) for name in contents.files):
        raise ValueError("it lists a name that no store has")
    return contents


def _extract_listed(tar: tarfile.TarFile, contents: Contents, folder: Path) -> None:
    missing = set(contents.files)
    while member := tar.next():
        is_plain = member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and not member.issparse()
        if not is_plain or member.name not in missing:
            raise ValueError(f"{member.name[:100]!r} does not belong in it")
        tar.extract(member, folder, filter="data")
        missing.remove(member.name)
    if missing:
        raise ValueError(f"{len(missing)} of {plural(len(contents.files), 'file')} missing")


def end_what_ran(engine: Engine) -> None:
    """Ends what only the old place could go on with: its workers, the retrain that ran, and what was asked for."""
    with writing(engine) as session:
        session.exec(delete(Worker))
        for run in session.exec(select(Run).where(Run.status == RunStatus.running)):
            run.status = RunStatus.interrupted if run.stop_reason is None else RunStatus.failed
            run.message = "it ran when the backup was made"
            session.add(run)
        asked = col(Task.status).in_([TaskStatus.waiting, TaskStatus.running])
        for task in session.exec(select(Task).where(asked)):
            task.status, task.message = TaskStatus.failed, "asked before the store was restored; ask again"
            session.add(task)


def _check(archive: Path, folder: Path, contents: Contents) -> None:
    if DATABASE not in contents.files:
        raise _damaged(archive, "it holds no database")
    for name, sha256 in contents.files.items():
        if sha256_of_file(folder / name) != sha256:
            raise _damaged(archive, f"{name} has another hash")
    with opened(folder / DATABASE) as engine:
        if found := check_integrity(engine):
            raise _damaged(archive, found[0])
        if count_rows(engine) != contents.counts:
            raise _damaged(archive, "its database is not the one it describes")
        migrate(engine)
        missing = [name for name in list_missing(engine, contents.files) if name not in contents.missing]
        if missing:
            raise _damaged(archive, f"{plural(len(missing), 'file')} missing, {missing[0]} is the first")
        claim_folders(engine, Layout(folder))
        end_what_ran(engine)


def _damaged(archive: Path, found: str) -> DamagedStore:
    return DamagedStore(f"{archive} is not a whole backup ({found}); nothing was restored; use another backup")


def _flush_all(folder: Path) -> None:
    for path in (*folder.rglob("*"), folder):
        fsync_folder(path)
