"""Votes needed to halve and to quarter the base's wrong pictures, asking at random and asking what teaches most.

Both ways are judged after the same numbers of votes, on the same new prompts and seeds, by the real store, queue and
retrain. Finished points are kept in a file; a second call continues where the first stopped.
"""

import json
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from bench.loop import rows as loop_rows
from bench.loop.loop import new_meter
from bench.loop.meter import Meter
from bench.loop.rows import ONCE, Row
from feedback.pool.counts import count_drawn
from store.engine import reading
from store.migrate import open_store
from store.process.child import end_with
from store.settings import Settings

GOALS = {"half": 0.5, "a quarter": 0.25}


@dataclass(frozen=True)
class Plan:
    """`rounds` of `votes` each, a retrain after each; `share` of the pictures are chosen, where any are.

    The evaluation draws `seeds` pictures of each of `prompts`.
    """

    world: str = "drawn"
    share: float = 0.5
    votes: int = 100
    rounds: int = 6
    prompts: int = 24
    seeds: int = 6
    error_rate: float = 0.05

    @property
    def shares(self) -> tuple[float, float]:
        """NAYSAYER_ASK_SHARE of the two ways."""
        return 0.0, self.share


class Point(NamedTuple):
    """After `votes` votes, `wrong` of the evaluation's `pictures` were; the store had drawn so many by then."""

    replicate: int
    share: float
    votes: int
    wrong: int
    pictures: int
    drawn: int


def measure(settings: Settings, folder: Path, plan: Plan, replicates: Sequence[int], processes: int) -> list[Point]:
    """The points of all replicates and both ways. `folder` keeps stores and points."""
    folder.mkdir(parents=True, exist_ok=True)
    ways = [(seed, share) for seed in replicates for share in plan.shares]
    with ProcessPoolExecutor(
        processes, mp_context=get_context("spawn"), initializer=end_with, initargs=(os.getpid(),)
    ) as workers:
        running = [workers.submit(measure_one, settings, folder, plan, *way) for way in ways]
        for done in tqdm(as_completed(running), total=len(running), desc="asking", unit="run"):
            done.result()
    return [point for way in ways for point in finished(folder, *way)]


def measure_one(settings: Settings, folder: Path, plan: Plan, seed: int, share: float) -> None:
    """Measures the points that one replicate of one way lacks: the base, then each round."""
    import torch

    from trainer.base.model import silence_libraries

    torch.set_num_threads(1)
    silence_libraries()
    known = {point.votes for point in finished(folder, seed, share)}
    own = settings.model_copy(update={"ask_share": share})
    how = loop_rows.Plan(plan.world, plan.votes, plan.rounds, plan.prompts, plan.seeds, plan.error_rate)
    meter = new_meter(own, folder / f"share-{share}", how, seed)
    for round_ in range(plan.rounds + 1):
        if round_ * plan.votes not in known:
            point = Point(seed, share, round_ * plan.votes, *_judge(meter, round_))
            with _file(folder, seed, share).open("a") as file:
                file.write(json.dumps(point._asdict()) + "\n")


def finished(folder: Path, seed: int, share: float) -> list[Point]:
    """The points measured so far, by votes."""
    path = _file(folder, seed, share)
    return [Point(**json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []


def votes_to(points: Sequence[Point], goal: float) -> float | None:
    """Votes until `goal` of the base's wrong pictures are left, between two points by a straight line; None: never.

    >>> votes_to([Point(0, 0.0, 0, 40, 99, 0), Point(0, 0.0, 100, 30, 99, 0), Point(0, 0.0, 200, 10, 99, 0)], 0.5)
    150.0
    """
    ordered = sorted(points, key=lambda point: point.votes)
    wanted = goal * ordered[0].wrong
    for before, after in pairwise(ordered):
        if after.wrong <= wanted:
            way = (before.wrong - wanted) / (before.wrong - after.wrong) if before.wrong > after.wrong else 0.0
            return before.votes + way * (after.votes - before.votes)
    return None


def table(points: Sequence[Point], plan: Plan) -> str:
    """The figures for the terminal: the curve of each way, and the votes it takes, over all replicates together."""
    lines = []
    for share in plan.shares:
        summed = _summed([point for point in points if point.share == share])
        curve = ", ".join(f"{point.votes}: {point.wrong}" for point in summed)
        lines.append(f"chosen {share:.0%}   wrong of {summed[0].pictures} after so many votes   {curve}")
        for name, goal in GOALS.items():
            votes = votes_to(summed, goal)
            lines.append(f"    {name} of the base's: {'never' if votes is None else f'{votes:.0f} votes'}")
        lines.append(f"    pictures drawn: {summed[-1].drawn}")
    return "\n".join(lines)


def _judge(meter: Meter, round_: int) -> tuple[int, int, int]:
    """How many evaluation pictures are wrong, of how many, and how many pictures the store has drawn."""
    if not round_:
        faults = meter.measure(Row("base")).faults
        return sum(map(bool, faults)), len(faults), 0
    faults = meter.measure(Row(ONCE, "nft", "same-prompt", round_)).faults
    settings, _ = meter.stores.trained("nft", round_)
    with reading(open_store(settings)) as session:
        return sum(map(bool, faults)), len(faults), count_drawn(session)


def _summed(points: Sequence[Point]) -> list[Point]:
    """The replicates together, after each number of votes that all of them have."""
    by_votes = {votes: [point for point in points if point.votes == votes] for votes in {p.votes for p in points}}
    most = max(map(len, by_votes.values()))
    return [
        Point(-1, of[0].share, votes, *(sum(figures) for figures in zip(*(p[3:] for p in of), strict=True)))
        for votes, of in sorted(by_votes.items())
        if len(of) == most
    ]


def _file(folder: Path, seed: int, share: float) -> Path:
    return folder / f"points-{seed}-{share}.jsonl"
