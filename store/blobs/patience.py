"""How long a process waits for a bucket that is away: pages hardly at all, drawing and training until it is back."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple


class Patience(NamedTuple):
    """Waits until `stop`; `meanwhile` is called before each wait, to keep what others would take away."""

    stop: threading.Event
    meanwhile: Callable[[], object]


_current: list[Patience] = []


@contextmanager
def patient(stop: threading.Event, meanwhile: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Inside it, every thread of this process waits for a bucket that is away, until `stop` is set."""
    mine = Patience(stop, meanwhile)
    _current.append(mine)
    try:
        yield
    finally:
        _current.remove(mine)


def current() -> Patience | None:
    """The patience of this process; None where people wait for the answer."""
    return _current[-1] if _current else None
