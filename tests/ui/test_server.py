"""What the page process loads, and the files it reads."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import PATIENCE_S
from ui.run.serve import SERVER
from ui.server import ADDRESSES

WALK = """
import sys
from streamlit.testing.v1 import AppTest
import ui.server
dashboard = ("overview", "versions.page", "playground.page", "pool.page", "raters", "setup.page")
for module in ("rate.rate", *(f"dashboard.{page}" for page in dashboard)):
    page = module.split(".")[1] + "_page"
    run = AppTest.from_string(f"from ui.{module} import {page}\\n{page}()", default_timeout=240).run()
    assert not run.exception, run.exception
heavy = {"torch", "diffusers", "transformers", "peft", "accelerate"} & set(sys.modules)
assert not heavy, heavy
assert "trainer" not in sys.modules
print("walked")
"""


def test_the_page_process_never_loads_torch(settings, engine, draw):
    draw(4)
    walk = subprocess.run(
        [sys.executable, "-c", WALK],
        env=os.environ | {"NAYSAYER_DATA_DIR": str(settings.data_dir)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert walk.stdout.endswith("walked\n"), walk.stderr


def test_every_file_the_pages_read_lies_beside_them():
    names = [
        "app.py",
        "pages.css",
        "wordmark.svg",
        ".streamlit/config.toml",
        "rate/page/rating.js",
        "rate/page/outbox.js",
    ]
    assert [name for name in names if not Path(SERVER).with_name(name.split("/")[0]).exists()] == []
    assert all((SERVER.parent / name).is_file() for name in names)


@pytest.mark.browser
@pytest.mark.slow
def test_a_page_opened_at_its_own_address_asks_for_nothing_in_vain(settings, engine, draw, serve, page):
    draw(2)
    refused: list[str] = []
    page.on("response", lambda answer: answer.status >= 400 and refused.append(f"{answer.status} {answer.url}"))
    page.on("console", lambda said: said.type in ("warning", "error") and refused.append(said.text))
    with serve(settings) as served:
        for address in ADDRESSES:
            page.goto(served.url + address)
            page.locator(".who input" if address == "/" else "[data-naysayer-whole] .ns-title").first.wait_for()
    assert refused == []
