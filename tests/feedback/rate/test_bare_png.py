"""What leaves a PNG with its pixels: nothing else, and nothing that hides behind them."""

import io
import random
import struct
import zlib

import pytest
from PIL import Image as Picture
from PIL.PngImagePlugin import PngInfo

from feedback.rate.bare_png import bare_png
from feedback.rate.display import only_pixels

SECRET = b"drawn by Ann at home"


def coloured(mode: str = "RGB") -> Picture.Image:
    return Picture.frombytes("RGB", (33, 21), random.Random(4).randbytes(33 * 21 * 3)).convert(mode)


def saved(picture: Picture.Image, **options) -> bytes:
    texts, file = PngInfo(), io.BytesIO()
    texts.add_text("parameters", SECRET.decode())
    texts.add_itxt("XML:com.adobe.xmp", SECRET.decode(), zip=True)
    picture.save(file, "PNG", pnginfo=texts, dpi=(72, 72), icc_profile=SECRET, **options)
    return file.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def kinds(png: bytes) -> list[bytes]:
    found, place = [], 8
    while place < len(png):
        length, kind = struct.unpack_from(">I4s", png, place)
        assert zlib.crc32(png[place + 4 : place + 8 + length]) == struct.unpack_from(">I", png, place + 8 + length)[0]
        found.append(kind)
        place += 12 + length
    return found


def pixels(png: bytes) -> tuple[tuple[int, int], bytes]:
    with Picture.open(io.BytesIO(png)) as picture:
        return picture.size, picture.convert("RGB").tobytes()


def test_only_the_packed_pixels_stay_and_they_are_the_same():
    png = saved(coloured()) + SECRET
    bare = bare_png(png)
    assert bare is not None
    assert kinds(bare) == [b"IHDR", b"IDAT", b"IEND"]
    assert pixels(bare) == pixels(png) == ((33, 21), coloured().tobytes())
    assert SECRET not in bare
    assert only_pixels(png) == bare


def packed(rows: bytes, tail: bytes = b"") -> bytes:
    header = struct.pack(">II", 4, 2) + b"\x08\x02\0\0\0"
    body = zlib.compress(rows) + tail
    halves = chunk(b"IDAT", body[:9]) + chunk(b"IDAT", body[9:])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + halves + chunk(b"IEND", b"")


ROWS = (b"\0" + bytes(range(12))) * 2


@pytest.mark.parametrize(
    "png",
    [
        packed(ROWS + SECRET),
        packed(ROWS, SECRET),
        packed(ROWS[:-1]),
        packed(ROWS)[:-40],
        saved(coloured("L")),
        saved(coloured("RGBA")),
        saved(coloured("P")),
        saved(coloured("I").convert("I;16")),
        b"\xff\xd8\xff" + packed(ROWS)[3:],
        b"",
    ],
    ids=[
        "behind the rows",
        "behind the stream",
        "a byte short",
        "cut",
        "grey",
        "alpha",
        "palette",
        "16 bits",
        "no PNG",
        "empty",
    ],
)
def test_what_is_no_plain_rgb_or_holds_more_than_its_pixels_is_packed_again(png):
    assert bare_png(png) is None


@pytest.mark.parametrize("tail", [(SECRET, b""), (b"", SECRET)])
def test_what_hides_behind_the_pixels_does_not_go_out(tail):
    png = packed(ROWS + tail[0], tail[1])
    out = only_pixels(png)
    assert pixels(out) == pixels(packed(ROWS))
    assert out == only_pixels(packed(ROWS, b"x"))  # nothing of it is in there, packed or not


def test_the_usual_pixels_in_several_chunks_are_joined():
    bare = bare_png(packed(ROWS))
    assert bare is not None
    assert pixels(bare) == pixels(packed(ROWS))
