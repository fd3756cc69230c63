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
DAY_S = 86_400
STEPS, LEAST_STEP = 5, 8


class Gauge:
    """The count that raters are told: renewed once a minute, and rounded to a step by a chance that nobody knows and
    that is another one each day. One reject more or less moves it on one of LEAST_STEP days or fewer.

    It rises with the true count; it falls only when that has fallen by a whole step, as after a retrain.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self.settings, self.clock = settings, clock
        self.minute, self.told = -1, 0

    def read(self, count: Callable[[], int]) -> int:
        """The count to tell, at most the number that makes a retrain due; `count` is asked once a minute."""
        now = self.clock()
        if (minute := int(now // RENEW_S)) != self.minute:
            self.minute, true = minute, count()
            needed = rejects_needed(self.settings)
            step = max(LEAST_STEP, needed // STEPS)
            chance = int(signature(self.settings, f"gauge {now // DAY_S}"), 16) % step
            rounded = min(needed, (true + chance) // step * step)
            if rounded > self.told or true <= self.told - step:
                self.told = rounded
        return self.told


@cache
def gauge_of(settings: Settings) -> Gauge:
    """The gauge of a store in this process."""
    return Gauge(settings)
