"""`naysayer run`: the worker and the pages as two processes. Neither ends the other, and both end with this one."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, build_opener

import typer

from store.errors import MovedStore, NaysayerError
from store.process import catch_stop_signals
from store.process.child import with_this_process
from store.settings import Settings
from store.settings.names import unknown_names
from ui.run.serve import check_port, check_store, pages_command

STOP_WAIT_S = 60
POLL_S = 0.2
FIRST_WAIT_S, LONGEST_WAIT_S = 5.0, 300.0
"""How long a process that ended by itself waits before it starts again; each time twice as long."""


def supervise(settings: Settings) -> None:
    """Runs the worker and the pages until Ctrl-C or SIGTERM; one that ends by itself starts again, later each time.

    Raises NaysayerError when the pages end before they have answered once, MovedStore when the data folder goes away.
    """
    check_port(settings)
    check_store(settings)
    home = _identity(settings.data_dir)
    with catch_stop_signals() as stop:
        pages = Child("pages", pages_command(settings), subprocess.DEVNULL)
        worker = Child("worker", [sys.executable, "-m", "ui.commands", "generate"])
        announce = _announcer(settings.address)
        try:
            while not stop.is_set():
                if _identity(settings.data_dir) != home:  # what starts again would begin another store there
                    raise MovedStore(settings.data_dir)
                if not announce() and not pages.is_running():
                    raise NaysayerError("the pages did not start; their own message is above")
                pages.keep_running("pictures are drawn meanwhile")
                worker.keep_running("rating goes on")
                stop.wait(POLL_S)
        finally:
            _stop([worker, pages])
    typer.echo("stopped")


class Child:
    """A process that runs until it is stopped, and starts again when it ends by itself."""

    def __init__(self, name: str, command: Sequence[str], stdout: int | None = None) -> None:
        self.name, self.command, self.stdout = name, command, stdout
        self.wait_s = FIRST_WAIT_S
        self.start()

    def start(self) -> None:
        """Starts it; it ends with this process."""
        unknown = unknown_names(os.environ, "the environment")  # this process has named them
        known = {name: value for name, value in os.environ.items() if name not in unknown}
        self.process = subprocess.Popen(with_this_process(self.command), stdout=self.stdout, env=known)
        self.started_at, self.starts_at = time.monotonic(), float("inf")

    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    def keep_running(self, meanwhile: str) -> None:
        """Says that it ended, once, and starts it again when its time has come."""
        if self.is_running():
            return
        if self.starts_at == float("inf"):
            if time.monotonic() - self.started_at > LONGEST_WAIT_S:
                self.wait_s = FIRST_WAIT_S  # it was in order for long
            self.starts_at = time.monotonic() + self.wait_s
            typer.echo(
                f"naysayer: the {self.name} ended (its own message is above); {meanwhile}; "
                f"it starts again in {self.wait_s:.0f} s, Ctrl-C stops everything",
                err=True,
            )
            self.wait_s = min(2 * self.wait_s, LONGEST_WAIT_S)
        elif time.monotonic() >= self.starts_at:
            self.start()


def _identity(folder: Path) -> tuple[int, int] | None:
    """What tells a folder from another of the same name; None when there is none."""
    try:
        found = folder.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _announcer(address: str) -> Callable[[], bool]:
    """A function that says once where the pages are, as soon as they answer; whether it has."""
    started = time.monotonic()
    said: list[str] = []

    def announce() -> bool:
        if not said and _answers(address):
            said.append(address)
            typer.echo(
                f"\n  Rate pictures at {address}   (up after {time.monotonic() - started:.1f} s; Ctrl-C stops)\n"
            )
        return bool(said)

    return announce


def _answers(address: str) -> bool:
    """Whether a server answers, whatever it says. A proxy that the environment names is for other machines."""
    with suppress(URLError, OSError):
        try:
            build_opener(ProxyHandler({})).open(f"{address}/_stcore/health", timeout=1).close()
        except HTTPError as error:
            error.close()
        return True
    return False


def _stop(children: Sequence[Child]) -> None:
    for child in children:
        child.process.terminate()
    for child in children:
        try:
            child.process.wait(STOP_WAIT_S)
        except subprocess.TimeoutExpired:
            child.process.kill()
            child.process.wait()
