import pytest

from feedback.sample.requests import ComingPicture, DrawAnswer, DrawnPicture, DrawRequest, Side
from feedback.workers import NO_WORKER
from store.tables import Task, TaskKind, TaskStatus
from ui.dashboard.playground.drawn import DrawnBy, drawn_data

ASKED = DrawRequest("a red star", [7, 8], [Side(0), Side(3, 5.0)])
SIDES = [DrawnBy(0, 0.0, None), DrawnBy(3, 4.0, None)]
HALF = DrawAnswer([DrawnPicture(0, 7, "0" * 64), DrawnPicture(1, 7, "1" * 64, "try 2 of 3")])


def data(status: TaskStatus, answer: DrawAnswer = HALF, *, is_alive: bool = True, message: str = "") -> dict:
    body = ASKED._asdict()
    found = Task(kind=TaskKind.draw, status=status, body=body, answer=answer._asdict(), message=message)
    return drawn_data(found, SIDES, is_alive=is_alive)


@pytest.mark.parametrize(
    ("status", "is_alive", "said"),
    [
        (TaskStatus.waiting, True, "Waiting for the worker"),
        (TaskStatus.waiting, False, NO_WORKER[1:]),
        (TaskStatus.running, True, "2 of 4 pictures drawn."),
        (TaskStatus.running, False, "The worker ended midway"),
        (TaskStatus.failed, True, "Not drawn: v3 is damaged."),
    ],
)
def test_how_far_a_drawing_is_is_said_and_that_no_worker_runs(status, is_alive, said):
    found = data(status, is_alive=is_alive, message="v3 is damaged")
    assert said in found["said"]
    assert found["isWrong"] == (not is_alive or status is TaskStatus.failed)


def test_a_row_is_a_seed_and_a_finished_picture_says_its_try():
    first, second = data(TaskStatus.running)["rows"]
    assert (first["seed"], second["seed"]) == ("7", "8")
    assert [side["said"] for side in first["sides"]] == ["", "try 2 of 3"]
    assert second["sides"] == [{"name": "v0, the plain base"}, {"name": "v3 at strength 5"}]


def test_the_picture_that_is_being_drawn_shows_its_own_progress_until_the_drawing_ends():
    answer = HALF._replace(coming=ComingPicture(1, 8, "data:image/webp;base64,AAAA", 5, 20, 2))
    cell = data(TaskStatus.running, answer)["rows"][1]["sides"][1]
    assert (cell["coming"], cell["share"], cell["said"]) == (answer.coming.glimpse, 0.25, "step 5 of 20 of try 2")
    assert data(TaskStatus.failed, answer)["rows"][1]["sides"][1] == {"name": "v3 at strength 5"}


def test_only_a_strength_that_is_not_the_versions_own_can_be_proposed_and_only_once_it_is_drawn():
    plain, other = data(TaskStatus.done)["sides"]
    assert (plain["act"], plain["own"]) == ("", "")
    assert (other["act"], other["own"]) == ("3 5", "its own is 4")
    assert data(TaskStatus.running)["sides"][1]["act"] == ""
    done = Task(kind=TaskKind.draw, status=TaskStatus.done, body=ASKED._asdict())
    [_, taken] = drawn_data(done, [SIDES[0], DrawnBy(3, 4.0, 5)], is_alive=True)["sides"]
    assert (taken["act"], taken["own"]) == ("", "as v5 draws")
    done.body = ASKED._replace(sides=[Side(3, 4.0), Side(3)])._asdict()
    found = drawn_data(done, [DrawnBy(3, 4.0, 3)] * 2, is_alive=True)["sides"]
    assert [(side["act"], side["own"]) for side in found] == [("", ""), ("", "")]
