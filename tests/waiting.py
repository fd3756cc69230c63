"""Waiting for what another process does, long enough for a machine that is busy with other tests."""

import time
from collections.abc import Callable

PATIENCE_S = 240


def until(true: Callable[[], object], what: str, patience_s: float = PATIENCE_S) -> None:
    """Returns once `true()` holds; fails after `patience_s` seconds."""
    deadline = time.monotonic() + patience_s
    while not true():
        assert time.monotonic() < deadline, f"waited {patience_s} s in vain for: {what}"
        time.sleep(0.05)
