"""`naysayer run`: the worker and the pages as two processes, started and stopped together."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from urllib.error import URLError
from urllib.request import urlopen

import typer

from store.errors import BadRequest, NaysayerError
from store.migrate import open_store
from store.process import catch_stop_signals
from store.settings import Settings
from ui.run.serve import pages_command

STOP_WAIT_S = 60
POLL_S = 0.2


def supervise(settings: Settings) -> None:
    """Runs until Ctrl-C or SIGTERM, or until one of the two ends, then stops both.

    Raises NaysayerError when one of them ended by itself.
    """
    started = time.monotonic()
    _check_port(settings)
    open_store(settings).dispose()
    here = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host
    address = f"http://{here}:{settings.port}"
    with catch_stop_signals() as stop:
        children = {
            "worker": subprocess.Popen([sys.executable, "-m", "ui.commands", "generate"]),
            "pages": subprocess.Popen(pages_command(settings), stdout=subprocess.DEVNULL),
        }
        is_announced = False
        while not stop.is_set() and all(child.poll() is None for child in children.values()):
            if not is_announced and _answers(address):
                typer.echo(
                    f"\n  Rate pictures at {address}   (up after {time.monotonic() - started:.1f} s; Ctrl-C stops)\n"
                )
                is_announced = True
            time.sleep(POLL_S)
        ended = [name for name, child in children.items() if child.poll() is not None]
        _stop(children)
    if ended and not stop.is_set():
        raise NaysayerError(
            f"the {ended[0]} stopped by itself; its messages are above; `naysayer doctor` may know more"
        )
    typer.echo("stopped")


def _check_port(settings: Settings) -> None:
    with socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET) as probe:
        if probe.connect_ex((settings.host, settings.port)) == 0:
            raise BadRequest(
                f"port {settings.port} is taken, perhaps by another Naysayer; stop that one or set NAYSAYER_PORT"
            )


def _answers(address: str) -> bool:
    with suppress(URLError, OSError), urlopen(f"{address}/_stcore/health", timeout=1) as answer:
        return answer.status == 200
    return False


def _stop(children: dict[str, "subprocess.Popen[bytes]"]) -> None:
    for child in children.values():
        with suppress(ProcessLookupError):
            os.kill(child.pid, signal.SIGTERM)
    for child in children.values():
        try:
            child.wait(STOP_WAIT_S)
        except subprocess.TimeoutExpired:
            child.kill()
