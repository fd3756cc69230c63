"""Sends the most doubtful pictures of a sorted folder into the rating queue, as imported ones."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from sqlalchemy import Engine

from feedback.exchange.pictures.bases import drawn_size
from feedback.exchange.pictures.importing import BATCH, batched, import_pictures
from feedback.exchange.pictures.mapping import Mapped
from feedback.exchange.pictures.outcome import Terms
from feedback.exchange.pictures.recording import known_pixels
from feedback.exchange.pictures.sources import Entry, Folder
from feedback.exchange.sorting.table import Row
from store.files import Blobs


class Chosen(Folder):
    """Some pictures of a folder."""

    def __init__(self, path: Path, chosen: Sequence[Entry]) -> None:
        super().__init__(path)
        self.chosen = chosen

    def entries(self) -> Iterator[Entry]:
        return iter(self.chosen)


def choose(engine: Engine, rows: Sequence[Row], number: int) -> list[Row]:
    """The first of `rows` that did not come in before, each picture once."""
    chosen: dict[str, Row] = {}
    for some in batched(rows, BATCH):
        there = known_pixels(engine, [row.pixels_sha256 for row in some])
        for row in some:
            if row.pixels_sha256 not in there and len(chosen) < number:
                chosen.setdefault(row.pixels_sha256, row)
        if len(chosen) == number:
            break
    return list(chosen.values())


def send(
    engine: Engine, blobs: Blobs, folder: Path, rows: Sequence[Row], mapped: Mapped, say: Callable[[str], None]
) -> str:
    """Imports the pictures; in words, what came of it."""
    source = Chosen(folder, [row.entry for row in rows])
    return import_pictures(engine, blobs, source, Terms(drawn_size(engine)), mapped, 1, say).words
