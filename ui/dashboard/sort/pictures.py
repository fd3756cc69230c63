"""Pictures of a sorted folder at signed addresses: small copies of their pixels, never the file and what it says."""

import io
from pathlib import PurePath

from PIL import Image
from starlette.responses import JSONResponse, Response

from feedback.exchange.sorting.acting import standing_of
from feedback.exchange.sorting.sortings import Sorting, require_source, rows_of
from feedback.metadata.files.opened import decode, open_parts
from feedback.metadata.files.refused import Refused
from feedback.rate.display import SMALL_PX
from store.errors import BadRequest
from store.layout import layout_of
from store.settings import Settings
from ui.web.signing import is_signed, signature

SIDES = {"small": 320, "large": 1280}
QUALITY = 82
HEADERS = {
    "cache-control": "private, max-age=86400, immutable",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; sandbox",
    "cross-origin-resource-policy": "same-origin",
}


def picture_name(settings: Settings, sorting: int, row: int, size: str) -> str:
    """The last part of the address of a picture; nobody can ask for one that no page has shown."""
    return f"{row}-{size}-{signature(settings, _words(sorting, row, size))}"


def send_picture(settings: Settings, sorting: Sorting, name: str) -> Response:
    """The pixels as WebP; 404 for another address, and for a file that is gone or changed since."""
    row, _, rest = name.partition("-")
    size, _, claimed = rest.partition("-")
    if not row.isdigit() or size not in SIDES:
        return _nothing()
    if not is_signed(settings, _words(sorting.number, int(row), size), claimed):
        return _nothing()
    shown = _shrunk(settings, sorting, int(row), SIDES[size])
    return Response(shown, media_type="image/webp", headers=HEADERS) if shown else _nothing()


def _shrunk(settings: Settings, sorting: Sorting, number: int, side: int) -> bytes:
    """The picture of a row, at most `side` pixels a side; empty where its file is another one than was scored."""
    rows = rows_of(layout_of(settings), sorting.number).all()
    if number >= len(rows):
        return b""
    row = rows[number]
    for place in (sorting.folder, standing_of(settings, sorting).moved.get(number)):
        try:
            if place is None:
                continue
            data = require_source(place).read(row.entry.name)
            if len(data) != int(row.entry.stamp.split()[0]):
                continue
            picture = decode(data, *open_parts(data, PurePath(row.entry.name).name)).convert("RGB")
        except (BadRequest, Refused, OSError, ValueError):
            continue
        picture.thumbnail((side, side), Image.Resampling.LANCZOS)
        file = io.BytesIO()
        Image.frombytes("RGB", picture.size, picture.tobytes()).save(
            file, "WEBP", quality=QUALITY, lossless=max(picture.size) <= SMALL_PX
        )
        return file.getvalue()
    return b""


def _words(sorting: int, row: int, size: str) -> str:
    return f"sorted {sorting} {row} {size}"


def _nothing() -> Response:
    return JSONResponse({"error": "no such picture"}, status_code=404)
