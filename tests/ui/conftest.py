"""A store with small pictures in it, the real page server, and a real browser."""

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import pytest
from PIL import Image as Picture
from PIL import ImageDraw
from playwright.sync_api import Browser, Error, Page, expect, sync_playwright
from sqlalchemy import Engine
from sqlmodel import col, select

from bench.rate.browser import FLAGS, answers, find_chromium, free_port
from feedback.sample.claims import record_images
from feedback.sample.prompts import add_prompts
from feedback.sample.work import Drawing, Work
from feedback.versions import begin
from store.engine import reading
from store.layout import layout_of
from store.settings import Settings
from store.tables import Origin, Prompt
from tests.ui.forked import Forked, fork_pages
from tests.waiting import PATIENCE_S, until
from ui.run.serve import pages_command
from ui.web import process

BASE_SHA256 = "0" * 64
DRAWING = Drawing("plain", 0.0, 3.0, 10, 64, 64)
PROMPTS = ["a red square", "a green disc", "a blue triangle"]
PATIENCE_MS = 1000 * PATIENCE_S  # a busy machine; what passes waits for no part of it
expect.set_options(timeout=PATIENCE_MS)
STILL = """() => {
  const within = (root) => [root, ...[...root.querySelectorAll("*")].flatMap((one) => one.shadowRoot ?? [])];
  const moving = (one) => one.playState === "running" && Number.isFinite(one.effect?.getComputedTiming().endTime);
  return !within(document).some((root) => root.getAnimations().some(moving));
}"""
"""True when nothing on a page fades or moves, other than what does so for ever."""
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
LOADING = """
  window.loading = 0;
  window.Image = class extends Image {
    constructor() {
      super();
      window.loading += 1;
      for (const end of ["load", "error"]) this.addEventListener(end, () => { window.loading -= 1; }, { once: true });
    }
  };
"""
"""Counts the pictures that a page asked for and does not have yet."""


class Served:
    """The page server of one store; it can be killed and started again at the same address."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.url = f"http://127.0.0.1:{settings.port}"
        self.process: Forked | None = None

    def start(self) -> None:
        environment = (
            {"NAYSAYER_REPEAT_SHARE": "0"}
            | os.environ
            | {  # every press is on another picture
                "NAYSAYER_DATA_DIR": str(self.settings.data_dir),
                "NAYSAYER_OVERLAP": str(self.settings.overlap),
            }
        )
        self.process = fork_pages(pages_command(self.settings), environment)
        until(self._is_up, "the page server to answer")

    def _is_up(self) -> bool:
        assert self.process is not None
        assert not self.process.has_ended(), "the page server ended by itself"
        return answers(self.url)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()


@contextmanager
def serve(settings: Settings) -> Iterator[Served]:
    """The real pages over the store of `settings`, on a free port."""
    served = Served(settings.model_copy(update={"port": free_port()}))
    served.start()
    try:
        yield served
    finally:
        served.kill()


def png_of(seed: int, side_px: int = 64) -> bytes:
    """A small picture, different for every seed."""
    picture = Picture.new("RGB", (side_px, side_px), "#e9e4d8")
    colour = ["#b0472f", "#2b7160", "#3d5a98"][seed % 3]
    draw, edge = ImageDraw.Draw(picture), side_px // 5 + seed % 7
    box = (edge, edge, side_px - edge, side_px - edge)
    if seed % 3 == 0:
        draw.rectangle(box, fill=colour)
    elif seed % 3 == 1:
        draw.ellipse(box, fill=colour)
    else:
        draw.polygon([(edge, side_px - edge), (side_px - edge, side_px - edge), (side_px // 2, edge)], fill=colour)
    picture.putpixel((seed % side_px, seed // side_px % side_px), (0, 0, 0))
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


@pytest.fixture(autouse=True)
def own_settings(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Pages called without a server are those of the test's own store."""
    monkeypatch.setenv("NAYSAYER_DATA_DIR", str(settings.data_dir))
    process.first_settings.cache_clear()
    yield
    if process.engine.cache_info().currsize:
        process.engine().dispose()
    process.engine.cache_clear()
    process.first_settings.cache_clear()


def put_pictures(
    settings: Settings,
    engine: Engine,
    count: int,
    *,
    version: int = 0,
    prompts: list[str] = PROMPTS,
    first_seed: int = 0,
    origin: Origin = Origin.sampled,
    side_px: int = 64,
) -> None:
    """Records real PNGs of a version, ready to be rated."""
    begin(engine, "builtin", BASE_SHA256)
    add_prompts(engine, prompts)
    blobs = layout_of(settings).blobs
    with reading(engine) as session:
        rows = list(session.exec(select(Prompt).where(col(Prompt.text).in_(prompts)).order_by(col(Prompt.id))))
    drawn = []
    for seed in range(first_seed, first_seed + count):
        prompt = rows[seed % len(rows)]
        work = Work(prompt.id, prompt.text, seed, version, origin)
        drawn.append((work, blobs.put(png_of(seed, side_px)), blobs.put(f"latent {seed}".encode())))
    assert record_images(engine, drawn, DRAWING) == count


@pytest.fixture
def draw(settings: Settings, engine: Engine) -> Callable[..., None]:
    """`put_pictures` into the store of this test."""
    return partial(put_pictures, settings, engine)


@pytest.fixture(name="serve")
def serve_fixture() -> Callable:
    """`with serve(settings) as served:` runs the real page server at `served.url`."""
    return serve


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A headless Chromium. Fails, and does not skip, where there is none."""
    path = find_chromium()
    if path is None:
        pytest.fail("no browser: run `python -m tests.browser`, or set NAYSAYER_CHROMIUM")
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        except Error as error:
            pytest.fail(f"{path} does not start: {error}")
        yield browser
        browser.close()


@contextmanager
def new_tab(chromium: Browser, **kind: Any) -> Iterator[Page]:
    """An empty tab of that kind with empty storage; the test fails when a script on it fails."""
    context = chromium.new_context(**({"viewport": {"width": 1280, "height": 800}} | kind))
    context.set_default_timeout(PATIENCE_MS)
    context.add_init_script(LOADING)
    tab = context.new_page()
    failed: list[str] = []
    tab.on("pageerror", lambda error: failed.append(str(error)))
    try:
        yield tab
    finally:
        context.close()
    assert failed == []


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A tab of a desk's browser."""
    with new_tab(chromium) as tab:
        yield tab


@pytest.fixture
def phone(chromium: Browser) -> Iterator[Page]:
    """A tab of a phone's browser."""
    with new_tab(chromium, **PHONE) as tab:
        yield tab


@pytest.fixture
def quiet_page(page: Page) -> Iterator[Page]:
    """A tab that fails the test on a dialog or on a request to another machine."""
    outside: list[str] = []
    dialogs: list[str] = []
    page.on("request", lambda request: urlsplit(request.url).hostname == "127.0.0.1" or outside.append(request.url))
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    yield page
    assert ([url for url in outside if not url.startswith(("data:", "blob:"))], dialogs) == ([], [])


@pytest.fixture
def shell(monkeypatch, tmp_path):
    """An empty folder to start from with two lists in it, and no settings in the environment."""
    for name in [name for name in os.environ if name.upper().startswith("NAYSAYER_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.txt").write_text("a star\n")
    (tmp_path / "in.tsv").write_text("prompt\tseed\na star\t1\n")
    return monkeypatch
