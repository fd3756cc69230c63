"""A headless Chromium and a page server: for the measurements of the pages and for their tests."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from store.errors import NaysayerError
from store.process.child import with_this_process

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
START_S = 60


def find_chromium() -> str | None:
    """Path of a Chromium: the one NAYSAYER_CHROMIUM names, a system one, else Playwright's own; None without any."""
    if named := os.environ.get("NAYSAYER_CHROMIUM"):
        return named
    if found := next(filter(None, map(shutil.which, NAMES)), None):
        return found
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if Path(own).exists() else None


def free_port() -> int:
    """A port of this machine that nobody listens on, and that no other process is given for a minute.

    A connection that was closed on this side keeps it from everybody who asks for any port; a server that asks for this
    one gets it.
    """
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        with socket.create_connection(listener.getsockname()):
            listener.accept()[0].close()
        return listener.getsockname()[1]


@contextmanager
def serving(
    command: Sequence[str],
    port: int,
    environment: Mapping[str, str],
    *,
    health: str = "/_stcore/health",
    patience_s: float = START_S,
) -> Iterator[str]:
    """The address of the server that `command` starts at that port; killed at the end.

    `health`: the path that answers 200 once it is ready, by default Streamlit's. Raises NaysayerError when the server
    ends by itself or does not answer in time.
    """
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        with_this_process(command), env=os.environ | dict(environment), stdout=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + patience_s
        while not answers(url, health):
            if process.poll() is not None or time.monotonic() > deadline:
                raise NaysayerError(f"the page server at {url} did not start; its own message is above")
            time.sleep(0.1)
        yield url
    finally:
        process.kill()
        process.wait(10)


def answers(url: str, health: str = "/_stcore/health") -> bool:
    """True when a server at that address is ready."""
    try:
        with urlopen(f"{url}{health}", timeout=1) as answer:
            return answer.status == 200
    except (URLError, OSError):
        return False
