"""Processes of one machine take turns on a device whose memory does not hold all of their models.

Whoever has a model on a device holds a file, locked by the kernel, which releases it however the process ends. Whoever
is about to load holds the device's door, one at a time. There it looks who is in; where there is room for its model it
goes in beside them, and else it leaves its wish on the door. A worker that reads a wish finishes its batch and leaves.
"""

import json
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from itertools import count
from pathlib import Path
from tempfile import gettempdir

from store.errors import Busy, NaysayerError
from store.files import is_held, only_one

WORKER, RETRAIN = "worker", "retrain"
NAMES = {WORKER: "a worker", RETRAIN: "a retrain"}
_numbers = count(1)


@dataclass(frozen=True)
class Stay:
    """A process that has its model on a device, or wants to have it there.

    `needs` are bytes, `expected_s` seconds (0: not known), `since` seconds of the epoch. With `asks` others make room
    for it. Processes of one `group`, if it has a name, work together and never wait for each other.
    """

    what: str
    store: str
    needs: int
    asks: bool = False
    expected_s: float = 0.0
    group: str = ""
    doing: str = ""
    since: float = 0.0

    def words(self, store: str) -> str:
        """What it is, for people of that store.

        >>> Stay(RETRAIN, "/data", 0).words("/data"), Stay(RETRAIN, "/data", 0, doing="it fits").words("/other")
        ('a retrain', 'a retrain of /data (it fits)')
        """
        of = "" if self.store == store else f" of {self.store}"
        return f"{NAMES.get(self.what, self.what)}{of}" + (f" ({self.doing})" if self.doing else "")


Fits = Callable[[Sequence[Stay]], bool]
"""Whether there is room for a model beside those of these processes."""
Wait = Callable[[Sequence[Stay]], None]
"""Waits a little for these to leave the device; it may be nobody, while another one loads. May raise to give up."""


def default_folder() -> Path:
    """Where the processes of this user on this machine agree.

    Not below XDG_RUNTIME_DIR or TMPDIR: a session has them and cron has not, and they would not see each other.
    """
    shared = Path("/tmp")
    return (shared if shared.is_dir() else Path(gettempdir())) / f"naysayer-{os.getuid()}"


@dataclass(frozen=True)
class Device:
    """A device of this machine, by a name that is the same in every process."""

    folder: Path
    name: str

    @property
    def door(self) -> Path:
        return self.folder / f"{self.name}.door"

    def inside(self) -> list[Stay]:
        """Who has a model on it now."""
        return _stays(self._files())

    def beside(self) -> list[Stay]:
        """Who has, besides this process."""
        own = f"{self.name}.{os.getpid()}-"
        return _stays(path for path in self._files() if not path.name.startswith(own))

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob(f"{self.name}.*.in"))

    def wish(self) -> Stay | None:
        """Who waits at the door for others to leave; None when nobody does."""
        return _read(self.door) if is_held(self.door) else None


class Turn:
    """A place on a device, from the moment its process may load until it leaves."""

    def __init__(self, device: Device, own: Stay, door: ExitStack) -> None:
        self.device, self.own, self._door, self._held = device, replace(own, since=time.time()), door, ExitStack()
        self._path = device.folder / f"{device.name}.{os.getpid()}-{next(_numbers)}.in"
        self._held.enter_context(only_one(self._path, f"{self._path} is held by another process"))
        self._held.callback(self._path.unlink, missing_ok=True)
        self.tell("")

    def loaded(self, needs: int | None = None) -> None:
        """The model is there; others may load now. It takes `needs` bytes, where that is known only since."""
        self.own = self.own if needs is None else replace(self.own, needs=needs)
        self.tell(self.own.doing)
        self._door.close()

    def tell(self, doing: str) -> None:
        """Tells those who wait for it what this process is doing."""
        self.own = replace(self.own, doing=doing)
        _write(self._path, self.own)

    def leave(self) -> None:
        """The model is gone from the device."""
        self._held.close()


@contextmanager
def staying(device: Device, own: Stay, fits: Fits, wait: Wait) -> Iterator[Turn]:
    """A turn on the device once there is room, until the block ends; only one process loads at a time.

    `wait` is called again and again until there is room. Where nobody is in, there is room, whatever `fits` says: then
    only this model is too large, and the library says by how much.
    """
    _make(device.folder)
    with ExitStack() as door:
        while not (door.enter_context(_at_door(device)) and (turn := _go_in(device, own, fits, wait, door))):
            door.close()
            wait(device.inside())
        try:
            yield turn
        finally:
            turn.leave()


def _go_in(device: Device, own: Stay, fits: Fits, wait: Wait, door: ExitStack) -> Turn | None:
    """A turn; None for one that does not ask and finds no room, so that it does not keep the door from others."""
    _forget_the_dead(device)
    if not _has_room(device, own, fits):
        if not own.asks:
            return None
        _write(device.door, own)
        while not _has_room(device, own, fits):
            wait(_others(device, own))
        device.door.write_text("", encoding="utf-8")
    return Turn(device, own, door)


def _has_room(device: Device, own: Stay, fits: Fits) -> bool:
    others = _others(device, own)
    return not others or fits(others)


def _others(device: Device, own: Stay) -> list[Stay]:
    return [one for one in device.inside() if not own.group or one.group != own.group]


@contextmanager
def _at_door(device: Device) -> Iterator[bool]:
    """Whether this process is at the door, alone, until the block ends."""
    with ExitStack() as held:
        try:
            held.enter_context(only_one(device.door, "another process is at the door"))
        except Busy:
            yield False
            return
        device.door.write_text("", encoding="utf-8")  # what a killed process may have left
        yield True


def _forget_the_dead(device: Device) -> None:
    """Only at the door, where nobody comes in meanwhile."""
    for path in device.folder.glob(f"{device.name}.*.in"):
        if not is_held(path):
            path.unlink(missing_ok=True)


def _make(folder: Path) -> None:
    """Raises NaysayerError for a folder in which another user may have laid links."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.stat()
    is_open = found.st_uid != os.getuid() and found.st_mode & stat.S_IWOTH
    if is_open or folder.is_symlink() or not os.access(folder, os.W_OK):
        raise NaysayerError(
            f"{folder}, where processes agree who has the device, cannot be used by this user; remove it, or name "
            "another folder in NAYSAYER_TURNS_DIR"
        )


def _stays(paths: Iterable[Path]) -> list[Stay]:
    return [_read(path) or Stay("another process", "", 0) for path in paths if is_held(path)]


def _read(path: Path) -> Stay | None:
    """What a process wrote; read again when it is writing just now."""
    for _ in range(3):
        with suppress(OSError, ValueError, TypeError):
            return Stay(**json.loads(path.read_text(encoding="utf-8")))
        time.sleep(0.002)
    return None


def _write(path: Path, stay: Stay) -> None:
    path.write_text(json.dumps(asdict(stay)), encoding="utf-8")
