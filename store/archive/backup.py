"""Writes a whole store into one file.

The database is copied first, then the files that it names: files never change, so none is missing. What the store
itself has lost is named, and the rest is saved.
"""

import io
import json
import tarfile
from pathlib import Path

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
from store.archive.work import disk_told, work_folder
from store.errors import BadRequest, DamagedStore
from store.files import fsync_folder, make_folder, sha256_of_file
from store.layout import Layout, layout_of
from store.migrate import check_integrity
from store.safety.copies import copy_database
from store.safety.identity import is_lost, refuse_lost_database
from store.settings import Settings


def backup(settings: Settings, target: Path) -> BackupReport:
    """Writes the store into a new tar file while others use the store; returns what the file holds, and what it lacks.

    Raises BadRequest when `target` exists or the store is not in SQLite, DamagedStore when the database is damaged or
    lost, StoreError when the disk is full or cannot be written.
    """
    source = sqlite_path(settings)
    if target.exists():
        raise BadRequest(f"{target} exists and a backup never overwrites a file; choose another name")
    if is_lost(source):
        refuse_lost_database(str(source), layout_of(settings))
        raise BadRequest(f"there is no store at {source}; check NAYSAYER_DATA_DIR")
    with disk_told(f"the backup {target} was not written"):
        make_folder(target.parent)
        with work_folder(target.parent) as folder:
            copy = folder / DATABASE
            copy_database(source, copy)
            contents = _contents(copy, layout_of(settings))
            _write_archive(folder / "backup.tar", contents, copy, settings.data_dir)
            (folder / "backup.tar").replace(target)
        fsync_folder(target.parent)
    return report_of(target, contents)


def _contents(copy: Path, layout: Layout) -> Contents:
    with opened(copy) as engine:
        if found := check_integrity(engine):
            raise DamagedStore(f"the database is damaged ({found[0]}); nothing was written; restore an earlier backup")
        counts = count_rows(engine)
        files, missing = list_files(engine, layout)
    return Contents(1, *counts, {DATABASE: sha256_of_file(copy)} | files, missing)


def _write_archive(target: Path, contents: Contents, copy: Path, data_dir: Path) -> None:
    listed = contents._asdict()
    if not contents.missing:
        del listed["missing"]  # as earlier programs wrote it and can read it
    body = json.dumps(listed).encode()
    with target.open("wb") as file, tarfile.open(fileobj=file, mode="w") as tar:
        first = tarfile.TarInfo(CONTENTS)
        first.size = len(body)
        tar.addfile(first, io.BytesIO(body))
        for name in contents.files:
            tar.add(copy if name == DATABASE else data_dir / name, name, recursive=False, filter=_without_owner)
    fsync_folder(target)


def _without_owner(member: tarfile.TarInfo) -> tarfile.TarInfo:
    return member.replace(uid=0, gid=0, uname="", gname="", deep=False)
