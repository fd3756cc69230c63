"""Files that hurt, or are not what they seem, are refused at once, with one sentence."""

import io
import struct
import subprocess
import sys
import time
import zipfile
import zlib
from pathlib import Path

import pytest
from PIL import Image

from feedback.metadata.files.opened import MAX_BYTES
from feedback.metadata.found import Status
from feedback.metadata.read import read_bytes, read_picture
from tests.feedback.metadata import made

SECOND, MEGABYTES = 1.0, 100


def archive() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as one:
        one.writestr("x.txt", "x")
    return file.getvalue()


def header(width: int, height: int, *chunks: bytes) -> bytes:
    start = made.chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    pixels = made.chunk(b"IDAT", zlib.compress(bytes(100)))
    return b"\x89PNG\r\n\x1a\n" + start + b"".join(chunks) + pixels + made.chunk(b"IEND", b"")


def animation(kind: str) -> bytes:
    file = io.BytesIO()
    frames = [Image.new("RGB", (8, 8), (number * 80, 255 - number * 80, 0)) for number in range(3)]
    frames[0].save(file, kind, save_all=True, append_images=frames[1:])
    return file.getvalue()


def unpacking(megabytes: int) -> bytes:
    return made.chunk(b"zTXt", b"parameters\0\0" + zlib.compress(bytes(megabytes << 20), 9))


REFUSED = {
    "nothing": ("a.png", b"", "empty"),
    "a huge header": ("a.png", header(50_000, 50_000), "pixels"),
    "a long thin header": ("a.png", header(1, 1_000_000), "pixels"),
    "no pixels": ("a.png", header(64, 64), "damaged"),
    "no size": ("a.png", header(0, 64), "no size"),
    "a text that unpacks": ("a.png", made.png(unpacking(200)), "unpacks"),
    "many texts that unpack": ("a.png", made.png(*[unpacking(7)] * 40), "MB"),
    "a long text": ("a.png", made.png(made.text("parameters", "x" * (9 << 20))), "MB"),
    "many chunks": ("a.png", made.png(*[made.text("a", "")] * 200_000), "parts"),
    "an animated PNG": ("a.png", animation("PNG"), "animation"),
    "an animated WebP": ("a.webp", animation("WEBP"), "animation"),
    "a GIF": ("a.gif", animation("GIF"), "a GIF"),
    "a GIF called PNG": ("a.png", animation("GIF"), "a GIF"),
    "an SVG": ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG"),
    "a web page": ("a.png", b"<!DOCTYPE html><title>x</title>", "a web page"),
    "a pointer": ("a.png", b"version https://git-lfs.github.com/spec/v1\n", "git-lfs"),
    "text": ("a.png", b"hello", "no picture"),
    "a JPEG called PNG": ("a.png", made.jpeg(), "ends in .png, but it is a JPEG"),
    "a PNG called JPEG": ("a.jpg", made.png(), "ends in .jpg, but it is a PNG"),
    "a PNG called nothing known": ("a.exe", made.png(), "ends in .exe"),
    "a PNG and a ZIP": ("a.png", made.png() + archive(), "hidden behind"),
    "a JPEG and a ZIP": ("a.jpg", made.jpeg() + archive(), "hidden behind"),
    "a WebP and a ZIP": ("a.webp", made.webp() + archive(), "hidden behind"),
    "a PNG and a page": ("a.png", made.png() + b"\n<script>alert(1)</script>", "hidden behind"),
    "a JPEG and a program": ("a.jpg", made.jpeg() + b"\x7fELF" + bytes(100), "hidden behind"),
    "a PNG and much else": ("a.png", made.png() + b"x" * 10**6, "hidden behind"),
    "half a PNG": ("a.png", made.png()[:-500], "cut off"),
    "a PNG without an end": ("a.png", made.png()[:-12], "cut off"),
    "half a JPEG": ("a.jpg", made.jpeg()[:-100], "cut off"),
    "half a WebP": ("a.webp", made.webp()[:-100], "cut off"),
    "only a beginning": ("a.jpg", b"\xff\xd8\xff", "cut off"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_file_is_refused_at_once_with_a_sentence(name):
    file, data, reason = REFUSED[name]
    began = time.process_time()
    found, picture = read_bytes(data, file)
    assert time.process_time() - began < SECOND
    assert (found.status, picture) == (Status.broken, None)
    assert reason in found.why
    assert len(found.why) < 160
    assert "\n" not in found.why


@pytest.mark.parametrize("name", ["a.png", "a.PNG", "a"])
def test_a_sound_picture_is_not_refused(name):
    assert read_bytes(made.png() + b"\0\0\n", name)[0].status is Status.empty


@pytest.mark.parametrize(
    "text", ["[" * 10**6, "{" * 10**6, '{"a":' * 10**5, "1" * 10**6, "/*" * 10**6, "{|" * 10**6, "a: " * 10**6]
)
@pytest.mark.parametrize("key", ["parameters", "prompt", "workflow", "Dream", "Comment", "UserComment"])
def test_texts_made_to_take_time_take_none(text, key):
    began = time.process_time()
    found = read_bytes(made.png(made.text(key, text)), "a.png")[0]
    assert time.process_time() - began < SECOND
    assert found.status in (Status.unrecognised, Status.empty, Status.not_sdxl, Status.partial)


def test_entities_in_xmp_are_not_opened():
    levels = "".join(f'<!ENTITY a{one} "{f"&a{one - 1};" * 10}">' for one in range(1, 12))
    own = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><description>&a11;</description></x:xmpmeta>'
    bomb = f'<!DOCTYPE x [<!ENTITY a0 "x">{levels}]>{own}'
    began = time.process_time()
    assert read_bytes(made.webp(xmp=bomb.encode()), "a.webp")[0].status is Status.empty
    assert time.process_time() - began < SECOND


CHILD = """
import resource, sys
from pathlib import Path
from feedback.metadata.read import read_picture
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = read_picture(Path(sys.argv[1]))
print(found.status, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.parametrize("name", ["a huge header", "a text that unpacks", "many texts that unpack", "many chunks"])
def test_a_bomb_is_refused_in_little_memory(name, tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(REFUSED[name][1])
    assert memory_of(path) < MEGABYTES


def test_a_file_too_large_is_refused_unread(tmp_path):
    path = tmp_path / "a.png"
    with path.open("wb") as file:
        file.write(made.png())
        file.truncate(MAX_BYTES * 10)
    assert "MB" in read_picture(path).why
    assert memory_of(path) < MEGABYTES


def memory_of(path: Path) -> int:
    """Megabytes that a process takes to refuse the file, beside those that it has before."""
    done = subprocess.run([sys.executable, "-c", CHILD, str(path)], capture_output=True, text=True, check=True)
    status, megabytes = done.stdout.split()
    assert status == "broken"
    return int(megabytes)


def test_a_folder_or_a_missing_file_is_told(tmp_path):
    for path in (tmp_path, tmp_path / "gone.png"):
        found = read_picture(path)
        assert (found.status, bool(found.why)) == (Status.broken, True)
