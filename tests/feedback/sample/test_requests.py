"""Tasks for the worker and its answers."""

import pytest

from feedback.sample.requests import MAX_WAITING, abandon, answer, ask, take, task
from store.errors import BadRequest
from store.tables import TaskKind, TaskStatus


def test_the_oldest_waiting_task_is_taken_once(engine):
    first, second = (ask(engine, TaskKind.draw, {"number": number}) for number in (1, 2))
    taken = [take(engine, TaskKind.draw) for _ in range(3)]
    assert [one and one.id for one in taken] == [first, second, None]


def test_an_answer_is_found_under_the_tasks_number(engine):
    number = ask(engine, TaskKind.draw, {})
    answer(engine, number, TaskStatus.done, {"3": "hash"}, "drawn")
    found = task(engine, number)
    assert (found.status, found.answer, found.message) == (TaskStatus.done, {"3": "hash"}, "drawn")
    assert task(engine, number + 1) is None


def test_too_many_waiting_tasks_are_refused(engine):
    for _ in range(MAX_WAITING):
        ask(engine, TaskKind.draw, {})
    with pytest.raises(BadRequest):
        ask(engine, TaskKind.draw, {})


def test_only_running_tasks_are_abandoned(engine):
    running, waiting = (ask(engine, TaskKind.draw, {}) for _ in range(2))
    take(engine, TaskKind.draw)
    abandon(engine)
    assert task(engine, running).status is TaskStatus.failed
    assert task(engine, waiting).status is TaskStatus.waiting
