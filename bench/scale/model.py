"""A discrete-event model (SimPy) of cards, raters, their page process and one PostgreSQL.

Who acts: a card claims a batch, draws, records it, and says every few seconds that it lives; a rater thinks, votes and
fills the hand. What they wait for: the write lock of the store, one at a time; the turn to plan; the database's cores;
raters also for the page process, whose Python runs one thread at a time. An operation costs what was measured of it.
"""

import math
import random
from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import simpy

from bench.scale.acting import LOW, SPREAD
from bench.scale.costs import Costs
from bench.scale.load import Took, summary
from feedback.workers import BEAT_S, IDLE_S, OFTEN
from ui.rate.page_data import LIMITS

Steps = Generator[Any, Any, Any]
REFILL_S, EMPTY_S = 18.0, 6.0
"""How often a page asks for pictures whatever it has, and how often without any (`rating.js`)."""


class Site(NamedTuple):
    """What is modelled: seconds of a card for a picture and of a rater for a vote, votes that a picture gets.

    `target` pictures are kept ready, `stock` are there at first. Every statement crosses the network in `round_trip_s`;
    the database has `cores` for statements outside the lock; raters are spread over `pages` page processes. With
    `shares_cores` the clients run on the database's cores, as in the measurement on one machine.
    """

    cards: int
    raters: int
    card_s: float = 5.0
    vote_s: float = 8.0
    overlap: int = 1
    target: int = 24
    stock: int = 0
    round_trip_s: float = 0.0005
    cores: int = 8
    pages: int = 1
    shares_cores: bool = False


class Outcome(NamedTuple):
    """Pictures and votes a second; what part of the time each was busy; what operations took; raters without a picture.

    `waiting` is the share of a rater's time in which no picture was there.
    """

    site: Site
    pictures: float
    votes: float
    cards_busy: float
    lock_busy: float
    plan_busy: float
    pages_busy: float
    waiting: float
    took: dict[str, Took]

    @property
    def limit(self) -> str:
        """What holds back more votes: the raters themselves where nothing else does."""
        if self.lock_busy > 0.9:
            return "write lock"
        if self.plan_busy > 0.9:
            return "planning"
        if self.pages_busy > 0.9:
            return "page process"
        if self.waiting > 0.1:
            return "cards"
        return "raters"

    @property
    def took_ms(self) -> dict[str, dict[str, float]]:
        """The percentiles, as JSON has them."""
        return {name: row._asdict() for name, row in self.took.items()}


@dataclass
class _State:
    env: simpy.Environment
    site: Site
    costs: Costs
    warm_s: float
    chance: random.Random
    lock: simpy.Resource
    plan: simpy.Resource
    cores: simpy.Resource
    pages: list[simpy.Resource]
    stock: float = 0
    coming: int = 0
    pictures: int = 0
    votes: int = 0
    drawing_s: float = 0.0
    waiting_s: float = 0.0
    busy: dict[str, float] = field(default_factory=lambda: {"lock": 0.0, "pages": 0.0, "plan": 0.0})
    took: list[tuple[str, float]] = field(default_factory=list)

    @property
    def counts(self) -> bool:
        return self.env.now >= self.warm_s


def simulate(site: Site, costs: Costs, seconds: float = 120.0, warm_s: float = 60.0, seed: int = 0) -> Outcome:
    """So many seconds of a site, after a time of warming up."""
    env = simpy.Environment()
    state = _State(
        env,
        site,
        costs,
        warm_s,
        random.Random(seed),
        lock=simpy.Resource(env),
        plan=simpy.Resource(env),
        stock=site.stock,
        cores=simpy.Resource(env, site.cores),
        pages=[simpy.Resource(env) for _ in range(site.pages)],
    )
    for _ in range(site.cards):
        env.process(_card(state))
        env.process(_beats(state))
    for n in range(site.raters):
        env.process(_rater(state, state.pages[n % site.pages]))
    env.run(warm_s + seconds)
    took = {name: row for name in costs.samples if (row := summary(state.took, name, seconds))}
    return Outcome(
        site,
        state.pictures / seconds,
        state.votes / seconds,
        state.drawing_s / seconds / max(1, site.cards),
        state.busy["lock"] / seconds,
        state.busy["plan"] / seconds,
        state.busy["pages"] / seconds / site.pages,
        state.waiting_s / seconds / max(1, site.raters),
        took,
    )


def _card(state: _State) -> Steps:
    env, site = state.env, state.site
    yield env.timeout(state.chance.random() * 2 * site.card_s)
    while True:
        room = math.ceil(site.target - state.stock - state.coming)
        yield from _do(state, "claim", is_idle=room <= 0)
        if room <= 0:
            yield env.timeout(IDLE_S * max(1.0, site.cards / OFTEN))
            continue
        count = min(state.chance.choice(state.costs.batches), room)
        state.coming += count
        began = env.now
        yield env.timeout(count * site.card_s)
        state.drawing_s += max(0.0, env.now - max(began, state.warm_s))
        yield from _do(state, "record")
        state.coming -= count
        state.stock += count
        state.pictures += count * state.counts


def _beats(state: _State) -> Steps:
    yield state.env.timeout(state.chance.random() * BEAT_S)
    while True:
        yield from _do(state, "beat")
        yield state.env.timeout(BEAT_S)


def _rater(state: _State, page: simpy.Resource) -> Steps:
    env, site, hand, asked = state.env, state.site, 0, -REFILL_S
    yield env.timeout(state.chance.random() * site.vote_s)
    while True:
        if hand <= LIMITS.queue * LOW or env.now - asked >= REFILL_S:
            asked = env.now
            is_idle = not hand and state.stock * site.overlap < 1  # the page says that it has none
            yield from _do(state, "pick", page, is_idle=is_idle)
            got = min(LIMITS.queue - hand, math.floor(state.stock * site.overlap))
            hand += got
            state.stock -= got / site.overlap
        if not hand:
            yield env.timeout(EMPTY_S)
            state.waiting_s += EMPTY_S * state.counts
            continue
        yield env.timeout(state.chance.lognormvariate(math.log(site.vote_s), SPREAD))
        hand -= 1
        yield from _do(state, "vote", page)
        state.votes += state.counts


def _do(state: _State, operation: str, page: simpy.Resource | None = None, *, is_idle: bool = False) -> Steps:
    """One operation: the client's part, the database's outside the lock, then the lock; without it when idle.

    Workers plan one at a time.
    """
    env, site, cost = state.env, state.site, state.chance.choice(state.costs.samples[operation])
    began = env.now
    with ExitStack() as held:
        if operation == "claim":
            yield held.enter_context(state.plan.request())
            planned = env.now
            held.callback(lambda: _add(state, "plan", env.now - planned))
        yield from _hold(state, state.cores if site.shares_cores else page, cost.client_s, "pages" if page else "")
        yield env.timeout((cost.statements - cost.locked) * site.round_trip_s)
        yield from _hold(state, state.cores, cost.free_s)
        if cost.locked_s and not is_idle:
            yield from _hold(state, state.lock, cost.locked_s + cost.locked * site.round_trip_s, "lock")
    if state.counts:
        state.took.append((operation, env.now - began))


def _hold(state: _State, resource: simpy.Resource | None, seconds: float, name: str = "") -> Steps:
    if resource is None:
        yield state.env.timeout(seconds)
        return
    with resource.request() as turn:
        yield turn
        yield state.env.timeout(seconds)
        _add(state, name, seconds)


def _add(state: _State, name: str, seconds: float) -> None:
    if name and state.counts:
        state.busy[name] += seconds
