"""A program sends a picture and gets its score; a thread answers as the worker does."""

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from feedback.exchange.sorting.one import NAME, ScoreRequest
from feedback.sample.requests import answer, take
from feedback.workers import NO_WORKER
from store.engine import reading, writing
from store.tables import Task, TaskKind, TaskStatus, Version
from tests.feedback.exchange.pictures.brought import png
from tests.ui.dashboard.sort.conftest import make_champion
from ui.api.operation import V1
from ui.web.limits import MAX_PICTURE_BYTES

SCORE = f"{V1}/score"
PNG = {"content-type": "image/png"}


@pytest.fixture
def client(engine, draw, publish_version, as_role):
    make_champion(engine, draw, publish_version)
    return as_role("admin")


@contextmanager
def worker(engine, hold_worker_lock, score: float | None) -> Iterator[list[tuple[ScoreRequest, bytes]]]:
    """A worker that gives every picture this score, or fails without one; what it was asked for."""
    stop, seen = threading.Event(), []

    def work() -> None:
        while not stop.wait(0.01):
            if (task := take(engine, TaskKind.score)) is not None:
                request = ScoreRequest.of(task)
                seen.append((request, (Path(request.folder) / NAME).read_bytes()))
                if score is None:
                    answer(engine, task.id, TaskStatus.failed, {}, "v1 is damaged")
                else:
                    answer(engine, task.id, TaskStatus.done, {"score": score})

    thread = threading.Thread(target=work)
    with hold_worker_lock(engine):
        thread.start()
        try:
            yield seen
        finally:
            stop.set()
            thread.join()


@pytest.mark.parametrize("address", [SCORE, "/naysayer/score"])
@pytest.mark.parametrize("is_form", [True, False])
def test_a_picture_gets_its_score_and_what_it_means(client, engine, hold_worker_lock, address, is_form):
    picture = png("a red star")
    with worker(engine, hold_worker_lock, 0.9) as seen:
        if is_form:
            given = client.post(address, files={"picture": ("a.png", picture)}, data={"prompt": "a blue hand"})
        else:
            given = client.post(address, content=picture, headers=PNG)
    found = given.json()
    assert given.status_code == 200, found
    assert (found["score"], found["is_over"], found["cut"], found["version"]) == (0.9, True, 0.8, 1)
    assert found["prompt"] == ("a blue hand" if is_form else "a red star")  # the metadata say it where nobody else does
    assert found["meaning"].startswith("it scores above the cut of v1; on 60 held-out pictures: of what it flags")
    assert found["chance"] == pytest.approx(1 / (1 + 2.718281828**-0.9), abs=1e-3)
    [(request, bytes_seen)] = seen
    assert (bytes_seen, request.width, request.height) == (picture, 64, 64)
    with reading(engine) as session:
        assert session.get(Task, 1) is None  # nothing of it stays
    assert list(layout_of_store(engine).glob("*work*")) == []


def layout_of_store(engine) -> Path:
    return Path(engine.url.database).parent / "cache"


@pytest.mark.parametrize(
    ("content", "query", "status", "why"),
    [
        (b"no picture", "?prompt=a+star", 400, "no picture that can be read"),
        (png(""), "", 400, "send its prompt beside it"),
        (png("a red star", size=(640, 640)), "?prompt=a+star", 400, "it is 640×640; this store draws 64×64"),
        (b"", "", 400, "no picture that can be read"),
        (b"x" * (MAX_PICTURE_BYTES + 1), "", 413, "longer than 32 MiB"),
        (png("a red star"), "?seed=1", 400, "seed"),
    ],
)
def test_what_cannot_be_scored_is_one_sentence(client, engine, hold_worker_lock, content, query, status, why):
    with worker(engine, hold_worker_lock, 0.9) as seen:
        given = client.post(SCORE + query, content=content, headers=PNG)
    assert (given.status_code, why in given.json()["error"], seen) == (status, True, [])


def test_another_kind_of_body_or_field_is_refused(client):
    assert client.post(SCORE, json={"picture": "x"}).status_code == 415
    given = client.post(SCORE, files={"picture": ("a.png", png("x"))}, data={"seed": "1"})
    assert (given.status_code, "leave others out" in given.json()["error"]) == (400, True)
    broken = client.post(SCORE, content=b"--x", headers={"content-type": "multipart/form-data; boundary=y"})
    assert broken.status_code == 400


def test_no_version_that_can_judge_no_worker_and_a_failure_are_said(client, engine, hold_worker_lock):
    given = client.post(SCORE, content=png("a red star"), headers=PNG)
    assert (given.status_code, given.json()["error"]) == (503, NO_WORKER)
    with worker(engine, hold_worker_lock, None):
        given = client.post(SCORE, content=png("a red star"), headers=PNG)
    assert (given.status_code, given.json()["error"]) == (503, "it was not scored: v1 is damaged")
    with writing(engine) as session:
        session.get_one(Version, 1).check = None
    given = client.post(SCORE, content=png("a red star"), headers=PNG)
    assert (given.status_code, "v1, has no check" in given.json()["error"]) == (409, True)


@pytest.mark.parametrize("role", ["rater", "curator"])
def test_who_may_not_run_the_model_gets_no_score(engine, as_role, role):
    assert as_role(role).post(SCORE, content=png("a star"), headers=PNG).status_code == 403


@pytest.mark.parametrize("address", [SCORE, "/naysayer/score"])
def test_without_a_token_no_picture_is_read(stranger, address):
    given = stranger.post(address, content=io.BytesIO(b"x" * 100), headers=PNG)
    assert given.status_code == 401
