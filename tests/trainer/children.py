"""What the kill tests run in separate processes, and how they start them quickly.

A fork server that has imported torch once, and computed nothing with it, makes a child in milliseconds.
"""

import multiprocessing
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import torch
from sqlalchemy import Engine
from sqlalchemy.engine.default import DefaultDialect

from feedback.retrain import progress
from store.engine import writing
from store.errors import Busy, NaysayerError
from store.settings import Settings
from tests.waiting import PATIENCE_S
from trainer.retrain import publish as publishing
from trainer.retrain.publish import remove_leftovers
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
    process.join(PATIENCE_S)
    return process.exitcode


def retrain_child(settings: Settings) -> None:
    """A retrain, with the exit codes of the command line. It tells of each step, for those who wait for one."""
    torch.set_num_threads(1)
    progress.EVERY_S = 0.0
    try:
        retrain(settings, force=True)
    except Busy:
        os._exit(BUSY)
    except NaysayerError:
        os._exit(OUR_ERROR)
    os._exit(DONE)


def retrain_in_trials(settings: Settings, talk: Connection, code: int | None) -> None:
    """A retrain whose version is published in one forked process after another, all from one fit, sweep and check.

    In the n-th of them the n-th call that makes something last ends the process or, with a `code`, raises that OSError
    (a full disk, a broken one). Each starts by removing leftovers, as the next retrain does. One begins with
    every message from `talk`, which is told how it ended.
    """
    publish = publishing.publish_version

    def act() -> None:
        if code is None:
            os._exit(EXITED_AT_STEP)
        raise OSError(code, os.strerror(code))

    def fork_and_publish(engine, layout, made, tell):
        n = _fork_trials(engine, talk)
        remove_leftovers(engine, layout)
        with writing(engine) as session:
            session.merge(made.run)  # it runs again
        _when_publishing(n, act)
        return publish(engine, layout, made, tell)

    publishing.publish_version = fork_and_publish
    with suppress(OSError):
        retrain_child(settings)
    os._exit(OUR_ERROR)


def _fork_trials(engine: Engine, talk: Connection) -> int:
    """Returns only in forked processes, in each with its number from 1; this process ends when `talk` is closed."""
    n = 1
    while True:
        try:
            talk.recv()
        except EOFError:
            os._exit(DONE)
        engine.dispose()  # a connection to SQLite must not cross a fork
        trial = os.fork()
        if trial == 0:
            return n
        talk.send(os.waitstatus_to_exitcode(os.waitpid(trial, 0)[1]))
        n += 1


@contextmanager
def publishing_trials(settings: Settings, code: int | None = None) -> Iterator[Callable[[], int]]:
    """A function that runs the next trial of `retrain_in_trials`, and tells how it ended."""
    ours, theirs = multiprocessing.Pipe()
    retraining = start(retrain_in_trials, settings, theirs, code)
    theirs.close()

    def trial() -> int:
        ours.send("go on")
        return ours.recv()

    try:
        yield trial
    finally:
        ours.close()
        retraining.join(PATIENCE_S)


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
