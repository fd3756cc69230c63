"""Reads pictures in several processes, and never holds more than a few of them."""

import multiprocessing
import signal
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from hashlib import sha256
from typing import NamedTuple

from PIL import Image

from feedback.exchange.pictures.sources import Entry, Source
from feedback.metadata.files.refused import Refused
from feedback.metadata.found import Found, Status
from feedback.metadata.read import read_bytes
from store.errors import StoreError

AHEAD = 8
"""Pictures read ahead by each process."""


class Read(NamedTuple):
    """One picture, and the hash of its pixels; empty for one that cannot be used."""

    entry: Entry
    found: Found
    pixels_sha256: str


def read_all(
    source: Source, entries: Iterable[Entry], known_bases: Mapping[str, str], processes: int
) -> Iterator[Read]:
    """Every picture in order. Raises StoreError when a process was killed."""
    if processes == 1:
        yield from (_read(source, entry, known_bases) for entry in entries)
        return
    waiting: deque[Future[Read]] = deque()
    context = multiprocessing.get_context("spawn")  # the parent has a database open and threads
    with ProcessPoolExecutor(processes, context, _begin, (source, dict(known_bases))) as pool:
        try:
            for entry in entries:
                with _deaf_to_ctrl_c():  # it may start a process
                    waiting.append(pool.submit(_read_here, entry))
                if len(waiting) >= processes * AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool as error:
            raise StoreError(
                "a process that reads pictures was killed, perhaps for want of memory; what came in before stays, and "
                "the same command goes on from there; try --processes 1"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """What is started inside leaves Ctrl-C, which goes to every process of a terminal, to this one."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_own: tuple[Source, Mapping[str, str]]


def _begin(source: Source, known_bases: Mapping[str, str]) -> None:
    global _own
    _own = source, known_bases


def _read_here(entry: Entry) -> Read:
    return _read(_own[0], entry, _own[1])


def _read(source: Source, entry: Entry, known_bases: Mapping[str, str]) -> Read:
    try:
        data, texts = source.read(entry.name), source.beside(entry.name)
    except (Refused, OSError) as refused:
        return Read(entry, Found(Status.broken, getattr(refused, "why", str(refused))), "")
    found, picture = read_bytes(data, entry.name.rpartition("/")[2], texts, known_bases)
    return Read(entry, found, pixels_hash(picture) if picture else "")


def pixels_hash(picture: Image.Image) -> str:
    """Hex SHA-256 of the size and the RGB pixels: the same however the file packs them."""
    return sha256(repr(picture.size).encode() + picture.convert("RGB").tobytes()).hexdigest()
