"""What the kill tests run in separate processes, and how they start them quickly.

A fork server that has imported torch once, and computed nothing with it, makes a child in milliseconds.
"""

import errno
import multiprocessing
import os
import resource
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import torch
from sqlalchemy.engine.default import DefaultDialect

from store.errors import Busy, NaysayerError
from store.settings import Settings
from trainer.retrain.retrain import retrain

DONE, OUR_ERROR, BUSY, EXITED_AT_STEP = 0, 1, 75, 9

_server = multiprocessing.get_context("forkserver")
_server.set_forkserver_preload(["tests.trainer.children", "trainer.fit.fit", "trainer.base.model", "trainer.fit.cache"])


def start(function: Callable[..., None], *arguments: object) -> ForkServerProcess:
    """A running child process."""
    process = _server.Process(target=function, args=arguments)
    process.start()
    return process


def run(function: Callable[..., None], *arguments: object) -> int | None:
    """How a child process ended."""
    process = start(function, *arguments)
    process.join(120)
    return process.exitcode


def retrain_child(settings: Settings) -> None:
    """A retrain, with the exit codes of the command line."""
    torch.set_num_threads(1)
    try:
        retrain(settings, force=True)
    except Busy:
        os._exit(BUSY)
    except NaysayerError:
        os._exit(OUR_ERROR)
    os._exit(DONE)


def retrain_that_exits_at_publish_step(settings: Settings, n: int) -> None:
    """A retrain whose process ends at the n-th call that makes something last, once publishing has begun."""

    def exit_now() -> None:
        os._exit(EXITED_AT_STEP)

    _when_publishing(n, exit_now)
    retrain_child(settings)


def retrain_that_fails_at_publish_step(settings: Settings, n: int, code: int) -> None:
    """A retrain in which the n-th such call raises OSError (a full disk, a broken one)."""

    def fail() -> None:
        raise OSError(code, os.strerror(code))

    _when_publishing(n, fail)
    with suppress(OSError):
        retrain_child(settings)
    os._exit(OUR_ERROR)


def retrain_together(settings: Settings, rank: int, processes: int, port: int) -> None:
    """One process of a retrain of several, with the environment that `accelerate launch` and `torchrun` give."""
    own = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": processes, "LOCAL_WORLD_SIZE": processes}
    where = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "ACCELERATE_USE_CPU": "true"}
    os.environ.update({name: str(value) for name, value in (own | where).items()})
    torch.set_num_threads(1)
    try:
        retrain(settings)
    except NaysayerError:
        os._exit(OUR_ERROR)
    os._exit(DONE)


def retrain_in_a_small_memory(settings: Settings, more: int) -> None:
    """A retrain in a process that may take so many bytes more than it has now."""
    limit_memory(more)
    retrain_child(settings)


def limit_memory(more: int) -> None:
    """From now on this process may take so many bytes more."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * os.sysconf("SC_PAGE_SIZE") + more
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _when_publishing(n: int, act: Callable[[], None]) -> None:
    """Calls `act` instead of the n-th fsync, rename, replace, mkdir or COMMIT since a version's files are staged."""
    counted = [0]
    make_folder = Path.mkdir

    def counting(function: Callable) -> Callable:
        def call(*args, **kwargs):
            counted[0] += 1
            if counted[0] == n:
                act()
            return function(*args, **kwargs)

        return call

    def begin_at_the_staging_folder(path: Path, *args, **kwargs) -> None:
        if path.name.startswith(".staging-") and path.parent.name == "versions":
            os.fsync = counting(os.fsync)
            Path.rename = counting(Path.rename)  # type: ignore[method-assign]
            Path.replace = counting(Path.replace)  # type: ignore[method-assign]
            Path.mkdir = counting(make_folder)  # type: ignore[method-assign]
            DefaultDialect.do_commit = counting(DefaultDialect.do_commit)  # type: ignore[method-assign]
            return Path.mkdir(path, *args, **kwargs)
        return make_folder(path, *args, **kwargs)

    Path.mkdir = begin_at_the_staging_folder  # type: ignore[method-assign]


ERRORS = (errno.ENOSPC, errno.EIO)
