"""A control group of Linux whose processes get no more memory than it allows, for trials."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

ROOT = Path("/sys/fs/cgroup")
PATIENCE_S = 20.0


class NoGroup(Exception):
    """No group can be made here; the message says why."""


class Group(NamedTuple):
    """A control group, by its folder and the file that counts processes that were killed for memory."""

    folder: Path
    counts: str

    @property
    def by(self) -> tuple[str, ...]:
        """A command that runs the one after it in the group."""
        return ("sh", "-c", 'echo $$ > "$0" && exec "$@"', str(self.folder / "cgroup.procs"))

    @property
    def kills(self) -> int:
        """How many of its processes the kernel has killed because the group's memory was full."""
        rows = dict(line.split() for line in (self.folder / self.counts).read_text().splitlines())
        return int(rows["oom_kill"])

    def processes(self) -> list[int]:
        """The processes that are in it now."""
        return [int(line) for line in (self.folder / "cgroup.procs").read_text().split()]


@contextmanager
def memory_limited(most: int) -> Iterator[Group]:
    """A group of at most so many bytes, without swap; what is left in it when the block ends is killed.

    Raises NoGroup where none can be made.
    """
    group = _make(most)
    try:
        yield group
    finally:
        _remove(group)


def _make(most: int) -> Group:
    is_first = (ROOT / "memory").is_dir()
    parent = ROOT / "memory" if is_first else ROOT
    if not is_first and "memory" not in _read(parent / "cgroup.subtree_control").split():
        raise NoGroup(f"{parent} does not pass the memory controller on to new control groups")
    folder = parent / f"naysayer-{os.getpid()}-{time.monotonic_ns()}"
    limit, swap = ("memory.limit_in_bytes", "memory.swappiness") if is_first else ("memory.max", "memory.swap.max")
    try:
        folder.mkdir()
        (folder / limit).write_text(str(most))
        if (folder / swap).exists():
            (folder / swap).write_text("0")
    except OSError as error:
        with suppress(OSError):
            folder.rmdir()
        raise NoGroup(f"{folder} cannot be made ({error.strerror}); it needs root, and control groups") from error
    return Group(folder, "memory.oom_control" if is_first else "memory.events")


def _read(path: Path) -> str:
    return path.read_text() if path.is_file() else ""


def _remove(group: Group) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while group.folder.exists() and time.monotonic() < deadline:
        for process in group.processes():
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        with suppress(OSError):  # the killed ones take a moment
            group.folder.rmdir()
        time.sleep(0.05)
