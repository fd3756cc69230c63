"""A store in which no worker and no retrain runs, and none starts."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from sqlalchemy import Engine

from feedback.workers import is_worker_alive
from store.engine import RETRAIN_LOCK, WORKER_LOCK
from store.errors import Busy
from store.layout import Layout
from store.locks import take


@contextmanager
def disposed(engine: Engine) -> Iterator[Engine]:
    """The engine, whose connections are closed at the end."""
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def kept_still(layout: Layout, engine: Engine) -> Iterator[None]:
    """Holds the locks of the worker and of a retrain. Raises Busy while one of them runs, also on another machine."""
    busy = f"{{}} of the store in {layout.root} runs, so nothing was changed; stop it and try again"
    alive = is_worker_alive(engine)  # before its lock is ours
    with ExitStack() as held:
        for lock, who in ((WORKER_LOCK, "a worker"), (RETRAIN_LOCK, "a retrain")):
            held.callback(take(engine, lock, busy.format(who)).release)
        if alive:
            raise Busy(busy.format("a worker"))
        yield
