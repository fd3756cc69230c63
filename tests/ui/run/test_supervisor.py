import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

import pytest

from bench.rate.browser import free_port
from store.errors import BadRequest, NaysayerError
from tests.waiting import PATIENCE_S, until
from ui.run.supervisor import supervise


def test_a_port_in_use_is_named_before_anything_starts(settings):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(BadRequest, match=rf"port {port} .*NAYSAYER_PORT"):
            supervise(settings.model_copy(update={"port": port}))
    assert not settings.data_dir.exists()


STREAMLITS = """
[server]
baseUrlPath = "elsewhere"
sslCertFile = "/nowhere.pem"
port = 9
headless = false
[global]
developmentMode = true
"""


def answers(url: str) -> bool:
    try:
        build_opener(ProxyHandler({})).open(url, timeout=2).close()
    except OSError:
        return False
    return True


def children_of(pid: int) -> dict[str, int]:
    """The processes that a process started, by the word that tells them apart."""
    found = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(pid)], capture_output=True, text=True).stdout
    return {"worker" if "generate" in line else "pages": int(line.split()[0]) for line in found.splitlines()}


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.fixture
def environment(tmp_path):
    """A home with another Streamlit's configuration, and a proxy that answers nobody."""
    (tmp_path / "home" / ".streamlit").mkdir(parents=True)
    (tmp_path / "home" / ".streamlit" / "config.toml").write_text(STREAMLITS)
    return os.environ | {
        "HOME": str(tmp_path / "home"),
        "STREAMLIT_SERVER_BASE_URL_PATH": "elsewhere",
        "http_proxy": "http://10.255.255.1:3128",
        "NAYSAYER_DATA_DIR": str(tmp_path / "data"),
        "NAYSAYER_PORT": str(free_port()),
        "NAYSAYER_QUEUE_TARGET": "1",
        "NAYSAYER_EVALUATION_PAIRS": "0",
        "NAYSAYER_NUM_INFERENCE_STEPS": "1",
    }


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_run_says_where_the_pages_are_and_neither_process_ends_the_other_nor_survives_it(environment, tmp_path, host):
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{environment['NAYSAYER_PORT']}"
    said = tmp_path / "said"
    with said.open("w") as file:
        command = [sys.executable, "-m", "ui.commands", "run"]
        run = subprocess.Popen(command, env=environment | {"NAYSAYER_HOST": host}, stdout=file, stderr=file)
    try:
        until(lambda: f"Rate pictures at {address} " in said.read_text(), "the address")
        until(lambda: answers(f"{address}/"), "the pages")
        started = children_of(run.pid)
        os.kill(started["worker"], signal.SIGKILL)
        until(lambda: "the worker ended" in said.read_text(), "a word on the worker's end")
        until(lambda: answers(f"{address}/"), "the pages")
        until(lambda: children_of(run.pid).get("worker", started["worker"]) != started["worker"], "another worker")
        alive = children_of(run.pid)
        assert alive["pages"] == started["pages"]
        os.kill(alive["pages"], signal.SIGKILL)
        until(lambda: "the pages ended" in said.read_text(), "a word on the pages' end")
        until(lambda: answers(f"{address}/"), "the pages again")
        again = children_of(run.pid)
        assert again["worker"] == alive["worker"]
        assert again["pages"] != alive["pages"]
        assert run.poll() is None
        alive = again
    finally:
        run.kill()
        run.wait()
    until(lambda: all(map(is_gone, alive.values())), "both to end with the one that started them")
    assert not answers(f"{address}/")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_pages_end_by_the_signal_that_their_command_gets(environment, number):
    address = f"http://127.0.0.1:{environment['NAYSAYER_PORT']}"
    pages = subprocess.Popen([sys.executable, "-m", "ui.commands", "pages"], env=environment, start_new_session=True)
    until(lambda: answers(f"{address}/_stcore/health"), "the pages")
    pages.send_signal(number)
    pages.wait(PATIENCE_S)
    assert not answers(f"{address}/_stcore/health")


@pytest.mark.slow
def test_a_data_folder_that_is_moved_ends_the_run_and_no_other_is_begun(environment, tmp_path):
    said = tmp_path / "said"
    with said.open("w") as file:
        run = subprocess.Popen([sys.executable, "-m", "ui.commands", "run"], env=environment, stdout=file, stderr=file)
    until(lambda: "Rate pictures" in said.read_text(), "the address")
    (tmp_path / "data").rename(tmp_path / "elsewhere")
    assert run.wait(PATIENCE_S) == 1
    assert "was moved, replaced or deleted" in said.read_text()
    assert not (tmp_path / "data" / "naysayer.db").exists()


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1"])
def test_an_address_of_another_machine_is_named_before_anything_starts(settings, host):
    with pytest.raises(BadRequest, match=rf"cannot listen at NAYSAYER_HOST {host}"):
        supervise(settings.model_copy(update={"host": host, "port": free_port()}))


def test_pages_that_never_answer_end_the_run_with_a_sentence(settings, monkeypatch):
    monkeypatch.setenv("NAYSAYER_OVERLAP", "many")  # read by the processes that are started
    with pytest.raises(NaysayerError, match="the pages did not start"):
        supervise(settings.model_copy(update={"port": free_port()}))
