"""The worker's side of `feedback.workers`: a thread that says every few seconds what the worker does."""

import logging
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from socket import gethostname

from sqlalchemy import Engine

from feedback.workers import BEAT_S, Pulse, beat, sign_off
from store.tables import Worker, WorkerState

log = logging.getLogger("naysayer.worker")

LAST_BATCHES = 10


class Heartbeat:
    """What one worker does now. Its own thread tells the store, also while the worker waits for its device."""

    def __init__(self, engine: Engine, name: str) -> None:
        self.engine, self._stop = engine, threading.Event()
        self._lock, self._telling = threading.Lock(), threading.Lock()
        self._row = Worker(name=name, host=gethostname()[:80], state=WorkerState.starting)
        self._since = time.monotonic()
        self._batches: deque[tuple[int, float]] = deque(maxlen=LAST_BATCHES)

    @property
    def waits_for(self) -> str:
        """Who has the device that the worker waits for; empty while it does not wait."""
        return self._row.waits_for

    def stand(self, *, leads: bool | None = None, device: str = "") -> None:
        """Says whether this worker leads, and, once it is known, what it draws on; what is left out stays."""
        with self._lock:
            self._row.leads = self._row.leads if leads is None else leads
            self._row.device = device[:120] or self._row.device

    def rest(self, state: WorkerState = WorkerState.resting, waits_for: str = "") -> None:
        """The worker draws nothing, for the reason that `state` tells; `waits_for` is who has its device."""
        self._now(state, [], 0, waits_for)

    @contextmanager
    def drawing(self, versions: Sequence[int]) -> Iterator[None]:
        """Inside, the worker draws a picture with each of these versions; how long it takes gives its pace.

        Without any version it rests.
        """
        if not versions:
            self.rest()
            yield
            return
        began = time.monotonic()
        self._now(WorkerState.drawing, sorted(set(versions)), len(versions))
        yield
        with self._lock:
            self._batches.append((len(versions), time.monotonic() - began))
            pictures, seconds = (sum(parts) for parts in zip(*self._batches, strict=True))
            self._row.drawn += len(versions)
            self._row.per_minute = 60 * pictures / seconds if seconds else None

    def at_step(self, step: int, steps: int) -> None:
        """The drawing has come so far."""
        with self._lock:
            self._row.step, self._row.steps = step, steps

    def beat(self) -> None:
        """Tells the store once. What is told later is newer."""
        with self._telling:
            with self._lock:
                pulse = Pulse(Worker(**self._row.model_dump()), time.monotonic() - self._since)
            beat(self.engine, pulse)

    def run(self) -> None:
        """Tells the store until `end`. A store that cannot be written to now may be later."""
        while True:
            try:
                self.beat()
            except Exception as error:
                log.debug("no heartbeat: %s", error)
            if self._stop.wait(BEAT_S):
                return

    def end(self) -> None:
        """Stops the thread's next beat."""
        self._stop.set()

    def _now(self, state: WorkerState, versions: list[int], pictures: int, waits_for: str = "") -> None:
        with self._lock:
            self._row.waits_for = waits_for[:300]
            if state != self._row.state or state is WorkerState.drawing:
                self._since = time.monotonic()
            self._row.state, self._row.versions, self._row.pictures = state, versions, pictures
            self._row.step = self._row.steps = 0


@contextmanager
def beating(engine: Engine, name: str) -> Iterator[Heartbeat]:
    """A heartbeat that goes on while the body runs; an orderly end takes the worker off the list."""
    heart = Heartbeat(engine, name)
    heart.beat()
    thread = threading.Thread(target=heart.run, daemon=True)
    thread.start()
    try:
        yield heart
    finally:
        heart.end()
        thread.join()
        sign_off(engine, name)
