"""Workers as they live: each says every few seconds that it is there, and what it does.

A worker that has said nothing for SILENT_S is taken for gone: it was killed, or its machine was. Of the leader its lock
tells at once, because it is released however a process ends.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, delete, func
from sqlmodel import Session, col, select

from store.engine import WORKER_LOCK, reading, writing, writing_own
from store.locks import is_held
from store.phrases import plural
from store.tables import Task, TaskKind, TaskStatus, Worker, WorkerState, utc_now

BEAT_S, SILENT_S = 4.0, 20.0
IDLE_S, OFTEN = 0.5, 4
"""Up to OFTEN workers without work ask for some every IDLE_S; more of them as often together."""
FORGOTTEN = timedelta(days=1)
"""A worker that ended without a word is shown for so long, or until another one starts on its machine."""
NO_WORKER = "no worker runs to draw pictures or to start a retrain; start one on the server with `naysayer generate`"


@dataclass(frozen=True)
class SeenWorker:
    """A worker as its row tells, in seconds before now: it does so since `since_s` and last spoke `silent_s` ago.

    Without `is_there` it is gone, and its row says what it did last. `scores` is the folder that it scores for the
    page Sort while no picture is missing.
    """

    row: Worker
    since_s: float
    silent_s: float
    is_there: bool
    scores: str = ""


@dataclass
class Pulse:
    """A beat of a worker: for `for_s` seconds it does what `row` says. The store's clock gives the times."""

    row: Worker
    for_s: float


def beat(engine: Engine, pulse: Pulse) -> None:
    """Records a worker's pulse. The first one forgets those of its machine that ended without a word."""
    with writing_own(engine) as session:
        now, row = _clock(session), pulse.row
        known = session.get(Worker, row.name)
        here = (col(Worker.host) == row.host) & (col(Worker.name) != row.name)
        if known is None:
            gone = here & (col(Worker.seen_at) < now - timedelta(seconds=SILENT_S))
            session.exec(delete(Worker).where(gone | (col(Worker.seen_at) < now - FORGOTTEN)))
        if row.leads:  # so another that led here was killed
            session.exec(delete(Worker).where(here & col(Worker.leads)))
        row.started_at = known.started_at if known else now
        row.since, row.seen_at = now - timedelta(seconds=pulse.for_s), now
        session.merge(row)


def sign_off(engine: Engine, name: str) -> None:
    """Forgets a worker that ends in order."""
    with writing(engine, is_durable=False) as session:
        session.exec(delete(Worker).where(col(Worker.name) == name))


def idle_s(engine: Engine) -> float:
    """Seconds until a worker without work asks again: longer where many are, so that asking does not fill the store."""
    with reading(engine) as session:
        is_there = col(Worker.seen_at) >= _clock(session) - timedelta(seconds=SILENT_S)
        workers = session.exec(select(func.count(col(Worker.name))).where(is_there)).one()
    return IDLE_S * max(1.0, workers / OFTEN)


def list_workers(engine: Engine) -> list[SeenWorker]:
    """Every worker that is there, and those that ended without a word; by machine, then by age."""
    with reading(engine) as session:
        now, is_led = _clock(session), is_held(session, WORKER_LOCK)
        rows = session.exec(select(Worker).order_by(col(Worker.host), col(Worker.started_at), col(Worker.name)))
        folder = select(Task).where(Task.kind == TaskKind.sort, Task.status == TaskStatus.running)
        task = session.exec(folder.order_by(col(Task.id)).limit(1)).first()
        return [_scoring(_seen(row, now, is_led), task, now) for row in rows]


def is_worker_alive(engine: Engine) -> bool:
    """Whether a worker runs for this store."""
    with reading(engine) as session:
        is_led = is_held(session, WORKER_LOCK)
    return is_led is True or any(worker.is_there for worker in list_workers(engine))


def who_has_device(workers: Sequence[SeenWorker]) -> str:
    """Who has the device that the leading worker, which answers the pages, waits for; empty when it waits for nobody.

    >>> waiting = Worker(state="waiting", waits_for="a retrain", leads=True)
    >>> who_has_device([SeenWorker(waiting, 60, 1, True)]), who_has_device([SeenWorker(waiting, 60, 90, False)])
    ('a retrain', '')
    """
    rows = [worker.row for worker in workers if worker.is_there and worker.row.leads]
    return next((row.waits_for for row in rows if row.state == WorkerState.waiting), "")


def worker_words(worker: SeenWorker) -> str:
    """A worker in a line: where it is, what it does, since when, and how fast it draws."""
    place = f"{worker.row.host}{f', {worker.row.device}' if worker.row.device else ''}"
    if not worker.is_there:
        return f"{place}: no sign of life for {span(worker.silent_s)}; it ended without a word"
    pace = pace_words(worker.row)
    return f"{place}: {doing_words(worker.row, worker.scores)} for {span(worker.since_s)}" + (
        f"; {pace}" if pace else ""
    )


def doing_words(row: Worker, scores: str = "") -> str:
    """What a worker does; `scores` as of a `SeenWorker`.

    >>> doing_words(Worker(state="drawing", pictures=8, versions=[0, 3], step=7, steps=20))
    'drawing 8 pictures with v0 and v3, step 7 of 20,'
    >>> doing_words(Worker(state="waiting", waits_for="a retrain"))
    'waiting, because a retrain has the device (drawing goes on when it ends),'
    >>> doing_words(Worker(state="resting"), "/pictures")
    'scoring the pictures in /pictures, because enough pictures wait,'
    """
    if row.state == WorkerState.resting and scores:
        return f"scoring the pictures in {scores}, because enough pictures wait,"
    if row.state == WorkerState.drawing:
        by = " and ".join(f"v{number}" for number in row.versions)
        step = f", step {row.step} of {row.steps}," if row.steps else ""
        return f"drawing {plural(row.pictures, 'picture')} with {by}{step}"
    if row.state == WorkerState.waiting:
        return f"waiting, because {row.waits_for} has the device (drawing goes on when it ends),"
    return {
        WorkerState.starting: "starting, which loads the model,",
        WorkerState.resting: "resting, because enough pictures wait,",
        WorkerState.no_room: "waiting, because the disk is full,",
    }[WorkerState(row.state)]


def pace_words(row: Worker) -> str:
    """How fast a worker draws, empty before its first batch.

    >>> pace_words(Worker(per_minute=34.4)), pace_words(Worker(per_minute=2.345))
    ('34 pictures a minute', '2.3 pictures a minute')
    """
    return "" if row.per_minute is None else a_minute(row.per_minute)


def a_minute(pace: float) -> str:
    """
    >>> a_minute(1.0), a_minute(1.2)
    ('1 picture a minute', '1.2 pictures a minute')
    """
    shown = f"{pace:.{0 if pace >= 10 else 1}f}"
    return "1 picture a minute" if shown == "1.0" else f"{shown} pictures a minute"


def span(seconds: float) -> str:
    """A length of time as people say it.

    >>> span(12.4), span(150), span(7300), span(200_000)
    ('12 s', '2 min', '2 h', '2 days')
    """
    for unit, length in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= (2 * length if unit == "days" else length):
            return f"{seconds // length:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"


def _seen(row: Worker, now: datetime, is_led: bool | None) -> SeenWorker:
    since_s, silent_s = ((now - _utc(then)).total_seconds() for then in (row.since, row.seen_at))
    is_killed = row.leads and is_led is False
    return SeenWorker(row, since_s, silent_s, silent_s < SILENT_S and not is_killed)


def _scoring(worker: SeenWorker, task: Task | None, now: datetime) -> SeenWorker:
    """The leader scores the task's folder between two drawings."""
    row = worker.row
    if task is None or not (worker.is_there and row.leads and row.state == WorkerState.resting):
        return worker
    asked_s = (now - _utc(task.created_at)).total_seconds()
    return replace(worker, scores=str(task.body["folder"]), since_s=min(worker.since_s, asked_s))


def _clock(session: Session) -> datetime:
    """The time by the store's clock: those of its machines may differ."""
    if session.get_bind().dialect.name == "sqlite":
        return utc_now()
    return _utc(session.exec(select(func.clock_timestamp())).one())


def _utc(then: datetime) -> datetime:
    """SQLite gives times without a zone."""
    return then.astimezone(UTC) if then.tzinfo else then.replace(tzinfo=UTC)
