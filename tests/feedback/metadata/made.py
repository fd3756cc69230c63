"""Makes pictures with metadata, byte by byte, so that every variant can be made."""

import gzip
import io
import struct
import zlib

from PIL import Image


def pixels(kind: str, size: tuple[int, int] = (64, 64), mode: str = "RGB", **options: object) -> bytes:
    """A picture without metadata."""
    file = io.BytesIO()
    Image.effect_noise(size, 40).convert(mode).save(file, kind, **options)
    return file.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def text(key: str, value: str, encoding: str = "utf-8") -> bytes:
    return chunk(b"tEXt", key.encode() + b"\0" + value.encode(encoding))


def packed(key: str, value: str, encoding: str = "utf-8") -> bytes:
    return chunk(b"zTXt", key.encode() + b"\0\0" + zlib.compress(value.encode(encoding)))


def international(key: str, value: str, *, is_packed: bool = False) -> bytes:
    body = value.encode()
    flag = b"\1\0" if is_packed else b"\0\0"
    return chunk(b"iTXt", key.encode() + b"\0" + flag + b"\0\0" + (zlib.compress(body) if is_packed else body))


def png(*chunks: bytes, size: tuple[int, int] = (64, 64), mode: str = "RGB", is_after: bool = False) -> bytes:
    """A PNG with more chunks before its pixels, or after them."""
    bare = pixels("PNG", size, mode)
    cut = len(bare) - 12 if is_after else 33
    return bare[:cut] + b"".join(chunks) + bare[cut:]


def exif(*tags: tuple[int, bytes, int], order: str = "<", in_sub: bool = True) -> bytes:
    """An EXIF block. Each tag is (number, bytes, type); in the Exif directory, or in the first one."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    first = 8 + (2 + 12 + 4 if in_sub else 0)
    place = first + 2 + 12 * len(tags) + 4
    entries, values = b"", b""
    for number, value, kind in tags:
        where = value.ljust(4, b"\0")[:4] if len(value) <= 4 else struct.pack(f"{order}I", place + len(values))
        entries += struct.pack(f"{order}HHI", number, kind, len(value)) + where
        values += b"" if len(value) <= 4 else value + b"\0" * (len(value) % 2)
    directory = struct.pack(f"{order}H", len(tags)) + entries + b"\0" * 4
    pointer = struct.pack(f"{order}HHHII", 1, 0x8769, 4, 1, first) + b"\0" * 4 if in_sub else b""
    return mark + struct.pack(f"{order}I", 8) + pointer + directory + values


def comment(value: str, order: str = "<", codec: str = "utf-16-le", head: bytes = b"UNICODE\0", **where: bool) -> bytes:
    """An EXIF block with a UserComment."""
    return exif((0x9286, head + value.encode(codec), 7), order=order, **where)


def jpeg(block: bytes = b"", *segments: tuple[int, bytes], size: tuple[int, int] = (64, 64)) -> bytes:
    """A JPEG with an EXIF block and other segments."""
    bare = pixels("JPEG", size)
    parts = [(0xE1, b"Exif\0\0" + block)] if block else []
    made = b"".join(struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body for marker, body in (*parts, *segments))
    return bare[:2] + made + bare[2:]


def webp(block: bytes = b"", xmp: bytes = b"", size: tuple[int, int] = (64, 64)) -> bytes:
    """A WebP with EXIF and XMP."""
    return pixels("WEBP", size, lossless=True, **({"exif": block} if block else {}), **({"xmp": xmp} if xmp else {}))


def stealth(value: str, *, is_packed: bool = True, in_alpha: bool = True, size: tuple[int, int] = (96, 80)) -> bytes:
    """A PNG with a text in the lowest bits, down the columns."""
    body = gzip.compress(value.encode()) if is_packed else value.encode()
    name = f"stealth_{'png' if in_alpha else 'rgb'}{'comp' if is_packed else 'info'}".encode()
    bits = [int(bit) for byte in name + struct.pack(">I", len(body) * 8) + body for bit in f"{byte:08b}"]
    picture = Image.effect_noise(size, 40).convert("RGBA" if in_alpha else "RGB")
    places = [
        (x, y, band) for x in range(size[0]) for y in range(size[1]) for band in ((3,) if in_alpha else (0, 1, 2))
    ]
    assert len(bits) <= len(places)
    for (x, y, band), bit in zip(places, bits, strict=False):
        one = list(picture.getpixel((x, y)))
        one[band] = (254 if band == 3 else one[band] & 254) | bit
        picture.putpixel((x, y), tuple(one))
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()
