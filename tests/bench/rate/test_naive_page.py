"""The naive page works: one row for each press, then the next picture."""

import sqlite3

from PIL import Image as Picture
from streamlit.testing.v1 import AppTest

from bench.rate.latency import NAIVE_PAGE
from tests.waiting import PATIENCE_S


def test_a_press_is_a_row_and_shows_the_next_picture(tmp_path, monkeypatch):
    for name in ("a", "b"):
        Picture.new("RGB", (8, 8)).save(tmp_path / f"{name}.png")
    monkeypatch.setattr("sys.argv", ["naive_page.py", str(tmp_path)])
    app = AppTest.from_file(str(NAIVE_PAGE), default_timeout=PATIENCE_S).run()
    app.button[0].click().run()
    app.button[1].click().run()
    assert not app.exception
    with sqlite3.connect(tmp_path / "votes.db") as store:
        assert store.execute("SELECT picture, verdict FROM vote").fetchall() == [("a.png", "reject"), ("b.png", "keep")]
    store.close()
