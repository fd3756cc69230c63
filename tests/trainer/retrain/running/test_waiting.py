"""A retrain that must wait for its device says so, can be stopped, and runs once it is free."""

import os
import signal
import threading
from contextlib import contextmanager

import pytest

from feedback.retrain.progress import progress_of, retrain_now
from feedback.retrain.stages import WAIT, Phase
from feedback.runs import DIED_EARLY, STOPPED, can_resume, newest_run, stop_retrain
from store.migrate import open_store
from store.process.turns import WORKER, Stay, staying
from store.tables import RunStatus
from tests.trainer.children import OUR_ERROR, retrain_child, start
from tests.trainer.retrain.test_retrain import interrupt_at
from tests.waiting import PATIENCE_S, until
from trainer.card.turn import place_of, store_of
from trainer.retrain.retrain import retrain


@pytest.fixture
def rated(rated, tmp_path):
    return rated.model_copy(
        update={"turns": "always", "turns_dir": tmp_path / "turns", "lora_layers": "attention", "strength": 1.0}
    )


@pytest.fixture
def engine(rated):
    engine = open_store(rated)
    yield engine
    engine.dispose()


@contextmanager
def worker_on_the_device(settings):
    """As a worker of that store that fills the queue."""

    def wait(others) -> None:
        raise AssertionError(others)

    with staying(place_of(settings).shared, Stay(WORKER, store_of(settings), 1), lambda others: True, wait) as turn:
        turn.loaded()
        turn.tell("which fills the queue")
        yield turn


def waits(engine) -> bool:
    now = retrain_now(engine)
    return now is not None and bool(now.progress.stages) and now.progress.stages[0].kind == WAIT


def test_while_it_waits_its_run_says_for_whom_and_it_goes_on_when_the_device_is_free(rated, engine, capfd):
    said, wished = [], []

    def watch() -> None:
        with worker_on_the_device(rated) as turn:
            ready.set()
            until(lambda: waits(engine) and retrain_now(engine).progress.stages[0].note, "who has it")
            said.append(retrain_now(engine).words)
            wished.append(turn.device.wish())

    ready, watching = threading.Event(), threading.Thread(target=watch)
    watching.start()
    ready.wait()
    assert retrain(rated).version == 1
    watching.join()
    assert said[0].startswith("waiting for the device: a worker (which fills the queue) has it; how long")
    assert wished[0].what == "retrain"
    run = newest_run(engine)
    assert (run.status, run.message, run.version) == (RunStatus.done, "published v1", 1)
    told = progress_of(engine, run.id).stages
    assert (told[0].phase, told[0].is_over, told[0].seconds > 0) == (Phase.turn, True, True)
    assert "waiting for the device: a worker (which fills the queue) has it" in capfd.readouterr().err


@pytest.mark.parametrize("by", ["signal", "person", "kill"])
def test_it_stops_while_it_waits_and_leaves_no_wish(rated, engine, by):
    with worker_on_the_device(rated) as turn:
        child = start(retrain_child, rated)
        until(lambda: waits(engine), "the stage")
        if by == "person":
            stop_retrain(engine, "changed my mind")
        else:
            os.kill(child.pid, signal.SIGTERM if by == "signal" else signal.SIGKILL)
        child.join(PATIENCE_S)
        assert turn.device.wish() is None
    run = newest_run(engine)
    if by == "person":
        assert (child.exitcode, run.status, run.message) == (OUR_ERROR, RunStatus.failed, STOPPED)
    else:
        assert child.exitcode == (OUR_ERROR if by == "signal" else -signal.SIGKILL)
        assert run.status is RunStatus.interrupted
        early = "stopped while waiting for the device; the next `naysayer retrain` starts from scratch, once it is due"
        assert run.message == (early if by == "signal" else DIED_EARLY)
    assert not can_resume(run)
    assert retrain(rated.model_copy(update={"retrain_after": 10_000})).version is None  # not due, so it does not go on


@pytest.mark.slow
def test_a_resumed_one_that_stops_while_it_waits_can_still_be_resumed(rated, engine):
    interrupt_at(rated.model_copy(update={"train_steps": 40}), 3)
    with worker_on_the_device(rated):
        child = start(retrain_child, rated.model_copy(update={"train_steps": 40}))
        until(lambda: waits(engine), "the stage")
        os.kill(child.pid, signal.SIGTERM)
        child.join(PATIENCE_S)
    run = newest_run(engine)
    assert can_resume(run)
    assert run.message.endswith("the next `naysayer retrain` resumes from what was saved")
    assert retrain(rated.model_copy(update={"retrain_after": 10_000})).version == 1
