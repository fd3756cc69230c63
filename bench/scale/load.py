"""Many cards and raters at work on one PostgreSQL store: percentiles of what each operation took."""

import multiprocessing
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Event
from typing import Any, NamedTuple

from sqlalchemy import Engine
from tqdm import tqdm

from bench.scale.acting import OPERATIONS, Meter, SimulatedCard, SimulatedRater
from feedback.workers import BEAT_S, idle_s
from store.migrate import open_store
from store.settings import Settings

WORKER_PROCESSES = 4
"""Simulated workers only wait, so that a few processes hold them all; one holds all raters, as one serves the pages."""
WARM_S = 20.0


class Load(NamedTuple):
    """How many act, and how fast: seconds of a card for a picture, seconds of a rater for a vote."""

    cards: int
    raters: int
    card_s: float
    vote_s: float
    seconds: float

    @property
    def warm_s(self) -> float:
        """How long it works before it is measured."""
        return min(WARM_S, self.seconds)


class Took(NamedTuple):
    """Milliseconds, and how many a second."""

    p50_ms: float
    p95_ms: float
    p99_ms: float
    per_second: float


def run_load(settings: Settings, load: Load) -> dict[str, Took]:
    """What each operation took, after a time of warming up."""
    context = multiprocessing.get_context("spawn")
    answers: SimpleQueue[Any] = context.SimpleQueue()
    start = context.Event()
    cards = [list(range(n, load.cards, WORKER_PROCESSES)) for n in range(min(WORKER_PROCESSES, load.cards))]
    groups = [(_draw, some) for some in cards] + ([(_rate, list(range(load.raters)))] if load.raters else [])
    processes = [
        context.Process(target=_act, args=(act, settings, load, some, start, answers), daemon=True)
        for act, some in groups
    ]
    for process in processes:
        process.start()
    for _ in processes:
        assert answers.get() == "ready"
    start.set()
    for _ in tqdm(range(round(load.warm_s + load.seconds)), desc=f"{load.cards} cards, {load.raters} raters", unit="s"):
        time.sleep(1)
    took = [one for _ in processes for one in answers.get()]
    for process in processes:
        process.join()
    return {name: row for name in OPERATIONS if (row := summary(took, name, load.seconds))}


def summary(took: Sequence[tuple[str, float]], name: str, seconds: float) -> Took | None:
    """The percentiles of one operation; None where it hardly happened."""
    values = [1000 * one for operation, one in took if operation == name]
    if len(values) < 2:
        return None
    ranked = statistics.quantiles(values, n=100)
    p50, p95, p99 = (round(ranked[n], 2) for n in (49, 94, 98))
    return Took(p50, p95, p99, round(len(values) / seconds, 2))


Act = Callable[[Engine, Settings, Load, Meter, int, float], None]


def _act(
    act: Act, settings: Settings, load: Load, names: Sequence[int], start: Event, answers: "SimpleQueue[Any]"
) -> None:
    """One process of clients, each a thread. Answers once it is ready, and with what its operations took."""
    open_store(settings).dispose()
    answers.put("ready")
    start.wait()
    meter, until = Meter(), time.time() + load.warm_s + load.seconds
    engine = open_store(settings)
    threads = [threading.Thread(target=act, args=(engine, settings, load, meter, n, until)) for n in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    answers.put([(name, s) for name, at, s in meter.took if until - load.seconds <= at < until])
    engine.dispose()


def _draw(engine: Engine, settings: Settings, load: Load, meter: Meter, n: int, until: float) -> None:
    card = SimulatedCard(engine, settings, f"card {n}", meter)
    last_beat = 0.0
    _sleep(card.chance.random() * card.wanted.batch * load.card_s, until)
    while time.time() < until:
        works = card.claim()
        ready = time.time() + (len(works) * load.card_s or idle_s(engine))
        while time.time() < min(ready, until):
            if time.time() - last_beat > BEAT_S:
                card.beat()
                last_beat = time.time()
            _sleep(min(BEAT_S, ready - time.time()), until)
        if works and time.time() < until:
            card.record(works)


def _rate(engine: Engine, settings: Settings, load: Load, meter: Meter, n: int, until: float) -> None:
    rater = SimulatedRater(engine, settings, f"rater {n + 1}", meter)
    _sleep(rater.chance.random() * load.vote_s, until)
    rater.pick()
    while time.time() < until:
        _sleep(rater.think(load.vote_s), until)
        rater.vote()
        if rater.is_low:
            rater.pick()


def _sleep(seconds: float, until: float) -> None:
    time.sleep(max(0.0, min(seconds, until - time.time())))
