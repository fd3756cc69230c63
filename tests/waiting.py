"""Waiting for what another process does, long enough for a machine that is busy with other tests."""

import time
from collections.abc import Callable

PATIENCE_S = 240


def until(true: Callable[[], object], what: str) -> None:
    """Returns once `true()` holds; fails after `PATIENCE_S`."""
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, f"waited {PATIENCE_S} s in vain for: {what}"
        time.sleep(0.05)
