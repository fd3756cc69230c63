"""Who may load on a device, and who waits for whom; the processes are real."""

import multiprocessing
import os
import signal
import threading
import time
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess

import pytest

from store.errors import NaysayerError
from store.process.turns import RETRAIN, WORKER, Device, Stay, default_folder, staying
from tests.waiting import PATIENCE_S, until


@pytest.fixture
def device(tmp_path) -> Device:
    return Device(tmp_path / "turns", "device-cpu")


class Other:
    """Another process that wants the device, and tells what it does."""

    def __init__(self, device: Device, what: str, *, loads: bool = False) -> None:
        self.said, theirs = multiprocessing.Pipe()
        self.process: ForkProcess = multiprocessing.get_context("fork").Process(
            target=take_the_device, args=(device, what, loads, theirs)
        )
        self.process.start()

    def wait_for(self, word: object) -> None:
        while self.said.poll(PATIENCE_S):
            if self.said.recv() == word:
                return
        raise AssertionError(f"the process never said {word!r}")

    def kill(self, number: int = signal.SIGKILL) -> None:
        os.kill(self.process.pid, number)
        self.process.join()


def take_the_device(device: Device, what: str, loads: bool, said: Connection) -> None:
    def wait(others) -> None:
        said.send([one.what for one in others])
        time.sleep(0.01)

    stay = Stay(what, "/data", 10, asks=what != WORKER)
    with staying(device, stay, lambda others: False, wait) as turn:
        if not loads:
            turn.loaded()
        said.send("loads" if loads else "loaded")
        time.sleep(600)


@pytest.fixture
def start(device):
    """A function that starts a process which wants the device; it is killed at the end."""
    started: list[Other] = []

    def start(what: str, **how: bool) -> Other:
        started.append(Other(device, what, **how))
        return started[-1]

    yield start
    for other in started:
        other.process.kill()
        other.process.join()


def never_waits(others) -> None:
    raise AssertionError(f"waited for {others}")


class GaveUp(Exception):
    pass


def gives_up(others) -> None:
    raise GaveUp


def test_where_all_fit_nobody_waits(device):
    with staying(device, Stay(WORKER, "/a", 1), lambda others: True, never_waits) as worker:
        worker.loaded()
        with staying(device, Stay(RETRAIN, "/a", 2, asks=True), lambda others: True, never_waits):
            assert [one.what for one in device.inside()] == [WORKER, RETRAIN]
    assert device.inside() == []


def test_whoever_is_alone_loads_however_much_it_needs(device):
    with staying(device, Stay(WORKER, "/a", 10**15), lambda others: False, never_waits):
        assert [one.needs for one in device.inside()] == [10**15]


def test_only_one_process_loads_at_a_time(device, start):
    loading = start(WORKER, loads=True)
    loading.wait_for("loads")
    with pytest.raises(GaveUp), staying(device, Stay(WORKER, "/a", 1), lambda others: True, gives_up):
        pass
    loading.kill()
    with staying(device, Stay(WORKER, "/a", 1), lambda others: True, never_waits):
        pass


def test_who_does_not_fit_leaves_a_wish_that_the_worker_reads_and_gets_the_device_when_it_leaves(device, start):
    with staying(device, Stay(WORKER, "/a", 1), lambda others: True, never_waits) as turn:
        turn.loaded()
        assert device.wish() is None
        retrain = start(RETRAIN)
        retrain.wait_for([WORKER])
        until(lambda: device.wish() is not None, "the wish")
        assert (device.wish().what, device.wish().store) == (RETRAIN, "/data")
    retrain.wait_for("loaded")
    assert device.wish() is None


def test_a_worker_waits_without_a_wish_so_that_two_of_them_do_not_swap_for_ever(device, start):
    with staying(device, Stay(WORKER, "/a", 1), lambda others: True, never_waits) as turn:
        turn.loaded()
        start(WORKER).wait_for([WORKER])
        assert device.wish() is None


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_holder_and_a_killed_wish_leave_the_device_free(device, start, number):
    holder = start(RETRAIN)
    holder.wait_for("loaded")
    waiting = start("import")
    waiting.wait_for([RETRAIN])
    until(lambda: device.wish() is not None, "the wish")
    for other in (waiting, holder):
        other.kill(number)
    assert device.wish() is None
    assert device.inside() == []
    with staying(device, Stay(WORKER, "/a", 1), lambda others: False, never_waits):
        assert len(list(device.folder.glob("*.in"))) == 1  # what the killed one left is gone


def test_what_a_holder_is_doing_is_read_by_those_who_wait(device):
    with staying(device, Stay(WORKER, "/a", 1), lambda others: True, never_waits) as turn:
        turn.tell("which fills the queue")
        assert device.inside()[0].words("/a") == "a worker (which fills the queue)"
        assert device.inside()[0].words("/b") == "a worker of /a (which fills the queue)"


def test_processes_of_one_launcher_do_not_wait_for_each_other(device):
    def of(group: str) -> Stay:
        return Stay(RETRAIN, "/a", 1, asks=True, group=group)

    with staying(device, of("here:1"), lambda others: False, never_waits) as first:
        first.loaded()
        with staying(device, of("here:1"), lambda others: False, never_waits) as second:
            second.loaded()
            with pytest.raises(GaveUp), staying(device, of(""), lambda others: False, gives_up):
                pass


def test_a_turn_ends_with_its_block_also_when_that_fails(device):
    with pytest.raises(RuntimeError), staying(device, Stay(WORKER, "/a", 1), lambda others: True, never_waits):
        raise RuntimeError
    assert device.inside() == []
    assert device.wish() is None


def test_a_folder_that_others_may_write_to_is_refused(device, monkeypatch):
    device.folder.mkdir(mode=0o777)
    device.folder.chmod(0o777)
    monkeypatch.setattr("os.getuid", lambda: 54321)
    stay = staying(device, Stay(WORKER, "/a", 1), lambda others: True, never_waits)
    with pytest.raises(NaysayerError, match="NAYSAYER_TURNS_DIR"), stay:
        pass


def test_cron_and_a_session_agree_on_the_folder(monkeypatch):
    here = default_folder()
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1")
    monkeypatch.setenv("TMPDIR", "/somewhere")
    assert default_folder() == here


def test_many_at_once_are_in_one_after_the_other(device):
    together, most = [0], [0]

    def go() -> None:
        stay = Stay(RETRAIN, "/a", 1, asks=True)
        with staying(device, stay, lambda others: False, lambda others: threading.Event().wait(0.002)) as turn:
            together[0] += 1
            most[0] = max(most[0], together[0])
            turn.loaded()
            threading.Event().wait(0.01)
            together[0] -= 1

    threads = [threading.Thread(target=go) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
