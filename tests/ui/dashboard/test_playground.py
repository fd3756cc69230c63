from feedback.sample.requests import NO_WORKER
from store.tables import Task, TaskKind, TaskStatus
from ui.dashboard.playground import drawn_html

HOSTILE = "<img src=x onerror=alert(1)>"
BODY = {"prompt": HOSTILE, "seed": 3, "versions": [0, 1], "strength": 4.0}


def test_a_drawing_that_no_worker_will_begin_says_so():
    waiting = Task(kind=TaskKind.draw, status=TaskStatus.waiting, body=BODY)
    assert "waiting for the worker" in drawn_html(waiting, width=64, is_alive=True)
    assert NO_WORKER in drawn_html(waiting, width=64, is_alive=False)


def test_a_picture_that_is_still_drawn_is_shown_as_such_and_not_counted():
    answer = {"0": "0" * 64, "1 coming": "data:image/webp;base64,AAAA"}
    html = drawn_html(Task(kind=TaskKind.draw, status=TaskStatus.running, body=BODY, answer=answer), width=64)
    assert 'src="data:image/webp;base64,AAAA" alt="v1, still being drawn"' in html
    assert "1 of 2 drawn" in html
    assert "<img src=x" not in html


def test_a_drawn_picture_says_which_try_it_is():
    answer = {"0": "0" * 64, "1": "1" * 64, "1 tried": "try 2 of 3"}
    html = drawn_html(Task(kind=TaskKind.draw, status=TaskStatus.done, body=BODY, answer=answer), width=64)
    assert "<figcaption>v0</figcaption>" in html
    assert "<figcaption>v1, try 2 of 3</figcaption>" in html
