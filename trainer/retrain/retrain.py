"""`make retrain`: due? then freeze, fit, publish; one at a time, resumable, without a trace when it fails."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Engine

from feedback.policy import promotion_mode, rejects_needed
from feedback.pool.pool import how_due
from feedback.retrain.manifest import FrozenManifest, freeze, load_manifest
from feedback.retrain.strengths import judged_strengths
from feedback.runs import is_stop_asked, latest_run
from feedback.versions import begin, promote
from store.engine import reading, writing
from store.errors import Interrupted, NaysayerError
from store.files import only_one, remove_folder, sha256_of
from store.layout import Layout, layout_of
from store.migrate import open_store
from store.settings import Settings
from store.tables import Run, RunStatus, utc_now
from trainer.retrain.processes import is_leader, leading, receive_manifest_id

SMALLER = ["NAYSAYER_SAMPLE_BATCH=1 draws one picture at once", "smaller pictures (NAYSAYER_WIDTH_PX)"]
"""What to lower when memory runs out while the strengths are swept or the files are checked."""

# torch is imported below, once a retrain is due: cron may ask every minute.


class Outcome(NamedTuple):
    """What a retrain came to: a sentence, and the version it published, if any."""

    sentence: str
    version: int | None = None


def retrain(settings: Settings, *, force: bool = False) -> Outcome:
    """Publishes a challenger when enough new rejects have come, or goes on with an interrupted run; else says why not.

    Of several processes the first does all this and the others help it to fit.
    Raises Busy when another one runs, Interrupted after SIGTERM or SIGINT (a checkpoint is saved).
    """
    if not is_leader():
        return _help_to_fit(settings)
    engine, layout = open_store(settings), layout_of(settings)
    busy = "another retrain runs on this store; try again when it has ended"
    with leading(settings) as broadcast, only_one(layout.retrain_lock, busy):
        unfinished = _unfinished(engine)
        due = how_due(engine, rejects_needed(settings))
        if unfinished is None and not due.is_due and not force:
            return Outcome(due.sentence)
        return _train_and_publish(engine, layout, settings, unfinished, broadcast)


def _train_and_publish(
    engine: Engine, layout: Layout, settings: Settings, unfinished: Run | None, broadcast: Callable[[str], None]
) -> Outcome:
    from trainer.base.memory import told_what_to_lower
    from trainer.base.model import load_base, quiet_libraries
    from trainer.base.weights import pinned
    from trainer.fit.cache import Cache
    from trainer.fit.fit import Watch, fit
    from trainer.retrain.publish import Made, publish_version, sweep
    from trainer.retrain.strength import choose_strength
    from trainer.retrain.trigger import trigger_change

    quiet_libraries()
    _ask_for_determinism(settings)
    sweep(engine, layout)
    base = load_base(pinned(engine, settings))
    begin(engine, base.name, base.sha256, base.facts)
    manifest = _manifest(engine, unfinished, base.sha256)
    settings = settings.with_steps_for(len(manifest.items))
    run = _start(engine, unfinished, manifest, settings)
    folder = checkpoint_folder(layout, manifest, settings)
    with _recorded(engine, run), told_what_to_lower(lambda: SMALLER), _stop_signals() as should_stop:
        cache = Cache(base, layout.blobs, layout.cache)
        watch = Watch(_reporter(engine, run), lambda: should_stop() or _is_told_to_stop(engine, run))
        broadcast(manifest.id)
        fitted = fit(base, cache, manifest, settings, folder, watch)
        fitted.curve[-1].update(trigger_change(base, cache, manifest, settings))
        choice = choose_strength(base, cache, manifest, settings, judged_strengths(engine, settings.rule))
        made = Made(base, fitted, choice, manifest, settings, run, code_commit())
        version = publish_version(engine, layout, made)
    remove_folder(layout.checkpoints)
    if promotion_mode(settings) == "auto":
        promote(engine, version.number, "promoted at once after its retrain (NAYSAYER_PROMOTION=auto)")
    return Outcome(f"published v{version.number}, trained on {len(manifest.items)} rated images", version.number)


def _help_to_fit(settings: Settings) -> Outcome:
    """A further process's part of a retrain: it takes its share of every step, and leaves the rest to the first."""
    from trainer.base.model import load_base, quiet_libraries
    from trainer.base.weights import pinned
    from trainer.fit.cache import Cache
    from trainer.fit.fit import Watch, fit

    quiet_libraries()
    _ask_for_determinism(settings)
    manifest_id = receive_manifest_id(settings)
    if manifest_id is None:
        return Outcome("the first process had nothing to fit")
    engine, layout = open_store(settings), layout_of(settings)
    base, manifest = load_base(pinned(engine, settings)), load_manifest(engine, manifest_id)
    settings = settings.with_steps_for(len(manifest.items))
    folder = checkpoint_folder(layout, manifest, settings)
    with _stop_signals() as should_stop:
        cache = Cache(base, layout.blobs, layout.cache)
        fit(base, cache, manifest, settings, folder, Watch(should_stop=should_stop))
    return Outcome(f"helped to fit {len(manifest.items)} rated images; the first process publishes")


def _ask_for_determinism(settings: Settings) -> None:
    if settings.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS reads it once, when it starts


def checkpoint_folder(layout: Layout, manifest: FrozenManifest, settings: Settings) -> Path:
    """The folder for checkpoints of this manifest under these settings: other data or settings have another one."""
    from trainer.retrain.publish import libraries, training_settings

    settled = sorted(training_settings(settings).items())
    identity = repr((manifest.id, settled, sorted(libraries().items())))
    return layout.checkpoints / sha256_of(identity.encode())[:32]


def code_commit() -> str:
    """The commit of the checkout this runs from, with `+` when files differ from it; empty outside a checkout."""
    here = Path(__file__).parent
    with suppress(OSError, subprocess.CalledProcessError):
        told = subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--dirty=+", "--exclude=*"],
            cwd=here,
            capture_output=True,
            text=True,
            check=True,
        )
        return told.stdout.strip()
    return ""


def _unfinished(engine: Engine) -> Run | None:
    """The last run, when it was stopped or killed midway. With the lock held, a run marked running is a dead one's."""
    with reading(engine) as session:
        run = latest_run(session)
        return run if run is not None and run.status in (RunStatus.running, RunStatus.interrupted) else None


def _manifest(engine: Engine, unfinished: Run | None, base_sha256: str) -> FrozenManifest:
    if unfinished is not None and unfinished.manifest_id is not None:
        return load_manifest(engine, unfinished.manifest_id)
    return freeze(engine, base_sha256)


def _start(engine: Engine, unfinished: Run | None, manifest: FrozenManifest, settings: Settings) -> Run:
    with writing(engine) as session:
        run = unfinished or Run(status=RunStatus.running, manifest_id=manifest.id)
        run.status, run.steps, run.updated_at = RunStatus.running, settings.train_steps, utc_now()
        run.message = "resumed" if unfinished else f"pid {os.getpid()}"
        return session.merge(run)


@contextmanager
def _recorded(engine: Engine, run: Run) -> Iterator[None]:
    """Writes into the run's row how it ended, when it ends badly; a published run was recorded with its version."""
    try:
        yield
    except Interrupted as error:
        if _is_told_to_stop(engine, run):
            _end(engine, run, RunStatus.failed, "stopped by a person; the next retrain starts anew")
        else:
            _end(engine, run, RunStatus.interrupted, str(error))
        raise
    except (Exception, KeyboardInterrupt) as error:
        told = str(error) if isinstance(error, NaysayerError) else f"{type(error).__name__}: {error}"
        _end(engine, run, RunStatus.failed, told[:500])
        raise


def _is_told_to_stop(engine: Engine, run: Run) -> bool:
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


@contextmanager
def _stop_signals() -> Iterator[Callable[[], bool]]:
    """While it lasts, SIGTERM and SIGINT only ask the fit to stop after its step."""
    asked: list[int] = []
    before = {number: signal.signal(number, lambda n, _: asked.append(n)) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
