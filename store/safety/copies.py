"""Copies of a SQLite database: kept before a migration, or read instead of a store that must not change."""

import os
import shutil
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from store.damage import explained
from store.engine import BUSY_S, sqlite_module
from store.files import fsync_folder

SIDE_FILES = ("-wal", "-journal")
"""What SQLite keeps beside a database that a program may have left in the middle of its work."""


def copy_database(source: Path, copy: Path) -> None:
    """Copies a database as it is at one instant, while others may write to it, and flushes the copy."""
    if os.access(source.parent, os.W_OK):
        _copy_live(source, copy)
    else:
        _copy_files(source, copy)
    fsync_folder(copy)


def _copy_live(source: Path, copy: Path) -> None:
    module = sqlite_module()
    name = f"file:{quote(str(source.absolute()))}?mode=ro"
    with (
        explained(source, module.Error, UnicodeDecodeError),
        closing(module.connect(name, uri=True, timeout=BUSY_S)) as live,
        closing(module.connect(copy)) as written,
    ):
        live.backup(written)


def _copy_files(source: Path, copy: Path) -> None:
    """Copies a database that nobody can write to, as on a read-only disk, where SQLite itself cannot open it."""
    shutil.copyfile(source, copy)
    for end in SIDE_FILES:
        if (beside := source.with_name(source.name + end)).exists():
            shutil.copyfile(beside, copy.with_name(copy.name + end))


def keep_copy(source: Path, schema: str) -> Path:
    """A copy of the database beside it, named by its schema; never overwrites an earlier one."""
    kept = _free_name(source, schema)
    part = kept.with_name(f".{kept.name}.tmp")
    try:
        part.unlink(missing_ok=True)  # of a program that was killed; we hold the store's write lock
        copy_database(source, part)
        part.rename(kept)
        fsync_folder(kept.parent)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return kept


def _free_name(source: Path, schema: str) -> Path:
    number = 1
    while True:
        more = f"-{number}" if number > 1 else ""
        name = source.with_name(f"{source.stem}-schema-{schema}{more}{source.suffix}")
        if not name.exists():
            return name
        number += 1
