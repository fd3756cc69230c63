"""PNG: texts before and after the pixels, of every kind."""

import struct
from collections.abc import Iterator

from feedback.metadata.files.exif import read_exif
from feedback.metadata.files.parts import Parts, bounded, inflate, text_of
from feedback.metadata.files.refused import Refused
from feedback.metadata.files.xmp import read_xmp
from feedback.metadata.values import EDGES

MAGIC = b"\x89PNG\r\n\x1a\n"
MOST_CHUNKS = 100_000
XMP_KEY = "XML:com.adobe.xmp"
PROFILES = ("Raw profile type exif", "Raw profile type APP1")


def read_png(data: bytes) -> Parts:
    """Size and texts. Raises Refused when it is cut off, animated or holds too much."""
    parts = Parts()
    for place, (kind, start, length) in enumerate(_chunks(data, parts)):
        if place == 0:
            if kind != b"IHDR" or length < 8:
                raise Refused("it begins like a PNG, but has no header; it is damaged")
            parts.width, parts.height = struct.unpack_from(">II", data, start)
        elif kind in (b"tEXt", b"zTXt", b"iTXt"):
            _add_text(parts, kind, bounded(bytes(data[start : start + length])))
        elif kind == b"eXIf":
            read_exif(parts, bounded(bytes(data[start : start + length])))
        elif kind == b"acTL" and length >= 4 and struct.unpack_from(">I", data, start)[0] > 1:
            raise Refused("it is an animation and not one picture; save one of its pictures")
        if place > MOST_CHUNKS:
            raise Refused(f"it has more than {MOST_CHUNKS:,} parts; no program writes so many")
    return parts


def _chunks(data: bytes, parts: Parts) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and length of each chunk, up to the last. Raises Refused when the file ends before it."""
    place = len(MAGIC)
    while place + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        if place + 12 + length > len(data):
            break
        yield kind, place + 8, length
        place += 12 + length
        if kind == b"IEND":
            parts.end = place
            return
    raise Refused("the PNG is cut off before its end; get the whole file")


def _add_text(parts: Parts, kind: bytes, chunk: bytes) -> None:
    name, separator, rest = chunk.partition(b"\0")
    if not separator:
        return
    key, body = name.decode("latin-1"), rest
    if kind == b"zTXt":
        body = inflate(rest[1:]) or b""
    elif kind == b"iTXt":
        is_deflated, fields = rest[:1] == b"\1", rest[2:].split(b"\0", 2)
        if len(fields) < 3:
            return
        body = (inflate(fields[2]) or b"") if is_deflated else fields[2]
    parts.count(len(body))
    if key in PROFILES:
        _add_profile(parts, text_of(body))
    elif key == XMP_KEY:
        read_xmp(parts, text_of(body))
    else:
        parts.add(key, text_of(body).rstrip(EDGES))


def _add_profile(parts: Parts, text: str) -> None:
    """ImageMagick's form of EXIF: a name, a length, and hexadecimal digits on lines."""
    digits = "".join(text.strip().split("\n")[2:])
    try:
        read_exif(parts, bytes.fromhex(digits))
    except ValueError:
        return
