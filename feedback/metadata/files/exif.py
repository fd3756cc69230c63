"""EXIF: the texts that programs keep in it, in every byte order.

Source: CIPA DC-008 (Exif 2.3), 4.6; TIFF 6.0, section 2.
"""

import re
import struct
from collections.abc import Iterator

from feedback.metadata.files.parts import Parts, bounded, text_of

NAMES = {
    0x010D: "DocumentName",
    0x010E: "ImageDescription",
    0x010F: "Make",
    0x0110: "Model",
    0x0131: "Software",
    0x013B: "Artist",
    0x9286: "UserComment",
    0x927C: "MakerNote",
    0x9C9B: "XPTitle",
    0x9C9C: "XPComment",
    0x9C9E: "XPKeywords",
    0x9C9F: "XPSubject",
}
EXIF_IFD, WIDTHS = 0x8769, {1: 1, 2: 1, 6: 1, 7: 1}
LABEL = re.compile(r"\s*(prompt|workflow)\s*:\s*(?=[{\[])", re.I)


def read_exif(parts: Parts, data: bytes) -> None:
    """Adds the texts of an EXIF block, which may begin with `Exif`; of a damaged one those that can be read."""
    data = data.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None or len(data) < 8:
        return
    first = struct.unpack_from(f"{order}I", data, 4)[0]
    seen: set[tuple[int, bytes]] = set()
    for offset in (first, *(value for tag, value in _entries(data, first, order) if tag == EXIF_IFD)):
        if not isinstance(offset, int):
            continue
        for tag, value in _entries(data, offset, order):
            if tag in NAMES and isinstance(value, bytes) and (tag, value) not in seen:
                seen.add((tag, value))
                _add(parts, NAMES[tag], _text(tag, value, order))


def _entries(data: bytes, offset: int, order: str) -> Iterator[tuple[int, bytes | int]]:
    """Tag and bytes of each text of a directory; for the pointer to the Exif directory, its offset."""
    if offset + 2 > len(data):
        return
    for place in range(offset + 2, offset + 2 + 12 * struct.unpack_from(f"{order}H", data, offset)[0], 12):
        if place + 12 > len(data):
            return
        tag, kind, count, value = struct.unpack_from(f"{order}HHII", data, place)
        if tag == EXIF_IFD:
            yield tag, value
        elif tag in NAMES and kind in WIDTHS:
            start = place + 8 if count <= 4 else value
            yield tag, bounded(data[start : start + count])


def _add(parts: Parts, name: str, text: str) -> None:
    """Keeps a text; ComfyUI's savers put `prompt:{…}` and `workflow:{…}` into whatever tag is free."""
    if label := LABEL.match(text):
        parts.add(label[1].lower(), text[label.end() :])
    else:
        parts.add(name, text)


def _text(tag: int, value: bytes, order: str) -> str:
    if tag >= 0x9C9B:
        return value.decode("utf-16-le", "replace").strip("\0")
    if tag == 0x9286:
        return user_comment(value, order)
    return text_of(value).strip("\0")


def user_comment(value: bytes, order: str) -> str:
    """The text of a UserComment, whose first eight bytes name its characters, if the program wrote them.

    >>> user_comment(b"UNICODE\\0" + "a fox".encode("utf-16-le"), ">")
    'a fox'
    """
    kind, body = value[:8].upper().rstrip(b"\0"), value[8:]
    if kind == b"UNICODE":
        return _utf16(body, order).strip("\0")
    if kind == b"JIS":
        return body.decode("iso2022_jp", "replace").strip("\0")
    if kind not in (b"ASCII", b""):
        body = value
    return (_utf16(body, order) if b"\0" in body.rstrip(b"\0") else text_of(body)).strip("\0")


def _utf16(body: bytes, order: str) -> str:
    """Text in UTF-16 of either byte order, or in UTF-8, which some programs write under the same name.

    The zero bytes of Latin letters tell the order; without any, text in UTF-8 is that, and the file's order decides.
    """
    if body[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return body.decode("utf-16", "replace")
    high, low = body[0:4096:2].count(0), body[1:4096:2].count(0)
    if high == low:
        try:
            return body.decode()
        except UnicodeDecodeError:
            pass
    is_little = low > high if high != low else order == "<"
    return body.decode("utf-16-le" if is_little else "utf-16-be", "replace")
