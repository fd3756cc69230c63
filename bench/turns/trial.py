"""One trial: a worker draws, raters vote, a retrain asks for the device, and one of the two is killed on the way."""

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Engine, func
from sqlmodel import select

from feedback.rate.queue import Shown, next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from feedback.runs import newest_run
from feedback.sample.prompts import add_prompts
from store.engine import reading
from store.migrate import open_store
from store.settings import Settings
from store.tables import Image, Verdict, Version, Vote

PATIENCE_S = 600.0
LONGEST_DELAY_S = 20.0
"""The kill comes at a random moment within so long after the retrain was started."""
VOTE_EVERY_S = 2.0
TERMS = Terms(1, 60)
QUICK = {
    "NAYSAYER_NUM_INFERENCE_STEPS": "2",
    "NAYSAYER_QUEUE_TARGET": "24",
    "NAYSAYER_EVALUATION_PAIRS": "2",
    "NAYSAYER_RETRAIN_AFTER": "8",
    "NAYSAYER_AUTO_RETRAIN": "no",
    "NAYSAYER_TRAIN_STEPS": "6",
    "NAYSAYER_SWEEP_PICTURES": "4",
    "NAYSAYER_TRAIN_BATCH": "4",
    "NAYSAYER_LORA_RANK": "2",
    "NAYSAYER_CROSS_FIT": "no",
    "NAYSAYER_PROMOTION": "manual",
    "OMP_NUM_THREADS": "1",
}
"""A whole retrain takes seconds."""


class Found(NamedTuple):
    """What a trial showed; `faults` is empty when all went as it should."""

    killed: str
    after_s: float
    votes: int
    seconds: float
    faults: tuple[str, ...]


def rated_store(folder: Path, ways: dict[str, str] | None = None, prompts: Sequence[str] = ()) -> Path:
    """A store with 24 rated pictures, half of them rejects; `ways` are further settings, as environment variables.

    A model that brings no prompts needs some.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    engine = open_store(Settings(data_dir=folder, _env_file=None))
    if prompts:
        add_prompts(engine, prompts)
    log = folder.parent / "first.log"
    run(folder, log, ways or {"NAYSAYER_TURNS": "never"}, (), "generate", "--once").wait(PATIENCE_S)
    vote(engine, next_images(engine, "ann", TERMS, count=24))
    engine.dispose()
    return folder


def trial(
    template: Path, folder: Path, killed: str, seed: int, turns: dict[str, str] | None = None, by: Sequence[str] = ()
) -> Found:
    """A trial in a copy of a rated store, in which `killed` (worker, retrain or nobody) is killed with SIGKILL.

    `by` is a command that starts the programs, if one does.
    """
    data, log, began = folder / "data", folder / "models.log", time.monotonic()
    shutil.copytree(template, data)
    ways = turns or {"NAYSAYER_TURNS": "always", "NAYSAYER_TURNS_DIR": str(folder / "turns")}
    after_s = random.Random(seed).uniform(0, LONGEST_DELAY_S)
    engine, ends = open_store(Settings(data_dir=data, _env_file=None)), dict[int, float]()
    with voting(engine) as votes:
        worker = run(data, log, ways, by, "generate")
        until(lambda: resident(log, ends)[worker.pid] or worker.poll() is not None, "the worker's model")
        retrain = run(data, log, ways, by, "retrain", "--force")
        time.sleep(after_s)
        if killed == "retrain":
            kill(retrain, ends)
            retrain = run(data, log, ways, by, "retrain", "--force")
        elif killed == "worker":
            kill(worker, ends)
            worker = run(data, log, ways, by, "generate")
        until(lambda: retrain.poll() is not None, "the end of the retrain")
        until(
            lambda: resident(log, ends)[worker.pid] or worker.poll() is not None, "the worker's model after the retrain"
        )
        until(lambda: has_steered(engine) or worker.poll() is not None, "a picture of the new version")
        faults = [] if worker.poll() is None else ["the worker ended"]
    worker.send_signal(signal.SIGTERM)
    faults += ["the worker did not end well"] if worker.wait(PATIENCE_S) != 0 else []
    faults += [] if count_versions(engine) >= 2 else [f"no version was made: {newest_run(engine)}"]
    faults += lost_votes(engine, votes) + overlaps(log, ends)
    engine.dispose()
    return Found(killed, round(after_s, 1), len(votes), round(time.monotonic() - began, 1), tuple(faults))


def run(data: Path, log: Path, ways: dict[str, str], by: Sequence[str], *command: str) -> "subprocess.Popen[bytes]":
    """A command of the trainer on that store, quick, which tells the log when it has a model."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("NAYSAYER_")}
    environment = own | QUICK | {"NAYSAYER_DATA_DIR": str(data)} | ways
    with (log.parent / "said.log").open("a") as said:
        words = [*by, sys.executable, "-m", "bench.turns.child", str(log), *command]
        return subprocess.Popen(words, env=environment, stdout=said, stderr=said)


def kill(process: "subprocess.Popen[bytes]", ends: dict[int, float]) -> None:
    """Kills it with SIGKILL, and notes until when it may have had a model."""
    process.kill()
    process.wait()
    ends[process.pid] = time.monotonic()


@contextmanager
def voting(engine: Engine) -> Iterator[list[str]]:
    """Inside, a rater votes on whatever waits; the request ids of the votes that were acknowledged."""
    done, sent = threading.Event(), list[str]()

    def go_on() -> None:
        while not done.wait(VOTE_EVERY_S):
            sent.extend(vote(engine, next_images(engine, "ann", TERMS, count=1)))

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield sent
    finally:
        done.set()
        thread.join()


def vote(engine: Engine, shown: Sequence[Shown]) -> list[str]:
    """Votes on these pictures, every second one a reject; the request ids, once the votes are in the store."""
    presses = [
        Press(uuid.uuid4().hex, one.image_id, Verdict.reject if one.image_id % 2 else Verdict.keep) for one in shown
    ]
    record_votes(engine, "ann", presses, TERMS)
    return [press.request_id for press in presses]


def lost_votes(engine: Engine, sent: Sequence[str]) -> list[str]:
    """What is wrong with the votes: every acknowledged one is in the store."""
    with reading(engine) as session:
        kept = set(session.exec(select(Vote.request_id)))
    lost = set(sent) - kept
    return [f"{len(lost)} of {len(sent)} votes are lost"] if lost else [] if sent else ["nobody voted"]


def changes(log: Path) -> list[tuple[float, int, bool]]:
    """When which process got a model, or lost it."""
    rows = [line.split() for line in log.read_text().splitlines()] if log.exists() else []
    return [(float(at), int(pid), sign == "+") for at, pid, sign in rows]


def resident(log: Path, ends: dict[int, float]) -> dict[int, bool]:
    """Which process has a model now."""
    now: dict[int, bool] = defaultdict(bool)
    for _, pid, is_there in changes(log):
        now[pid] = is_there and pid not in ends
    return now


def overlaps(log: Path, ends: dict[int, float]) -> list[str]:
    """Where two processes had a model at once."""
    found, there = [], dict[int, float]()
    all_changes = sorted([*changes(log), *((at, pid, False) for pid, at in ends.items())])
    for at, pid, came in all_changes:
        others = [other for other in there if other != pid]
        if came and others:
            found.append(f"processes {pid} and {others[0]} both had a model at {at:.2f}")
        if came:
            there[pid] = at
        else:
            there.pop(pid, None)
    return found


def has_steered(engine: Engine) -> bool:
    """Whether a version besides the plain base has drawn."""
    with reading(engine) as session:
        return session.exec(select(Image.id).where(Image.version > 0)).first() is not None


def count_versions(engine: Engine) -> int:
    """How many versions there are, the plain base among them."""
    with reading(engine) as session:
        return session.exec(select(func.count()).select_from(Version)).one()


def until(true: Callable[[], object], what: str) -> None:
    """Returns once `true()` holds. Raises TimeoutError after PATIENCE_S."""
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {PATIENCE_S:.0f} s in vain for {what}")
        time.sleep(0.05)
