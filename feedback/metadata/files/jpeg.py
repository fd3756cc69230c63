"""JPEG: EXIF, XMP and comments."""

import re
import struct

from feedback.metadata.files.exif import read_exif
from feedback.metadata.files.parts import Parts, text_of
from feedback.metadata.files.refused import Refused
from feedback.metadata.files.xmp import read_xmp

MAGIC = b"\xff\xd8\xff"
EXIF, XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
BARE = {0x01, *range(0xD0, 0xD9)}
NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
CUT = "the JPEG is cut off before its end; get the whole file"


def read_jpeg(data: bytes) -> Parts:
    """Size and texts. Raises Refused when it is cut off."""
    parts, place = Parts(), 2
    while True:
        if place + 2 > len(data) or data[place] != 0xFF:
            raise Refused(CUT)
        marker = data[place + 1]
        if marker == 0xFF or marker in BARE:
            place += 1 if marker == 0xFF else 2
            continue
        if marker == 0xD9:
            parts.end = place + 2
            return parts
        if place + 4 > len(data):
            raise Refused(CUT)
        length = struct.unpack_from(">H", data, place + 2)[0]
        _read_segment(parts, marker, bytes(data[place + 4 : place + 2 + length]))
        place += 2 + max(2, length)
        if marker == 0xDA:
            following = NEXT_MARKER.search(data, place)
            if following is None:
                raise Refused(CUT)
            place = following.start()


def _read_segment(parts: Parts, marker: int, body: bytes) -> None:
    if marker in FRAMES and len(body) >= 5:
        parts.height, parts.width = struct.unpack_from(">HH", body, 1)
    elif marker == 0xE1 and body.startswith(EXIF):
        read_exif(parts, body)
    elif marker == 0xE1 and body.startswith(XMP):
        read_xmp(parts, text_of(body[len(XMP) :]))
    elif marker == 0xFE:
        parts.add("comment", text_of(body).rstrip("\0"))
