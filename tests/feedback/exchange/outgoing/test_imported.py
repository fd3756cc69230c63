"""What is exported of pictures that other programs drew: their pixels, and nothing that their files said."""

import io

import pyarrow.parquet as pq
import pytest
from PIL import Image as Picture
from sqlmodel import select

from feedback.exchange.outgoing.chosen import Wanted
from feedback.exchange.outgoing.folder import export_folder
from feedback.metadata.read import read_bytes
from feedback.versions import begin
from store.engine import reading
from store.layout import layout_of
from store.tables import Image
from tests.feedback.exchange.conftest import KEEP, REJECT, press
from tests.feedback.exchange.pictures.brought import OURS, bring, folder_of
from tests.feedback.metadata import made

SECRET = "the studio of Ann Anders"
SAID = f"a red square\nNegative prompt: {SECRET}\n{OURS}, Seed: 5"


@pytest.fixture
def out(settings, engine, tmp_path):
    """An export of a JPEG, a WebP, and PNGs with a text in a chunk, in the alpha channel and in the colours."""
    begin(engine, "builtin", "0" * 64)
    files = {
        "a.jpg": made.jpeg(made.comment(SAID)),
        "b.webp": made.webp(made.comment(SAID)),
        "c.png": made.png(made.international("parameters", SAID)),
        "d.png": made.stealth(SAID, size=(64, 64)),
        "e.png": made.stealth(SAID, in_alpha=False, size=(64, 64)),
    }
    bring(
        settings, engine, folder_of(tmp_path / "in", **{name.replace(".", "__"): data for name, data in files.items()})
    )
    with reading(engine) as session:
        images = list(session.exec(select(Image.id).order_by(Image.id)))
    assert len(images) == len(files)
    press(engine, "ann", dict(zip(images, [KEEP, REJECT, KEEP, REJECT, KEEP], strict=True)))
    return export_folder(engine, layout_of(settings).blobs, Wanted(), tmp_path / "out").folder


def test_every_file_is_a_png_and_says_nothing(out):
    pictures = list((out / "train").rglob("*.png"))
    assert len(pictures) == 5
    for path in pictures:
        data = path.read_bytes()
        with Picture.open(io.BytesIO(data)) as picture:
            assert (picture.format, picture.mode, picture.info) == ("PNG", "RGB", {})
        assert read_bytes(data, path.name)[0].raw == ()


def test_pairs_hold_pixels_only(out):
    rows = pq.read_table(next((out / "pairs").glob("*.parquet"))).to_pylist()
    assert rows
    for row in rows:
        for name in ("jpg_0", "jpg_1"):
            with Picture.open(io.BytesIO(row[name])) as picture:
                assert picture.info.keys() <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
            assert read_bytes(row[name], "x.png" if row[name].startswith(b"\x89PNG") else "x.jpg")[0].raw == ()
