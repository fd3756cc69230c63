"""WebP: EXIF and XMP.

Source: RFC 9649.
"""

import struct

from feedback.metadata.files.exif import read_exif
from feedback.metadata.files.parts import Parts, bounded, text_of
from feedback.metadata.files.refused import Refused
from feedback.metadata.files.xmp import read_xmp


def read_webp(data: bytes) -> Parts:
    """Size and texts. Raises Refused when it is cut off or animated."""
    parts = Parts()
    parts.end = 8 + struct.unpack_from("<I", data, 4)[0]
    if parts.end > len(data):
        raise Refused("the WebP is cut off before its end; get the whole file")
    place, frames = 12, 0
    while place + 8 <= parts.end:
        kind, length = struct.unpack_from("<4sI", data, place)
        if place + 8 + length > parts.end:
            raise Refused("a part of the WebP is longer than the file; it is damaged")
        start, place = place + 8, place + 8 + length + length % 2
        if kind == b"EXIF":
            read_exif(parts, bounded(bytes(data[start : start + length])))
        elif kind == b"XMP ":
            read_xmp(parts, text_of(bounded(bytes(data[start : start + length]))))
        elif kind == b"ANMF":
            frames += 1
        else:
            _read_size(parts, kind, bytes(data[start : start + min(10, length)]))
        if frames > 1:
            raise Refused("it is an animation and not one picture; save one of its pictures")
    return parts


def _read_size(parts: Parts, kind: bytes, head: bytes) -> None:
    if len(head) < 10 or (parts.width and kind != b"VP8X"):
        if kind == b"VP8L" and len(head) >= 5 and not parts.width:
            parts.width, parts.height = _lossless_size(head)
        return
    if kind == b"VP8X":
        parts.width = 1 + int.from_bytes(head[4:7], "little")
        parts.height = 1 + int.from_bytes(head[7:10], "little")
    elif kind == b"VP8 ":
        parts.width, parts.height = (side & 0x3FFF for side in struct.unpack_from("<HH", head, 6))
    elif kind == b"VP8L":
        parts.width, parts.height = _lossless_size(head)


def _lossless_size(head: bytes) -> tuple[int, int]:
    bits = int.from_bytes(head[1:5], "little")
    return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
