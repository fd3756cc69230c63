"""Retrains as they run: the newest one, and how a person asks for one or stops it."""

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from store.engine import reading, writing
from store.errors import BadRequest
from store.tables import Action, AliasEvent, AliasName, Run, RunStatus, Task, TaskKind, TaskStatus, utc_now


def latest_run(session: Session) -> Run | None:
    """The newest attempt at a retrain, running or ended."""
    return session.exec(select(Run).order_by(col(Run.id).desc()).limit(1)).first()


def ask_for_retrain(engine: Engine, reason: str) -> None:
    """Asks the worker to retrain now, due or not. Raises BadRequest when a retrain runs or was asked for."""
    with writing(engine) as session:
        waiting = select(Task).where(Task.kind == TaskKind.retrain, Task.status == TaskStatus.waiting)
        if session.exec(waiting).first() is not None:
            raise BadRequest("a retrain was asked for already; it starts as soon as the worker is free")
        if _running(session) is not None:
            raise BadRequest("a retrain runs already; nothing was changed")
        session.add(Task(kind=TaskKind.retrain, status=TaskStatus.waiting))
        session.add(_event(Action.retrain, reason))


def stop_retrain(engine: Engine, reason: str) -> None:
    """Asks the running retrain to stop after its current step; it publishes no version and is not resumed.

    Raises BadRequest when none runs.
    """
    with writing(engine) as session:
        run = _running(session)
        if run is None or run.stop_reason is not None:
            raise BadRequest("no retrain is running; nothing was changed")
        run.stop_reason, run.updated_at = reason or "stopped by a person", utc_now()
        session.add(run)
        session.add(_event(Action.stop, reason))


def is_stop_asked(engine: Engine, run_id: int) -> bool:
    """True once a person asked this run to stop."""
    with reading(engine) as session:
        return session.get_one(Run, run_id).stop_reason is not None


def _running(session: Session) -> Run | None:
    return session.exec(select(Run).where(Run.status == RunStatus.running).order_by(col(Run.id).desc())).first()


def _event(action: Action, reason: str) -> AliasEvent:
    return AliasEvent(action=action, alias=AliasName.challenger, reason=reason)
