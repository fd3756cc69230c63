"""A store's pictures and versions copied into a bucket, or from a bucket into the data folder; its rows stay."""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from feedback.exchange.stores.files import count_files
from feedback.exchange.stores.still import disposed, kept_still
from store.archive.in_bucket import copy_files
from store.errors import BadRequest
from store.existing import open_existing
from store.layout import layout_of
from store.migrate import read_store
from store.phrases import plural
from store.safety.bucket_mark import filling, forget_bucket, remember_bucket
from store.settings import PREFIX, Settings
from store.settings.checks import check_bucket_url

FOLDER = "folder"
"""The word for the data folder, in the place of a bucket's URL."""


class MovedFiles(NamedTuple):
    """Where the files are from now on (empty: in the data folder), what was there, how many could not be copied."""

    url: str
    data_dir: Path
    files: int
    lost: int

    @property
    def words(self) -> str:
        """What was copied and what to do next, in lines."""
        change = f"set {PREFIX}BLOBS to {self.url}" if self.url else f"unset {PREFIX}BLOBS"
        lost = f"; {plural(self.lost, 'file')} lost or altered, and so not copied" if self.lost else ""
        old = f"the folder {self.data_dir / 'blobs'} is" if self.url else "the bucket is"
        return (
            f"copied the files of {plural(self.files, 'picture')} and versions{lost}\n"
            f"{change} for every program of this store, then start them again; {old} as it was"
        )


def move_files(settings: Settings, to: str) -> MovedFiles:
    """Copies the files into the bucket `to`, or with `folder` into the data folder; what is there already stays.

    Raises BadRequest for no URL or the place where they are, OtherStore for another store's bucket, NoBucket when it
    does not answer, Busy while a worker or a retrain runs. The same command goes on where it was cut off.
    """
    url = _checked(settings, to)
    old = layout_of(settings)
    new = replace(old, bucket_url=url)
    open_existing(settings).dispose()
    with disposed(read_store(settings)) as engine, kept_still(old, engine):
        count = count_files(engine)
        with (
            filling(engine, new),
            tqdm(total=count, desc="copying", unit=" files", delay=1) as bar,
        ):
            lost = copy_files(engine, old, new, bar.update)
        if url:
            remember_bucket(new)
        else:
            forget_bucket(old)
    return MovedFiles(url, settings.data_dir, count, lost)


def _checked(settings: Settings, to: str) -> str:
    try:
        url = "" if to == FOLDER else check_bucket_url(to)
    except ValueError as error:
        raise BadRequest(f"--blobs cannot be used: {error}, or {FOLDER}; nothing was moved") from None
    if url == settings.blobs:
        raise BadRequest(f"the pictures are in {url or settings.data_dir / 'blobs'} already; nothing was moved")
    return url
