"""Page servers that are forked from one process in which Streamlit and the pages are loaded already.

Each then costs a third of the seconds of `naysayer pages`. Run as a script, this is that process: a line on its
standard input asks for a server, and it answers with the server's process number.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path

from store.process.child import end_with
from tests.waiting import until

LOADED = (
    "streamlit.web.bootstrap",
    "streamlit.web.server.starlette",
    "ui.dashboard.overview",
    "ui.dashboard.playground",
    "ui.dashboard.pool.page",
    "ui.dashboard.raters",
    "ui.dashboard.setup.page",
    "ui.dashboard.sort.page",
    "ui.dashboard.versions.page",
    "ui.rate.plain_form",
    "ui.rate.rate",
    "ui.signin.oidc",
    "ui.web.metrics",
)


class Forked:
    """A process that is not our child, to be watched and killed like one."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def has_ended(self) -> bool:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        return False

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        until(self.has_ended, "the page server to end")


def fork_pages(command: Sequence[str], environment: Mapping[str, str]) -> Forked:
    """The server that `command`, by `pages_command`, would start."""
    loaded = _loaded()
    assert loaded.stdin and loaded.stdout
    asked = {"arguments": command[3:], "environment": dict(environment), "folder": str(Path.cwd())}
    loaded.stdin.write(json.dumps(asked) + "\n")
    loaded.stdin.flush()
    return Forked(int(loaded.stdout.readline()))


@cache
def _loaded() -> "subprocess.Popen[str]":
    """The process to fork from, which ends with this one."""
    command = [sys.executable, "-m", "tests.ui.forked"]
    root = Path(__file__).parents[2]
    return subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _serve(arguments: Sequence[str], environment: Mapping[str, str], folder: str) -> None:
    """Becomes the page server."""
    end_with(os.getppid())
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["ui.run.serve", *arguments]
    import_module("ui.run.serve").main()


def main() -> None:
    """Forks a server for each line."""
    for name in LOADED:
        import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for a server, so none stays as a zombie
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _serve(**json.loads(line))
            os._exit(1)
        print(pid, flush=True)


if __name__ == "__main__":
    main()
