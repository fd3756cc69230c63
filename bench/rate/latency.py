"""How long a rater waits: from the key press until the next picture is painted, in a real browser on the real server.

One Chromium, headless, on this machine; pictures of 1024 x 1024 pixels; a store in a temporary folder. A press is timed
in the page, from the event's own time stamp to the message after the animation frame in which the next picture
is styled, laid out and painted (`painted.js`); the screen adds the same to every page. The browser's
cache is off, so that every picture is fetched and decoded.

`one` rater; one of `twenty`, of whom nineteen are HTTP clients that vote, ask for more and fetch pictures through the
same routes, each about once a second (people take eight); one while a `retrain` of the built-in model runs; and the
`naive` Streamlit page (`naive_page.py`); and `label_studio` where its program is given, where a key chooses and a
second one submits: the second is timed. Presses follow a paint by 0.15 to 0.5 s.
"""

import io
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image as Picture
from playwright.sync_api import Browser, Page, sync_playwright
from sqlalchemy import Engine
from sqlmodel import select

from bench.rate.browser import FLAGS, find_chromium, free_port, serving
from bench.rate.http_rater import HttpRater
from bench.rate.label_studio import SHOWN, SUBMIT, label_studio, require, sign_in
from feedback.rate.display import put_picture
from feedback.runs import latest_run
from feedback.sample.claims import record_images
from feedback.sample.prompts import add_prompts
from feedback.sample.work import Drawing, Work
from feedback.versions import begin
from store.engine import reading
from store.errors import NaysayerError
from store.layout import layout_of
from store.migrate import open_store
from store.process.child import with_this_process
from store.settings import Settings
from store.tables import Origin, Prompt, Version
from ui.rate.page_data import LIMITS
from ui.run.serve import pages_command

SIDE_PX = 1024
PROMPT = "a picture of the bench"
DISTINCT = 48
"""Different pictures; the store's rows share them."""
OTHERS = 19
PRACTICE = 5
"""Presses that are not timed: code that runs for the first time is slow."""
SIMULATED = 40
"""Votes on the built-in model's own pictures, for the retrain."""
PATIENCE_MS = 60_000
PAUSE_MS = (150, 500)
PACE_S = 1.0
CASES = ("one", "twenty", "retrain", "naive")
SignIn = Callable[[Page, str], None]
RATING, NAIVE = ".frame", "[data-testid=stMain]"
PAINTED = Path(__file__).with_name("painted.js").read_text(encoding="utf-8")
NAIVE_PAGE = Path(__file__).with_name("naive_page.py")


class Target(NamedTuple):
    """A page to measure: where its picture is, how to sign in, and the keys that follow a choice to make it a vote."""

    url: str
    selector: str
    sign_in: SignIn | None = None
    submit: Sequence[str] = ()


def measure_latency(
    presses: int, cases: Sequence[str] = CASES, openings: int = 5, studio: Path | None = None
) -> dict[str, Any]:
    """Milliseconds from key to paint for each case, how many times the other pages take, and the opening of the page:
    seconds until the first picture is painted and megabytes fetched by then (medians, nothing cached).

    `studio` is Label Studio's program. Raises NaysayerError without a Chromium, or without that program.
    """
    if studio is not None:
        require(studio)
    with tempfile.TemporaryDirectory(prefix="naysayer-bench-") as name, _chromium() as browser:
        settings = Settings(data_dir=Path(name) / "data", port=free_port(), _env_file=None)
        if "retrain" in cases:
            _run(settings, "simulate", "--votes", str(SIMULATED), "--no-retrain")
        pictures = [png_of(seed) for seed in range(DISTINCT)]
        _fill(settings, pictures, count=(OTHERS + 3) * (presses + PRACTICE + LIMITS.queue))
        with serving(pages_command(settings), settings.port, _environment(settings)) as url:
            opened = _time_openings(browser, url, openings)
            # The retrain comes first, so that it trains only on the built-in model's own pictures.
            beside: dict[str, Callable[[], AbstractContextManager[object]]] = {
                "retrain": lambda: _retraining(settings),
                "one": nullcontext,
                "twenty": lambda: _voting_beside(url),
            }
            took = {}
            for case in beside:
                if case in cases:
                    with beside[case]():
                        took[case] = _time_presses(browser, Target(url, RATING), presses)
        if "naive" in cases:
            took["naive"] = _time_naive_page(browser, Path(name), pictures, presses)
        if studio is not None:
            tasks = [pictures[number % DISTINCT] for number in range(presses + PRACTICE + 1)]
            with label_studio(studio, Path(name) / "studio", browser, tasks) as url:
                took["label_studio"] = _time_presses(browser, Target(url, SHOWN, sign_in, (SUBMIT,)), presses)
    return summarize({case: took[case] for case in (*CASES, "label_studio") if case in took}) | opened


def png_of(seed: int) -> bytes:
    """A picture with the size in bytes of a photograph: soft patches of colour under fine grain."""
    chance = np.random.default_rng(seed)
    patches = Picture.fromarray(chance.integers(0, 256, (12, 12, 3), dtype=np.uint8))
    soft = np.asarray(patches.resize((SIDE_PX, SIDE_PX), Picture.Resampling.BICUBIC))
    grain = chance.integers(0, 8, (SIDE_PX, SIDE_PX, 1), dtype=np.uint8)
    file = io.BytesIO()
    Picture.fromarray(soft // 2 + 60 + grain).save(file, "PNG", compress_level=2)
    return file.getvalue()


def _fill(settings: Settings, pictures: Sequence[bytes], count: int) -> None:
    engine, layout = open_store(settings), layout_of(settings)
    add_prompts(engine, [PROMPT])
    with reading(engine) as session:
        is_begun = session.get(Version, 0) is not None
        prompt_id = session.exec(select(Prompt.id).where(Prompt.text == PROMPT)).one()
    if not is_begun:
        begin(engine, "builtin", "0" * 64)
    assert prompt_id is not None
    hashes = [put_picture(layout, picture) for picture in pictures]
    works = (Work(prompt_id, PROMPT, seed, 0, Origin.sampled) for seed in range(count))
    drawn = [(work, hashes[work.seed % len(hashes)], "") for work in works]
    record_images(engine, drawn, Drawing("plain", 0.0, 3.0, 10, SIDE_PX, SIDE_PX))
    engine.dispose()


def _environment(settings: Settings) -> dict[str, str]:
    return {"NAYSAYER_DATA_DIR": str(settings.data_dir)}


def _run(settings: Settings, *command: str) -> None:
    subprocess.run(
        with_this_process(_command(*command)),
        env=os.environ | _environment(settings),
        check=True,
        stdout=subprocess.DEVNULL,
    )


def _command(*command: str) -> list[str]:
    return [sys.executable, "-m", "ui.commands", *command]


@contextmanager
def _chromium() -> Iterator[Browser]:
    path = find_chromium()
    if path is None:
        raise NaysayerError("no Chromium was found; run `python -m tests.browser`, or set NAYSAYER_CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def _open(browser: Browser, target: Target) -> Iterator[Page]:
    """A new tab, with nothing cached, on which the first picture is painted."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.add_init_script(
        f"({PAINTED})({json.dumps(target.selector)}); localStorage.setItem('naysayer.rater', 'Ada')"
    )
    page = context.new_page()
    context.new_cdp_session(page).send("Network.setCacheDisabled", {"cacheDisabled": True})
    if target.sign_in:
        target.sign_in(page, target.url)
    page.goto(target.url)
    page.wait_for_function("window.opened", timeout=PATIENCE_MS)
    yield page
    context.close()


def _time_openings(browser: Browser, url: str, openings: int) -> dict[str, float]:
    seen = []
    for _ in range(openings + 1):
        with _open(browser, Target(url, RATING)) as page:
            seen.append(page.evaluate("[opened / 1e3, moved / 1e6]"))
    opened, moved = zip(*seen[1:], strict=True)  # the first one warms the server
    return {"open_s": round(statistics.median(opened), 2), "transferred_mb": round(statistics.median(moved), 2)}


def _time_presses(browser: Browser, target: Target, presses: int) -> list[float]:
    """Milliseconds from key to paint of so many presses, after a few that are not counted.

    Where a vote takes several keys, the last of them is timed.
    """
    chance = random.Random(presses)
    downs = 1 + sum(len(keys.split("+")) for keys in target.submit)
    with _open(browser, target) as page:
        page.wait_for_load_state("networkidle")
        for press in range(presses + PRACTICE):
            for keys in (chance.choice("jk"), *target.submit):
                page.keyboard.press(keys)
            page.wait_for_function(f"took.length >= {(press + 1) * downs}", timeout=PATIENCE_MS)
            page.wait_for_timeout(chance.uniform(*PAUSE_MS))
        return page.evaluate("took")[downs - 1 :: downs][PRACTICE:]


@contextmanager
def _voting_beside(url: str) -> Iterator[None]:
    """Nineteen raters at work. Raises the error of any of them."""
    chance, is_over = random.Random(0), threading.Event()
    with ThreadPoolExecutor(OTHERS) as threads:
        raters = [HttpRater(url, f"rater {number}") for number in range(OTHERS)]
        work = [threads.submit(rater.rate, lambda: chance.expovariate(1 / PACE_S), is_over.is_set) for rater in raters]
        try:
            yield
        finally:
            is_over.set()
    for rater in work:
        rater.result()


@contextmanager
def _retraining(settings: Settings) -> Iterator[None]:
    """A retrain that has begun to fit, started as the worker does. Raises NaysayerError when it ends too early."""
    from trainer.sample.leading.leader import start_behind_pages

    engine = open_store(settings)
    environment = os.environ | _environment(settings) | {"NAYSAYER_TRAIN_STEPS": "5000", "NAYSAYER_CROSS_FIT": "false"}
    process = start_behind_pages(_command("retrain", "--force"), environment, subprocess.DEVNULL)
    try:
        while not _has_begun(engine) and process.poll() is None:
            time.sleep(0.5)
        yield
        if process.poll() is not None:
            raise NaysayerError("the retrain ended too early; its own message is above")
    finally:
        process.terminate()
        process.wait(60)
        engine.dispose()


def _has_begun(engine: Engine) -> bool:
    with reading(engine) as session:
        run = latest_run(session)
    return run is not None and run.step > 0


def _time_naive_page(browser: Browser, folder: Path, pictures: Sequence[bytes], presses: int) -> list[float]:
    folder, port = folder / "naive", free_port()
    folder.mkdir()
    for number, picture in enumerate(pictures):
        (folder / f"{number:03}.png").write_bytes(picture)
    flags = {"server.address": "127.0.0.1", "server.port": port, "server.headless": "true"}
    options = [part for name, value in flags.items() for part in (f"--{name}", str(value))]
    command = [sys.executable, "-m", "streamlit", "run", str(NAIVE_PAGE), *options, "--", str(folder)]
    with serving(command, port, {}) as url:
        return _time_presses(browser, Target(url, NAIVE), presses)


def summarize(took: dict[str, list[float]]) -> dict[str, Any]:
    """Percentiles of each case's milliseconds, and how many times as long the other pages take."""
    found: dict[str, Any] = {}
    for case, times in took.items():
        ranked = statistics.quantiles(times, n=100, method="inclusive")
        found[case] = {"p50_ms": round(ranked[49], 1), "p95_ms": round(ranked[94], 1), "max_ms": round(max(times), 1)}
    for other, name in (("naive", "ratio"), ("label_studio", "label_studio_ratio")):
        if {"one", other} <= found.keys():
            for share in ("p50", "p95"):
                found[f"{name}_{share}"] = round(found[other][f"{share}_ms"] / found["one"][f"{share}_ms"], 1)
    return found
