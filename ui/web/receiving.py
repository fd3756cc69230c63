"""Bodies that are files: written to disk as they come in, never held in memory."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

from anyio import CapacityLimiter
from starlette.requests import Request

from feedback.metadata.files.opened import MAX_BYTES
from store.errors import StoreError
from ui.web.limits import TooLong

LEFT_FREE = 512 << 20
"""Bytes that a file leaves free on the disk: votes and new pictures need room."""
READERS = CapacityLimiter(2)
"""Threads that decode pictures of requests: the largest picture takes 200 MB, and votes must not wait for a thread."""
MOST_AT_ONCE = 2 << 30
"""Bytes of a file, and of all files together, that the page takes."""
LONG_BODIES = {"/naysayer/api/v1/import/pictures": MAX_BYTES, "/naysayer/pictures/": MOST_AT_ONCE}
"""The longest body in bytes of the addresses that take files, by how they begin; only admins may send it."""


async def receive_file(request: Request, path: Path, most: int) -> int:
    """Writes the body to a new file, as `keep_pieces` does; its bytes."""
    require_room(path.parent, int(request.headers.get("content-length", "0")))
    return await keep_pieces(request.stream(), path, most)


async def keep_pieces(pieces: AsyncIterator[bytes], path: Path, most: int) -> int:
    """Writes them to a new file and returns their bytes; nothing is left of one that did not come whole.

    Raises TooLong, or StoreError when the disk is full.
    """
    length = 0
    try:
        with path.open("xb") as file:
            async for part in pieces:
                length += len(part)
                if length > most:
                    raise TooLong
                file.write(part)
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise StoreError(f"the file cannot be kept ({error.strerror or error}); make room on the disk") from error
        raise
    return length


def require_room(folder: Path, length: int) -> None:
    """Raises StoreError when the disk has no room for so many bytes."""
    free = shutil.disk_usage(folder).free
    if free < length + LEFT_FREE:
        needed = (length + LEFT_FREE) >> 20
        raise StoreError(f"the disk has {free >> 20:,} MB left, {needed:,} are needed; make room, then send again")


def longest_body(path: str, usual: int, *, is_admin: bool) -> int:
    """The longest body in bytes that an address takes from somebody.

    >>> longest_body("/naysayer/votes", 7, is_admin=True), longest_body("/naysayer/pictures/x", 7, is_admin=False)
    (7, 7)
    """
    found = (most for begin, most in LONG_BODIES.items() if path.startswith(begin))
    return next(found, usual) if is_admin else usual
