"""Retrains of one PostgreSQL store on two machines."""

import shutil

import pytest

from feedback.exchange.stores.move import move
from feedback.runs import newest_run
from store.migrate import open_store
from store.settings import Settings
from store.tables import RunStatus
from tests.trainer.children import BUSY, DONE, retrain_child, run, start
from tests.trainer.left import last_run, published, wait_for_step
from tests.trainer.machines import end_locks
from tests.waiting import PATIENCE_S, until

pytestmark = [pytest.mark.slow, pytest.mark.postgres]


@pytest.fixture
def two(rated, postgres_url, tmp_path) -> list[Settings]:
    """The settings of two machines: each has the pictures, and both have the database."""
    move(rated, postgres_url)
    shutil.copytree(rated.data_dir, tmp_path / "second")
    one = rated.model_copy(update={"lora_layers": "attention", "strength": 1.0, "store_url": postgres_url})
    return [one, one.model_copy(update={"data_dir": tmp_path / "second"})]


def test_of_two_retrains_at_once_one_runs_and_the_other_gives_way(two):
    children = [start(retrain_child, machine.model_copy(update={"train_steps": 40})) for machine in two]
    for child in children:
        child.join(PATIENCE_S)
    codes = [child.exitcode for child in children]
    assert sorted(codes) == [DONE, BUSY]
    assert len(published(two[codes.index(DONE)])) == 1


def test_a_retrain_that_lost_its_lock_ends_and_another_machine_goes_on_with_it(two):
    first, second = two
    child = start(retrain_child, first.model_copy(update={"train_steps": 10_000}))
    wait_for_step(first, 3)
    engine = open_store(second)
    end_locks(engine)
    child.join(PATIENCE_S)
    assert child.exitcode == BUSY
    until(lambda: newest_run(engine).status is RunStatus.interrupted, "PostgreSQL notices that the process is gone")
    engine.dispose()
    assert run(retrain_child, second) == DONE
    assert len(published(second)) == 1
    assert last_run(second).status is RunStatus.done


def test_a_retrain_on_another_machine_is_not_taken_for_dead(two):
    first, second = two
    child = start(retrain_child, first.model_copy(update={"train_steps": 10_000}))
    wait_for_step(first, 1)
    assert run(retrain_child, second) == BUSY
    engine = open_store(second)
    assert newest_run(engine).status is RunStatus.running
    child.kill()
    child.join()
    until(lambda: newest_run(engine).status is RunStatus.interrupted, "PostgreSQL notices that the process is gone")
    engine.dispose()
