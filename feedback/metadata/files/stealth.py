"""Texts hidden in the lowest bits of the pixels: A1111's stealth PNG info and NovelAI's alpha channel.

Bits run down the columns: 15 letters of a name, 32 bits for the number of bits that follow, then the text. In the
alpha channel there is one bit a pixel, else three.
Source: ashen-sensored/sd_webui_stealth_pnginfo.
"""

import zlib

from PIL import Image

from feedback.metadata.files.parts import MAX_TEXT, Parts, inflate, text_of

BITS = bytes(48 + (byte & 1) for byte in range(256))
NAMES = {b"stealth_pnginfo": False, b"stealth_pngcomp": True, b"stealth_rgbinfo": False, b"stealth_rgbcomp": True}
HEAD = 15 + 4


def read_stealth(parts: Parts, picture: Image.Image) -> None:
    """Adds the text hidden in a decoded picture, if there is one."""
    bands = [picture.getchannel("A")] if picture.mode == "RGBA" else []
    for channel in (*bands, picture.convert("RGB") if picture.mode == "RGBA" else picture):
        if channel.mode not in ("L", "RGB"):
            continue
        bits_a_pixel = 3 if channel.mode == "RGB" else 1
        columns = -(-HEAD * 8 // (channel.height * bits_a_pixel))
        head = _bytes(_bits(channel, columns), HEAD)
        is_packed = NAMES.get(head[:15])
        length = int.from_bytes(head[15:], "big") // 8
        if is_packed is None or not 0 < length <= min(MAX_TEXT, channel.width * channel.height * bits_a_pixel // 8):
            continue
        body = _bytes(_bits(channel, channel.width), HEAD + length)[HEAD:]
        found = inflate(body, wbits=zlib.MAX_WBITS | 16) if is_packed else body
        parts.add("stealth", text_of(found or b""))
        return


def _bits(channel: Image.Image, columns: int) -> bytes:
    """The lowest bits of the first columns, as the digits 0 and 1."""
    columns = min(columns, channel.width)
    strip = channel.crop((0, 0, columns, channel.height)).transpose(Image.Transpose.TRANSPOSE)
    return strip.tobytes().translate(BITS)


def _bytes(bits: bytes, length: int) -> bytes:
    wanted = bits[: length * 8].ljust(length * 8, b"0")
    return int(wanted, 2).to_bytes(length, "big")
