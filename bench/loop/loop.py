"""Does the loop lower the share of wrong pictures, and by which method?

Simulated raters vote through the real store and queue. Every method trains on the same votes and is judged from the
pixels of the same new prompts and seeds. Several replicates run at once, each in a process with one thread. Finished
rows are kept in a file; a second call continues where the first stopped.
"""

import json
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from bench.loop.meter import Meter
from bench.loop.rows import DEFAULT, Plan, label_of, planned_rows
from bench.loop.stores import Stores
from bench.loop.worlds import find_world, world_settings
from store.errors import BadRequest
from store.process.child import end_with
from store.settings import Settings


class Finished(NamedTuple):
    """A measured row of one replicate, as its file keeps it; the fields from `faults` on are those of Judged."""

    replicate: int
    row: str
    round: int
    faults: list[list[str]]
    spread: float
    right_spread: float
    strength: float
    guidance_scale: float
    train_s: float
    drawings: float
    draw_s: float
    own_scores: list[float]
    own_wrong: list[bool]
    base_scores: list[float]
    base_wrong: list[bool]

    @property
    def label(self) -> str:
        """The row's name in the table."""
        return label_of(self.row, self.round)


def run(settings: Settings, folder: Path, plan: Plan, replicates: Sequence[int], processes: int) -> list[Finished]:
    """The finished rows of all replicates on the plan's world. `folder` keeps stores and rows."""
    folder.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(
        processes, mp_context=get_context("spawn"), initializer=end_with, initargs=(os.getpid(),)
    ) as pool:
        is_only_one = min(processes, len(replicates)) == 1
        running = [pool.submit(replicate, settings, folder, plan, seed, is_only_one) for seed in replicates]
        for done in as_completed(running):
            done.result()
    return [row for seed in replicates for row in finished(folder, seed)]


def replicate(settings: Settings, folder: Path, plan: Plan, seed: int, is_only_one: bool) -> None:
    """Measures the rows that a replicate lacks. Each has its own prompts, votes, training seed and evaluation set."""
    import torch

    from trainer.base.model import silence_libraries

    if not is_only_one:
        torch.set_num_threads(1)
    silence_libraries()
    known = {(row.row, row.round) for row in finished(folder, seed)}
    meter = new_meter(settings, folder, plan, seed)
    for row in planned_rows(plan):
        if (row.name, row.round) not in known:
            _keep(folder, Finished(seed, row.name, row.round, *meter.measure(row)))


def new_meter(settings: Settings, folder: Path, plan: Plan, seed: int) -> Meter:
    """The meter of a replicate, with the world's base."""
    from trainer.base.model import load_base

    world = find_world(plan.world)
    stores = Stores(world, settings, folder / f"replicate-{seed}", seed, plan.votes, plan.error_rate)
    return Meter(load_base(world_settings(world, settings)), stores, plan)


def finished(folder: Path, seed: int) -> list[Finished]:
    """The rows a replicate has measured so far."""
    path = folder / f"rows-{seed}.jsonl"
    return [Finished(**json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []


def require_rows(folder: Path, rows: Sequence[Finished], *, for_page: bool) -> None:
    """Raises BadRequest unless every replicate has the base's row, which all others are compared with; the page of
    evidence also needs a round of the default method."""
    compared = {row.replicate for row in rows if row.row == "base"}
    if not rows or not compared.issuperset(row.replicate for row in rows):
        raise BadRequest(f"{folder} has no finished row of the base; run the bench without --no-measure first")
    first = label_of(DEFAULT, 1)
    if for_page and first not in {row.label for row in rows}:
        raise BadRequest(
            f"{folder} has no finished row {first!r}, which the page needs; leave out --docs, or run the bench without "
            "--no-measure first"
        )


def _keep(folder: Path, row: Finished) -> None:
    with (folder / f"rows-{row.replicate}.jsonl").open("a") as file:
        file.write(json.dumps(row._asdict()) + "\n")
