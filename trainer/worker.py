"""The worker: keeps pictures ready, fills the evaluation set, lets the gate look, starts a retrain when due."""

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from itertools import groupby

from sqlalchemy import Engine

from feedback.announce import keep_announcing
from feedback.evidence import record_measures, run_gate, unmeasured
from feedback.gate import Step
from feedback.guardrails import Scorer, measure
from feedback.pool import how_due
from feedback.prompts import add_prompts, list_prompts
from feedback.tasks import abandon, answer, take
from feedback.versions import PLAIN, begin, get_version
from feedback.work import Work, next_work, record_images, release
from store.display import put_picture
from store.errors import BadRequest, NaysayerError
from store.files import only_one
from store.layout import Layout, layout_of
from store.migrate import open_store
from store.settings import Settings
from store.tables import TaskKind, TaskStatus
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
        abandon(engine)
        told = threading.Thread(target=keep_announcing, args=(engine, settings, stop), daemon=True)
        if not once:
            told.start()
        drawn, retrainer = 0, Retrainer(engine, settings)
        while not stop.is_set():
            work = plan(engine, settings, FIRST_BATCH if drawn == 0 else settings.sample_batch)
            drawn += draw_and_record(engine, layout, sampler, work)
            after_drawing(engine, layout, settings)
            if not once:
                retrainer.look()
                draw_asked(engine, layout, sampler)
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
        pairs=settings.pairs_wanted,
        evaluation_share=evaluation_share(settings),
    )


def evaluation_share(settings: Settings) -> float:
    """Share of the waiting pictures that compare a challenger; none where promotion asks no votes."""
    return 0.0 if settings.promotion_used == "auto" else settings.evaluation_share


def after_drawing(engine: Engine, layout: Layout, settings: Settings) -> None:
    """Measures new evaluation pictures, puts some into the queue, and lets the gate look."""
    measure_new(engine, layout, settings)
    release(engine, settings.queue_target, evaluation_share(settings))
    if settings.promotion_used == "gate":
        decision = run_gate(engine, layout)
        if decision is not None and decision.step is not Step.wait:
            log.info("the gate: %s (%s)", decision.step.value.replace("_", " "), decision.sentence)


def measure_new(engine: Engine, layout: Layout, settings: Settings, limit: int = 64) -> int:
    """How many evaluation pictures were measured for the guardrails."""
    waiting = unmeasured(engine, limit)
    if not waiting:
        return 0
    score = prompt_scorer(settings.prompt_scorer)
    record_measures(engine, [(n, measure(layout.blobs.get(sha256), prompt, score)) for n, sha256, prompt in waiting])
    return len(waiting)


def prompt_scorer(name: str) -> Scorer | None:
    """The function that `module:function` names, None where none is given. Raises BadRequest when it is not there."""
    if not name:
        return None
    module, _, function = name.partition(":")
    try:
        return getattr(import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise BadRequest(f"NAYSAYER_PROMPT_SCORER names {name!r}, which cannot be loaded ({error})") from error


def draw_asked(engine: Engine, layout: Layout, sampler: Sampler) -> None:
    """Draws what the playground asked for, one picture after the other, each told as soon as it is there.

    The pictures are files alone: they are no part of the loop, nobody rates them.
    """
    asked = take(engine, TaskKind.draw)
    if asked is None or asked.id is None:
        return
    body, answers = asked.body, dict[str, str]()
    try:
        for number in body["versions"]:
            version = get_version(engine, number)
            if number != PLAIN and body["strength"] is not None:
                version = version.model_copy(update={"strength": body["strength"]})
            [drawn] = sampler.draw(version, [body["prompt"]], [body["seed"]])
            answers[str(number)] = put_picture(layout, drawn.png)
            answer(engine, asked.id, TaskStatus.running, answers)
        answer(engine, asked.id, TaskStatus.done, answers)
    except NaysayerError as error:
        answer(engine, asked.id, TaskStatus.failed, answers, str(error))


def draw_and_record(engine: Engine, layout: Layout, sampler: Sampler, work: Sequence[Work]) -> int:
    """How many new pictures are in the store: each version's work in one batch; blobs first, then rows."""
    recorded = 0
    for number, group in groupby(sorted(work, key=lambda one: one.version), key=lambda one: one.version):
        batch, version = list(group), get_version(engine, number)
        pictures = sampler.draw(version, [one.prompt for one in batch], [one.seed for one in batch])
        stored = [
            (one, put_picture(layout, drawn.png), layout.blobs.put(drawn.latent))
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
        """Starts one when it is due or was asked for, and none runs."""
        if self._is_running():
            return
        if (asked := take(self.engine, TaskKind.retrain)) is not None and asked.id is not None:
            log.info("a retrain was asked for")
            self._start("--force")
            answer(self.engine, asked.id, TaskStatus.done, {})
            return
        if not self.settings.retrains_itself:
            return
        due = how_due(self.engine, self.settings.rejects_needed)
        if due.is_due and due.new_rejects != self.tried_at:
            log.info(due.sentence)
            self.tried_at = due.new_rejects
            self._start()

    def stop(self) -> None:
        """Asks a running retrain to save a checkpoint and waits until it has."""
        if self._is_running():
            assert self.process is not None
            self.process.terminate()
            self.process.wait()

    def _start(self, *options: str) -> None:
        self.process = subprocess.Popen([sys.executable, "-m", "ui.commands", "retrain", *options])
        os.setpriority(os.PRIO_PROCESS, self.process.pid, RETRAIN_NICENESS)

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
