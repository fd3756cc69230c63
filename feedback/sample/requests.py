"""What pages and commands ask of the worker, and its answers: the page process itself never loads the model."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Self

from sqlalchemy import Engine, delete
from sqlmodel import col, select

from feedback.workers import NO_WORKER, is_worker_alive
from store.engine import reading, writing
from store.errors import BadRequest
from store.tables import Task, TaskKind, TaskStatus, utc_now

MAX_WAITING = 20
CALLED = {
    TaskKind.retrain: "retrains",
    TaskKind.draw: "drawings",
    TaskKind.sort: "folders",
    TaskKind.score: "scores",
}
PATIENCE = timedelta(hours=1)
"""How long a page may wait for a drawing that no worker began."""
MOST_SEEDS = 4


class Side(NamedTuple):
    """A version at a strength; None is its own."""

    version: int
    strength: float | None = None


class DrawRequest(NamedTuple):
    """What the playground asks for: one prompt, drawn from each seed by each side."""

    prompt: str
    seeds: list[int]
    sides: list[Side]

    @classmethod
    def of(cls, task: Task) -> Self:
        """Raises BadRequest for a task that an earlier program wrote."""
        try:
            return cls(task.body["prompt"], task.body["seeds"], [Side(*side) for side in task.body["sides"]])
        except (KeyError, TypeError) as error:
            raise BadRequest("an earlier program asked for this drawing; press Draw again") from error


class DrawnPicture(NamedTuple):
    """A finished picture: which side of the request, its seed, its file, and what is said of its tries."""

    side: int
    seed: int
    sha256: str
    tried: str = ""


class ComingPicture(NamedTuple):
    """The picture that is being drawn: a glimpse of it as a data URI, and how far it is; `number` counts its tries."""

    side: int
    seed: int
    glimpse: str
    step: int
    steps: int
    number: int = 1


class DrawAnswer(NamedTuple):
    """How far a drawing has come: the answer to TaskKind.draw."""

    drawn: Sequence[DrawnPicture] = ()
    coming: ComingPicture | None = None

    @classmethod
    def of(cls, task: Task) -> Self:
        drawn, coming = task.answer.get("drawn", []), task.answer.get("coming")
        return cls(tuple(DrawnPicture(*one) for one in drawn), ComingPicture(*coming) if coming else None)


def ask_drawing(engine: Engine, request: DrawRequest) -> int:
    """The number of a new drawing task. Raises BadRequest when too many tasks wait already."""
    return ask(engine, TaskKind.draw, request._asdict())


def ask(engine: Engine, kind: TaskKind, body: dict[str, Any]) -> int:
    """The number of a new task. Raises BadRequest when too many of its kind wait already."""
    is_alive = is_worker_alive(engine)
    with writing(engine) as session:
        of_kind = select(Task.id).where(Task.kind == kind, Task.status == TaskStatus.waiting)
        waiting = list(session.exec(of_kind))
        if len(waiting) >= MAX_WAITING:
            why = "wait until some are done" if is_alive else NO_WORKER
            raise BadRequest(f"{len(waiting)} {CALLED[kind]} were asked for and wait already; {why}")
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
    """Records how far a task has come, unless nobody waits for it any more."""
    with writing(engine) as session:
        if (row := session.get(Task, number)) is not None:
            row.status, row.answer, row.message, row.updated_at = status, answer, message, utc_now()
            session.add(row)


def forget(engine: Engine, number: int) -> None:
    """Takes a task away, for whoever asked and has the answer or waits no longer."""
    with writing(engine, is_durable=False) as session:
        session.exec(delete(Task).where(col(Task.id) == number))


def abandon(engine: Engine, now: datetime | None = None) -> None:
    """Marks as failed the tasks that a killed worker left running, and drawings that nobody waits for any more.

    A folder that was being sorted waits again: what was scored of it is kept. For the start of the only worker.
    """
    with writing(engine) as session:
        old = select(Task).where(Task.kind == TaskKind.draw, Task.status == TaskStatus.waiting)
        for left in session.exec(old.where(col(Task.created_at) < (now or utc_now()) - PATIENCE)):
            left.status, left.message = TaskStatus.failed, "no worker ran for an hour; press Draw again"
            session.add(left)
        for left in session.exec(select(Task).where(Task.status == TaskStatus.running)):
            can_go_on = left.kind is TaskKind.sort
            left.status = TaskStatus.waiting if can_go_on else TaskStatus.failed
            left.message, left.updated_at = "" if can_go_on else "the worker ended midway", utc_now()
            session.add(left)
