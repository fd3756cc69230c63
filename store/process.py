"""How a command ends: errors in one line, exit codes, and signals that ask it to stop."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from store.errors import Busy, Interrupted, NaysayerError

TRY_AGAIN = 75
"""Exit code when the same command may succeed later (EX_TEMPFAIL of sysexits.h)."""


def run_command(command: Callable[[], object]) -> None:
    """Runs a command line. Our own errors become one line and exit code 1, or 75 when trying again later helps."""
    try:
        command()
    except (NaysayerError, OSError) as error:
        print(f"naysayer: {error}", file=sys.stderr)
        sys.exit(TRY_AGAIN if isinstance(error, Busy | Interrupted) else 1)


@contextmanager
def catch_stop_signals() -> Iterator[threading.Event]:
    """Inside it, SIGTERM and SIGINT set the event and do nothing else."""
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
