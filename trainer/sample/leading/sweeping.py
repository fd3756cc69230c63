"""Once a day the worker that leads removes from the bucket what no row names."""

import logging
import threading
import time

from sqlalchemy import Engine

from store.archive.orphans import sweep
from store.errors import StoreError
from store.layout import Layout

log = logging.getLogger("naysayer.worker")

FIRST_S, EVERY_S = 3600.0, 86_400.0


class Sweeper:
    """Sweeps in the background, first an hour after it was made."""

    def __init__(self, engine: Engine, layout: Layout) -> None:
        self.engine, self.layout = engine, layout
        self.due_at = time.monotonic() + FIRST_S
        self.thread: threading.Thread | None = None

    def start_if_due(self) -> None:
        """Starts a sweep when a day has passed and the store is in a bucket."""
        if self.layout.bucket_url and time.monotonic() >= self.due_at:
            self.due_at = time.monotonic() + EVERY_S
            self.thread = threading.Thread(target=self._sweep, daemon=True)
            self.thread.start()

    def _sweep(self) -> None:
        try:
            swept = sweep(self.engine, self.layout)
        except StoreError as error:
            log.warning("the bucket was not swept: %s", error)
        else:
            log.log(logging.INFO if swept.found else logging.DEBUG, "%s", swept.words)
