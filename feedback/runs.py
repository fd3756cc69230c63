"""Retrains as they run: the newest one, and how a person asks for one or stops it.

A row cannot say that the process behind it was killed. So everybody who shows or asks whether a retrain runs reads it
here, where the lock is asked too: it is released however a process ends.
"""

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from feedback.workers import NO_WORKER, is_worker_alive
from store.engine import RETRAIN_LOCK, reading, writing
from store.errors import BadRequest
from store.locks import is_held
from store.tables import Action, AliasEvent, AliasName, Run, RunStatus, Task, TaskKind, TaskStatus, utc_now

DIED = "its process ended without a word; the next retrain resumes it"
DIED_EARLY = "its process ended without a word, before it began to train; the next retrain starts from scratch"
STOPPED = "stopped by a person; the next retrain starts from scratch"


def latest_run(session: Session) -> Run | None:
    """The newest attempt at a retrain, running or ended; interrupted when its process is gone, whatever its row says.

    Such a run that a person had asked to stop is over: that wish was for it, and nobody resumes it.
    """
    run = session.exec(select(Run).order_by(col(Run.id).desc()).limit(1)).first()
    if run is not None and run.status is RunStatus.running and not _is_alive(session):
        session.expunge(run)
        _bury(run)
    return run


def can_resume(run: Run | None) -> bool:
    """Whether it was interrupted with its manifest frozen: without one there is nothing to go on with."""
    return run is not None and run.status is RunStatus.interrupted and run.manifest_id is not None


def newest_run(engine: Engine) -> Run | None:
    """`latest_run` in its own transaction."""
    with reading(engine) as session:
        return latest_run(session)


def ended_badly(engine: Engine, most: int) -> list[Run]:
    """The newest retrains that failed or were interrupted, newest first; not those that a person stopped."""
    with reading(engine) as session:
        bad = select(Run).where(
            col(Run.status).in_([RunStatus.failed, RunStatus.interrupted]), col(Run.stop_reason).is_(None)
        )
        rows, last = list(session.exec(bad.order_by(col(Run.id).desc()).limit(most))), latest_run(session)
        is_unrecorded = (
            last is not None and last.status is RunStatus.interrupted and last.id not in {r.id for r in rows}
        )
        return [last, *rows] if last is not None and is_unrecorded else rows


def bury_dead_runs(engine: Engine) -> None:
    """Records what `latest_run` says of a run whose process is gone."""
    with reading(engine) as session:
        if session.exec(select(Run.id).where(Run.status == RunStatus.running)).first() is None:
            return
    with writing(engine) as session:
        if not _is_alive(session):
            for run in session.exec(select(Run).where(Run.status == RunStatus.running)):
                _bury(run)
                session.add(run)


def is_starting(engine: Engine) -> bool:
    """Whether a retrain holds its lock and has told nothing yet: it loads the model."""
    with reading(engine) as session:
        run = latest_run(session)
        is_told = run is not None and run.status is RunStatus.running
        return not is_told and is_held(session, RETRAIN_LOCK) is True


def is_retrain_alive(engine: Engine) -> bool:
    """Whether a retrain, or what needs its lock as well, runs on any machine."""
    with reading(engine) as session:
        return is_held(session, RETRAIN_LOCK) is True


def ask_for_retrain(engine: Engine, reason: str) -> None:
    """Asks the worker to retrain now, due or not. Raises BadRequest when a retrain runs or was asked for."""
    is_alive = is_worker_alive(engine)
    with writing(engine) as session:
        waiting = select(Task).where(Task.kind == TaskKind.retrain, Task.status == TaskStatus.waiting)
        if session.exec(waiting).first() is not None:
            when = "it starts as soon as the worker is free" if is_alive else NO_WORKER
            raise BadRequest(f"a retrain was asked for already; {when}")
        if _running(session) is not None:
            raise BadRequest("a retrain runs already; nothing was changed")
        session.add(Task(kind=TaskKind.retrain, status=TaskStatus.waiting))
        session.add(_event(Action.retrain, reason))


def was_answered(engine: Engine, task: Task) -> bool:
    """Whether a retrain ran since a person asked for one, so that the wish is met."""
    with reading(engine) as session:
        since = select(Run.id).where(col(Run.updated_at) > task.created_at, Run.status == RunStatus.done)
        return session.exec(since).first() is not None


def stop_retrain(engine: Engine, reason: str, run_id: int | None = None) -> None:
    """Asks the running retrain to stop after its current step; it publishes no version and is not resumed.

    `run_id`: the one that is meant. Raises BadRequest when it, or any, does not run.
    """
    with writing(engine) as session:
        run = _running(session)
        if run is None or run.stop_reason is not None or run_id not in (None, run.id):
            raise BadRequest(f"{'no' if run_id is None else 'that'} retrain is running; nothing was changed")
        run.stop_reason, run.updated_at = reason or "stopped by a person", utc_now()
        session.add(run)
        session.add(_event(Action.stop, reason))


def is_stop_asked(engine: Engine, run_id: int) -> bool:
    """True once a person asked this run to stop."""
    with reading(engine) as session:
        return session.get_one(Run, run_id).stop_reason is not None


def _running(session: Session) -> Run | None:
    run = latest_run(session)
    return run if run is not None and run.status is RunStatus.running else None


def _is_alive(session: Session) -> bool:
    return is_held(session, RETRAIN_LOCK) is not False


def _bury(run: Run) -> None:
    is_stopped = run.stop_reason is not None
    run.status = RunStatus.failed if is_stopped else RunStatus.interrupted
    run.message = STOPPED if is_stopped else DIED if run.manifest_id else DIED_EARLY


def _event(action: Action, reason: str) -> AliasEvent:
    return AliasEvent(action=action, alias=AliasName.challenger, reason=reason)
