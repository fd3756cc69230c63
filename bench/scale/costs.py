"""What one operation costs a store that does nothing else: processor time of the client, time in the write lock."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import Engine, event
from tqdm import tqdm

from bench.scale.acting import OPERATIONS, Meter, SimulatedCard, SimulatedRater
from store.settings import Settings

CARDS, RATERS = 8, 20
"""Names that act by turns, so that no rater meets the page's limit of votes a minute."""


class Cost(NamedTuple):
    """Seconds of one call: in the client's processor, and in the database before, after and while it holds the lock.

    Processor time inside the lock counts as `locked_s`. The statements are round trips: `locked` of them in the lock.
    """

    client_s: float
    free_s: float
    locked_s: float
    statements: int
    locked: int


class Costs(NamedTuple):
    """Samples of each operation, and of how many pictures a worker is given at once."""

    samples: dict[str, list[Cost]]
    batches: list[int]


def measure_costs(engine: Engine, settings: Settings, times: int) -> Costs:
    """`times` samples of every operation, one after the other."""
    meter = Meter()
    raters = [SimulatedRater(engine, settings, f"alone {n}", meter) for n in range(RATERS)]
    cards = [SimulatedCard(engine, settings, f"alone {n}", meter) for n in range(CARDS)]
    found = Costs({name: [] for name in OPERATIONS}, [])
    with _watched(engine) as watch:

        def sample(operation: str, call: Callable[[], Any]) -> Any:
            answer, cost = watch.cost_of(call)
            found.samples[operation].append(cost)
            return answer

        for rater in raters:
            rater.pick()
        for n in tqdm(range(times), desc="costs of an operation", unit="turn"):
            rater, card = raters[n % RATERS], cards[n % CARDS]
            while rater.hand and not rater.is_low:
                sample("vote", rater.vote)
            sample("pick", rater.pick)
            works = sample("claim", card.claim)
            found.batches.append(len(works))
            sample("record", partial(card.record, works))
            sample("beat", card.beat)
    return found


class _Watch:
    """Sums what an engine's connections do between two looks."""

    def __init__(self) -> None:
        self.statements = self.locked = 0
        self.locked_s = self.locked_cpu_s = 0.0
        self._since: tuple[float, float] | None = None

    def executed(self, statement: str) -> None:
        self.statements += 1
        if self._since is not None:
            self.locked += 1
        if "pg_advisory_xact_lock" in statement:
            self._since = (time.perf_counter(), time.thread_time())

    def given_back(self) -> None:
        if self._since is not None:
            wall, cpu = self._since
            self.locked_s += time.perf_counter() - wall
            self.locked_cpu_s += time.thread_time() - cpu
            self.locked += 1  # the commit
            self._since = None

    def cost_of(self, call: Callable[[], Any]) -> tuple[Any, Cost]:
        before = (self.statements, self.locked, self.locked_s, self.locked_cpu_s)
        wall, cpu = time.perf_counter(), time.thread_time()
        answer = call()
        wall, cpu = time.perf_counter() - wall, time.thread_time() - cpu
        after = (self.statements, self.locked, self.locked_s, self.locked_cpu_s)
        statements, locked, locked_s, locked_cpu_s = (new - old for new, old in zip(after, before, strict=True))
        client_s = max(0.0, cpu - locked_cpu_s)
        free_s = max(0.0, wall - locked_s - client_s)
        return answer, Cost(client_s, free_s, locked_s, int(statements), int(locked))


@contextmanager
def _watched(engine: Engine) -> Iterator[_Watch]:
    watch = _Watch()

    def executed(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        watch.executed(statement)

    def given_back(*_: Any) -> None:
        watch.given_back()

    event.listen(engine, "after_cursor_execute", executed)
    event.listen(engine, "checkin", given_back)
    try:
        yield watch
    finally:
        event.remove(engine, "after_cursor_execute", executed)
        event.remove(engine, "checkin", given_back)


def mean_cost(samples: Sequence[Cost]) -> Cost:
    """The mean of each part."""
    parts = [sum(part) / len(samples) for part in zip(*samples, strict=True)]
    return Cost(parts[0], parts[1], parts[2], round(parts[3]), round(parts[4]))
