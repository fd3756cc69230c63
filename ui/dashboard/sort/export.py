"""The flagged pictures of a sorted folder as one zip: their pixels, and the table of what they score."""

from collections.abc import Iterator, Sequence

from sqlalchemy import Engine
from starlette.responses import Response, StreamingResponse

from feedback.exchange.pictures.sources import Source
from feedback.exchange.sorting.acting import standing_of
from feedback.exchange.sorting.held_out import HeldOut
from feedback.exchange.sorting.sortings import Sorting, require_source
from feedback.exchange.sorting.table import Row, header_line, is_flagged, sort_rows, table_line
from feedback.metadata.files.refused import Refused
from feedback.rate.display import UNREADABLE, only_pixels
from store.engine import reading
from store.errors import BadRequest
from store.settings import Settings
from ui.export.files import Entry, zip_chunks
from ui.export.routes import saved_as

NAME = "naysayer-flagged"


def export_flagged(engine: Engine, settings: Settings, sorting: Sorting, cut: float) -> Response:
    """The zip, streamed. Raises BadRequest when nothing scores above the cut."""
    there = standing_of(settings, sorting)
    flagged = [row for number, row in there.rows.items() if number not in there.moved and is_flagged(row, cut)]
    if not flagged:
        raise BadRequest("no picture scores above this cut, so there is nothing to export")
    with reading(engine) as session:
        held_out = HeldOut.of(session, sorting.version)
    entries = _entries(require_source(sorting.folder), sort_rows(flagged), cut, held_out)
    return StreamingResponse(zip_chunks(entries), media_type="application/zip", headers=saved_as(f"{NAME}.zip"))


def _entries(source: Source, rows: Sequence[Row], cut: float, held_out: HeldOut) -> Iterator[Entry]:
    """The table first; a file that is gone or cannot be read is left out of the pictures."""
    lines = [header_line(), *(table_line(row, cut, held_out, as_json=False) for row in rows)]
    yield Entry(f"{NAME}/sorted.csv", "".join(lines).encode())
    for row in rows:
        try:
            yield Entry(f"{NAME}/{row.entry.name}.png", only_pixels(source.read(row.entry.name)))
        except (Refused, *UNREADABLE):
            continue
