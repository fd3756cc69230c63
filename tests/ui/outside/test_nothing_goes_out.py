"""Naysayer asks no other machine for anything that its user did not name."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from bench.rate.browser import find_chromium
from tests.ui.conftest import png_of
from tests.ui.every import ON_A_STORE, SERVERS
from tests.ui.outside.watch import ALONE, can_be_alone
from tests.waiting import PATIENCE_S

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not can_be_alone(), reason="needs unshare, ip (iproute2) and the right to a network namespace"),
]

QUICK = {
    "SAMPLE_BATCH": "8",
    "NUM_INFERENCE_STEPS": "2",
    "RETRAIN_AFTER": "1",
    "TRAIN_STEPS": "2",
    "EVALUATION_PAIRS": "2",
    "SECRET": "a secret of more than thirty-two characters",
}
ATTEMPTS = {
    "a name": ("import urllib.request as u; u.urlopen('http://hub.example/x')", "name hub.example"),
    "an address": ("import socket as s; s.create_connection(('192.0.2.1', 443))", "tcp 192.0.2.1:443"),
    "an IPv6 address": ("import socket as s; s.create_connection(('2001:db8::7', 443))", "tcp 2001:db8::7:443"),
    "a datagram": ("import socket as s; s.socket(type=s.SOCK_DGRAM).sendto(b'', ('192.0.2.1', 9))", "udp 192.0.2.1:9"),
}


def alone(folder: Path, *words: str) -> dict[str, Any]:
    """What a program in that folder sent, on a machine without others and in an empty home."""
    home = {"HOME": str(folder), "PYTHONPATH": str(Path(__file__).parents[3]), "PYTHONDONTWRITEBYTECODE": "1"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "XDG_", "PYTEST_"))}
    quick = {f"NAYSAYER_{name}": value for name, value in QUICK.items()}
    environment = kept | home | quick | {"NAYSAYER_CHROMIUM": find_chromium() or ""}
    command = [*ALONE, sys.executable, "-m", "tests.ui.outside.alone", *words]
    told = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=4 * PATIENCE_S)
    assert told.returncode == 0, told.stderr
    return json.loads(told.stdout.splitlines()[-1])


@pytest.mark.parametrize("kind", ATTEMPTS)
def test_an_attempt_that_nobody_mentions_is_seen(tmp_path, kind):
    program, said = ATTEMPTS[kind]
    assert set(alone(tmp_path, sys.executable, "-c", program)["sent"]) == {said}


def test_what_stays_on_this_machine_is_not_taken_for_an_attempt(tmp_path):
    program = "import socket as s; one = s.create_server(('127.0.0.1', 0)); s.create_connection(one.getsockname())"
    assert alone(tmp_path, sys.executable, "-c", program)["sent"] == {}


@pytest.mark.browser
@pytest.mark.timeout(1200)
def test_every_command_page_and_route_together_ask_no_other_machine(shell, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(png_of(1))
    used = alone(tmp_path, "everything")
    assert used["sent"] == {}
    assert {urlsplit(url).hostname for url in used["asked"]} == {"127.0.0.1"}
    assert len(used["commands"]) == len(ON_A_STORE) - len(SERVERS)
    assert {"generate --once: 0", "export lora 1: 0", "export data out: 0", "doctor: 0"} <= set(used["commands"])
    assert len(used["pages"]) > 15 and len(used["routes"]) > 25
