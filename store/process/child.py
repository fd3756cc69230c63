"""A command that is asked to stop when the process that started it ends, even by SIGKILL.

Run as a script, `child.py PID COMMAND …`, because that imports nothing of ours and starts at once.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

PR_SET_PDEATHSIG = 1  # sys/prctl.h


def with_this_process(command: Sequence[str]) -> list[str]:
    """The command line that runs `command` and asks it to stop (SIGTERM) when this process ends."""
    return [sys.executable, __file__, str(os.getpid()), *command]


def end_with(parent: int) -> None:
    """Asks the system to stop this process when its parent ends. Where the system cannot, nothing does."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it ended before it was watched
            sys.exit(1)


if __name__ == "__main__":
    end_with(int(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])
