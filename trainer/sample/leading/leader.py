"""What one worker of a store does beside drawing: it measures, lets the gate look, and starts retrains."""

import logging
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from importlib import import_module
from pathlib import Path

from sqlalchemy import Engine

from feedback.gate.evidence import list_unmeasured, look_after_promotion, record_measures, run_gate
from feedback.gate.gate import Step
from feedback.gate.guardrails import Scorer, measure
from feedback.policy import promotion_mode, rejects_needed, retrains_itself
from feedback.pool.pool import how_due
from feedback.runs import bury_dead_runs, can_resume, is_retrain_alive, newest_run, was_answered
from feedback.sample.release import release
from feedback.sample.requests import abandon, answer
from feedback.sample.requests import take as take_request
from feedback.settings_used import remember
from store.blobs.faults import MARK
from store.engine import WORKER_LOCK
from store.errors import BadRequest, Busy, DamagedStore
from store.layout import Layout, layout_of
from store.locks import Hold, LockLost, take
from store.process.child import with_this_process
from store.settings import Settings
from store.tables import RunStatus, TaskKind, TaskStatus
from trainer.sample.leading.sweeping import Sweeper

log = logging.getLogger("naysayer.worker")

RETRAIN_NICENESS = 10  # raters' pages come first
RETRAIN = (sys.executable, "-m", "trainer.commands", "retrain")


class Leader:
    """A worker that leads, or will when no other does. It stops leading when the database gives its lock to another."""

    def __init__(self, engine: Engine, layout: Layout, settings: Settings, held: ExitStack) -> None:
        self.engine, self.layout, self.settings = engine, layout, settings
        self.retrainer, self.hold = Retrainer(engine, settings), None
        self.sweeper = Sweeper(engine, layout)
        held.callback(self._step_down)

    hold: Hold | None

    @property
    def is_leading(self) -> bool:
        """Whether this worker leads, as far as it knows."""
        return self.hold is not None

    def follow(self, settings: Settings) -> Settings:
        """Goes on under these settings, which an admin may have changed meanwhile."""
        if settings is not self.settings:
            self.settings = self.retrainer.settings = settings
            remember(self.layout, settings)
        return settings

    def acquire(self) -> bool:
        """Whether this worker leads: since before, or from now on, when no other does."""
        if self.hold is not None and not self.hold.is_kept():
            self._lose()
        if self.hold is None:
            try:
                self.hold = take(self.engine, WORKER_LOCK, "another worker leads")
            except Busy:
                return False
            with self.hold.fenced():
                abandon(self.engine)
                bury_dead_runs(self.engine)
        return True

    def run_if_mine(self, *, draws_alone: bool) -> bool:
        """Does what is due, the drawing left aside, when this worker leads; with `draws_alone` it starts no retrain."""
        if not self.acquire():
            return False
        try:
            with self.leading():
                after_drawing(self.engine, self.layout, self.settings)
                if not draws_alone:
                    self.retrainer.start_if_due()
                    self.sweeper.start_if_due()
        except LockLost:
            self._lose()
        return self.is_leading

    def leading(self) -> AbstractContextManager[None]:
        """Inside, what is written needs the leader's lock; LockLost is raised once another may hold it."""
        return self.hold.fenced() if self.hold else nullcontext()

    def _lose(self) -> None:
        log.warning("the connection that made this worker the leader ended; it draws on, and leads again if none does")
        self.retrainer.is_new = True  # what the same restart of the database interrupted goes on
        self._step_down()

    def _step_down(self) -> None:
        hold, self.hold = self.hold, None
        if hold:
            hold.release()


def after_drawing(engine: Engine, layout: Layout, settings: Settings) -> None:
    """Measures new evaluation pictures, puts some into the queue, and lets the votes on them decide."""
    measure_new(engine, layout, settings)
    release(engine, settings.queue_target, settings.evaluation_share)
    decision = None
    match promotion_mode(settings):
        case "gate":
            decision = run_gate(engine, layout)
        case "auto":
            decision = look_after_promotion(engine)
    if decision is not None and decision.step is not Step.wait:
        log.info("the votes on pairs: %s (%s)", decision.step.value.replace("_", " "), decision.sentence)


class Retrainer:
    """Runs `naysayer retrain` beside the worker when it is due; after a failure waits for new rejects.

    First it goes on with one that was interrupted before this worker led.
    """

    def __init__(self, engine: Engine, settings: Settings, command: Sequence[str] = RETRAIN) -> None:
        self.engine, self.settings, self.command = engine, settings, command
        self.process: subprocess.Popen[bytes] | None = None
        self.tried_at = -1
        self.is_new = True

    def start_if_due(self) -> None:
        """Starts one when it is due or was asked for, and none runs, here or on another machine."""
        if self._is_running() or is_retrain_alive(self.engine):
            return
        if (asked := take_request(self.engine, TaskKind.retrain)) is not None and asked.id is not None:
            is_met = was_answered(self.engine, asked)
            log.info("a retrain was asked for%s", ", and one has run since" if is_met else "")
            if not is_met:
                self._start("--force")
            answer(self.engine, asked.id, TaskStatus.done, {})
            return
        if not retrains_itself(self.settings):
            return
        is_new, self.is_new = self.is_new, False
        if is_new and self._goes_on():
            self._start()
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
        if (bucket := layout_of(self.settings).bucket) is not None:
            bucket.find(MARK)  # waits while it is away: a retrain that cannot open the store would count as tried
        self.process = start_behind_pages([*self.command, *options])

    def _goes_on(self) -> bool:
        """Whether a retrain that was interrupted can be resumed."""
        run = newest_run(self.engine)
        if run is None or run.status is not RunStatus.interrupted:
            return False
        goes_on = can_resume(run)
        log.info("the interrupted retrain goes on" if goes_on else f"the last retrain was interrupted: {run.message}")
        return goes_on

    def _is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None


def start_behind_pages(
    command: Sequence[str], environment: Mapping[str, str] = os.environ, stdout: int | None = None
) -> subprocess.Popen[bytes]:
    """Starts a retrain that ends with this process, at a low priority and on all cores but one.

    Where every core is busy, a rater waits for one frame more at each press. Linux divides a busy processor between
    sessions before it looks at priorities, and the browser has its own; so the retrain gets one, of low priority.
    """
    threads = {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) - 1))}
    process = subprocess.Popen(
        with_this_process(command), env=threads | dict(environment), stdout=stdout, start_new_session=True
    )
    os.setpriority(os.PRIO_PROCESS, process.pid, RETRAIN_NICENESS)
    with suppress(OSError):  # a kernel without sched_autogroup
        Path(f"/proc/{process.pid}/autogroup").write_text(str(RETRAIN_NICENESS))
    return process


def measure_new(engine: Engine, layout: Layout, settings: Settings, limit: int = 64) -> int:
    """How many evaluation pictures were measured for the guardrails; one whose file is lost is left out."""
    waiting = list_unmeasured(engine, limit)
    if not waiting:
        return 0
    score = prompt_scorer(settings.prompt_scorer)
    measured = []
    for number, sha256, prompt in waiting:
        with suppress(DamagedStore):
            measured.append((number, measure(layout.blobs.get(sha256), prompt, score)))
    record_measures(engine, measured)
    return len(measured)


def prompt_scorer(name: str) -> Scorer | None:
    """The function that `module:function` names, None where none is given. Raises BadRequest when it is not there."""
    if not name:
        return None
    module, _, function = name.partition(":")
    try:
        return getattr(import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise BadRequest(f"NAYSAYER_PROMPT_SCORER names {name!r}, which cannot be loaded ({error})") from error
