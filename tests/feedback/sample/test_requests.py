"""Tasks for the worker and its answers."""

import pytest

from feedback.sample.requests import (
    MAX_WAITING,
    ComingPicture,
    DrawAnswer,
    DrawnPicture,
    DrawRequest,
    Side,
    abandon,
    answer,
    ask,
    ask_drawing,
    take,
    task,
)
from store.errors import BadRequest
from store.tables import TaskKind, TaskStatus, utc_now


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


def test_tasks_are_taken_by_kind_and_the_limit_is_of_those_that_wait(engine):
    drawing = ask(engine, TaskKind.draw, {"number": 1})
    assert take(engine, TaskKind.retrain) is None
    before = utc_now()
    taken = take(engine, TaskKind.draw)
    assert (taken.id, taken.status, taken.body) == (drawing, TaskStatus.running, {"number": 1})
    assert taken.updated_at >= before
    for _ in range(MAX_WAITING):
        ask(engine, TaskKind.draw, {})
    with pytest.raises(BadRequest, match=f"{MAX_WAITING} drawings were asked for"):
        ask(engine, TaskKind.draw, {})


def test_a_task_left_running_says_why_it_failed(engine):
    running = ask(engine, TaskKind.draw, {})
    take(engine, TaskKind.draw)
    before = utc_now()
    abandon(engine)
    left = task(engine, running)
    assert (left.status, left.message) == (TaskStatus.failed, "the worker ended midway")
    assert left.updated_at >= before


def test_a_drawing_request_comes_back_as_it_was_asked(engine):
    request = DrawRequest("a red star", [7, 8], [Side(0), Side(3, 2.5)])
    assert DrawRequest.of(task(engine, ask_drawing(engine, request))) == request


def test_an_answer_comes_back_as_it_was_given(engine):
    number = ask(engine, TaskKind.draw, {})
    assert DrawAnswer.of(task(engine, number)) == DrawAnswer()
    said = DrawAnswer((DrawnPicture(0, 7, "hash", "try 2 of 3"),), ComingPicture(1, 7, "data:", 3, 20))
    answer(engine, number, TaskStatus.running, said._asdict())
    assert DrawAnswer.of(task(engine, number)) == said


def test_what_an_earlier_program_asked_for_is_not_drawn(engine):
    number = ask(engine, TaskKind.draw, {"prompt": "a red star", "seed": 7, "versions": [0], "strength": None})
    with pytest.raises(BadRequest, match="earlier program"):
        DrawRequest.of(task(engine, number))


def test_an_answer_says_when_and_has_no_message_unless_given(engine):
    number = ask(engine, TaskKind.draw, {})
    before = utc_now()
    answer(engine, number, TaskStatus.running, {"3 coming": "glimpse"})
    found = task(engine, number)
    assert (found.status, found.message, found.answer) == (TaskStatus.running, "", {"3 coming": "glimpse"})
    assert found.updated_at >= before
