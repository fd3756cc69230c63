"""Display copies: what people see of a picture. The original stays as it was drawn, and training reads the original.

A small picture is shown as it is, a large one as a much smaller WebP of good quality. Both hold only pixels, no
metadata. Copies can be made again at any time, so no backup holds them. Each begins with a seal, which ties its bytes
to its picture: a copy that was altered, or belongs to another picture, is made again.
"""

import hashlib
import io
import logging
import struct
from pathlib import Path

from PIL import Image

from feedback.metadata.files.parts import Parts
from feedback.metadata.files.stealth import read_stealth
from feedback.rate.bare_png import bare_png
from store.errors import BadRequest
from store.files import make_folder, write_file
from store.layout import Layout

log = logging.getLogger(__name__)

SMALL_PX = 256
QUALITY = 90
SEAL_BYTES = 32
PNG = b"\x89PNG\r\n\x1a\n"
PICTURES = (PNG, b"\xff\xd8\xff", b"RIFF")
ONLY_PIXELS = {b"IHDR", b"PLTE", b"tRNS", b"sRGB", b"gAMA", b"IDAT", b"IEND"}
UNREADABLE = (OSError, ValueError, SyntaxError, struct.error, Image.DecompressionBombError)


def put_picture(layout: Layout, png: bytes) -> str:
    """The hash of a new picture, once it and its display copy are on disk."""
    sha256 = layout.blobs.put(png)
    shown_bytes(layout, sha256)
    return sha256


def shown_bytes(layout: Layout, sha256: str) -> bytes:
    """What people see of a picture: its display copy, made now if there is none yet.

    It is the original where no copy is needed or none can be made. Raises DamagedStore when the original is missing
    or not what was stored, NoBucket when the bucket that holds it does not answer.
    """
    copy = layout.display_copy(sha256)
    if copy.exists() and (kept := unsealed(copy.read_bytes(), sha256)):
        layout.blobs.note_use(copy)
        return kept
    original = layout.blobs.get(sha256)
    try:
        shown = displayed(original)
        if shown is not original:
            _keep(copy, _seal(shown, sha256) + shown)
    except (*UNREADABLE, BadRequest) as error:
        log.warning("picture %s is shown as it was drawn, no display copy was made: %s", sha256, error)
        return original
    return shown


def unsealed(copy: bytes, sha256: str) -> bytes:
    """The picture inside a display copy; empty when it is not the copy of that picture."""
    seal, shown = copy[:SEAL_BYTES], copy[SEAL_BYTES:]
    return shown if seal == _seal(shown, sha256) else b""


def _seal(shown: bytes, sha256: str) -> bytes:
    return hashlib.sha256(sha256.encode() + shown).digest()


def displayed(original: bytes) -> bytes:
    """The bytes to show for a picture: the same bytes for a small PNG without metadata. Raises one of UNREADABLE."""
    if not original.startswith(PICTURES):
        return original
    with Image.open(io.BytesIO(original), formats=("PNG", "JPEG", "WEBP")) as opened:
        is_small = original.startswith(PNG) and max(opened.size) <= SMALL_PX
        if is_small and _chunks(original) <= ONLY_PIXELS and not _hides_text(opened):
            return original
        picture = opened.convert("RGBA" if opened.has_transparency_data else "RGB")
    if is_small and not _hides_text(picture):
        return _bare(picture, "PNG")
    return _bare(_without_low_bits(picture), "WEBP", quality=QUALITY)


def only_pixels(original: bytes) -> bytes:
    """The picture as an RGB PNG, without metadata and texts in its lowest bits. Raises one of UNREADABLE."""
    with Image.open(io.BytesIO(original), formats=("PNG", "JPEG", "WEBP")) as opened:
        hides = _hides_text(opened)
        picture = opened.convert("RGB")
    if not hides and (bare := bare_png(original)):
        return bare
    return _bare(picture.point([value & ~1 for value in range(256)] * 3) if hides else picture, "PNG")


def _bare(picture: Image.Image, kind: str, **options: int) -> bytes:
    file = io.BytesIO()
    Image.frombytes(picture.mode, picture.size, picture.tobytes()).save(file, kind, **options)
    return file.getvalue()


def _hides_text(picture: Image.Image) -> bool:
    """Whether a program hid a text in the lowest bits of the pixels."""
    parts = Parts()
    picture.load()
    read_stealth(parts, picture)
    return bool(parts.texts)


def _without_low_bits(picture: Image.Image) -> Image.Image:
    """The picture with nothing in the lowest bit of its alpha channel, which WebP keeps exactly."""
    if picture.mode == "RGBA":
        picture.putalpha(picture.getchannel("A").point([value | 1 for value in range(256)]))
    return picture


def _chunks(png: bytes) -> set[bytes]:
    """The kinds of chunks in a PNG; what follows the last one counts as another kind."""
    names, place = set(), len(PNG)
    while place + 12 <= len(png) and b"IEND" not in names:
        length, name = struct.unpack_from(">I4s", png, place)
        names.add(name)
        place += 12 + length
    return names if place == len(png) else {*names, b""}


def _keep(path: Path, data: bytes) -> None:
    make_folder(path.parent)
    write_file(path, data)
