"""What a simulated card and a simulated rater ask of the store, by the functions of the worker and the rating page."""

import math
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import uuid4

from sqlalchemy import Engine

from feedback.rate.votes import Press
from feedback.sample.claims import claim_work, record_images
from feedback.sample.work import Drawing, Wanted, Work
from feedback.workers import Pulse, beat
from store.settings import Settings
from store.tables import Verdict, Worker, WorkerState
from ui.rate.page_data import LIMITS
from ui.rate.routes import NextBody, VotesBody, next_answer, votes_answer

OPERATIONS = ("pick", "vote", "claim", "record", "beat")
"""Raters pick and vote; workers claim, record and say that they live."""
DRAWING = Drawing("plain", 0.0, 3.0, 10, 64, 64)
REJECTS, SPREAD, LOW = 0.3, 0.6, 3 / 4


class Meter:
    """Seconds of each operation, with the moment (of `time.time`) at which it began."""

    def __init__(self) -> None:
        self.took: list[tuple[str, float, float]] = []

    @contextmanager
    def timing(self, operation: str) -> Iterator[None]:
        """Notes how long the body takes; a body that raises is not noted."""
        at, began = time.time(), time.perf_counter()
        yield
        self.took.append((operation, at, time.perf_counter() - began))


class SimulatedRater:
    """A rater's page in mode One: a press sends the vote; it asks for more when a quarter of its hand is gone."""

    def __init__(self, engine: Engine, settings: Settings, name: str, meter: Meter) -> None:
        self.engine, self.settings, self.name, self.meter = engine, settings, name, meter
        self.hand: list[int] = []
        self.chance = random.Random(name)

    def pick(self) -> None:
        """Fills the hand."""
        body = NextBody(rater=self.name, count=LIMITS.queue, recent=False, has_none=not self.hand)
        with self.meter.timing("pick"):
            answer = next_answer(self.engine, self.settings, body)
        self.hand = [image["id"] for image in answer["images"]]

    @property
    def is_low(self) -> bool:
        """Whether the page asks for more pictures, as its `queue.js` decides."""
        return len(self.hand) <= LIMITS.queue * LOW

    def vote(self) -> None:
        """Votes on the first picture of the hand, where there is one."""
        for number in self.hand[:1]:
            verdict = Verdict.reject if self.chance.random() < REJECTS else Verdict.keep
            press = Press(request_id=uuid4().hex, image_id=number, verdict=verdict)
            with self.meter.timing("vote"):
                answer = votes_answer(self.engine, self.settings, VotesBody(rater=self.name, votes=[press]))
            refused = [receipt["refused"] for receipt in answer["receipts"] if receipt["refused"]]
            assert not refused, refused
            self.hand.pop(0)

    def think(self, median_s: float) -> float:
        """Seconds until the next vote, spread as those of real raters (`naysayer bench ratings`)."""
        return self.chance.lognormvariate(math.log(median_s), SPREAD)


class SimulatedCard:
    """A worker whose pictures take time and hold no pixels."""

    def __init__(self, engine: Engine, settings: Settings, name: str, meter: Meter) -> None:
        self.engine, self.name, self.meter = engine, name, meter
        self.chance = random.Random(name)
        self.wanted = Wanted(
            target=settings.queue_target, batch=settings.sample_batch, base_slice=0.5, pairs=12, only_queue=True
        )

    def claim(self) -> Sequence[Work]:
        """What to draw next."""
        with self.meter.timing("claim"):
            return claim_work(self.engine, self.name, self.wanted)

    def record(self, works: Sequence[Work]) -> int:
        """How many of these pictures are new in the store."""
        drawn = [(work, uuid4().hex * 2, uuid4().hex * 2) for work in works]
        with self.meter.timing("record"):
            return record_images(self.engine, drawn, DRAWING)

    def beat(self) -> None:
        """Says that it lives."""
        row = Worker(name=self.name, host=self.name, state=WorkerState.drawing, pictures=self.wanted.batch)
        with self.meter.timing("beat"):
            beat(self.engine, Pulse(row, 0.0))
