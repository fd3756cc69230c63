"""The worker: keeps pictures ready, fills the evaluation set, lets the gate look, starts a retrain when due.

Several may draw for one store. The first of them leads: only it measures, lets the gate look, retrains and answers
the playground; when it ends, another takes over.
"""

import errno
import logging
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from itertools import groupby
from pathlib import Path
from socket import gethostname
from uuid import uuid4

from sqlalchemy import Engine

from feedback.gate.evidence import run_gate
from feedback.gate.gate import Step
from feedback.policy import pairs_wanted, promotion_mode, rejects_needed, retrains_itself
from feedback.pool.pool import how_due
from feedback.rate.display import put_picture
from feedback.runs import bury_dead_runs, was_answered
from feedback.sample.claims import claim_work, drop_claims, drop_work, keep_claims, record_images
from feedback.sample.conditions import UNKNOWN, Conditions
from feedback.sample.cut_prompts import count_read, cut_prompts, cut_sentence
from feedback.sample.prompts import add_prompts, count_active, has_list
from feedback.sample.release import release
from feedback.sample.requests import abandon, answer, take
from feedback.sample.tries import most_tries, redraw_of
from feedback.sample.work import Wanted, Work
from feedback.settings_used import remember
from feedback.versions import damaged_versions, get_version, note_damage
from feedback.webhook import keep_announcing
from store.errors import Busy, DamagedVersion
from store.files import only_one
from store.layout import Layout, layout_of
from store.migrate import open_store
from store.phrases import plural
from store.process import catch_stop_signals, is_disk_full
from store.process.child import with_this_process
from store.settings import Settings
from store.tables import Origin, TaskKind, TaskStatus
from trainer.base.model import load_base, record_base, silence_libraries
from trainer.base.tokenizers import characters_read, tokenizers_of
from trainer.base.weights import pin_revision
from trainer.sample.asking import score_asked
from trainer.sample.measuring import measure_new
from trainer.sample.playground import draw_asked
from trainer.sample.preview import now_and_then
from trainer.sample.sampler import OnStep, require_sound
from trainer.sample.tries import CheckedSampler

log = logging.getLogger("naysayer.worker")

IDLE_S = 0.5
FULL_WAIT_S = 10.0  # how often a worker looks whether a full disk has room again
RESERVE_BYTES = 16 * 2**20  # room that drawing leaves to votes
RETRAIN_NICENESS = 10  # raters' pages come first
REPORT_EVERY_S = 2.0  # how far a drawing is
RETRAIN = (sys.executable, "-m", "trainer.commands", "retrain")
FIRST_BATCH = 2  # so that the first rater does not wait for a whole batch


def generate(settings: Settings, *, once: bool = False) -> int:
    """How many pictures were drawn, until stopped by a signal (or, with `once`, until nothing is missing)."""
    engine, layout = open_store(settings), layout_of(settings)
    name = f"{gethostname()[:40]} {os.getpid()} {uuid4().hex[:8]}"
    with ExitStack() as held, catch_stop_signals() as stop:
        leader = Leader(engine, layout, settings, held)
        leader.acquire()
        sampler = prepare(engine, layout, settings)
        remember(layout, settings)
        held.callback(drop_claims, engine, name)
        on_step = _claim_keeper(engine, name)
        if not once:
            threading.Thread(target=keep_announcing, args=(engine, settings, stop), daemon=True).start()
        drawn, is_full = 0, False
        while not stop.is_set():
            try:
                check_room(settings.data_dir)
                batch = FIRST_BATCH if drawn == 0 else settings.sample_batch
                conditions = replace(sampler.base.plain.conditions, tries=1 + settings.tries)
                work = plan(engine, settings, batch, name, conditions)
                drawn += draw_and_record(engine, layout, sampler, work, on_step)
                if leader.acquire():
                    leader.run_due(sampler, draws_alone=once)
            except Exception as error:
                if once or not is_disk_full(error):
                    raise
                if not is_full:
                    log.warning("disk full: drawing waits until there is room; rating goes on")
                is_full = True
                stop.wait(FULL_WAIT_S)
                continue
            is_full = False
            if not work:
                if once:
                    break
                stop.wait(IDLE_S)
        leader.retrainer.stop()
    return drawn


def check_room(folder: Path) -> None:
    """Raises OSError for a full disk while there is still room for votes."""
    if shutil.disk_usage(folder).free < RESERVE_BYTES:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


class Leader:
    """What one worker of a store does beside drawing."""

    def __init__(self, engine: Engine, layout: Layout, settings: Settings, held: ExitStack) -> None:
        self.engine, self.layout, self.settings, self.held = engine, layout, settings, held
        self.retrainer, self.is_mine = Retrainer(engine, settings), False

    def acquire(self) -> bool:
        """Whether this worker leads: since before, or from now on, when no other does."""
        if not self.is_mine:
            try:
                self.held.enter_context(only_one(self.layout.worker_lock, "another worker leads"))
            except Busy:
                return False
            abandon(self.engine)
            bury_dead_runs(self.engine)
            self.is_mine = True
        return True

    def run_due(self, sampler: CheckedSampler, *, draws_alone: bool) -> None:
        """Whatever is due after a batch; a worker that draws once starts no retrain and answers nobody."""
        after_drawing(self.engine, self.layout, self.settings)
        if not draws_alone:
            self.retrainer.start_if_due()
            draw_asked(self.engine, self.layout, sampler)


def prepare(engine: Engine, layout: Layout, settings: Settings) -> CheckedSampler:
    """The sampler, with the base recorded as v0 and, for the built-in model, its prompts in an empty list."""
    silence_libraries()
    base = load_base(pin_revision(engine, settings))
    record_base(engine, base)
    if settings.is_builtin and not has_list(engine):
        from trainer.world.scenes import default_prompts

        add_prompts(engine, default_prompts(), source="built-in")
    count_read(engine, partial(characters_read, tokenizers_of(base.pipe)))
    if cut := cut_sentence(cut_prompts(engine)):
        log.warning(cut)
    if count_active(engine) == 0:
        log.warning("no prompt is in use, so nothing can be drawn; `naysayer prompts import FILE` adds some")
    recheck_damaged(engine, layout)
    return CheckedSampler(base, layout)


def recheck_damaged(engine: Engine, layout: Layout) -> None:
    """Draws again with versions whose files are sound again, as after a restore."""
    for version in damaged_versions(engine):
        try:
            require_sound(layout, version)
        except DamagedVersion:
            continue
        note_damage(engine, version.number, "")
        log.info("v%d is sound again", version.number)


def plan(
    engine: Engine, settings: Settings, batch: int, worker: str = "only one", conditions: Conditions = UNKNOWN
) -> list[Work]:
    """What is missing now, under the settings, claimed for the worker."""
    wanted = Wanted(
        target=settings.queue_target,
        batch=batch,
        base_slice=settings.base_slice,
        pairs=pairs_wanted(settings),
        evaluation_share=evaluation_share(settings),
        lease_s=settings.lease_s,
        ask_share=settings.ask_share,
        conditions=conditions,
    )
    return claim_work(engine, worker, wanted)


def evaluation_share(settings: Settings) -> float:
    """Share of the waiting pictures that compare a challenger; none where promotion asks no votes."""
    return 0.0 if promotion_mode(settings) == "auto" else settings.evaluation_share


def after_drawing(engine: Engine, layout: Layout, settings: Settings) -> None:
    """Measures new evaluation pictures, puts some into the queue, and lets the gate look."""
    measure_new(engine, layout, settings)
    release(engine, settings.queue_target, evaluation_share(settings))
    if promotion_mode(settings) == "gate":
        decision = run_gate(engine, layout)
        if decision is not None and decision.step is not Step.wait:
            log.info("the gate: %s (%s)", decision.step.value.replace("_", " "), decision.sentence)


def draw_and_record(
    engine: Engine, layout: Layout, sampler: CheckedSampler, work: Sequence[Work], on_step: OnStep | None = None
) -> int:
    """How many new pictures are in the store: what is drawn alike in one batch; blobs first, then rows."""
    recorded, most = 0, partial(most_tries, sampler.base.settings)
    ordered = sorted(work, key=lambda one: (one.version, most(one)))
    for (number, tries), group in groupby(ordered, key=lambda one: (one.version, most(one))):
        batch, version = list(group), get_version(engine, number)
        redraw = redraw_of(version, tries)
        count_read(engine, partial(characters_read, tokenizers_of(sampler.base.pipe)), {one.prompt_id for one in batch})
        try:
            pictures = sampler.draw(version, [one.job for one in batch], on_step, redraw)
        except DamagedVersion as error:
            log.warning("%s", error)
            note_damage(engine, number, str(error))
            drop_work(engine, batch)
            continue
        stored = [
            (one, put_picture(layout, drawn.png), layout.blobs.put(drawn.latent))
            for one, drawn in zip(batch, pictures, strict=True)
        ]
        recorded += record_images(engine, stored, sampler.drawing_of(version, redraw), [one.tries for one in pictures])
        log.info("drew %s with v%d", plural(len(batch), "picture"), number)
    if any(one.origin is Origin.asked for one in work):
        settings = sampler.base.settings
        score_asked(engine, sampler.checker, settings.queue_target, settings.ask_share)
    return recorded


def _claim_keeper(engine: Engine, worker: str) -> OnStep:
    """Writes into the worker's claims how far its drawing is."""
    return now_and_then(lambda now: keep_claims(engine, worker, now.step, now.steps), REPORT_EVERY_S)


class Retrainer:
    """Runs `naysayer retrain` beside the worker when it is due; after a failure waits for new rejects."""

    def __init__(self, engine: Engine, settings: Settings, command: Sequence[str] = RETRAIN) -> None:
        self.engine, self.settings, self.command = engine, settings, command
        self.process: subprocess.Popen[bytes] | None = None
        self.tried_at = -1

    def start_if_due(self) -> None:
        """Starts one when it is due or was asked for, and none runs."""
        if self._is_running():
            return
        if (asked := take(self.engine, TaskKind.retrain)) is not None and asked.id is not None:
            is_met = was_answered(self.engine, asked)
            log.info("a retrain was asked for%s", ", and one has run since" if is_met else "")
            if not is_met:
                self._start("--force")
            answer(self.engine, asked.id, TaskStatus.done, {})
            return
        if not retrains_itself(self.settings):
            return
        due = how_due(self.engine, rejects_needed(self.settings), self.settings.rater_share)
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
        self.process = subprocess.Popen(with_this_process([*self.command, *options]))
        os.setpriority(os.PRIO_PROCESS, self.process.pid, RETRAIN_NICENESS)

    def _is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None
