"""Opens a file as one picture: kind, size, texts, pixels; what could hurt is refused before."""

import io
import struct
import warnings
from collections.abc import Callable
from pathlib import PurePath

from PIL import Image

from feedback.metadata.files import jpeg, png
from feedback.metadata.files.jpeg import read_jpeg
from feedback.metadata.files.parts import Parts
from feedback.metadata.files.png import read_png
from feedback.metadata.files.refused import Refused
from feedback.metadata.files.webp import read_webp

MAX_BYTES = 64 * 2**20
MAX_PIXELS = 4096 * 4096
"""SDXL's 1024×1024, upscaled four times."""
MAX_SIDE = 16_384
READERS: dict[str, Callable[[bytes], Parts]] = {"PNG": read_png, "JPEG": read_jpeg, "WEBP": read_webp}
ENDINGS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jpe": "JPEG",
    ".jfif": "JPEG",
    ".webp": "WEBP",
}
OTHERS = (
    (b"GIF8", "a GIF"),
    (b"BM", "a BMP"),
    (b"II*\0", "a TIFF"),
    (b"MM\0*", "a TIFF"),
    (b"8BPS", "a Photoshop file"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"%PDF", "a PDF"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"<svg", "an SVG"),
    (b"<?xml", "an SVG or another XML file"),
    (b"<!DOCTYPE", "a web page"),
    (b"<html", "a web page"),
    (b"version https://git-lfs", "a git-lfs pointer; fetch the file itself with `git lfs pull`"),
    (b"\xff\x0a", "a JPEG XL"),
)
STRANGERS = (
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"Rar!",
    b"7z\xbc\xaf",
    b"%PDF",
    b"\x7fELF",
    b"<?php",
    b"<script",
    b"<html",
    b"<svg",
)
"""Beginnings that are no chance anywhere; a program for Windows or a shell begins too shortly for that."""
PROGRAMS = (b"MZ", b"#!", b"GIF8", b"\x1f\x8b")
MOST_BEHIND = 64 * 2**10
"""Bytes behind a picture's end that may be a program's leftover."""
UNREADABLE = (OSError, ValueError, SyntaxError, struct.error, EOFError, IndexError, Image.DecompressionBombError)


def open_parts(data: bytes, name: str) -> tuple[str, Parts]:
    """Kind and parts of a file, without its pixels. Raises Refused."""
    kind = kind_of(data, name)
    parts = READERS[kind](data)
    if not parts.width or not parts.height:
        raise Refused(f"the {_called(kind)} has no size; it is damaged")
    if parts.width * parts.height > MAX_PIXELS or max(parts.width, parts.height) > MAX_SIDE:
        raise Refused(
            f"it has {parts.width}×{parts.height} pixels, at most {MAX_PIXELS // 10**6} million are read; shrink it"
        )
    _look_behind(data, parts.end)
    return kind, parts


def kind_of(data: bytes, name: str) -> str:
    """PNG, JPEG or WEBP. Raises Refused for anything else, and when the name's ending is another's."""
    if not data:
        raise Refused("the file is empty; get it again")
    if len(data) > MAX_BYTES:
        raise Refused(f"the file has {len(data) >> 20} MB, {MAX_BYTES >> 20} are allowed; make it smaller")
    head = bytes(data[:64])
    kind = ""
    if head.startswith(png.MAGIC):
        kind = "PNG"
    elif head.startswith(jpeg.MAGIC):
        kind = "JPEG"
    elif head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        kind = "WEBP"
    ending = PurePath(name).suffix.lower()
    if not kind:
        raise Refused(f"it is {_other(head)}; only PNG, JPEG and WebP are read")
    if ENDINGS.get(ending, kind if not ending else "") != kind:
        raise Refused(f"its name ends in {ending[:12]}, but it is a {_called(kind)}; rename it, if it is meant as one")
    return kind


def decode(data: bytes, kind: str, parts: Parts) -> Image.Image:
    """The decoded picture, all its pixels. Raises Refused when they are damaged."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            picture = Image.open(io.BytesIO(data), formats=(kind,))
            picture.load()
    except UNREADABLE as error:
        raise Refused(
            f"its pixels are damaged ({str(error)[:80].strip() or type(error).__name__}); get it again"
        ) from error
    if picture.size != (parts.width, parts.height):
        raise Refused("its header and its pixels have different sizes; it is damaged")
    return picture


def _look_behind(data: bytes, end: int) -> None:
    """Raises Refused when another file hangs behind the picture, as in files that are two things at once."""
    behind = bytes(data[end : end + MOST_BEHIND + 1]).strip(b"\0 \t\r\n")
    is_other = behind.startswith(PROGRAMS) or any(one in behind for one in STRANGERS)
    if is_other or len(behind) > MOST_BEHIND:
        raise Refused("another file is hidden behind the picture's end; save the picture again without it")


def _other(head: bytes) -> str:
    if head[4:8] == b"ftyp":
        return "an AVIF, HEIC or video"
    bare = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    return next((name for start, name in OTHERS if bare.startswith(start)), "no picture that is known here")


def _called(kind: str) -> str:
    return "WebP" if kind == "WEBP" else kind
