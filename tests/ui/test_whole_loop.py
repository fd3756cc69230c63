"""The newcomer's first hour, in a minute: the real worker, the real pages, the real built-in model."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import Engine
from sqlmodel import select

from feedback.rate.votes import sha256_of_number
from feedback.versions import champion, events
from store.engine import reading
from store.migrate import check_integrity, open_store
from store.settings import Settings
from store.tables import Action, Image, Verdict, Vote
from tests.ui.conftest import free_port
from tests.waiting import PATIENCE_S, until

REJECTS_NEEDED = 25
QUICK = {
    "NAYSAYER_RETRAIN_AFTER": str(REJECTS_NEEDED),
    "NAYSAYER_TRAIN_STEPS": "100",  # long enough for an open page, which asks every six seconds, to see it run
    "NAYSAYER_TRAIN_BATCH": "8",
    "NAYSAYER_SWEEP_PICTURES": "4",
    "NAYSAYER_CROSS_FIT": "false",
    "NAYSAYER_NUM_INFERENCE_STEPS": "4",
    "NAYSAYER_EVALUATION_PAIRS": "3",
    "NAYSAYER_QUEUE_TARGET": "30",
    "NAYSAYER_REPEAT_SHARE": "0",  # every press is on another picture
}

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[str, Engine]]:
    """`naysayer run` on an empty folder: its address and its store. Ends with Ctrl-C, which must end everything."""
    port = free_port()
    environment = os.environ | QUICK | {"NAYSAYER_DATA_DIR": str(tmp_path / "data"), "NAYSAYER_PORT": str(port)}
    process = subprocess.Popen([sys.executable, "-m", "ui.commands", "run"], env=environment, start_new_session=True)
    engine = open_store(Settings(data_dir=tmp_path / "data", _env_file=None))
    yield f"http://127.0.0.1:{port}", engine
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(PATIENCE_S) == 0
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    assert check_integrity(engine) == []
    engine.dispose()


def open_pages(page: Page, url: str) -> None:
    def answers() -> bool:
        try:
            page.goto(url)
            return True
        except Exception:
            return False

    until(answers, "the pages to answer")


def on_screen(page: Page) -> int:
    """The public number of the picture on screen, once there is one."""
    picture = page.locator(".frame img")
    expect(picture).to_be_visible()
    return int(re.search(r"/image/(\d+)-", picture.get_attribute("src") or "")[1])


def rate(page: Page, keys: str) -> list[tuple[int, str]]:
    """Presses the keys one after another; what was on screen at each."""
    pressed = []
    for key in keys:
        pressed.append((on_screen(page), key))
        page.keyboard.press(key)
    return pressed


def votes(engine: Engine) -> list[tuple[str, Verdict]]:
    with reading(engine) as session:
        rows = session.exec(select(Image.sha256, Vote.verdict).join(Vote, Vote.image_id == Image.id).order_by(Vote.id))
        return list(rows)


def version_of(engine: Engine, number: int) -> int:
    sha256 = sha256_of_number(engine, number)
    with reading(engine) as session:
        return session.exec(select(Image.version).where(Image.sha256 == sha256)).first()


def test_a_newcomer_rates_retrains_meets_v1_promotes_and_rolls_back(running, page):
    url, engine = running
    open_pages(page, url)
    page.get_by_label("Who is rating?").fill("Ann")
    page.get_by_role("button", name="Start rating").click()

    pressed = rate(page, "jk" * 15)
    page.keyboard.press("u")
    undone, _ = pressed.pop()
    assert on_screen(page) == undone
    until(lambda: len(votes(engine)) == 31, "31 votes in the store")
    left_at = on_screen(page)
    page.reload()
    assert on_screen(page) == left_at
    pressed += rate(page, "j" * 30 + "s")
    until(lambda: len(votes(engine)) == 31 + 31, "every vote in the store")
    words = {"j": Verdict.reject, "k": Verdict.keep, "s": Verdict.skip}
    last_words = dict(votes(engine))
    assert last_words == {sha256_of_number(engine, number): words[key] for number, key in pressed}
    assert len(last_words) >= 60

    expect(page.locator(".towards")).to_contain_text("A retrain is running")
    # A retrain runs at low priority: on a busy machine it waits for everybody.
    until(lambda: champion(engine).number == 1, "v1 to be trained and promoted by itself", 2 * PATIENCE_S)

    def sees_v1() -> bool:
        if version_of(engine, on_screen(page)) == 1:
            return True
        page.keyboard.press("k")
        return False

    until(sees_v1, "a picture of v1 on screen")

    page.goto(f"{url}/versions")
    expect(page.get_by_role("rowheader", name=re.compile("v1"))).to_be_visible()
    page.get_by_role("button", name="Roll back…").click()
    page.get_by_label("Reason").fill("only a test")
    page.get_by_role("button", name="Roll back", exact=True).click()
    until(lambda: champion(engine).number == 0, "the base to be champion again")
    page.goto(f"{url}/versions?v=1")
    page.get_by_role("button", name="Promote v1…").click()
    page.get_by_label("Reason").fill("it looked better")
    page.get_by_role("button", name="Promote v1", exact=True).click()
    until(lambda: champion(engine).number == 1, "v1 to be champion again")
    told = [(event.action, event.reason) for event in events(engine)]
    assert told[0] == (Action.promote, "it looked better")
    assert told[1] == (Action.roll_back, "only a test")
