"""The sampling worker: keeps unrated pictures ready, fills the same-seed grids, and starts a retrain when due."""

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby

from sqlalchemy import Engine

from feedback.pool import how_due
from feedback.prompts import add_prompts, list_prompts
from feedback.versions import begin, get_version
from feedback.work import Work, next_work, record_images
from store.files import only_one
from store.layout import Layout, layout_of
from store.migrate import open_store
from store.settings import Settings
from trainer.model import load_base, quiet_libraries
from trainer.sampler import Sampler

log = logging.getLogger("naysayer.worker")

IDLE_S = 0.5
RETRAIN_NICENESS = 10  # raters' pages come first
FIRST_BATCH = 2  # so that the first rater does not wait for a whole batch


def generate(settings: Settings, *, once: bool = False) -> int:
    """How many pictures were drawn, until stopped by a signal (or, with `once`, until nothing is missing)."""
    engine, layout = open_store(settings), layout_of(settings)
    with only_one(layout.root / "worker.lock", "another worker draws for this store already"), _stopping() as stop:
        sampler = prepare(engine, layout, settings)
        drawn, retrainer = 0, Retrainer(engine, settings)
        while not stop.is_set():
            work = plan(engine, settings, FIRST_BATCH if drawn == 0 else settings.sample_batch)
            drawn += draw_and_record(engine, layout, sampler, work)
            if not once:
                retrainer.look()
            if not work:
                if once:
                    break
                stop.wait(IDLE_S)
        retrainer.stop()
    return drawn


def prepare(engine: Engine, layout: Layout, settings: Settings) -> Sampler:
    """The sampler, with the base recorded as v0 and, for the built-in model, its prompts in an empty list."""
    quiet_libraries()
    base = load_base(settings)
    begin(engine, base.name, base.sha256)
    if settings.is_builtin and not list_prompts(engine):
        from trainer.world.scenes import default_prompts

        add_prompts(engine, default_prompts(), source="built-in")
    if not list_prompts(engine):
        log.warning("the prompt list is empty, nothing can be drawn; `naysayer prompts import FILE` fills it")
    return Sampler(base, layout)


def plan(engine: Engine, settings: Settings, batch: int) -> list[Work]:
    """What is missing now, under the settings."""
    return next_work(
        engine,
        target=settings.queue_target,
        batch=batch,
        base_slice=settings.base_slice,
        pairs=settings.evaluation_pairs,
    )


def draw_and_record(engine: Engine, layout: Layout, sampler: Sampler, work: Sequence[Work]) -> int:
    """How many new pictures are in the store: each version's work in one batch; blobs first, then rows."""
    recorded = 0
    for number, group in groupby(sorted(work, key=lambda one: one.version), key=lambda one: one.version):
        batch, version = list(group), get_version(engine, number)
        pictures = sampler.draw(version, [one.prompt for one in batch], [one.seed for one in batch])
        stored = [
            (one, layout.blobs.put(drawn.png), layout.blobs.put(drawn.latent))
            for one, drawn in zip(batch, pictures, strict=True)
        ]
        recorded += record_images(engine, stored, sampler.drawing_of(version))
        log.info("drew %d pictures with v%d", len(batch), number)
    return recorded


class Retrainer:
    """Runs `naysayer retrain` beside the worker when it is due; after a failure waits for new rejects."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self.engine, self.settings = engine, settings
        self.process: subprocess.Popen[bytes] | None = None
        self.tried_at = -1

    def look(self) -> None:
        """Starts one when it is due and none runs."""
        if not self.settings.retrains_itself or self._is_running():
            return
        due = how_due(self.engine, self.settings.rejects_needed)
        if due.is_due and due.new_rejects != self.tried_at:
            log.info(due.sentence)
            self.tried_at = due.new_rejects
            self.process = subprocess.Popen([sys.executable, "-m", "ui.commands", "retrain"])
            os.setpriority(os.PRIO_PROCESS, self.process.pid, RETRAIN_NICENESS)

    def stop(self) -> None:
        """Asks a running retrain to save a checkpoint and waits until it has."""
        if self._is_running():
            assert self.process is not None
            self.process.terminate()
            self.process.wait()

    def _is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None


@contextmanager
def _stopping() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set."""
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
