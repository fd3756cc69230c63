"""`make retrain`: when due, freeze, fit and publish. One at a time; resumable; a failed one publishes nothing."""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from sqlalchemy import Engine

from feedback.policy import promotion_mode, rejects_needed
from feedback.pool.pool import PoolItem, how_due
from feedback.retrain.manifest import FrozenManifest, freeze, load_manifest
from feedback.retrain.strength_votes import judged_strengths
from feedback.runs import STOPPED, bury_dead_runs, is_stop_asked, latest_run
from feedback.versions import promote
from store.engine import reading, writing
from store.errors import Interrupted, NaysayerError
from store.files import only_one
from store.layout import Layout, layout_of
from store.migrate import open_store
from store.process import catch_stop_signals
from store.settings import Settings
from store.tables import Run, RunStatus, utc_now
from trainer.retrain.processes import is_leader, leading, receive_manifest_id

log = logging.getLogger(__name__)

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
    with leading(settings) as broadcast, only_one(layout.retrain_lock, busy):
        unfinished = _find_unfinished(engine)
        due = how_due(engine, rejects_needed(settings), settings.rater_share)
        if unfinished is None and not due.is_due and not force:
            return RetrainResult(due.sentence)
        return _train_and_publish(engine, layout, settings, unfinished, broadcast)


def _train_and_publish(
    engine: Engine, layout: Layout, settings: Settings, unfinished: Run | None, broadcast: Callable[[str], None]
) -> RetrainResult:
    from trainer.base.memory import advise_on_memory
    from trainer.base.model import load_base, record_base, silence_libraries
    from trainer.base.weights import pin_revision
    from trainer.fit.cache import Cache
    from trainer.fit.fit import Watch, fit
    from trainer.fit.lost import name_lost
    from trainer.fit.training import Training, choose_steps
    from trainer.retrain.check import make_version_check
    from trainer.retrain.cross_fit import cross_fit, steps_of
    from trainer.retrain.provenance import checkpoint_folder, remove_checkpoints
    from trainer.retrain.publish import Made, publish_version, remove_leftovers
    from trainer.retrain.strength import choose_strength
    from trainer.retrain.trigger import trigger_change

    silence_libraries()
    _ask_for_determinism(settings)
    remove_leftovers(engine, layout)
    if _was_stopped(engine):
        remove_checkpoints(layout)
    base = load_base(pin_revision(engine, settings))
    record_base(engine, base)
    manifest, lost = _freeze_or_load(engine, settings, unfinished, base.sha256)
    settings = choose_steps(settings, len(manifest.items))
    training = Training(base, Cache(base, layout.blobs, layout.cache), manifest, settings)
    steps = steps_of(training)
    run = _start(engine, unfinished, manifest, steps)
    folder = checkpoint_folder(layout, manifest, settings)
    with _record_failure(engine, run), advise_on_memory(lambda: SMALLER), catch_stop_signals() as stop:
        watch = Watch(_reporter(engine, run), lambda: stop.is_set() or _is_stop_asked(engine, run))
        broadcast(manifest.id)
        crossed = cross_fit(training, layout, watch)
        fitted = fit(training, folder, watch.part("fitting", steps - settings.train_steps, steps))
        fitted.curve[-1].update(trigger_change(training))
        choice = choose_strength(training, judged_strengths(engine, settings.rule))
        check = make_version_check(training, choice.strength, crossed)
        made = Made(base, fitted, choice, manifest, settings, run, check)
        version = publish_version(engine, layout, made)
    remove_checkpoints(layout)
    if promotion_mode(settings) == "auto":
        promote(engine, version.number, "promoted at once after its retrain")
    about_lost = f"; {name_lost(lost)}" if lost else ""
    return RetrainResult(
        f"published v{version.number}, trained on {len(manifest.items)} rated pictures{about_lost}", version.number
    )


def _help_to_fit(settings: Settings) -> RetrainResult:
    """Another process's part of a retrain: it takes its fraction of every batch; the leader does the rest."""
    from trainer.base.model import load_base, silence_libraries
    from trainer.base.weights import pin_revision
    from trainer.fit.cache import Cache
    from trainer.fit.fit import Watch, fit
    from trainer.fit.training import Training, choose_steps
    from trainer.retrain.cross_fit import help_to_cross_fit
    from trainer.retrain.provenance import checkpoint_folder

    silence_libraries()
    _ask_for_determinism(settings)
    manifest_id = receive_manifest_id(settings)
    if manifest_id is None:
        return RetrainResult("the leader had nothing to fit")
    engine, layout = open_store(settings), layout_of(settings)
    base, manifest = load_base(pin_revision(engine, settings)), load_manifest(engine, manifest_id)
    settings = choose_steps(settings, len(manifest.items))
    folder = checkpoint_folder(layout, manifest, settings)
    with catch_stop_signals() as stop:
        training = Training(base, Cache(base, layout.blobs, layout.cache), manifest, settings)
        watch = Watch(should_stop=stop.is_set)
        help_to_cross_fit(training, layout, watch)
        fit(training, folder, watch)
    return RetrainResult(f"helped to fit {len(manifest.items)} rated pictures; the leader publishes")


def _ask_for_determinism(settings: Settings) -> None:
    if settings.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS reads it once, when it starts


def _find_unfinished(engine: Engine) -> Run | None:
    """The last run, when it was interrupted. With the lock held, a run marked running was killed."""
    with reading(engine) as session:
        run = latest_run(session)
        return run if run is not None and run.status in (RunStatus.running, RunStatus.interrupted) else None


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

    manifest = freeze(engine, base_sha256, find_lost=find, share=settings.rater_share)
    if gone[0]:
        log.warning("%s", name_lost(gone[0]))
    return manifest, gone[0]


def _start(engine: Engine, unfinished: Run | None, manifest: FrozenManifest, steps: int) -> Run:
    with writing(engine) as session:
        run = unfinished or Run(status=RunStatus.running, manifest_id=manifest.id)
        run.status, run.steps, run.updated_at = RunStatus.running, steps, utc_now()
        run.manifest_id = manifest.id
        run.message = "resumed" if unfinished else f"pid {os.getpid()}"
        return session.merge(run)


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


def _reporter(engine: Engine, run: Run) -> Callable[[int, int], None]:
    def report(step: int, steps: int) -> None:
        if step % 5 and step != steps:
            return
        with writing(engine) as session:
            row = session.get_one(Run, run.id)
            row.step, row.steps, row.updated_at = step, steps, utc_now()
            session.add(row)

    return report
