"""Worker and retrain in a control group: what one model takes is there, what two take is not."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.turns.group import NoGroup, memory_limited
from bench.turns.limited import Heavy, Sample, heavy_store, kept, killed_without_turns, let_go, limited_trial
from tests.waiting import until

MB = 10**6
TAKES = "x = bytearray(int(__import__('sys').argv[1])); print(len(x))"


@pytest.fixture(scope="module")
def groups() -> None:
    """Skips where no control group can be made."""
    try:
        with memory_limited(100 * MB):
            pass
    except NoGroup as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def heavy(groups: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Heavy]:
    return heavy_store(tmp_path_factory.mktemp("heavy"))


def test_a_process_that_takes_more_than_its_group_has_is_killed_and_counted(groups: None) -> None:
    with memory_limited(100 * MB) as group:
        for size, kills in ((20 * MB, 0), (200 * MB, 1)):
            words = [*group.by, sys.executable, "-c", TAKES, str(size)]
            done = subprocess.run(words, capture_output=True, check=False)
            assert (done.returncode == 0) is (kills == 0)
            assert group.kills == kills
    assert not group.folder.exists()


def test_what_is_left_in_a_group_ends_with_it(groups: None) -> None:
    with memory_limited(100 * MB) as group:
        process = subprocess.Popen([*group.by, "sleep", "600"])
        until(lambda: group.processes() == [process.pid], "the process to be in the group")
    assert process.wait() < 0


def test_what_a_process_keeps_without_its_model_is_found(tmp_path: Path) -> None:
    log = tmp_path / "models.log"
    log.write_text("1.0 7 +\n2.0 8 +\n3.0 7 -\n5.0 7 +\n6.0 8 -\n")
    samples = [Sample(2.0, 7, 100), Sample(2.5, 7, 90), Sample(3.5, 7, 95), Sample(4.5, 7, 60), Sample(5.5, 8, 1)]
    assert let_go(samples, log) == [(100, 60)]  # 8 ended with its model
    assert kept(samples, log, must_let_go=True) == ["a process kept 60% of its memory without its model"]
    assert kept([*samples, Sample(4.9, 7, 50)], log, must_let_go=True) == []
    assert kept(samples, tmp_path / "none", must_let_go=True) == ["no process let its model go"]
    assert kept(samples, tmp_path / "none", must_let_go=False) == []


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.timeout(3600)
def test_without_turns_one_of_the_two_is_killed(heavy: Heavy, tmp_path: Path) -> None:
    assert killed_without_turns(heavy, tmp_path) > 0


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("killed", ["nobody", "worker", "retrain"])
def test_they_find_out_that_both_do_not_fit_and_take_turns(heavy: Heavy, tmp_path: Path, killed: str) -> None:
    found = limited_trial(heavy, tmp_path, killed, 1)
    assert found.faults == ()
    assert found.votes > 0
