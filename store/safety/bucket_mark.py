"""The store's id in its bucket, so that two stores never share one."""

from uuid import uuid4

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from store.blobs.bucket import Bucket
from store.blobs.faults import MARK
from store.engine import reading
from store.errors import DamagedStore, OtherStore
from store.layout import Layout
from store.tables import Image, StoreRow

PROBES = "probes"
LOOKED_AT = 5
"""Pictures at each end of the table that are looked for in a bucket without a mark, or in a folder."""


def claim_bucket(engine: Engine, layout: Layout, store_id: str) -> None:
    """Marks the bucket with the store's id.

    Raises OtherStore when it has another's, DamagedStore when it lacks the pictures that the rows name, NoBucket when
    it cannot be used.
    """
    if (bucket := layout.bucket) is None or (found := _read_mark(bucket)) == store_id:
        return
    if found:
        raise OtherStore(bucket.url, engine.url.render_as_string())
    with reading(engine) as session:
        named = some_pictures(session, LOOKED_AT)
    if named and not any(layout.blobs.has(sha256) for sha256 in named):
        raise DamagedStore(
            f"the bucket {bucket.url} holds none of this store's pictures, so nothing was changed; set NAYSAYER_BLOBS "
            "to the bucket that holds them; `naysayer move --blobs` copies the pictures of a data folder into a bucket"
        )
    bucket.create(MARK, f"{store_id}\n".encode())
    if _read_mark(bucket) != store_id:  # another store was faster
        raise OtherStore(bucket.url, engine.url.render_as_string())


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
        bucket.list(PROBES)
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
