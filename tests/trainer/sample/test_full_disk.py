"""A worker and a rater on a small separate disk, which fills up and gets room again."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ON_A_SMALL_DISK = """
mount -t tmpfs -o size=64m tmpfs "$1" && cd "$1" && exec "$2" -c "$3"
"""
TRIAL = """
import shutil, subprocess, sys, time
from pathlib import Path

from sqlmodel import select

from store.engine import reading, writing
from store.migrate import open_store
from store.settings import Settings
from store.tables import Image, Rater
from trainer.sample.worker import RESERVE_BYTES

settings = Settings()
engine = open_store(settings)
said = Path("said")
worker = subprocess.Popen([sys.executable, "-m", "trainer.commands", "generate"], stderr=said.open("w"))

def until(true, what):
    deadline = time.monotonic() + 240
    while not true():
        assert worker.poll() is None, said.read_text()
        assert time.monotonic() < deadline, f"waited in vain for {what}: {said.read_text()}"
        time.sleep(0.1)

def pictures():
    with reading(engine) as session:
        return len(session.exec(select(Image.id)).all())

try:
    until(lambda: pictures() >= 2, "the first pictures")
    filler = Path("filler")
    filler.write_bytes(bytes(shutil.disk_usage(".").free - RESERVE_BYTES // 2))
    until(lambda: "disk full" in said.read_text(), "a word on the full disk")
    before = pictures()
    for number in range(100):
        with writing(engine) as session:
            session.add(Rater(name=f"rater {number}"))
    assert pictures() == before
    filler.unlink()
    until(lambda: pictures() > before, "pictures when there is room again")
finally:
    worker.terminate()
    worker.wait(240)
print("passed")
"""


def may_mount() -> bool:
    program = shutil.which("unshare")
    return bool(program) and subprocess.run([program, "-m", "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(not may_mount(), reason="needs the right to mount a small disk")
def test_on_a_full_disk_drawing_waits_rating_goes_on_and_drawing_comes_back(tmp_path):
    environment = os.environ | {
        "NAYSAYER_DATA_DIR": "data",
        "NAYSAYER_QUEUE_TARGET": "5000",
        "NAYSAYER_SAMPLE_BATCH": "2",
        "NAYSAYER_EVALUATION_PAIRS": "0",
        "NAYSAYER_NUM_INFERENCE_STEPS": "1",
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")]),
    }
    command = ["unshare", "-m", "sh", "-c", ON_A_SMALL_DISK, "sh", str(tmp_path), sys.executable, TRIAL]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=280)
    assert found.stdout.endswith("passed\n"), found.stderr
