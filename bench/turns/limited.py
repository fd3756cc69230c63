"""Worker and retrain in a control group whose memory holds one of their models, and not both."""

import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import psutil
import torch

from bench.turns.group import Group, memory_limited
from bench.turns.heavy import write_heavy
from bench.turns.trial import (
    QUICK,
    Found,
    changes,
    rated_store,
    resident,
    run,
    trial,
    until,
)
from store.process.turns import RETRAIN, WORKER
from store.settings import Settings
from trainer.card.sizes import LIBRARIES
from trainer.card.turn import needs_of
from trainer.world.scenes import default_prompts

SHORT = {"NAYSAYER_TRAIN_STEPS": "2", "NAYSAYER_TRAIN_BATCH": "2", "NAYSAYER_STRENGTH": "1"}
LOOK_S = 0.1
STAYS_AT_MOST = 0.5
"""Of the memory that a worker takes with its model, what it may keep once it has let the model go."""


class Heavy(NamedTuple):
    """A rated store of a heavy model, and how many bytes hold one process with that model but not two."""

    template: Path
    model: Path
    limit: int

    def ways(self, folder: Path, turns: str) -> dict[str, str]:
        """The settings of programs that agree in that folder."""
        own = {"NAYSAYER_MODEL": str(self.model), "NAYSAYER_TURNS": turns}
        return SHORT | own | {"NAYSAYER_TURNS_DIR": str(folder / "turns")}


class Sample(NamedTuple):
    """A process at a moment of the machine's monotonic clock, and the bytes that only it has in memory."""

    at: float
    process: int
    own: int


def heavy_store(folder: Path) -> Heavy:
    """Writes the model, and draws and rates a store with it."""
    model, data = write_heavy(folder / "model"), folder / "data"
    settings = Settings(_env_file=None, data_dir=data, model=str(model), lora_rank=int(QUICK["NAYSAYER_LORA_RANK"]))
    rated_store(data, {"NAYSAYER_MODEL": str(model), "NAYSAYER_TURNS": "never"}, default_prompts())
    needs = [needs_of(what, settings, torch.device("cpu")) for what in (WORKER, RETRAIN)]
    return Heavy(data, model, (max(needs) + LIBRARIES + sum(needs)) // 2)


def killed_without_turns(heavy: Heavy, folder: Path) -> int:
    """How many of the two processes the kernel kills when they take no turns; 0 if the retrain ends first."""
    data, log = folder / "data", folder / "models.log"
    shutil.copytree(heavy.template, data)
    with memory_limited(heavy.limit) as group:
        ways = heavy.ways(folder, "never")
        worker = run(data, log, ways, group.by, "generate")
        until(lambda: resident(log, {})[worker.pid] or worker.poll() is not None, "the worker's model")
        retrain = run(data, log, ways, group.by, "retrain", "--force")
        until(lambda: group.kills or retrain.poll() is not None, "one of the two being killed")
        found = group.kills
        for process in (worker, retrain):
            process.kill()
            process.wait()
    return found


def limited_trial(heavy: Heavy, folder: Path, killed: str, seed: int) -> Found:
    """A trial in which the processes find out by themselves that their models do not fit together."""
    with memory_limited(heavy.limit) as group, sampling(group) as samples:
        found = trial(heavy.template, folder, killed, seed, heavy.ways(folder, "auto"), group.by)
        faults = [f"{group.kills} processes were killed because memory was full"] if group.kills else []
    faults += kept(samples, folder / "models.log", must_let_go=killed != WORKER)
    return found._replace(faults=found.faults + tuple(faults))


@contextmanager
def sampling(group: Group) -> Iterator[list[Sample]]:
    """Inside, the list grows by what each process of the group has in memory, ten times a second."""
    done, found = threading.Event(), list[Sample]()

    def go_on() -> None:
        while not done.wait(LOOK_S):
            for process in group.processes():
                with suppress(psutil.NoSuchProcess):
                    memory = psutil.Process(process).memory_info()
                    found.append(Sample(time.monotonic(), process, memory.rss - memory.shared))

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield found
    finally:
        done.set()
        thread.join()


def kept(samples: Sequence[Sample], log: Path, *, must_let_go: bool) -> list[str]:
    """What is wrong with what processes keep that let their model go and live on: it is at most STAYS_AT_MOST.

    A worker that is killed need not let go before.
    """
    shares = [after / before for before, after in let_go(samples, log)]
    if must_let_go and not shares:
        return ["no process let its model go"]
    return [f"a process kept {share:.0%} of its memory without its model" for share in shares if share > STAYS_AT_MOST]


def let_go(samples: Sequence[Sample], log: Path) -> list[tuple[int, int]]:
    """Of each time that a process was without its model between two: its most bytes before, and its least meanwhile."""
    found = []
    for process in {one for _, one, _ in changes(log)}:
        own = [(at, came) for at, one, came in changes(log) if one == process]
        for (left, came), (back, _) in pairwise(own):
            before = [one.own for one in samples if one.process == process and one.at < left]
            meanwhile = [one.own for one in samples if one.process == process and left < one.at < back]
            if not came and before and meanwhile:
                found.append((max(before), min(meanwhile)))
    return found
