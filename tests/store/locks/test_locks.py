import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import select

from feedback.sample.prompts import add_prompts, list_prompts
from store.engine import RETRAIN_LOCK, WORKER_LOCK, WRITE_LOCK, is_server_gone, reading, writing
from store.errors import Busy
from store.locks import LockLost, holding, is_held, server, take
from store.migrate import open_store
from store.settings import Settings
from store.tables import Prompt
from tests.waiting import PATIENCE_S, until

BOTH = pytest.mark.parametrize("lock", [WORKER_LOCK, RETRAIN_LOCK])
END_ALL = text(
    "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name LIKE 'naysayer %' AND "
    "datname = current_database()"
)
HOLDER = """
import sys
from pathlib import Path
from feedback.sample.prompts import add_prompts
from store.engine import WORKER_LOCK, is_server_gone
from store.locks import LockLost, server, take
from store.migrate import open_store
from store.settings import Settings
server.BEAT_S = 0.2
engine = open_store(Settings(data_dir=Path(sys.argv[1]), store_url=sys.argv[2], _env_file=None))
hold = take(engine, WORKER_LOCK, "another worker leads")
print("held", flush=True)
for line in sys.stdin:
    try:
        with hold.fenced():
            add_prompts(engine, [line.strip()])
        print("acted", flush=True)
    except LockLost:
        print("lost", flush=True)
    except Exception as error:
        print("gone" if is_server_gone(error) else repr(error), flush=True)
"""


def is_lock_held(engine: Engine, lock: str = WORKER_LOCK) -> bool | None:
    with reading(engine) as session:
        return is_held(session, lock)


def prompts(engine: Engine) -> list[str]:
    with reading(engine) as session:
        return list(session.exec(select(Prompt.text).order_by(Prompt.id)))


class Machine(NamedTuple):
    """A process with its own data folder that holds the leader's lock, and writes a prompt when it is told one."""

    process: subprocess.Popen[str]

    def act(self, prompt: str) -> str:
        self.process.stdin.write(f"{prompt}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()


@contextmanager
def machine(folder: Path, url: str) -> Iterator[Machine]:
    command = [sys.executable, "-c", HOLDER, str(folder), url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "held\n"
            yield Machine(process)
        finally:
            process.send_signal(signal.SIGCONT)
            process.kill()


@pytest.fixture
def here(own_database, tmp_path) -> Iterator[Engine]:
    """This machine's engine of a PostgreSQL store that another machine uses, too."""
    engine = open_store(Settings(data_dir=tmp_path / "here", store_url=own_database.url, _env_file=None))
    yield engine
    engine.dispose()


def taken_within(engine: Engine, seconds: float) -> None:
    """Takes the leader's lock and gives it back; fails unless it is free in time."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            take(engine, WORKER_LOCK, "busy").release()
            return
        except Exception as error:
            assert isinstance(error, Busy) or is_server_gone(error)
            assert time.monotonic() < deadline, f"not free after {seconds} s: {error}"
            time.sleep(0.05)


@BOTH
def test_a_lock_has_one_holder_until_it_is_given_back(any_engine: Engine, lock: str) -> None:
    assert not is_lock_held(any_engine, lock)
    hold = take(any_engine, lock, "busy")
    assert hold.is_kept()
    assert is_lock_held(any_engine, lock)
    with pytest.raises(Busy, match="another one runs"), holding(any_engine, lock, "another one runs"):
        pass
    hold.release()
    assert not is_lock_held(any_engine, lock)
    with holding(any_engine, lock, "busy") as again:
        assert again.is_kept()
    assert not is_lock_held(any_engine, lock)


def test_the_two_locks_do_not_hinder_each_other(any_engine: Engine) -> None:
    with holding(any_engine, WORKER_LOCK, "busy"), holding(any_engine, RETRAIN_LOCK, "busy"):
        assert is_lock_held(any_engine, WORKER_LOCK)
    assert not is_lock_held(any_engine, RETRAIN_LOCK)


def test_a_failure_inside_gives_the_lock_back(any_engine: Engine) -> None:
    with pytest.raises(ZeroDivisionError), holding(any_engine, RETRAIN_LOCK, "busy"):
        raise ZeroDivisionError
    assert not is_lock_held(any_engine, RETRAIN_LOCK)


@pytest.mark.postgres
def test_another_machine_is_told_where_the_holder_runs(here, own_database, tmp_path) -> None:
    with machine(tmp_path / "there", own_database.url):
        with pytest.raises(Busy, match=rf"^busy \(it runs on {os.uname().nodename[:20]}.* since \d\d:\d\d UTC\)$"):
            take(here, WORKER_LOCK, "busy")
        assert is_lock_held(here)


@pytest.mark.postgres
def test_the_lock_dies_with_its_holder(here, own_database, tmp_path) -> None:
    with machine(tmp_path / "there", own_database.url) as there:
        there.process.send_signal(signal.SIGKILL)
        taken_within(here, 10)


@pytest.mark.postgres
@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_restart_of_the_database_takes_the_lock_from_its_holder_before_it_acts(
    here, own_database, tmp_path, mode
) -> None:
    with machine(tmp_path / "there", own_database.url) as there:
        assert there.act("before") == "acted"
        own_database.restart(mode)
        taken_within(here, 20)
        said = [there.act("after"), there.act("after"), there.act("after")]
        assert set(said) <= {"gone", "lost"}
        assert said[-1] == "lost"
    assert prompts(here) == ["before"]


@pytest.mark.postgres
def test_a_stopped_holder_loses_the_lock_and_does_nothing_when_it_goes_on(
    here, own_database, tmp_path, monkeypatch, caplog
) -> None:
    monkeypatch.setattr(server, "SILENT_S", 2.0)
    with machine(tmp_path / "there", own_database.url) as there:
        time.sleep(3)
        with pytest.raises(Busy):  # it speaks, so it keeps the lock
            take(here, WORKER_LOCK, "busy")
        assert there.act("before") == "acted"
        assert is_lock_held(here)
        there.process.send_signal(signal.SIGSTOP)
        until(lambda: not is_lock_held(here), "it counts as dead")
        taken_within(here, 30)
        there.process.send_signal(signal.SIGCONT)
        assert there.act("after") == "lost"
    assert prompts(here) == ["before"]
    assert "was silent for" in caplog.text


@pytest.mark.postgres
def test_what_the_old_holder_was_about_to_write_is_there_before_the_next_one_begins(here, own_database) -> None:
    hold, seen = take(here, WORKER_LOCK, "busy"), []

    def take_over() -> None:
        with holding(here, WORKER_LOCK, "busy"):
            seen.extend(list_prompts(here))

    successor = threading.Thread(target=take_over)
    with hold.fenced(), writing(here) as session:
        with here.connect() as other:
            other.execute(END_ALL)
        until(lambda: not hold.is_kept(), "the lock is lost")
        successor.start()
        successor.join(1)
        assert successor.is_alive()
        session.add(Prompt(text="late", source="test"))
    successor.join(PATIENCE_S)
    assert [row.text for row in seen] == ["late"]
    with pytest.raises(LockLost), hold.fenced():
        add_prompts(here, ["too late"])
    assert prompts(here) == ["late"]
    hold.release()


@pytest.mark.postgres
def test_an_error_of_the_lost_database_is_one_sentence_that_says_to_try_again(here, own_database) -> None:
    with pytest.raises(LockLost, match=r"a retrain ended.*goes on"), holding(here, RETRAIN_LOCK, "busy"):
        own_database.restart("immediate")
        while True:
            prompts(here)  # raises while the server's end of a pooled connection is gone
            add_prompts(here, ["too late"])


@pytest.mark.postgres
def test_the_fence_is_for_its_own_store_and_thread(here, any_engine, own_database) -> None:
    hold = take(here, WORKER_LOCK, "busy")
    with here.connect() as other:
        other.execute(END_ALL)
    with hold.fenced():
        add_prompts(any_engine, ["another store"])
        thread = threading.Thread(target=add_prompts, args=(here, ["another thread"]))
        thread.start()
        thread.join()
    hold.release()
    assert (prompts(any_engine), prompts(here)) == (["another store"], ["another thread"])


@pytest.mark.postgres
def test_a_writer_that_is_stopped_midway_does_not_keep_all_others_waiting(here, monkeypatch) -> None:
    monkeypatch.setattr("store.engine.IDLE_MS", 500)
    with pytest.raises(DBAPIError) as caught, writing(here) as session:
        session.add(Prompt(text="stalled", source="test"))
        session.flush()
        with here.begin() as other:
            began = time.monotonic()
            other.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": WRITE_LOCK})
            assert 0.1 < time.monotonic() - began < 20
    assert is_server_gone(caught.value)
    assert prompts(here) == []
