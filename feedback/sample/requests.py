"""What pages and commands ask of the worker, and its answers: the page process itself never loads the model."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Engine
from sqlmodel import col, select

from store.engine import WORKER_LOCK, reading, writing
from store.errors import BadRequest
from store.files import is_held
from store.tables import Task, TaskKind, TaskStatus, utc_now

MAX_WAITING = 20
PATIENCE = timedelta(hours=1)
"""How long a page may wait for a drawing that no worker began."""
NO_WORKER = "no worker runs, so nothing is drawn and no retrain starts; `naysayer run` starts one"
COMING, TRIED = "coming", "tried"
"""In the answer to TaskKind.draw: "3" is the hash of v3's picture, "3 coming" a glimpse of it as a data URI, "3 tried"
what is said of its tries."""


def is_worker_alive(engine: Engine) -> bool:
    """Whether a worker runs for this store. The kernel releases its lock however it ends."""
    lock = engine.get_execution_options().get(WORKER_LOCK)
    return lock is None or is_held(Path(lock))


class DrawRequest(NamedTuple):
    """What the playground asks for: one prompt and seed, drawn by each of the versions.

    `strength` replaces the versions' own; None keeps them.
    """

    prompt: str
    seed: int
    versions: list[int]
    strength: float | None

    @classmethod
    def of(cls, task: Task) -> "DrawRequest":
        return cls(**task.body)


def ask_drawing(engine: Engine, request: DrawRequest) -> int:
    """The number of a new drawing task. Raises BadRequest when too many tasks wait already."""
    return ask(engine, TaskKind.draw, request._asdict())


def ask(engine: Engine, kind: TaskKind, body: dict[str, Any]) -> int:
    """The number of a new task. Raises BadRequest when too many wait already."""
    with writing(engine) as session:
        waiting = list(session.exec(select(Task.id).where(Task.status == TaskStatus.waiting)))
        if len(waiting) >= MAX_WAITING:
            raise BadRequest(f"{len(waiting)} tasks wait for the worker; is it running? (`naysayer generate`)")
        task = Task(kind=kind, status=TaskStatus.waiting, body=body)
        session.add(task)
        session.flush()
        assert task.id is not None
        return task.id


def task(engine: Engine, number: int) -> Task | None:
    """The task with this number; None when there is none."""
    with reading(engine) as session:
        return session.get(Task, number)


def take(engine: Engine, kind: TaskKind) -> Task | None:
    """The oldest waiting task of a kind, running from now on; None when none waits."""
    oldest = select(Task).where(Task.kind == kind, Task.status == TaskStatus.waiting).order_by(col(Task.id)).limit(1)
    with reading(engine) as session:
        if session.exec(oldest).first() is None:
            return None
    with writing(engine) as session:
        found = session.exec(oldest).first()
        if found is not None:
            found.status, found.updated_at = TaskStatus.running, utc_now()
            session.add(found)
        return found


def answer(engine: Engine, number: int, status: TaskStatus, answer: dict[str, Any], message: str = "") -> None:
    """Records how far a task has come."""
    with writing(engine) as session:
        row = session.get_one(Task, number)
        row.status, row.answer, row.message, row.updated_at = status, answer, message, utc_now()
        session.add(row)


def abandon(engine: Engine, now: datetime | None = None) -> None:
    """Marks as failed the tasks that a killed worker left running, and drawings that nobody waits for any more.

    For the start of the only worker.
    """
    with writing(engine) as session:
        old = select(Task).where(Task.kind == TaskKind.draw, Task.status == TaskStatus.waiting)
        for left in session.exec(old.where(col(Task.created_at) < (now or utc_now()) - PATIENCE)):
            left.status, left.message = TaskStatus.failed, "no worker ran for an hour; press Draw again"
            session.add(left)
        for left in session.exec(select(Task).where(Task.status == TaskStatus.running)):
            left.status, left.message, left.updated_at = TaskStatus.failed, "the worker ended midway", utc_now()
            session.add(left)
