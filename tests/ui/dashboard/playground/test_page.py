import json

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from feedback.retrain.stages import FIT, WAIT
from feedback.sample.requests import DrawRequest, Side, ask_drawing
from feedback.workers import Pulse, beat
from store.engine import writing
from store.tables import Run, RunProgress, RunStatus, Worker, WorkerState
from tests.waiting import PATIENCE_S
from ui.dashboard.playground.drawn import WAITING


@pytest.fixture
def asked(engine, draw) -> int:
    """A drawing that waits."""
    draw(1)
    return ask_drawing(engine, DrawRequest("a red star", [7], [Side(0)]))


def says(number: int) -> str:
    """What the page says of a drawing, as the browser is sent it."""
    script = "from ui.dashboard.playground.page import playground_page\nplayground_page()"
    app = AppTest.from_string(script, default_timeout=PATIENCE_S)
    app.query_params["drawing"] = str(number)
    app.run()
    assert not app.exception
    [drawn] = app.get("bidi_component")
    sent = json.loads(drawn.proto.json)
    assert not sent["isWrong"]
    return str(sent["said"])


def wait_for(engine: Engine, who: str) -> None:
    """The leading worker says that these have its device; nobody: it draws."""
    state = WorkerState.waiting if who else WorkerState.drawing
    beat(engine, Pulse(Worker(name="w", host="here", leads=True, state=state, waits_for=who), 60))


def go_on(engine: Engine, kind: str) -> None:
    """A retrain of this store, a quarter of whose work took 100 s."""
    stage = {"name": "at it", "phase": "fit", "kind": kind, "work": 400, "done": 100, "seconds": 100}
    with writing(engine) as session:
        run = Run(status=RunStatus.running, step=250, steps=1000)
        session.add(run)
        session.flush()
        session.add(RunProgress(run_id=run.id, stages=[stage], curve=[], strengths=[]))


def test_while_a_retrain_has_the_device_the_page_says_so_and_for_how_long(
    engine, asked, hold_worker_lock, hold_retrain_lock
):
    with hold_worker_lock(engine), hold_retrain_lock(engine):
        wait_for(engine, "a retrain")
        go_on(engine, FIT)
        assert says(asked) == "A retrain has the device (about 5 minutes left); your pictures come after it."


def test_of_others_it_says_only_who_has_the_device(engine, asked, hold_worker_lock, hold_retrain_lock):
    with hold_worker_lock(engine), hold_retrain_lock(engine):
        wait_for(engine, "a retrain of /other")
        assert says(asked) == "A retrain of /other has the device; your pictures come after it."
        go_on(engine, WAIT)  # this store's waits as well
        assert says(asked) == "A retrain of /other has the device; your pictures come after it."


def test_while_the_worker_draws_the_pictures_come_after_its_batch(engine, asked, hold_worker_lock):
    with hold_worker_lock(engine):
        wait_for(engine, "")
        assert says(asked) == WAITING
