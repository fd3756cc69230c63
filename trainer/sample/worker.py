"""The worker: keeps pictures ready, fills the evaluation set, lets the gate look, starts a retrain when due.

Several may draw for one store. The first of them leads: only it measures, lets the gate look, retrains and answers
the playground; when it ends, another takes over. Who asks for a worker's device gets it after the next batch.
"""

import errno
import logging
import os
import shutil
import threading
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from itertools import groupby
from pathlib import Path
from socket import gethostname
from uuid import uuid4

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from feedback.heartbeat import Heartbeat, beating
from feedback.policy import pairs_wanted
from feedback.rate.display import put_picture
from feedback.sample.claims import claim_work, drop_claims, drop_work, keep_claims, record_images
from feedback.sample.conditions import UNKNOWN, Conditions
from feedback.sample.cut_prompts import count_read, cut_prompts, cut_sentence
from feedback.sample.prompts import add_prompts, count_active, has_list
from feedback.sample.tries import most_tries, redraw_of
from feedback.sample.work import Drawing, Wanted, Work
from feedback.settings_used import remember
from feedback.versions import damaged_versions, get_version, note_damage
from feedback.webhook import keep_announcing
from feedback.workers import idle_s
from store.blobs.patience import patient
from store.engine import is_server_gone
from store.errors import DamagedVersion
from store.layout import Layout, layout_of
from store.locks import LockLost
from store.migrate import open_store
from store.phrases import plural
from store.process import catch_stop_signals, is_disk_full
from store.settings import Settings
from store.settings.live import as_changed
from store.tables import Origin, WorkerState
from trainer.base.model import load_base, record_base, silence_libraries
from trainer.base.tokenizers import counter_of
from trainer.card.loading import settle
from trainer.sample.asking import score_asked
from trainer.sample.leading.leader import Leader
from trainer.sample.playground import draw_asked
from trainer.sample.preview import DrawStep, now_and_then
from trainer.sample.sampler import Drawn, OnStep, require_sound
from trainer.sample.scores.asked import AskedScores
from trainer.sample.seat import Seat
from trainer.sample.speed.storing import Storing
from trainer.sample.tries import CheckedSampler

log = logging.getLogger("naysayer.worker")

FULL_WAIT_S = 10.0  # how often a worker looks whether a full disk has room again
GONE_WAIT_S = 1.0  # how often it looks whether the database is back
RESERVE_BYTES = 16 * 2**20  # room that drawing leaves to votes
KEEP_EVERY_S = 60.0  # claims last five minutes
DISK_FULL = "disk full: drawing waits until there is room; rating goes on"
SERVER_GONE = (
    "the database does not answer: drawing goes on when it does; pictures that were not stored are drawn again"
)
FIRST_BATCH = 2  # so that the first rater does not wait for a whole batch


def generate(settings: Settings, *, once: bool = False, seat_name: str = "", name: str = "") -> int:
    """How many pictures were drawn, until stopped by a signal (or, with `once`, until nothing is missing).

    `seat_name` tells people this worker from others on the same machine. `name` is that of a worker which ended, and
    which this one replaces.
    """
    with patient(threading.Event()):
        engine, layout = open_store(settings), layout_of(settings)
    if name:
        drop_claims(engine, name)
    name = name or worker_name()
    with ExitStack() as held, catch_stop_signals() as stop:
        heart = held.enter_context(beating(engine, name))
        leader = Leader(engine, layout, settings, held)
        heart.stand(leads=leader.acquire())
        seat = Seat(engine, heart, stop, partial(_prepare_and_remember, engine, layout), seat_name)
        held.callback(seat.leave)
        meanwhile = partial(leader.run_if_mine, draws_alone=once)
        held.callback(drop_claims, engine, name)
        held.enter_context(patient(stop, partial(keep_claims, engine, name)))
        on_step = _step_teller(engine, name, heart)
        if not once:
            threading.Thread(target=keep_announcing, args=(engine, settings, stop), daemon=True).start()
        storing = held.enter_context(Storing())
        is_first, scores, trouble = True, AskedScores(engine, layout), Trouble(heart, stop, once=once)
        while not stop.is_set():
            with trouble:
                if not seat.take(settings, meanwhile):
                    break
                check_room(settings.data_dir)
                drop_unstored(engine, name, was_full=trouble.lasts)
                settings = leader.follow(as_changed(settings))
                batch = FIRST_BATCH if is_first else seat.sampler.base.settings.sample_batch
                conditions = replace(seat.sampler.base.plain.conditions, tries=1 + settings.tries)
                work = claim_work(engine, name, seat.adapt(wanted_of(settings, batch, conditions), settings))
                with heart.drawing([one.version for one in work]):
                    draw_work(engine, layout, seat.sampler, work, storing, on_step)
                is_first = is_first and not work
                is_done = not work and not storing.finish()
                if leader.run_if_mine(draws_alone=once) and not once:
                    with suppress(LockLost), leader.leading():
                        draw_asked(engine, layout, seat.sampler)
                        is_done = not scores.go_on(settings, seat.sampler.checker) and is_done
                heart.stand(leads=leader.is_leading)
                trouble.ends()
                if is_done and once:
                    break
                if is_done and not seat.filling:
                    stop.wait(idle_s(engine))
                seat.give_way(has_work=bool(work))
        storing.finish()
        leader.retrainer.stop()
    return storing.stored


def worker_name() -> str:
    """A name that no other worker has."""
    return f"{gethostname()[:40]} {os.getpid()} {uuid4().hex[:8]}"


class Trouble:
    """A block that a full disk or a restart of the database ends early: it says so once, and waits before the next try.

    Any other error goes on, and with `once` that of a full disk.
    """

    def __init__(self, heart: Heartbeat, stop: threading.Event, *, once: bool) -> None:
        self.heart, self.stop, self.once, self.lasts = heart, stop, once, False

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        if not isinstance(error, Exception) or not (is_disk_full(error) or is_server_gone(error)):
            return False
        is_full = is_disk_full(error)
        if is_full and self.once:
            return False
        if not self.lasts:
            log.warning(DISK_FULL if is_full else SERVER_GONE)
        self.lasts = True
        self.heart.rest(WorkerState.no_room if is_full else WorkerState.resting)
        self.stop.wait(FULL_WAIT_S if is_full else GONE_WAIT_S)
        return True

    def ends(self) -> None:
        """The block came through."""
        self.lasts = False


def check_room(folder: Path) -> None:
    """Raises OSError for a full disk while there is still room for votes."""
    if shutil.disk_usage(folder).free < RESERVE_BYTES:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


def drop_unstored(engine: Engine, worker: str, *, was_full: bool) -> None:
    """Gives back what the worker drew and could not store while the disk was full or the database gone."""
    if was_full:
        drop_claims(engine, worker)


def prepare(engine: Engine, layout: Layout, settings: Settings) -> CheckedSampler:
    """The sampler, with the base recorded as v0 and, for the built-in model, its prompts in an empty list."""
    silence_libraries()
    base = load_base(settle(engine, layout, settings))
    record_base(engine, base)
    if settings.is_builtin and not has_list(engine):
        from trainer.world.scenes import default_prompts

        add_prompts(engine, default_prompts(), source="built-in")
    count_read(engine, counter_of(base))
    if cut := cut_sentence(cut_prompts(engine)):
        log.warning(cut)
    if count_active(engine) == 0:
        log.warning("no prompt is in use, so nothing can be drawn; `naysayer prompts import FILE` adds some")
    recheck_damaged(engine, layout)
    return CheckedSampler(base, layout)


def _prepare_and_remember(engine: Engine, layout: Layout, settings: Settings) -> CheckedSampler:
    sampler = prepare(engine, layout, settings)
    remember(layout, settings)
    return sampler


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
    return claim_work(engine, worker, wanted_of(settings, batch, conditions))


def wanted_of(settings: Settings, batch: int, conditions: Conditions = UNKNOWN) -> Wanted:
    """How much is wanted under the settings, at most `batch` pictures at once."""
    return Wanted(
        target=settings.queue_target,
        batch=batch,
        base_slice=settings.base_slice,
        pairs=pairs_wanted(settings),
        evaluation_share=settings.evaluation_share,
        lease_s=settings.lease_s,
        ask_share=settings.ask_share,
        conditions=conditions,
    )


def draw_and_record(engine: Engine, layout: Layout, sampler: CheckedSampler, work: Sequence[Work]) -> int:
    """How many new pictures are in the store, once all of the work is."""
    with Storing() as storing:
        draw_work(engine, layout, sampler, work, storing)
    return storing.stored


def draw_work(
    engine: Engine,
    layout: Layout,
    sampler: CheckedSampler,
    work: Sequence[Work],
    storing: Storing,
    on_step: OnStep | None = None,
) -> None:
    """Draws the work, what is drawn alike in one batch; a batch is stored while the next one is drawn."""
    most = partial(most_tries, sampler.base.settings)
    ordered = sorted(work, key=lambda one: (one.version, most(one)))
    for (number, tries), group in groupby(ordered, key=lambda one: (one.version, most(one))):
        batch, version = list(group), get_version(engine, number)
        redraw = redraw_of(version, tries)
        if counter := counter_of(sampler.base):
            count_read(engine, counter, {one.prompt_id for one in batch})
        try:
            pictures = sampler.draw(version, [one.job for one in batch], on_step, redraw)
        except DamagedVersion as error:
            log.warning("%s", error)
            note_damage(engine, number, str(error))
            drop_work(engine, batch)
            continue
        drawn = list(zip(batch, pictures, strict=True))
        storing.start(partial(store_batch, engine, layout, sampler.drawing_of(version, redraw), drawn))
    if any(one.origin is Origin.asked for one in work):
        storing.finish()
        settings = sampler.base.settings
        score_asked(engine, sampler.checker, settings.queue_target, settings.ask_share)


def store_batch(engine: Engine, layout: Layout, drawing: Drawing, drawn: Sequence[tuple[Work, Drawn]]) -> int:
    """How many of these pictures, drawn in one way, are new in the store: blobs first, then rows."""
    stored = [(work, put_picture(layout, one.png), layout.blobs.put(one.latent)) for work, one in drawn]
    recorded = record_images(engine, stored, drawing, [one.tries for _, one in drawn])
    log.info("drew %s with v%d", plural(len(drawn), "picture"), drawn[0][0].version)
    return recorded


def _step_teller(engine: Engine, worker: str, heart: Heartbeat) -> OnStep:
    """Tells the worker's heartbeat how far its drawing is, and now and then renews its claims."""

    def keep_on(_now: DrawStep) -> None:
        try:
            keep_claims(engine, worker)
        except DBAPIError as error:
            if not is_server_gone(error):
                raise
            log.debug("claims not renewed: %s", error)

    keep = now_and_then(keep_on, KEEP_EVERY_S)

    def on_step(now: DrawStep) -> None:
        heart.at_step(now.step, now.steps)
        keep(now)

    return on_step
