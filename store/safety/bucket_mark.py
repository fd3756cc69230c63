"""The store's id in its bucket, so that two stores never share one."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from store.blobs.bucket import Bucket
from store.blobs.faults import MARK
from store.engine import is_sqlite, reading
from store.errors import DamagedStore, OtherStore, StoreError
from store.files import make_folder, write_file
from store.layout import Layout
from store.tables import Image, StoreRow

PROBES = "probes"
FILLING = " filling"
"""Ends the mark of a bucket into which a store's files are being copied."""
REMEMBERED = "bucket.url"
"""The file of the data folder that says in which bucket its pictures are."""
LOOKED_AT = 5
"""Pictures at each end of the table that are looked for in a bucket without a mark, or in a folder."""


def claim_bucket(engine: Engine, layout: Layout, store_id: str) -> None:
    """Marks the bucket with the store's id, and the data folder with the bucket's URL.

    Raises OtherStore when it has another's, DamagedStore when it lacks the pictures that the rows name, NoBucket when
    it cannot be used; StoreError without a bucket, where the data folder says that there is one, or is new for a
    database on a server that names pictures.
    """
    if (bucket := layout.bucket) is None:
        _refuse_forgotten(layout)
        _refuse_apart(engine, layout)
        return
    if (found := _read_mark(bucket)) != store_id:
        _refuse_filling(bucket, found)
        _claim(engine, layout, bucket, store_id, found)
    remember_bucket(layout)


def _claim(engine: Engine, layout: Layout, bucket: Bucket, store_id: str, found: str) -> None:
    if found:
        raise OtherStore(bucket.url, engine.url.render_as_string())
    if _lacks_all(engine, layout):
        raise DamagedStore(
            f"the bucket {bucket.url} holds none of this store's pictures, so nothing was changed; set NAYSAYER_BLOBS "
            "to the bucket that holds them; `naysayer move --blobs` copies the pictures of a data folder into a bucket"
        )
    bucket.create(MARK, f"{store_id}\n".encode())
    if _read_mark(bucket) != store_id:  # another store was faster
        raise OtherStore(bucket.url, engine.url.render_as_string())


@contextmanager
def filling(engine: Engine, layout: Layout) -> Iterator[None]:
    """Files are copied into the layout's bucket inside it; the bucket is the store's once all are there.

    Raises OtherStore when it is another store's.
    """
    if (bucket := layout.bucket) is None:
        yield
        return
    with reading(engine) as session:
        store_id = session.exec(select(StoreRow.id)).one()
    found = _read_mark(bucket)
    if found not in ("", store_id, f"{store_id}{FILLING}"):
        raise OtherStore(bucket.url, engine.url.render_as_string())
    if not found:
        bucket.write(MARK, f"{store_id}{FILLING}\n".encode())
    yield
    bucket.write(MARK, f"{store_id}\n".encode())


def _refuse_filling(bucket: Bucket, found: str) -> None:
    if found.endswith(FILLING):
        raise StoreError(
            f"the copy of a store's pictures into {bucket.url} did not come to its end; run the same `naysayer move` "
            "or `naysayer restore` again"
        )


def remember_bucket(layout: Layout) -> None:
    """Lets programs be refused from now on that use this data folder without its bucket."""
    path = layout.root / REMEMBERED
    if not path.is_file() or path.read_text(encoding="utf-8").strip() != layout.bucket_url:
        make_folder(layout.root)
        write_file(path, f"{layout.bucket_url}\n".encode())


def forget_bucket(layout: Layout) -> None:
    """Lets the data folder hold the pictures again."""
    (layout.root / REMEMBERED).unlink(missing_ok=True)


def _refuse_forgotten(layout: Layout) -> None:
    """Raises for a program that was started without the setting: to it, every picture would be lost."""
    if (path := layout.root / REMEMBERED).is_file():
        url = path.read_text(encoding="utf-8").strip()
        raise StoreError(
            f"the pictures of the store in {layout.root} are in {url}; set NAYSAYER_BLOBS to it, or bring them here "
            "with `naysayer move --blobs folder`"
        )


def try_bucket(engine: Engine, layout: Layout) -> str:
    """A sentence that says the bucket can be used; empty where there is none.

    Writes a small object, reads, lists and deletes it. Raises OtherStore, or NoBucket with what is wrong.
    """
    if (bucket := layout.bucket) is None:
        return ""
    with reading(engine) as session:
        store_id = session.exec(select(StoreRow.id)).first()
    if (found := _read_mark(bucket)) and found != store_id:
        raise OtherStore(bucket.url, engine.url.render_as_string())
    if bucket.folder and not found:
        return f"{bucket.url} belongs to no store yet"
    name = f"{PROBES}/{uuid4().hex}"
    bucket.create(name, b"probe")
    try:
        bucket.read(name)
        bucket.objects(PROBES)
    finally:
        bucket.remove([name])
    return f"{bucket.url} can be written, read, listed and emptied"


def is_marked(layout: Layout) -> bool:
    """Whether the bucket belongs to a store."""
    return layout.bucket is not None and bool(_read_mark(layout.bucket))


def _read_mark(bucket: Bucket) -> str:
    """The id in the bucket's mark; empty where there is none."""
    try:
        return bucket.read(MARK).decode(errors="replace").strip()
    except FileNotFoundError:
        return ""


def some_pictures(session: Session, count: int) -> list[str]:
    """The hashes of the oldest and the newest pictures, at most `count` of each."""
    ends = (col(Image.id), col(Image.id).desc())
    return [sha256 for end in ends for sha256 in session.exec(select(Image.sha256).order_by(end).limit(count))]


def _lacks_all(engine: Engine, layout: Layout) -> bool:
    """Whether the store names pictures, and none of those that are looked for is there."""
    with reading(engine) as session:
        named = some_pictures(session, LOOKED_AT)
    return bool(named) and not any(layout.blobs.has(sha256) for sha256 in named)


def _refuse_apart(engine: Engine, layout: Layout) -> None:
    """Raises for another machine's data folder that holds nothing of the store: to it, every picture would be lost."""
    if is_sqlite(engine) or (layout.blobs.root / MARK).is_file():
        return
    if _lacks_all(engine, layout):
        raise StoreError(
            f"the database {engine.url.render_as_string()} names pictures and {layout.root} holds none of them; set "
            "NAYSAYER_BLOBS to the bucket of this store, or NAYSAYER_DATA_DIR to a folder that its machines share"
        )
