"""Sends the most doubtful pictures of a sorted folder into the rating queue, as imported ones."""

from collections.abc import Callable, Iterator, Sequence

from sqlalchemy import Engine

from feedback.exchange.pictures.bases import drawn_size
from feedback.exchange.pictures.importing import BATCH, Import, batched, import_pictures
from feedback.exchange.pictures.mapping import Mapped
from feedback.exchange.pictures.outcome import Terms
from feedback.exchange.pictures.recording import known_pixels
from feedback.exchange.pictures.sources import Entry, Source
from feedback.exchange.sorting.table import Row
from feedback.metadata.files.opened import MAX_BYTES
from feedback.metadata.found import RawText
from store.files import Blobs


class Chosen:
    """Some pictures of a source."""

    def __init__(self, source: Source, chosen: Sequence[Entry]) -> None:
        self.source, self.chosen = source, chosen
        self.path, self.root = source.path, source.root

    def entries(self) -> Iterator[Entry]:
        """The chosen ones, in their order."""
        return iter(self.chosen)

    def lists(self) -> list[str]:
        """None: they were read with the whole source."""
        return []

    def read(self, name: str, most: int = MAX_BYTES + 1) -> bytes:
        """A file's bytes, at most so many. Raises Refused when it cannot be read."""
        return self.source.read(name, most)

    def beside(self, name: str) -> list[RawText]:
        """The texts beside a picture."""
        return self.source.beside(name)


def choose(engine: Engine, rows: Sequence[Row], number: int) -> list[Row]:
    """Of the first `number` pictures, each counted once, those that did not come in before."""
    first: dict[str, Row] = {}
    for row in rows:
        if len(first) == number:
            break
        first.setdefault(row.pixels_sha256, row)
    there: set[str] = set()
    for some in batched(first, BATCH):
        there |= known_pixels(engine, some)
    return [row for pixels, row in first.items() if pixels not in there]


def send(
    engine: Engine, blobs: Blobs, source: Source, rows: Sequence[Row], mapped: Mapped, say: Callable[[str], None]
) -> str:
    """Imports the pictures; in words, what came of it."""
    chosen = Chosen(source, [row.entry for row in rows])
    return import_pictures(Import(engine, chosen, Terms(drawn_size(engine)), mapped), blobs, say).words
