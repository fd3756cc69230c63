"""What the page process loads, and the files it reads."""

import os
import subprocess
import sys
from pathlib import Path

from ui.run.serve import SERVER

WALK = """
import sys
from streamlit.testing.v1 import AppTest
import ui.server
dashboard = ("overview", "versions.page", "playground.page", "pool.page", "raters", "setup.page")
for module in ("rate.rate", *(f"dashboard.{page}" for page in dashboard)):
    page = module.split(".")[1] + "_page"
    run = AppTest.from_string(f"from ui.{module} import {page}\\n{page}()", default_timeout=30).run()
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
        timeout=120,
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
