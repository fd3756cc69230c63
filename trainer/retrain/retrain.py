"""`make retrain`: when due, freeze, fit and publish. One at a time; resumable; a failed one publishes nothing."""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from threading import Event
from time import sleep
from typing import Any, NamedTuple

from sqlalchemy import Engine

from feedback.exchange.pictures.others import follow_setting, pictures_of_other_bases
from feedback.policy import promotion_mode, rejects_needed
from feedback.pool.pool import PoolItem, how_due
from feedback.retrain.manifest import FrozenManifest, freeze, load_manifest
from feedback.retrain.progress import WHOLE, Teller, progress_of, recorder
from feedback.retrain.stages import FIT, LOAD, Phase, Stage
from feedback.retrain.strength_votes import judged_strengths, last_strength
from feedback.runs import STOPPED, bury_dead_runs, can_resume, is_stop_asked, latest_run
from feedback.succession import AT_ONCE
from feedback.versions import promote
from store.blobs.patience import patient
from store.engine import RETRAIN_LOCK, reading, writing
from store.errors import Interrupted, NaysayerError
from store.layout import Layout, layout_of
from store.locks import holding
from store.migrate import open_store
from store.phrases import plural
from store.process import catch_stop_signals
from store.process.turns import RETRAIN
from store.settings import Settings
from store.tables import Run, RunStatus, utc_now
from trainer.retrain.processes import is_leader, leading, receive_manifest_id

log = logging.getLogger(__name__)

LOADING, FITTING, PUBLISHING = "loading the model", "fitting", "publishing"
SMALLER = ["NAYSAYER_SAMPLE_BATCH=1 draws one picture at once", "smaller pictures (NAYSAYER_WIDTH_PX)"]
"""What to lower when memory runs out while strengths are tried or files are checked."""

# torch is imported only once a retrain is due, because cron may ask every minute.


class RetrainResult(NamedTuple):
    """A sentence on how a retrain ended, and the version it published, if any."""

    sentence: str
    version: int | None = None


def retrain(settings: Settings, *, force: bool = False) -> RetrainResult:
    """Publishes a challenger when there are enough new rejects, or resumes an interrupted run; else says why not.

    Of several processes the first does all this, and the others help to fit.
    Raises Busy when another one runs, Interrupted after SIGTERM or SIGINT (a checkpoint is saved).
    """
    if not is_leader():
        return _help_to_fit(settings)
    engine, layout = open_store(settings), layout_of(settings)
    bury_dead_runs(engine)
    busy = "another retrain runs on this store; try again when it has ended"
    with leading(settings) as broadcast, holding(engine, RETRAIN_LOCK, busy):
        unfinished = _find_unfinished(engine)
        follow_setting(engine, settings.other_bases)
        due = how_due(engine, rejects_needed(settings), settings.rater_share)
        if unfinished is None and not due.is_due and not force:
            return RetrainResult(due.sentence)
        is_asked = force and unfinished is None
        with _record_refusal(engine) if is_asked else nullcontext():
            return _train_and_publish(engine, layout, settings, unfinished, broadcast)


def _train_and_publish(
    engine: Engine, layout: Layout, settings: Settings, unfinished: Run | None, broadcast: Callable[[str], None]
) -> RetrainResult:
    from trainer.base.free import give_back
    from trainer.base.memory import advise_on_memory
    from trainer.base.model import silence_libraries
    from trainer.fit.cache import Cache
    from trainer.fit.fit import Watch
    from trainer.fit.lost import name_lost
    from trainer.fit.training import Training, choose_steps
    from trainer.retrain.check import check_stages, compare, cut_check, learn_check
    from trainer.retrain.cross_fit import cross_fit, encode, followed, stages_before
    from trainer.retrain.provenance import remove_checkpoints
    from trainer.retrain.publish import Made, publish_version, remove_leftovers
    from trainer.retrain.shared_checkpoints import fit_shared
    from trainer.retrain.strength import choose_strength, strength_stage
    from trainer.retrain.trigger import trigger_change

    silence_libraries()
    _ask_for_determinism(settings)
    remove_leftovers(engine, layout)
    if _was_stopped(engine):
        remove_checkpoints(layout)
    teller = Teller()
    with ExitStack() as held:
        held.enter_context(patient(Event()))
        base, begun = _load(engine, settings, unfinished, teller, held)
        manifest, lost = _freeze_or_load(engine, settings, unfinished, base.sha256)
        settings = choose_steps(base.settings, len(manifest.items))
        training = Training(base, Cache(base, layout.blobs, layout.cache), manifest, settings)
        run = _start(engine, begun or unfinished, manifest)
        held.enter_context(_record_failure(engine, run))
        held.enter_context(advise_on_memory(lambda: SMALLER))
        stop = held.enter_context(catch_stop_signals())
        held.enter_context(patient(stop))
        watch = Watch(should_stop=lambda: stop.is_set() or _is_stop_asked(engine, run))
        last = last_strength(engine, settings.rule)
        whole = [Stage(FITTING, Phase.fit, FIT, settings.train_steps), strength_stage(training, last)]
        publishing = Stage(PUBLISHING, Phase.publish, LOAD, 1)  # it loads what it publishes once more
        teller.should_stop = watch.should_stop
        teller.plan([*stages_before(training), *whole, *check_stages(training), publishing], _told_before(engine, run))
        teller.report = recorder(engine, run)
        broadcast(manifest.id)
        encode(training, teller)
        crossed = cross_fit(training, layout, watch, teller)
        with followed(watch, teller, FITTING) as watching:
            fitted = fit_shared(training, layout, watching)
        give_back(base.device)  # drawing needs it next
        fitted.curve[-1].update(trigger_change(training))
        choice = choose_strength(training, judged_strengths(engine, settings.rule), teller, last)
        learnt = learn_check(training, crossed, teller)
        choice = compare(training, crossed, learnt.check, choice, teller)
        check = cut_check(training, choice.strength, learnt, teller)
        made = Made(base, fitted, choice, manifest, settings, run, check)
        with teller.stage(PUBLISHING, can_stop=False) as tell:
            version = publish_version(engine, layout, made, tell)
        teller.tell(is_due=True)
    remove_checkpoints(layout)
    if promotion_mode(settings) == "auto":
        promote(engine, version.number, AT_ONCE)
    about_lost = f"; {name_lost(lost)}" if lost else ""
    return RetrainResult(f"published v{version.number}, trained on {manifest.words}{about_lost}", version.number)


def _load(
    engine: Engine, settings: Settings, unfinished: Run | None, teller: Teller, held: ExitStack
) -> tuple[Any, Run | None]:
    """The base, on a device where this retrain has its turn until `held` closes; and its run, if it had to wait."""
    from trainer.base.model import load_base, record_base
    from trainer.card.loading import keep_choice, settle
    from trainer.card.turn import tell_loaded
    from trainer.retrain.running.waiting import taking_turn

    teller.plan([Stage(LOADING, Phase.load, LOAD, 1)])
    waited = held.enter_context(taking_turn(engine, settings, teller, partial(_begin, engine, unfinished)))
    with teller.stage(LOADING) as tell:
        base = load_base(settle(engine, layout_of(settings), settings, resumes=unfinished is not None), tell)
    tell_loaded(waited.turn, base)
    record_base(engine, base)
    keep_choice(layout_of(settings), base.settings)
    return base, waited.run


def _help_to_fit(settings: Settings) -> RetrainResult:
    """Another process's part of a retrain: it takes its fraction of every batch; the leader does the rest."""
    from trainer.base.model import load_base, silence_libraries
    from trainer.base.weights import pin_revision
    from trainer.card.loading import settle
    from trainer.card.turn import LOOK_S, tell_loaded, turn_on_device
    from trainer.fit.cache import Cache
    from trainer.fit.fit import Watch
    from trainer.fit.training import Training, choose_steps
    from trainer.retrain.cross_fit import help_to_cross_fit
    from trainer.retrain.shared_checkpoints import fit_shared

    silence_libraries()
    _ask_for_determinism(settings)
    manifest_id = receive_manifest_id(settings)
    if manifest_id is None:
        return RetrainResult("the leader had nothing to fit")
    engine, layout = open_store(settings), layout_of(settings)
    manifest = load_manifest(engine, manifest_id)
    pinned = pin_revision(engine, settings)
    with (
        turn_on_device(pinned, RETRAIN, lambda others: sleep(LOOK_S)) as turn,
        catch_stop_signals() as stop,
        patient(stop),
    ):
        base = load_base(settle(engine, layout, settings))
        tell_loaded(turn, base)
        settings = choose_steps(base.settings, len(manifest.items))
        training = Training(base, Cache(base, layout.blobs, layout.cache), manifest, settings)
        watch = Watch(should_stop=stop.is_set)
        help_to_cross_fit(training, layout, watch)
        fit_shared(training, layout, watch)
    return RetrainResult(f"helped to fit {plural(len(manifest.items), 'rated picture')}; the leader publishes")


def _ask_for_determinism(settings: Settings) -> None:
    if settings.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS reads it once, when it starts


def _find_unfinished(engine: Engine) -> Run | None:
    """The last run, when it was interrupted and can go on."""
    with reading(engine) as session:
        run = latest_run(session)
        return run if can_resume(run) else None


def _was_stopped(engine: Engine) -> bool:
    """Whether a person stopped the last run, so that this one starts from scratch."""
    with reading(engine) as session:
        run = latest_run(session)
        return run is not None and run.status is RunStatus.failed and run.stop_reason is not None


def _freeze_or_load(
    engine: Engine, settings: Settings, unfinished: Run | None, base_sha256: str
) -> tuple[FrozenManifest, frozenset[int]]:
    """The manifest to fit, and the pictures that are not in it because their files are lost."""
    from trainer.fit.lost import find_lost, name_lost

    layout = layout_of(settings)
    if unfinished is not None and unfinished.manifest_id is not None:
        manifest = load_manifest(engine, unfinished.manifest_id)
        if not (lost := find_lost(layout.blobs, manifest.items)):
            return manifest, lost
        log.warning("the interrupted retrain cannot go on and starts again: %s", name_lost(lost))
    gone: list[frozenset[int]] = []

    def find(items: Sequence[PoolItem]) -> frozenset[int]:
        gone.append(find_lost(layout.blobs, items))
        return gone[0]

    factors = dict.fromkeys(pictures_of_other_bases(engine), settings.other_bases or 1.0)
    manifest = freeze(engine, base_sha256, find_lost=find, share=settings.rater_share, factors=factors)
    if gone[0]:
        log.warning("%s", name_lost(gone[0]))
    return manifest, gone[0]


def _begin(engine: Engine, unfinished: Run | None, held: ExitStack) -> Run:
    """The run before its manifest is frozen; when `held` closes, how it ended is recorded, if not well."""
    run = _start(engine, unfinished)
    held.enter_context(_record_failure(engine, run))
    return run


def _start(engine: Engine, earlier: Run | None, manifest: FrozenManifest | None = None) -> Run:
    """The run, as running. It resumes an earlier one that has a manifest."""
    with writing(engine) as session:
        run = earlier or Run(status=RunStatus.running)
        run.status, run.steps, run.updated_at = RunStatus.running, WHOLE, utc_now()
        run.message = "resumed" if run.manifest_id else ""
        run.manifest_id = manifest.id if manifest else run.manifest_id
        return session.merge(run)


def _told_before(engine: Engine, run: Run) -> list[Stage]:
    """The stages of an interrupted attempt of this run."""
    return [] if run.id is None else progress_of(engine, run.id).stages


@contextmanager
def _record_refusal(engine: Engine) -> Iterator[None]:
    """What ends before its run has begun is recorded as a failed run, so that the pages tell whoever asked for it."""
    with reading(engine) as session:
        before = latest_run(session)
    try:
        yield
    except NaysayerError as error:
        with writing(engine) as session:
            now = latest_run(session)
            if (now and now.id) == (before and before.id):
                session.add(Run(status=RunStatus.failed, message=str(error)[:500]))
        raise


@contextmanager
def _record_failure(engine: Engine, run: Run) -> Iterator[None]:
    """Records in the run's row that it failed or was interrupted; success is recorded with its version."""
    try:
        yield
    except Interrupted as error:
        if _is_stop_asked(engine, run):
            _end(engine, run, RunStatus.failed, STOPPED)
        else:
            _end(engine, run, RunStatus.interrupted, str(error))
        raise
    except (Exception, KeyboardInterrupt) as error:
        message = str(error) if isinstance(error, NaysayerError) else f"{type(error).__name__}: {error}"
        _end(engine, run, RunStatus.failed, message[:500])
        raise


def _is_stop_asked(engine: Engine, run: Run) -> bool:
    return run.id is not None and is_stop_asked(engine, run.id)


def _end(engine: Engine, run: Run, status: RunStatus, message: str) -> None:
    with writing(engine) as session:
        row = session.get_one(Run, run.id)
        row.status, row.message, row.updated_at = status, message, utc_now()
        session.add(row)
