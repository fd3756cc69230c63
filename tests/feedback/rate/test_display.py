import io
import threading
from pathlib import Path

import pytest
from PIL import Image as Picture
from PIL import ImageChops, ImageStat
from PIL.PngImagePlugin import PngInfo

from feedback.metadata.read import read_bytes
from feedback.rate.display import displayed, put_picture, shown_bytes, unsealed
from store.archive.backup import backup
from store.archive.restore import restore
from store.layout import Layout, layout_of
from store.secrets import read_or_make_secret
from tests.feedback.metadata import made

LETTER = "naysayer version 7"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    (tmp_path / "data").mkdir()
    return Layout(tmp_path / "data")


def png_of(side_px: int, note: str = "") -> bytes:
    """As a photograph: colours that change smoothly, some grain, and a hard edge."""
    smooth, grain = Picture.linear_gradient("L").resize((side_px, side_px)), Picture.effect_noise((side_px, side_px), 8)
    light = Picture.blend(smooth, grain, 0.1)
    picture = Picture.merge("RGB", (light, light.rotate(90), light.rotate(180)))
    picture.paste((200, 30, 30), (0, 0, side_px // 3, side_px // 3))
    info = PngInfo()
    if note:
        info.add_text("parameters", note)
    file = io.BytesIO()
    picture.save(file, "PNG", pnginfo=info)
    return file.getvalue()


def pixels(data: bytes) -> bytes:
    with Picture.open(io.BytesIO(data)) as picture:
        return picture.convert("RGB").tobytes()


def far_apart(one: bytes, other: bytes) -> float:
    """Mean difference of two pictures' colours, 0 to 255."""
    with Picture.open(io.BytesIO(one)) as left, Picture.open(io.BytesIO(other)) as right:
        return max(ImageStat.Stat(ImageChops.difference(left.convert("RGB"), right.convert("RGB"))).mean)


def test_a_small_picture_is_its_own_display_copy(layout):
    original = png_of(256)
    sha256 = put_picture(layout, original)
    assert shown_bytes(layout, sha256) == original == layout.blobs.get(sha256)
    assert not (layout.root / "display").exists()


def test_a_small_picture_with_metadata_is_shown_without_it_and_without_loss(layout):
    sha256 = put_picture(layout, png_of(64, LETTER))
    shown = shown_bytes(layout, sha256)
    assert LETTER.encode() not in shown
    assert pixels(shown) == pixels(layout.blobs.get(sha256))
    assert LETTER.encode() in layout.blobs.get(sha256)


def test_bytes_after_the_end_of_a_png_are_not_shown():
    assert LETTER.encode() not in displayed(png_of(64) + LETTER.encode())


@pytest.mark.parametrize("size", [(96, 80), (300, 280)])
@pytest.mark.parametrize("in_alpha", [True, False])
def test_a_text_hidden_in_the_pixels_is_not_shown(size, in_alpha):
    original = made.stealth("a secret\nSteps: 20, Sampler: x, Seed: 3", in_alpha=in_alpha, size=size)
    shown = displayed(original)
    assert read_bytes(original, "a.png")[0].prompt == "a secret"
    assert read_bytes(shown, "a.webp")[0].prompt is None
    assert far_apart(shown, original) < 8


@pytest.mark.parametrize("ending", ["JPEG", "WEBP"])
def test_pictures_of_other_kinds_are_shown_without_their_metadata(ending):
    block = made.comment(LETTER, codec="utf-8", head=b"ASCII\0\0\0")
    original = made.jpeg(block) if ending == "JPEG" else made.webp(block)
    assert LETTER.encode() in original
    assert LETTER.encode() not in displayed(original)
    assert far_apart(displayed(original), original) < 8


def test_a_large_picture_gets_a_copy_when_it_is_put_and_keeps_its_original(layout):
    original = png_of(1024, LETTER)
    sha256 = put_picture(layout, original)
    copy = layout.display_copy(sha256)
    assert copy.is_file()
    shown = shown_bytes(layout, sha256)
    assert shown == unsealed(copy.read_bytes(), sha256)
    assert (shown[:4], shown[8:12]) == (b"RIFF", b"WEBP")
    assert LETTER.encode() not in shown
    assert len(shown) < len(original) / 2
    assert far_apart(shown, original) < 2
    assert layout.blobs.get(sha256) == original, "training reads the picture as it was drawn"


def test_an_older_picture_gets_its_copy_when_it_is_first_asked_for(layout):
    sha256 = layout.blobs.put(png_of(320))
    assert not layout.display_copy(sha256).exists()
    found: list[bytes] = []
    threads = [threading.Thread(target=lambda: found.append(shown_bytes(layout, sha256))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(found) == {unsealed(layout.display_copy(sha256).read_bytes(), sha256)}
    assert len(list(layout.display_copy(sha256).parent.iterdir())) == 1, "no temporary file is left"


def test_a_picture_that_cannot_be_encoded_is_shown_as_it_is(layout, caplog):
    broken = png_of(320)[:20_000]
    sha256 = put_picture(layout, broken)
    assert shown_bytes(layout, sha256) == broken
    assert "shown as it was drawn" in caplog.text


def test_a_copy_that_cannot_be_written_costs_nobody_the_picture(layout):
    (layout.root / "display").write_text("not a folder")
    original = png_of(320)
    assert shown_bytes(layout, put_picture(layout, original)) == original


def test_no_backup_carries_copies_or_the_key_and_a_restored_store_makes_its_own(engine, settings, fill, tmp_path):
    layout = layout_of(settings)
    fill(engine, put=layout.blobs.put)
    sha256 = put_picture(layout, png_of(320))
    read_or_make_secret(layout.page_key)
    backup(settings, tmp_path / "backup.tar")
    elsewhere = settings.model_copy(update={"data_dir": tmp_path / "restored"})
    restore(tmp_path / "backup.tar", elsewhere)
    restored = layout_of(elsewhere)
    assert sorted(path.name for path in restored.root.iterdir()) == ["blobs", "naysayer.db", "versions"]
    restored.blobs.put(layout.blobs.get(sha256))
    assert shown_bytes(restored, sha256) == shown_bytes(layout, sha256)
