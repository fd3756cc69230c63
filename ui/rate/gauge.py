"""How far the next retrain is, as raters are told: about, and not at once.

The true count rises with a reject of a sampled picture and with no other. A rater who rejects, looks and takes the
reject back would learn from it which pictures are controls, repeats and evaluation pictures.
"""

import time
from collections.abc import Callable
from functools import cache

from feedback.policy import rejects_needed
from store.settings import Settings
from ui.web.signing import signature

RENEW_S = 60
STEPS, LEAST_STEP = 5, 8


class Gauge:
    """The count that raters are told. It is renewed once a minute and rounded to a step, by a chance that nobody knows
    and that is another one each minute: one reject more or less moves it in one of LEAST_STEP minutes or fewer."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self.settings, self.clock = settings, clock
        self.minute, self.told = -1, 0

    def read(self, count: Callable[[], int]) -> int:
        """The count to tell, at most the number that makes a retrain due; `count` is asked once a minute."""
        minute = int(self.clock() // RENEW_S)
        if minute != self.minute:
            needed = rejects_needed(self.settings)
            step = max(LEAST_STEP, needed // STEPS)
            chance = int(signature(self.settings, f"gauge {minute}"), 16) % step
            self.minute, self.told = minute, min(needed, (count() + chance) // step * step)
        return self.told


@cache
def gauge_of(settings: Settings) -> Gauge:
    """The gauge of a store in this process."""
    return Gauge(settings)
