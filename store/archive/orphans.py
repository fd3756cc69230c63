"""Pictures and latents in a bucket that no row names, as a worker leaves them that ends between the two."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Engine
from sqlmodel import col, func, select
from tqdm import tqdm

from store.blobs.bucket import Bucket, Found
from store.blobs.cached import PREFIX
from store.engine import reading
from store.errors import BadRequest, StoreError
from store.layout import Layout
from store.phrases import plural
from store.tables import Image

AGE = timedelta(days=1)
"""Younger objects may have rows soon."""


class Orphans(NamedTuple):
    """What no row names among `held` objects, and whether it is removed now."""

    found: list[Found]
    held: int
    are_removed: bool

    @property
    def words(self) -> str:
        """How much it is, in a sentence."""
        size = sum(one.size for one in self.found) / 1e6
        what = "removed" if self.are_removed else "would remove"
        return f"{what} {plural(len(self.found), 'object')} of {self.held:,} ({size:.1f} MB) that no row names"


def sweep(engine: Engine, layout: Layout, *, is_dry: bool = False) -> Orphans:
    """Removes from the bucket what is older than a day and no row names; with `is_dry` only finds it.

    Raises BadRequest without a bucket, StoreError, and removes nothing, where the database seems to be the wrong one:
    it names no picture, or fewer than half of the objects.
    """
    if (bucket := layout.bucket) is None:
        raise BadRequest("there is no bucket to sweep; NAYSAYER_BLOBS is empty")
    before = datetime.now(UTC) - AGE
    named, held, found = _named(engine), 0, list[Found]()
    for one in _listed(bucket):
        held += 1
        if one.written < before and one.name.rpartition("/")[2] not in named:
            found.append(one)
    if found and (not named or 2 * len(found) > held):
        raise StoreError(
            f"no row names {plural(len(found), 'object')} of {held:,} in {bucket.url}, which are so many that the "
            "database may be the wrong one, so nothing was removed; check NAYSAYER_STORE_URL"
        )
    if not is_dry:
        bucket.remove(one.name for one in found if _is_old(bucket, one.name, before))
    return Orphans(found, held, not is_dry)


def _listed(bucket: Bucket) -> Iterator[Found]:
    for folder in tqdm(bucket.folders(PREFIX), desc="looking", delay=2, disable=None):
        yield from bucket.objects(folder)


def _is_old(bucket: Bucket, name: str, before: datetime) -> bool:
    """Whether the object is still old: whoever puts it again, to write a row next, makes it new."""
    again = bucket.find(name)
    return again is not None and again.written < before


def _named(engine: Engine) -> set[str]:
    with reading(engine) as session:
        if not session.exec(select(func.count(col(Image.id)))).one():
            return set()
        rows = session.exec(select(Image.sha256, Image.latent_sha256)).yield_per(1000)
        return {sha256 for pair in rows for sha256 in pair if sha256}
