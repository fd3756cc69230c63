"""A version's files on their way into the store: staged, checked, then renamed into place as one folder."""

import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from store.blobs.folders import put_folder
from store.files import fsync_folder, make_folder, put_in_place, remove_folder, write_file
from store.layout import Layout, version_name

log = logging.getLogger(__name__)

Check = Callable[[Path], None]
"""Looks at the files in a folder, and raises unless they do what they should."""


def put_version(layout: Layout, sha256: str, files: Mapping[str, bytes], check: Check) -> None:
    """Writes the files of the version with this hash, into the bucket too where there is one, and there first.

    A failed check leaves nothing. Needs the retrain lock.
    """
    make_folder(layout.versions)
    staging, final = layout.versions / f".staging-{sha256[:16]}", layout.version_folder(sha256)
    _set_aside(layout, staging)
    staging.mkdir()
    try:
        for name, data in files.items():
            write_file(staging / name, data)
        check(staging)
        if layout.bucket is not None:
            put_folder(layout.bucket, version_name(sha256), files)
        _set_aside(layout, final)
        put_in_place(staging, final)
    except BaseException:
        remove_folder(staging)
        raise


def _set_aside(layout: Layout, folder: Path) -> None:
    """Makes room where something that has no row has the name, as after a publish that was cut off."""
    if not os.path.lexists(folder):
        return
    make_folder(layout.aside)
    number = 1
    while os.path.lexists(aside := layout.aside / f"{folder.name}-{number}"):
        number += 1
    folder.rename(aside)
    fsync_folder(layout.aside)
    log.warning("%s had no row in the database and was in the way of a version; it is in %s now", folder, aside)
