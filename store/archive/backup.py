"""Writes a whole store into one file.

The database is copied first, then the files that it names: files never change, so none is missing. What the store
itself has lost is named, and the rest is saved.
"""

import io
import json
import tarfile
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path

from tqdm import tqdm

from store.archive.contents import (
    CONTENTS,
    DATABASE,
    BackupReport,
    Contents,
    count_rows,
    list_files,
    opened,
    report_of,
    sqlite_path,
)
from store.archive.in_bucket import Altered, read_all
from store.archive.work import disk_told, work_folder
from store.errors import BadRequest, DamagedStore
from store.files import fsync_folder, make_folder, sha256_of_file
from store.layout import Layout, layout_of
from store.migrate import check_integrity
from store.safety.copies import copy_database
from store.safety.identity import is_lost, refuse_lost_database
from store.settings import Settings


def backup(settings: Settings, target: Path, copy_rows: Callable[[Path], None] | None = None) -> BackupReport:
    """Writes the store into a new tar file while others use the store; returns what the file holds, and what it lacks.

    `copy_rows` copies the database into a new SQLite file; without it, the database is one. Raises BadRequest when
    `target` exists or there is no store, DamagedStore when the database is damaged or lost, StoreError when the disk
    is full or cannot be written, or the bucket does not answer.
    """
    if target.exists():
        raise BadRequest(f"{target} exists and a backup never overwrites a file; choose another name")
    copy_rows = copy_rows or _copier(settings)
    layout, altered = layout_of(settings), set[str]()
    with disk_told(f"the backup {target} was not written"):
        make_folder(target.parent)
        with work_folder(target.parent) as folder:
            copy = folder / DATABASE
            copy_rows(copy)
            while True:
                contents = _contents(copy, layout, altered)
                try:
                    _write_archive(folder / "backup.tar", contents, copy, layout)
                    break
                except Altered as error:  # found while it was read; the list comes first, so all is written again
                    altered.add(str(error))
            (folder / "backup.tar").replace(target)
        fsync_folder(target.parent)
    return report_of(target, contents)


def _copier(settings: Settings) -> Callable[[Path], None]:
    source = sqlite_path(settings)
    if is_lost(source):
        refuse_lost_database(str(source), layout_of(settings))
        raise BadRequest(f"there is no store at {source}; check NAYSAYER_DATA_DIR")
    return partial(copy_database, source)


def _contents(copy: Path, layout: Layout, altered: Collection[str]) -> Contents:
    with opened(copy) as engine:
        if found := check_integrity(engine):
            raise DamagedStore(f"the database is damaged ({found[0]}); nothing was written; restore an earlier backup")
        counts = count_rows(engine)
        files, missing = list_files(engine, layout, altered)
    return Contents(1, *counts, {DATABASE: sha256_of_file(copy)} | files, missing)


def _write_archive(target: Path, contents: Contents, copy: Path, layout: Layout) -> None:
    listed = contents._asdict()
    if not contents.missing:
        del listed["missing"]  # as earlier programs wrote it and can read it
    body = json.dumps(listed).encode()
    with target.open("wb") as file, tarfile.open(fileobj=file, mode="w") as tar:
        _add(tar, CONTENTS, body)
        tar.add(copy, DATABASE, recursive=False, filter=_without_owner)
        files = {name: sha256 for name, sha256 in contents.files.items() if name != DATABASE}
        if layout.bucket is None:
            for name in files:
                tar.add(layout.root / name, name, recursive=False, filter=_without_owner)
        else:
            for name, data in tqdm(read_all(layout, files), desc="saving", unit=" files", total=len(files), delay=1):
                _add(tar, name, data)
    fsync_folder(target)


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))


def _without_owner(member: tarfile.TarInfo) -> tarfile.TarInfo:
    return member.replace(uid=0, gid=0, uname="", gname="", deep=False)
