"""How much one client may ask: requests by the second, open pages at once, and the length of a body."""

import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope

MAX_BODY_BYTES = 2 << 20
MAX_PICTURE_BYTES = 32 << 20
MAX_CLIENTS = 4096
"""Clients whose requests are counted; the one that was silent longest is forgotten, so that a flood fills no memory."""


class TooLong(Exception):
    """A body went beyond its limit."""


class Pace:
    """Lets each client ask `per_s` times a second, and `burst` times at once after a rest."""

    def __init__(self, per_s: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.per_s, self.burst, self.clock = per_s, float(burst), clock
        self.left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def allows(self, client: str, cost: float = 1.0) -> bool:
        """Whether this client may go on now; if so, `cost` requests are counted."""
        now = self.clock()
        left, then = self.left.pop(client, (self.burst, now))
        left = min(self.burst, left + (now - then) * self.per_s)
        is_allowed = left >= cost
        self.left[client] = (left - cost * is_allowed, now)
        if len(self.left) > MAX_CLIENTS:
            self.left.popitem(last=False)
        return is_allowed


class OpenPages:
    """Counts the open pages of each client and of all."""

    def __init__(self, each: int, together: int) -> None:
        self.each, self.together = each, together
        self.open: Counter[str] = Counter()

    def has_room(self, client: str) -> bool:
        """Whether this client may open one more."""
        return self.open[client] < self.each and self.open.total() < self.together

    @contextmanager
    def one_more(self, client: str) -> Iterator[None]:
        """Counts one more page while it is open."""
        self.open[client] += 1
        try:
            yield
        finally:
            self.open[client] -= 1
            if not self.open[client]:
                del self.open[client]


def is_too_long(scope: Scope, most: int = MAX_BODY_BYTES) -> bool:
    """Whether a request announces a body of more than `most` bytes."""
    length = Headers(scope=scope).get("content-length", "0")
    return not length.isdigit() or len(length) > 12 or int(length) > most


def limit_body(receive: Receive, most: int = MAX_BODY_BYTES) -> Receive:
    """`receive` that raises TooLong once an unannounced body goes beyond the limit."""
    seen = 0

    async def receive_some() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > most:
            raise TooLong
        return message

    return receive_some
