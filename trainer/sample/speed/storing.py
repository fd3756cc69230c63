"""Drawn pictures become files and rows on a separate thread, while the device draws the next ones."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self


class Storing:
    """Does one batch's work in the background; the next batch's waits for it.

    An error of the background is raised by the call that comes next. `stored` counts what the works have given so far.
    """

    def __init__(self) -> None:
        self.stored = 0
        self._thread = ThreadPoolExecutor(1, "storing")
        self._pending: Future[int] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        with self._thread:
            self.finish()

    def start(self, work: Callable[[], int]) -> None:
        """Starts a work, which gives how many pictures it stored, once the one before has ended.

        When that failed, its error is raised once this one has ended.
        """
        before, self._pending = self._pending, self._thread.submit(work)
        try:
            self._count(before)
        except BaseException:
            self.finish()
            raise

    def finish(self) -> int:
        """How many pictures a work stored that had not been counted; none is in the background afterwards."""
        pending, self._pending = self._pending, None
        return self._count(pending)

    def _count(self, work: Future[int] | None) -> int:
        found = work.result() if work else 0
        self.stored += found
        return found
