"""A worker's place on its device: it fills the queue and leaves when somebody asks, and comes back after that."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import NamedTuple

from sqlalchemy import Engine

from feedback.heartbeat import Heartbeat
from feedback.rate.depth import pictures_for, votes_a_minute
from feedback.retrain.stages import minutes
from feedback.sample.work import Wanted
from store.phrases import plural
from store.process import is_disk_full
from store.process.turns import WORKER, Stay, Turn
from store.settings import Settings
from store.tables import WorkerState
from trainer.base.free import give_back
from trainer.base.memory import park, unpark
from trainer.base.weights import pin_revision
from trainer.card.turn import LOOK_S, store_of, tell_loaded, turn_on_device
from trainer.sample.tries import CheckedSampler

log = logging.getLogger("naysayer.worker")

UNTIMED_S = 300.0
"""What somebody is taken to need the device for who does not know."""
FILL_SHARE, FILL_AT_LEAST_S, FILL_AT_MOST_S = 0.25, 20.0, 600.0
"""How long a worker may go on filling the queue, as a share of what the device is wanted for, and its bounds."""


class Filling(NamedTuple):
    """How the queue is filled before somebody else gets the device: up to so many pictures, and until when."""

    target: int
    until: float


class Seat:
    """A worker's place on its device, which it leaves when somebody asks for the device, and takes again after that."""

    def __init__(
        self,
        engine: Engine,
        heart: Heartbeat,
        stop: threading.Event,
        load: Callable[[Settings], CheckedSampler],
        name: str = "",
    ) -> None:
        self.engine, self.heart, self.stop, self.load, self.name = engine, heart, stop, load, name
        self.turn: Turn | None = None
        self._stay = ExitStack()
        self.filling: Filling | None = None
        self._sampler: CheckedSampler | None = None
        self._parked: CheckedSampler | None = None

    @property
    def sampler(self) -> CheckedSampler:
        assert self._sampler is not None
        return self._sampler

    def take(self, settings: Settings, meanwhile: Callable[[], object]) -> bool:
        """Waits until there is room, and loads. `meanwhile` is called while it waits; False when it is to stop."""
        if self._sampler is not None:
            return True

        def wait(others: Sequence[Stay]) -> None:
            self._tell_waiting(settings, others)
            try:
                meanwhile()
            except Exception as error:
                if not is_disk_full(error):
                    raise
            if self.stop.wait(LOOK_S):
                raise _StopWaiting

        with suppress(_StopWaiting):
            stay = turn_on_device(pin_revision(self.engine, settings), WORKER, wait, asks=False)
            self.turn = self._stay.enter_context(stay)
            self.heart.rest(WorkerState.starting)
            try:
                self._sampler = self._load(settings)
            except Exception:
                self.leave()  # so that the next try does not wait for this one
                raise
            self.heart.stand(device=", ".join(filter(None, [self._sampler.base.device_words, self.name])))
            tell_loaded(self.turn, self._sampler.base)
        return self._sampler is not None

    def adapt(self, wanted: Wanted, settings: Settings) -> Wanted:
        """What to draw next: while somebody waits for the device, only what raters will want meanwhile."""
        self._look_who_asks(settings)
        return replace(wanted, target=self.filling.target, only_queue=True) if self.filling else wanted

    def give_way(self, *, has_work: bool) -> None:
        """Leaves the device when somebody waits for it, once the queue is full or filling it has taken its time."""
        if self.filling is None or (has_work and time.monotonic() < self.filling.until):
            return
        log.info("the model leaves %s for %s", self.sampler.base.device_words, self._asking())
        self.filling, sampler, self._sampler = None, self.sampler, None
        device = sampler.base.device
        sampler.rest()
        if park(sampler.base):
            self._parked = sampler
        del sampler
        give_back(device)
        self.leave()

    def leave(self) -> None:
        """The model is gone from the device, or will be with this process."""
        self._stay.close()

    def _load(self, settings: Settings) -> CheckedSampler:
        sampler, self._parked = self._parked, None
        if sampler is None:
            return self.load(settings)
        unpark(sampler.base)
        return sampler

    def _look_who_asks(self, settings: Settings) -> None:
        wish = self.turn.device.wish() if self.turn else None
        if wish is None or self.turn is None:
            self.filling = None
        elif self.filling is None:
            seconds = wish.expected_s or UNTIMED_S
            pictures = pictures_for(seconds, votes_a_minute(self.engine), settings.overlap)
            longest = fill_at_most(seconds)
            self.filling = Filling(max(settings.queue_target, pictures), time.monotonic() + longest)
            goal = plural(self.filling.target, "picture")
            log.info("%s waits for the device; the queue is filled to %s first", self._asking(), goal)
            self.turn.tell(f"which first fills the queue to {goal}; {minutes(longest)} at most")

    def _asking(self) -> str:
        wish = self.turn.device.wish() if self.turn else None
        return wish.words(self.turn.own.store) if self.turn and wish else "another process"

    def _tell_waiting(self, settings: Settings, others: Sequence[Stay]) -> None:
        names = " and ".join(one.words(store_of(settings)) for one in others) or "another process"
        if self.heart.waits_for != names:
            log.info("waiting: %s has the device; drawing goes on when it ends", names)
        self.heart.rest(WorkerState.waiting, names)


class _StopWaiting(Exception):
    """A signal asks the worker to stop while it waits for its device."""


def fill_at_most(seconds: float) -> float:
    """How many seconds a worker may go on filling the queue when somebody wants its device for that long.

    >>> fill_at_most(10), fill_at_most(300), fill_at_most(7200)
    (20.0, 75.0, 600.0)
    """
    return min(max(FILL_SHARE * seconds, FILL_AT_LEAST_S), FILL_AT_MOST_S)
