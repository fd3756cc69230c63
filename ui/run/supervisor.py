"""`naysayer run`: the worker and the pages as two processes. Neither ends the other, and both end with this one."""

import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, build_opener

import typer

from store.errors import MovedStore, NaysayerError
from store.process import catch_stop_signals
from store.process.children import POLL_S, Child, stop_all
from store.settings import Settings
from ui.run.serve import check_port, check_store, pages_command

STOP_WAIT_S = 60


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
            stop_all([worker, pages], STOP_WAIT_S)
    typer.echo("stopped")


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
