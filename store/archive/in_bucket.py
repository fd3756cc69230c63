"""The files of a store that are in a bucket: which are there, their bytes, and how they get there from a folder."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

from sqlalchemy import Engine
from sqlmodel import col, select

from store.blobs.bucket import Bucket
from store.blobs.cached import AT_ONCE, PREFIX, object_name
from store.blobs.folders import put_folder, read_list
from store.engine import reading
from store.errors import DamagedStore
from store.files import sha256_of
from store.layout import Layout, version_name
from store.tables import Image, Version


class Altered(Exception):
    """An object that was there is gone, or does not hold what its name or its list says."""


def list_blobs(bucket: Bucket) -> set[str]:
    """The names of all blobs in a bucket."""
    with ThreadPoolExecutor(AT_ONCE) as threads:
        parts = threads.map(bucket.objects, bucket.folders(PREFIX))
        return {one.name for part in parts for one in part}


def list_version(bucket: Bucket, sha256: str) -> dict[str, str]:
    """The files of a version in a bucket, with their hashes; none where it is not whole."""
    name = version_name(sha256)
    return {f"{name}/{file}": found for file, found in (read_list(bucket, name) or {}).items()}


def read_all(layout: Layout, files: dict[str, str]) -> Iterator[tuple[str, bytes]]:
    """Names and bytes of files in the bucket, small ones several at once. Raises Altered for one that has changed."""
    small = [name for name in files if name.startswith(f"{PREFIX}/")]
    with ThreadPoolExecutor(AT_ONCE) as threads:
        for start in range(0, len(small), 2 * AT_ONCE):
            some = small[start : start + 2 * AT_ONCE]
            yield from zip(some, threads.map(lambda name: _read(layout, name, files[name]), some), strict=True)
    for name in files.keys() - set(small):
        yield name, _read(layout, name, files[name])


def _read(layout: Layout, name: str, sha256: str) -> bytes:
    assert layout.bucket is not None
    here = layout.blobs.path(sha256) if name.startswith(f"{PREFIX}/") else layout.root / name
    if here.is_file() and sha256_of(data := here.read_bytes()) == sha256:
        return data
    try:
        data = layout.bucket.read(name, is_large=True)
    except FileNotFoundError:
        raise Altered(name) from None
    if sha256_of(data) != sha256:
        raise Altered(name)
    return data


def copy_files(engine: Engine, old: Layout, new: Layout, on_file: Callable[[], object]) -> int:
    """Copies what the rows name from one place into another, a bucket or a data folder, where it is not there yet.

    `old` and `new` share the data folder. How many files could not be copied, because they are lost or altered.
    """
    lost = 0
    with reading(engine) as session, ThreadPoolExecutor(AT_ONCE) as threads:
        rows = iter(session.exec(select(Image.sha256, Image.latent_sha256).order_by(col(Image.id))).yield_per(1000))
        while some := list(islice(rows, 2 * AT_ONCE)):
            hashes = [sha256 for pair in some for sha256 in pair if sha256]
            for is_whole in threads.map(lambda sha256: _copy_blob(old, new, sha256), hashes):
                lost += not is_whole
                on_file()
        for sha256 in session.exec(select(Version.sha256).where(col(Version.sha256).is_not(None))):
            lost += not _copy_version(old, new, sha256 or "")
            on_file()
    return lost


def _copy_blob(old: Layout, new: Layout, sha256: str) -> bool:
    try:
        if new.blobs.has(sha256):
            return True
        data = old.blobs.get(sha256)
    except (DamagedStore, ValueError):  # ValueError: a damaged row names no hash
        return False
    if new.bucket is None:
        new.blobs.put(data)
    else:  # without a copy in the cache of this machine
        new.bucket.put(object_name(sha256), data)
    return True


def _copy_version(old: Layout, new: Layout, sha256: str) -> bool:
    folder = old.fetch_version(sha256)
    files = {path.name: path.read_bytes() for path in _plain_files(folder)}
    if sha256 not in {sha256_of(data) for data in files.values()}:
        return False
    if new.bucket is not None:
        put_folder(new.bucket, version_name(sha256), files)
    return True


def _plain_files(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []
