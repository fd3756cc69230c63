"""A retrain that is killed, or whose disk fails, at any time leaves a whole store; the next one publishes."""

import errno
import os
import random
import shutil
import signal
import time

import pytest

from store.settings import Settings
from store.tables import RunStatus
from tests.trainer.children import (
    BUSY,
    DONE,
    EXITED_AT_STEP,
    OUR_ERROR,
    publishing_trials,
    retrain_child,
    run,
    start,
)
from tests.trainer.conftest import quick_settings
from tests.trainer.left import folders, get_run_count, last_run, published, wait_for_step
from tests.waiting import PATIENCE_S

SMALL = {"lora_layers": "attention", "strength": 1.0}


@pytest.fixture
def small(rated) -> Settings:
    return rated.model_copy(update=SMALL)


@pytest.mark.slow
def test_ten_retrains_at_once_make_one_version_and_nine_give_way(rated):
    slow = rated.model_copy(update=SMALL | {"train_steps": 12})
    children = [start(retrain_child, slow) for _ in range(10)]
    for child in children:
        child.join(PATIENCE_S)
    assert sorted(child.exitcode for child in children) == [DONE] + [BUSY] * 9
    assert len(published(rated)) == 1


@pytest.mark.slow
def test_after_the_holder_of_the_lock_is_killed_the_next_retrain_runs(small):
    child = start(retrain_child, small.model_copy(update={"train_steps": 10_000}))
    wait_for_step(small, 1)
    child.kill()
    child.join()
    assert run(retrain_child, small) == DONE
    assert len(published(small)) == 1


@pytest.mark.slow
def test_sigterm_saves_a_checkpoint_and_the_next_run_goes_on_to_the_same_bytes(rated, rated_template, tmp_path):
    shutil.copytree(rated_template, tmp_path / "unbroken")
    settings = rated.model_copy(update=SMALL | {"train_steps": 12, "checkpoint_every": 7})
    unbroken = settings.model_copy(update={"data_dir": tmp_path / "unbroken"})
    child = start(retrain_child, settings)
    wait_for_step(settings, 3)
    os.kill(child.pid, signal.SIGTERM)
    child.join(PATIENCE_S)
    assert child.exitcode == OUR_ERROR
    assert last_run(settings).status is RunStatus.interrupted
    assert published(settings) == []
    for each in (settings, unbroken):
        assert run(retrain_child, each) == DONE
    assert published(settings)[0].sha256 == published(unbroken)[0].sha256
    assert get_run_count(settings) == 1


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_twenty_kills_at_random_times_leave_the_store_whole_and_the_bytes_the_same(rated_template, tmp_path):
    def fresh_store(name: str) -> Settings:
        shutil.copytree(rated_template, tmp_path / name)
        return quick_settings(tmp_path / name, train_batch=2, **SMALL)

    unbroken, started = fresh_store("unbroken"), time.monotonic()
    assert run(retrain_child, unbroken) == DONE
    whole = time.monotonic() - started
    wanted = published(unbroken)[0].sha256
    chance, kills, stores = random.Random(0), 0, [fresh_store("0")]
    while kills < 20:
        child = start(retrain_child, stores[-1])
        child.join(chance.uniform(0.1, 0.8) * whole)
        child.kill()
        child.join()
        kills += child.exitcode == -signal.SIGKILL
        if published(stores[-1]):
            stores.append(fresh_store(str(len(stores))))
    assert run(retrain_child, stores[-1]) == DONE
    for store in stores:
        assert [version.sha256 for version in published(store)] == [wanted]
        assert folders(store) == {wanted}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_process_that_ends_at_any_step_of_publishing_leaves_no_half_version(small, tmp_path):
    ended, known = [], set()
    with publishing_trials(small) as trial:
        for n in range(1, 60):
            ended.append(trial())
            assert len(published(small)) <= 1
            if ended[-1] == DONE or published(small):
                break
            kinds = frozenset(name.startswith(".staging-") for name in folders(small))
            if kinds not in known:  # a whole retrain goes on from each kind of leftovers
                known.add(kinds)
                shutil.copytree(small.data_dir, tmp_path / str(n))
                publishes_one_version(small.model_copy(update={"data_dir": tmp_path / str(n)}))
    assert ended.count(EXITED_AT_STEP) >= 10
    assert known == {frozenset(), frozenset({True}), frozenset({False})}
    if not published(small):
        assert run(retrain_child, small) == DONE
    assert len(published(small)) == 1
    assert folders(small) == {published(small)[0].sha256}


def publishes_one_version(settings: Settings) -> None:
    assert run(retrain_child, settings) == DONE
    (version,) = published(settings)
    assert folders(settings) == {version.sha256}


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_failing_disk_at_any_step_of_publishing_leaves_no_half_version(small, code):
    ended = []
    with publishing_trials(small, code) as trial:
        for _ in range(1, 60):
            ended.append(trial())
            assert len(published(small)) <= 1
            if published(small):
                break
            assert last_run(small).status is RunStatus.failed
    assert ended.count(OUR_ERROR) >= 10
    assert len(published(small)) == 1
