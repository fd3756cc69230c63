"""What a kind of file gives, and how much of it is read."""

import codecs
import zlib
from dataclasses import dataclass, field

from feedback.metadata.files.refused import Refused
from feedback.metadata.found import RawText

MAX_TEXT = 8 * 2**20
"""Bytes of one text; ComfyUI's largest graphs have some hundred thousand."""
MAX_TEXTS = 32 * 2**20
"""Bytes of all texts of a file, packed ones counted twice."""


@dataclass
class Parts:
    """Size in pixels, the texts in their order, and where the picture ends in the file."""

    width: int = 0
    height: int = 0
    texts: list[RawText] = field(default_factory=list)
    end: int = 0
    length: int = 0

    def add(self, place: str, text: str) -> None:
        """Keeps a text. Raises Refused when there is too much of it."""
        self.count(len(text))
        if text.strip(" \t\r\n\0"):
            self.texts.append(RawText(place, text))

    def count(self, length: int) -> None:
        """Counts what was unpacked or kept. Raises Refused when it is too much."""
        self.length += length
        if self.length > MAX_TEXTS:
            raise Refused(f"its texts have more than {MAX_TEXTS >> 20} MB; no program writes so much")


def inflate(data: bytes, most: int = MAX_TEXT, wbits: int = zlib.MAX_WBITS) -> bytes | None:
    """What was deflated, up to its end or the file's; None where it is damaged. Raises Refused when it is too much."""
    stream = zlib.decompressobj(wbits)
    try:
        found = stream.decompress(data, most)
    except zlib.error:
        return None
    if stream.unconsumed_tail:
        raise Refused(f"a text in it unpacks to more than {most >> 20} MB; no program writes so much")
    return found


def bounded(data: bytes) -> bytes:
    """The same bytes. Raises Refused when one text has more than is allowed."""
    if len(data) > MAX_TEXT:
        raise Refused(f"a text in it has {len(data) >> 20} MB, {MAX_TEXT >> 20} are allowed; no program writes so much")
    return data


def text_of(data: bytes) -> str:
    """Bytes as UTF-8 where they are, else as Latin-1, which is what PNG's oldest texts are said to be."""
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")
