"""Checkpoints in the bucket: a fit that one machine began goes on from its newest one on another."""

import logging
import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from store.blobs.bucket import Bucket
from store.blobs.folders import LISTED, fetch_folder, put_folder
from store.errors import NoBucket
from store.layout import Layout
from trainer.fit.fit import Fitted, Watch, fit
from trainer.fit.training import Training
from trainer.retrain.provenance import checkpoint_folder

log = logging.getLogger(__name__)


def fit_shared(training: Training, layout: Layout, watch: Watch) -> Fitted:
    """The adapter of `fit`, resumed from the newest checkpoint of this machine or, with a bucket, of any."""
    folder = checkpoint_folder(layout, training.manifest, training.settings)
    with _sharing(layout, folder, watch) as sharing:
        return fit(training, folder, sharing)


@contextmanager
def _sharing(layout: Layout, folder: Path, watch: Watch) -> Iterator[Watch]:
    """A watch whose checkpoints go to the bucket too, the newest one before the end; without a bucket, the same watch.

    First the bucket's newest checkpoint comes here, where it is ahead. A bucket that is away only delays the end.
    """
    if layout.bucket is None:
        yield watch
        return
    name = folder.relative_to(layout.root).as_posix()
    _fetch(layout.bucket, name, folder, layout.root / "fetched")
    with ThreadPoolExecutor(1, "checkpoints") as thread:
        sender = _Sender(layout.bucket, name, thread)
        yield replace(watch, on_saved=sender.send)


def _fetch(bucket: Bucket, name: str, folder: Path, scratch: Path) -> None:
    newest = max(_whole(bucket, name), default="")
    here = max((path.name for path in folder.glob("step-*")), default="")
    if newest > here and fetch_folder(bucket, f"{name}/{newest}", folder / newest, scratch):
        log.info("the fit goes on from another machine's checkpoint (%s)", newest)


def _whole(bucket: Bucket, name: str) -> list[str]:
    """The names of the whole checkpoints of one fit."""
    return [found[1] for one in bucket.objects(name) if (found := re.search(rf"/(step-\d{{6,}})/{LISTED}$", one.name))]


class _Sender:
    """Sends checkpoints while the fit goes on; one that a newer one overtakes is left out."""

    def __init__(self, bucket: Bucket, name: str, thread: ThreadPoolExecutor) -> None:
        self._bucket, self._name, self._thread = bucket, name, thread
        self._waiting: Future[None] | None = None

    def send(self, checkpoint: Path) -> None:
        """Reads a checkpoint, which the next one will remove, and sends it in the background."""
        if self._waiting is not None:
            self._waiting.cancel()
        files = {path.name: path.read_bytes() for path in checkpoint.iterdir()}
        self._waiting = self._thread.submit(self._put, checkpoint.name, files)

    def _put(self, step: str, files: dict[str, bytes]) -> None:
        try:
            put_folder(self._bucket, f"{self._name}/{step}", files)
            older = [one.name for one in self._bucket.objects(self._name) if f"/{step}/" not in one.name]
            self._bucket.remove(sorted(older, key=lambda name: not name.endswith(LISTED)))
        except NoBucket as error:
            log.warning("%s, so another machine would go on from an earlier checkpoint than %s", error, step)
