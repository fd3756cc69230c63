import os
import signal
import subprocess
import sys
import time

import pytest

from store.process.child import with_this_process
from tests.waiting import PATIENCE_S

PARENT = """
import subprocess, sys, time
from store.process.child import with_this_process
code = "import time; print('up', flush=True); time.sleep(60)"
child = subprocess.Popen(with_this_process([sys.executable, "-c", code]))
print(child.pid, flush=True)
time.sleep(60)
"""


def is_gone(pid: int) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux watches a parent")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_child_ends_with_its_parent_however_that_ends(number):
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        lines = {parent.stdout.readline().strip(), parent.stdout.readline().strip()}
        (pid,) = lines - {"up"}
        parent.send_signal(number)
        parent.wait(PATIENCE_S)
    assert is_gone(int(pid))


def test_a_child_hands_on_its_exit_code_and_its_signals():
    assert subprocess.run(with_this_process([sys.executable, "-c", "raise SystemExit(7)"]), check=False).returncode == 7


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux watches a parent")
def test_a_child_whose_parent_is_gone_already_does_not_start():
    orphan = [*with_this_process([sys.executable, "-c", "print('ran')"])]
    orphan[3] = "1" if os.getpid() != 1 else "2"
    found = subprocess.run(orphan, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (1, "")
