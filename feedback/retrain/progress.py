"""A retrain as it goes: told by its process at most once a second, read by pages and commands."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import NamedTuple

from sqlalchemy import Engine
from sqlmodel import Session, col, select
from tqdm import tqdm

from feedback.retrain.stages import FIT, WAIT, Left, Phase, Stage, left, left_words, share_done
from feedback.runs import is_starting, latest_run
from store.engine import reading, writing
from store.errors import Interrupted
from store.tables import Run, RunProgress, RunStatus, utc_now

EVERY_S = 1.0
BAR = "{l_bar}{bar}| {elapsed}<{remaining}"
POINTS = 120
"""Points of the loss curve that a page draws."""
WHOLE = 1000
"""A run's `steps`: its `step` is the share of the expected time that has passed, in thousandths."""

Points = list[dict[str, float]]
Tell = Callable[[float], None]
"""Told how much work was done since it was told last."""


def quiet(_done: float) -> None:
    """Tells nobody."""


@dataclass
class Progress:
    """What a running retrain has done."""

    stages: list[Stage] = field(default_factory=list)
    curve: Points = field(default_factory=list)
    strengths: Points = field(default_factory=list)

    @property
    def current(self) -> Stage | None:
        """The stage under way, or the next one."""
        return next((stage for stage in self.stages if not stage.is_over), None)


class RetrainNow(NamedTuple):
    """The running retrain, what it has done, and the stages of the last one that made a version."""

    run: Run
    progress: Progress
    last: list[Stage]

    @property
    def left(self) -> Left:
        """How long it still takes."""
        return left(self.progress.stages, self.last)

    @property
    def share(self) -> float:
        """The share of its expected time that has passed."""
        return self.run.step / self.run.steps if self.run.steps else 0.0

    @property
    def words(self) -> str:
        """What it does, and how long it still takes."""
        now = self.progress.current
        return f"{now.words}; {left_words(self.left)}" if now else "starting"


class Teller:
    """Tells how far a retrain is: a bar on the terminal for each stage, and at most once a second `report`."""

    def __init__(self) -> None:
        self.progress = Progress()
        self.report: Callable[[Progress], None] = lambda progress: None
        self.should_stop: Callable[[], bool] = lambda: False
        self._told_at = 0.0

    def plan(self, stages: Sequence[Stage], earlier: Sequence[Stage] = ()) -> None:
        """Adds the stages to come. The fits of an interrupted attempt go on, so what they took counts."""
        took = {stage.name: stage.seconds for stage in earlier if stage.kind == FIT}
        self.progress.stages += [replace(stage, seconds=took.get(stage.name, 0.0)) for stage in stages]

    def note(self, name: str, note: str) -> None:
        """Says more of the stage of that name."""
        stages = self.progress.stages
        stages[:] = [replace(stage, note=note) if stage.name == name else stage for stage in stages]

    def done(self, name: str) -> float:
        """How much work of the stage is done."""
        return next((stage.done for stage in self.progress.stages if stage.name == name), 0.0)

    @contextmanager
    def stage(self, name: str, *, has_bar: bool = True, can_stop: bool = True) -> Iterator[Tell]:
        """Inside, the stage is under way; the function that it gives is told of the work that was done since.

        A stage that nobody planned is not told of. That function raises Interrupted when the retrain is asked to stop,
        unless the stage stops by itself (`can_stop` False): a fit, which saves a checkpoint first.
        """
        place = next((i for i, stage in enumerate(self.progress.stages) if stage.name == name), None)
        if place is None:
            yield partial(self._stop_if_asked, name) if can_stop else quiet
            return
        stages, began = self.progress.stages, time.monotonic()
        before, work = stages[place].seconds, stages[place].work
        with tqdm(total=work, desc=name, disable=not (has_bar and work), bar_format=BAR) as bar:

            def tell(done: float) -> None:
                so_far = min(work, stages[place].done + done)
                stages[place] = replace(stages[place], done=so_far, seconds=before + time.monotonic() - began)
                bar.update(min(done, work - bar.n))
                self.tell()

            def tell_or_stop(done: float) -> None:
                tell(done)
                self._stop_if_asked(name)

            self.tell(is_due=True)
            yield tell_or_stop if can_stop else tell
            tell(0)
            stages[place] = stages[place].ended()
            bar.update(work - bar.n)

    def skip(self, name: str) -> None:
        """Ends a stage that has nothing to do, so that it does not count as a fast one."""
        self.progress.stages = [
            replace(stage, work=0, is_over=True) if stage.name == name else stage for stage in self.progress.stages
        ]

    def _stop_if_asked(self, name: str, _done: float = 0) -> None:
        if self.should_stop():
            raise Interrupted(f"while {name}")

    def follow(self, curve: Points) -> None:
        """The loss of the fit under way, so far."""
        self.progress.curve = curve

    def measured(self, strengths: Points) -> None:
        """What was measured at each strength that was tried so far."""
        self.progress.strengths = strengths
        self.tell(is_due=True)

    def tell(self, *, is_due: bool = False) -> None:
        """Reports, when it is time or `is_due`."""
        if is_due or time.monotonic() - self._told_at >= EVERY_S:
            self.report(self.progress)
            self._told_at = time.monotonic()


def recorder(engine: Engine, run: Run) -> Callable[[Progress], None]:
    """What writes a retrain's progress into the store."""
    assert run.id is not None
    number, last = run.id, last_stages(engine, run.id)

    def record(progress: Progress) -> None:
        share = share_done(progress.stages, last)
        with writing(engine, is_durable=False) as session:
            row = session.get_one(Run, number)
            row.step, row.steps, row.updated_at = round(WHOLE * share), WHOLE, utc_now()
            session.add(row)
            session.merge(
                RunProgress(
                    run_id=number,
                    stages=[asdict(stage) for stage in progress.stages],
                    curve=thin(progress.curve),
                    strengths=progress.strengths,
                )
            )

    return record


def thin(curve: Points, key: str = "loss", most: int = POINTS) -> Points:
    """A curve with at most so many points: each the mean of `key` over the steps since the one before.

    >>> thin([{"step": n, "loss": float(n)} for n in range(1, 5)], most=2)
    [{'step': 2, 'loss': 1.5}, {'step': 4, 'loss': 3.5}]
    """
    each = -(-len(curve) // most) or 1
    parts = [curve[start : start + each] for start in range(0, len(curve), each)]
    return [{"step": part[-1]["step"], key: sum(p[key] for p in part) / len(part)} for part in parts]


def retrain_now(engine: Engine) -> RetrainNow | None:
    """The running retrain; None when none runs. One that still loads the model is expected to go as the last one."""
    if is_starting(engine):
        last = last_stages(engine)
        return RetrainNow(Run(status=RunStatus.running, steps=WHOLE), _with_expected(Progress(), last), last)
    with reading(engine) as session:
        run = latest_run(session)
        if run is None or run.id is None or run.status is not RunStatus.running:
            return None
        last = _last_stages(session, run.id)
        return RetrainNow(run, _with_expected(_progress(session, run.id), last), last)


def _with_expected(progress: Progress, last: Sequence[Stage]) -> Progress:
    """The progress of a retrain that has planned no fit yet, with the stages that come if it goes as the last one."""
    if any(stage.kind == FIT for stage in progress.stages):
        return progress
    known = {stage.name for stage in progress.stages}
    coming = [replace(stage, done=0.0, seconds=0.0, is_over=False) for stage in last if stage.name not in known]
    return replace(progress, stages=[*progress.stages, *coming])


def progress_of(engine: Engine, run_id: int) -> Progress:
    """What a run has told so far, an interrupted one too; empty for those from before there was such a record."""
    with reading(engine) as session:
        return _progress(session, run_id)


def last_stages(engine: Engine, before: int | None = None) -> list[Stage]:
    """The stages of the newest retrain that made a version, before the run `before`."""
    with reading(engine) as session:
        return _last_stages(session, before)


def _last_stages(session: Session, before: int | None) -> list[Stage]:
    told = select(RunProgress).join(Run, col(Run.id) == RunProgress.run_id).where(Run.status == RunStatus.done)
    earlier = told if before is None else told.where(col(Run.id) < before)
    row = session.exec(earlier.order_by(col(Run.id).desc()).limit(1)).first()
    return [stage for stage in _stages(row) if stage.kind != WAIT] if row else []


def _progress(session: Session, run_id: int) -> Progress:
    row = session.get(RunProgress, run_id)
    return Progress(_stages(row), row.curve, row.strengths) if row else Progress()


def _stages(row: RunProgress) -> list[Stage]:
    return [Stage(**stage | {"phase": Phase(stage["phase"])}) for stage in row.stages]
