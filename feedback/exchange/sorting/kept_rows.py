"""What a worker scored of a folder and what a person did with it: files to which lines are only appended.

A row keeps its place, which is its number from then on.
"""

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Generic, TypeVar

from feedback.exchange.pictures.sources import Entry
from feedback.exchange.sorting.table import Row
from store.files import make_folder

Line = TypeVar("Line")


class Lines(Generic[Line]):
    """The lines of a file that others may append to meanwhile, read once each."""

    def __init__(self, path: Path, read: Callable[[Any], Line]) -> None:
        self.path, self._read = path, read
        self._lines: list[Line] = []
        self._end = 0
        self._lock = threading.Lock()

    def all(self) -> list[Line]:
        """Every whole line so far, in order."""
        with self._lock, suppress(FileNotFoundError):
            if self.path.stat().st_size > self._end:
                with self.path.open("rb") as file:
                    file.seek(self._end)
                    whole, newline, _ = file.read().rpartition(b"\n")
                self._end += len(whole) + len(newline)
                self._lines += self._parsed(whole)
        return list(self._lines)

    def add(self, lines: Iterable[object]) -> None:
        """Appends lines. The last one may have been cut off by a kill, so they begin with a new one."""
        make_folder(self.path.parent)
        text = "".join(json.dumps(line) + "\n" for line in lines)
        with self.path.open("ab") as file:
            file.write(f"\n{text}".encode())

    def _parsed(self, whole: bytes) -> Iterator[Line]:
        for line in whole.splitlines():
            with suppress(ValueError, TypeError):
                yield self._read(json.loads(line))


def row_lines(path: Path) -> Lines[Row]:
    """The rows of a folder, in the order in which they were scored."""
    return Lines(path, lambda line: Row(Entry(*line[0]), *line[1:]))
