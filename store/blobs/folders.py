"""Folders in a bucket: some files and a list of them, which is written last and makes the folder whole."""

import json
import logging
import os
import threading
from collections.abc import Mapping
from pathlib import Path

from store.blobs.bucket import Bucket
from store.errors import NoBucket
from store.files import make_folder, put_in_place, remove_folder, sha256_of, write_file

log = logging.getLogger(__name__)

LISTED = "files.json"


def put_folder(bucket: Bucket, name: str, files: Mapping[str, bytes]) -> None:
    """Writes the files of a folder, then their list. One that is whole and the same is left as it is."""
    hashes = {file: sha256_of(data) for file, data in files.items()}
    if (listed := read_list(bucket, name)) == hashes:
        return
    if listed is not None:
        bucket.remove([f"{name}/{LISTED}"])
    for file, data in files.items():
        bucket.put(f"{name}/{file}", data)
    bucket.put(f"{name}/{LISTED}", json.dumps(hashes, sort_keys=True).encode())


def read_list(bucket: Bucket, name: str) -> dict[str, str] | None:
    """The files of a folder with their hashes; None while it is not whole."""
    try:
        listed = json.loads(bucket.read(f"{name}/{LISTED}"))
    except (FileNotFoundError, ValueError):
        return None
    is_sound = isinstance(listed, dict) and all(Path(file).name == file for file in listed)
    return listed if is_sound else None


def fetch_folder(bucket: Bucket, name: str, final: Path, scratch: Path) -> bool:
    """Makes `final` from a folder of the bucket, completely or not at all; whether it is there now.

    False, with a warning where a file was altered, when the bucket has no such folder as it was put.
    """
    if final.is_dir():
        return True
    if (listed := read_list(bucket, name)) is None:
        return False
    staging = scratch / f"{final.name[:16]}-{os.getpid()}-{threading.get_ident()}"
    make_folder(scratch)
    make_folder(final.parent)
    remove_folder(staging)
    staging.mkdir()
    try:
        for file, sha256 in listed.items():
            data = _read(bucket, f"{name}/{file}")
            if sha256_of(data) != sha256:
                log.warning("%s/%s/%s is missing or altered; restore it from a backup", bucket.url, name, file)
                return False
            write_file(staging / file, data)
        put_in_place(staging, final)
    except OSError:
        if not final.is_dir():  # else another process was faster
            raise
    finally:
        remove_folder(staging)
    return True


def _read(bucket: Bucket, name: str) -> bytes:
    try:
        return bucket.read(name, is_large=True)
    except FileNotFoundError:
        return b""


def remove_folders(bucket: Bucket, folder: str) -> None:
    """Removes every object in a folder and below it; what cannot be removed now is left, with a warning."""
    try:
        bucket.remove(one.name for one in bucket.objects(folder))
    except NoBucket as error:
        log.warning("%s; %s is left there", error, folder)
