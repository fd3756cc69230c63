"""The files of another store's pictures and versions, copied before any row: what no row names harms nothing."""

from collections.abc import Callable, Iterator
from pathlib import Path

from sqlalchemy import Engine, func, select

from feedback.exchange.stores.bring import table_of
from feedback.exchange.stores.rows import Row, read_batches
from store.engine import reading
from store.errors import DamagedStore
from store.files import sha256_of
from store.layout import Layout
from store.safety.staging import put_version

NAMED = {"image": ("sha256", "latent_sha256"), "version": ("sha256", "kohya_sha256")}


def count_files(engine: Engine) -> int:
    """How many pictures and versions have files."""
    with reading(engine) as session:
        return sum(session.execute(select(func.count(table_of(name).c.sha256))).scalar_one() for name in NAMED)


def copy_files(engine: Engine, theirs: Layout, ours: Layout, on_file: Callable[[], object]) -> int:
    """Copies what is not here yet; how many files were lost or altered there, and so did not come."""
    lost = 0
    for row in _rows(engine, "image"):
        lost += sum(not _copy_blob(theirs, ours, sha256) for sha256 in row.values() if sha256)
        on_file()
    for row in _rows(engine, "version"):
        if row["sha256"]:
            lost += not _copy_version(theirs, ours, row["sha256"], row["kohya_sha256"] or row["sha256"])
            on_file()
    return lost


def _rows(engine: Engine, name: str) -> Iterator[Row]:
    table = table_of(name)
    with reading(engine) as session:
        for rows in read_batches(session.connection(), select(*(table.c[column] for column in NAMED[name]))):
            yield from rows


def _copy_blob(theirs: Layout, ours: Layout, sha256: str) -> bool:
    if not ours.blobs.has(sha256):
        try:
            ours.blobs.put(theirs.blobs.get(sha256))
        except DamagedStore:
            return False
    return True


def _copy_version(theirs: Layout, ours: Layout, sha256: str, kohya_sha256: str) -> bool:
    """Whether the version's files are here now; put there at once, under the retrain's lock."""
    if ours.has_version(sha256):
        return True
    folder = theirs.fetch_version(sha256)
    files = {path.name: path.read_bytes() for path in _files(folder)}
    if not {sha256, kohya_sha256} <= {sha256_of(data) for data in files.values()}:
        return False
    put_version(ours, sha256, files, lambda staging: None)
    return True


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []
