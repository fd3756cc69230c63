"""`python -m store.child PID COMMAND …`: a command that is asked to stop when the process PID ends, even by SIGKILL."""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

PR_SET_PDEATHSIG = 1  # sys/prctl.h


def with_this_process(command: Sequence[str]) -> list[str]:
    """The command line that runs `command` and asks it to stop (SIGTERM) when this process ends."""
    return [sys.executable, "-m", "store.child", str(os.getpid()), *command]


def become(parent: int, command: Sequence[str]) -> None:
    """Runs the command in place of this process. Where the system cannot watch the parent, nothing does."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it ended before it was watched
            sys.exit(1)
    os.execv(command[0], list(command))


if __name__ == "__main__":
    become(int(sys.argv[1]), sys.argv[2:])
