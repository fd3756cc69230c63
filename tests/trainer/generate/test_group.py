"""Several worker processes of one command."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import func, select

from feedback.workers import list_workers
from store.engine import is_server_gone, reading
from store.errors import BadRequest
from store.migrate import open_store
from store.settings import Settings
from store.tables import Claim, Image, WorkerState
from tests.waiting import PATIENCE_S, until
from trainer.generate.group import card_numbers, pick_cards, share_device

QUICK = {
    "NAYSAYER_NUM_INFERENCE_STEPS": "2",
    "NAYSAYER_SAMPLE_BATCH": "2",
    "NAYSAYER_EVALUATION_PAIRS": "2",
    "NAYSAYER_AUTO_RETRAIN": "0",
    "OMP_NUM_THREADS": "1",
}
GENERATE = (sys.executable, "-m", "trainer.commands", "generate")


def environment_of(folder: Path, **changes: str) -> dict[str, str]:
    return os.environ | QUICK | {"NAYSAYER_DATA_DIR": str(folder)} | changes


@contextmanager
def generating(log: Path, environment: dict[str, str], *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """The running command; what it says goes into the file."""
    with log.open("wb") as said, subprocess.Popen([*GENERATE, *options], env=environment, stderr=said) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


@pytest.fixture
def opened() -> Iterator[Callable[..., Engine]]:
    engines: list[Engine] = []

    def open_at(folder: Path, url: str = "", blobs: str = "") -> Engine:
        engines.append(open_store(Settings(data_dir=folder, store_url=url, blobs=blobs, _env_file=None)))
        return engines[-1]

    yield open_at
    for engine in engines:
        engine.dispose()


def children_of(pid: int) -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True).stdout
    return [int(line) for line in found.split()]


def workers(engine: Engine) -> list[str]:
    """What those that are there draw on."""
    return sorted(worker.row.device for worker in list_workers(engine) if worker.is_there)


def pictures(engine: Engine) -> int:
    """How many there are; 0 while the database is away."""
    try:
        with reading(engine) as session:
            return session.exec(select(func.count(Image.id))).one()
    except Exception as error:
        assert is_server_gone(error)
        return 0


def require_each_once(engine: Engine) -> None:
    """No picture is there twice, and nobody claims any more."""
    with reading(engine) as session:
        drawn = [
            tuple(row)
            for row in session.exec(select(Image.prompt_id, Image.seed, Image.version, Image.origin, Image.work_key))
        ]
        assert len({row[:4] for row in drawn}) == len(drawn)
        assert list(session.exec(select(Claim))) == []


@pytest.mark.parametrize("wanted", ["", "some", "0", "5", "0,4", "1,1", "-1", "9999999999", "²"])
def test_cards_that_are_not_there_or_no_cards_are_refused(wanted: str) -> None:
    with pytest.raises(BadRequest, match="--gpus is"):
        card_numbers(wanted, 4)


def test_without_cards_it_says_so_and_what_else_there_is(monkeypatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    with pytest.raises(BadRequest, match=r"--gpus all needs cards.*--processes"):
        pick_cards("all")


def test_each_process_sees_its_own_card_of_those_that_this_one_sees(monkeypatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 3)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,GPU-abc,7")
    places = pick_cards("1,2")
    assert [place.name for place in places] == ["card 1", "card 2"]
    assert [place.environment["CUDA_VISIBLE_DEVICES"] for place in places] == ["GPU-abc", "7"]
    assert {place.environment["NAYSAYER_DEVICE"] for place in places} == {"cuda"}


def test_processes_of_one_device_share_the_cores(monkeypatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 16)
    assert [place.environment["OMP_NUM_THREADS"] for place in share_device(4)] == ["4"] * 4


def test_cards_and_processes_are_not_asked_for_together(tmp_path) -> None:
    command = [*GENERATE, "--gpus", "all", "--processes", "2"]
    ended = subprocess.run(command, env=environment_of(tmp_path), capture_output=True, text=True)
    assert ended.returncode == 1
    assert "leave one out" in ended.stderr


@pytest.mark.slow
def test_with_once_all_processes_fill_the_queue_together_and_end(tmp_path, opened) -> None:
    environment = environment_of(tmp_path, NAYSAYER_QUEUE_TARGET="16")
    ended = subprocess.run(
        [*GENERATE, "--once", "--processes", "2"], env=environment, stderr=subprocess.PIPE, text=True
    )
    assert ended.returncode == 0, ended.stderr
    said = dict(re.findall(r"\[(process \d)\] drew (\d+) picture", ended.stderr))
    engine = opened(tmp_path)
    assert sorted(said) == ["process 1", "process 2"]
    assert sum(map(int, said.values())) == pictures(engine) == 16 + 2
    require_each_once(engine)


@pytest.mark.slow
def test_a_killed_process_starts_again_and_a_signal_stops_all_in_order(tmp_path, opened) -> None:
    log = tmp_path / "log"
    environment = environment_of(tmp_path / "data", NAYSAYER_QUEUE_TARGET="2000")
    with generating(log, environment, "--processes", "2") as process:
        engine = opened(tmp_path / "data")
        both = ["CPU, 1 thread, process 1", "CPU, 1 thread, process 2"]
        until(lambda: workers(engine) == both and pictures(engine) > 4, "both draw")
        killed, other = sorted(children_of(process.pid))
        os.kill(killed, signal.SIGKILL)
        until(lambda: set(children_of(process.pid)) - {killed, other}, "the killed one starts again")
        # It goes by the name of the killed one, so its row alone does not tell that it has come so far.
        until(
            lambda: any(seen.row.state == WorkerState.starting for seen in list_workers(engine)), "the new one starts"
        )
        before = pictures(engine)
        until(lambda: workers(engine) == both and pictures(engine) > before + 4, "both draw again")
        process.terminate()
        assert process.wait(PATIENCE_S) == 0
    assert "process 1 ended (killed by signal 9)" in log.read_text()
    assert list_workers(engine) == []
    require_each_once(engine)


@pytest.mark.slow
def test_when_none_stays_up_it_ends_with_their_last_words(tmp_path) -> None:
    script = (
        "import store.process.children as children; children.FIRST_WAIT_S = 0.1\n"
        "import trainer.generate.group as group; from store.process import run_command\n"
        "group.TRIES = 1\n"
        "run_command(lambda: group.run_group(group.share_device(2), once=False))"
    )
    environment = environment_of(tmp_path, NAYSAYER_MODEL=str(tmp_path / "nowhere"))
    ended = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert ended.returncode == 1
    assert re.search(r"no process stays up.*the last one said: naysayer: .*nowhere", ended.stderr)


@pytest.mark.slow
@pytest.mark.postgres
def test_when_the_database_restarts_both_go_on_and_no_picture_is_there_twice(own_database, tmp_path, opened) -> None:
    log = tmp_path / "log"
    environment = environment_of(tmp_path / "data", NAYSAYER_QUEUE_TARGET="2000", NAYSAYER_STORE_URL=own_database.url)
    with generating(log, environment, "--processes", "2") as process:
        engine = opened(tmp_path / "data", own_database.url)
        until(lambda: len(workers(engine)) == 2 and pictures(engine) > 4, "both draw")
        before = set(children_of(process.pid))
        drawn = pictures(engine)
        own_database.restart("fast")
        until(lambda: pictures(engine) > drawn + 8, "they go on")
        until(lambda: len(workers(engine)) == 2, "both are there")
        assert set(children_of(process.pid)) == before
        until(lambda: sum(worker.row.leads for worker in list_workers(engine)) == 1, "one of them leads again")
        process.terminate()
        assert process.wait(PATIENCE_S) == 0
    said = log.read_text()
    assert all(said.count(f"[process {one}] ") for one in (1, 2))
    assert max(len(re.findall(rf"\[process {one}\].*the database does not answer", said)) for one in (1, 2)) == 1
    assert "Traceback" not in said
    require_each_once(engine)


@pytest.mark.slow
@pytest.mark.postgres
def test_of_two_machines_one_leads_and_when_it_is_killed_the_other_does(own_database, tmp_path, opened) -> None:
    shared = {"NAYSAYER_STORE_URL": own_database.url, "NAYSAYER_BLOBS": f"file://{tmp_path / 'bucket'}"}
    (tmp_path / "bucket").mkdir()
    with (
        generating(tmp_path / "first.log", environment_of(tmp_path / "first", **shared)) as first,
        generating(tmp_path / "second.log", environment_of(tmp_path / "second", **shared)) as second,
    ):
        engine = opened(tmp_path / "here", own_database.url, shared["NAYSAYER_BLOBS"])

        def leaders() -> list[int]:
            return [
                int(worker.row.name.split()[-2])
                for worker in list_workers(engine)
                if worker.row.leads and worker.is_there
            ]

        until(lambda: len(workers(engine)) == 2 and leaders(), "both machines work")
        [leading] = leaders()
        heir = second if leading == first.pid else first
        os.kill(leading, signal.SIGKILL)
        until(lambda: leaders() == [heir.pid], "the other machine leads", 15)
