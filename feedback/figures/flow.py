"""How fast the queue fills and empties, and how long what waits will last."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Engine

from feedback.rate.depth import votes_a_minute
from feedback.workers import SeenWorker
from store.phrases import plural
from store.tables import WorkerState

DRAWS = (WorkerState.starting, WorkerState.drawing, WorkerState.resting)
"""Workers that draw now or soon: one that rests goes on as soon as a picture is missing."""


class Flow(NamedTuple):
    """Pictures a minute that the workers can draw and that raters judge, and how many wait.

    `drawn` is None as long as no batch has told how fast they are.
    """

    drawn: float | None
    rated: float
    waiting: int

    @property
    def lasts_min(self) -> float | None:
        """Minutes until nothing waits; None where drawing keeps up, nobody rates, or its pace is not known yet.

        >>> Flow(12, 20, 24).lasts_min, Flow(30, 20, 24).lasts_min
        (3.0, None)
        """
        if self.drawn is None or self.rated <= self.drawn:
            return None
        return self.waiting / (self.rated - self.drawn)

    @property
    def words(self) -> str:
        """Both paces and what follows in one sentence; empty where nobody rates or no pace of drawing is known yet.

        >>> Flow(12, 20, 24).words
        'Drawing 12 a minute, rated 20 a minute: the 24 waiting last about 3 minutes'
        >>> Flow(30, 2.5, 24).words
        'Drawing 30 a minute, rated 2.5 a minute: drawing keeps up'
        >>> Flow(0, 20, 0).words, Flow(12, 0, 24).words
        ('Nobody draws, rated 20 a minute: nothing waits', '')
        """
        if self.drawn is None or not self.rated:
            return ""
        drawing = f"Drawing {_figure(self.drawn)} a minute" if self.drawn else "Nobody draws"
        return f"{drawing}, rated {_figure(self.rated)} a minute: {self._outcome}"

    def words_beside(self, retrain_s: float) -> str:
        """The words; while nobody draws, also that what waits will not last for a retrain of so many seconds more.

        >>> Flow(0, 20, 24).words_beside(600).removeprefix(Flow(0, 20, 24).words)
        ', but the retrain takes about 10 minutes more; a larger NAYSAYER_QUEUE_TARGET bridges that'
        >>> Flow(0, 20, 24).words_beside(30) == Flow(0, 20, 24).words == Flow(0, 20, 24).words_beside(0)
        True
        """
        lasts = self.lasts_min
        if self.drawn or lasts is None or 60 * lasts >= retrain_s:
            return self.words
        more = f"the retrain takes {_about(retrain_s / 60)} more"
        return f"{self.words}, but {more}; a larger NAYSAYER_QUEUE_TARGET bridges that"

    @property
    def _outcome(self) -> str:
        if self.lasts_min is None:
            return "drawing keeps up"
        if not self.waiting:
            return "nothing waits"
        lasts = "lasts" if self.waiting == 1 else "last"
        return f"the {self.waiting:,} waiting {lasts} {_about(self.lasts_min)}"


def flow_of(engine: Engine, workers: Sequence[SeenWorker], waiting: int, overlap: int) -> Flow:
    """The queue's flow now; `overlap` raters judge each picture."""
    able = [worker.row for worker in workers if worker.is_there and worker.row.state in DRAWS]
    paces = [row.per_minute for row in able if row.per_minute is not None]
    drawn = None if able and not paces else sum(paces)
    return Flow(drawn, votes_a_minute(engine) / overlap, waiting)


def _figure(pace: float) -> str:
    """
    >>> _figure(12.4), _figure(2.52), _figure(3.0), _figure(0.01)
    ('12', '2.5', '3', '0.1')
    """
    return f"{max(pace, 0.1):.{0 if pace >= 10 else 1}f}".removesuffix(".0")


def _about(minutes: float) -> str:
    """
    >>> _about(0.4), _about(3.2), _about(300)
    ('less than a minute', 'about 3 minutes', 'about 5 hours')
    """
    if minutes < 1:
        return "less than a minute"
    return f"about {plural(round(minutes), 'minute') if minutes < 90 else plural(round(minutes / 60), 'hour')}"
