"""The page Pool in a browser."""

import re

import pytest
from playwright.sync_api import Page, expect

from feedback.pool.browse.opened import open_image
from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from store.tables import Reason, Verdict
from tests.ui.dashboard.conftest import HOSTILE
from tests.waiting import until

OPENED_MS = 300
OPENED = """async () => {
  const roots = [...document.querySelectorAll("*")].map((one) => one.shadowRoot);
  const root = roots.find((one) => one?.querySelector(".pool"));
  const began = performance.now();
  root.querySelectorAll(".thumbs .open")[7].click();
  const img = root.querySelector(".viewer img");
  await img.decode();
  while (!root.querySelector(".viewer .votes li")) await new Promise(requestAnimationFrame);
  return performance.now() - began;
}"""


@pytest.fixture
def served_store(settings, engine, draw):
    """Seventy pictures; ada rejects them for their hands and a hostile name keeps the first three."""
    draw(70, prompts=[HOSTILE, "a red square", "a green disc"])
    for rater, last, verdict, reasons in (("ada", 70, Verdict.reject, {Reason.hands}), (HOSTILE, 3, Verdict.keep, {})):
        images = [one.image_id for one in next_images(engine, rater, Terms(2, 600), count=70) if one.image_id <= last]
        presses = [Press(f"{verdict} {image}", image, verdict, reasons=frozenset(reasons)) for image in images]
        assert not any(receipt.refused for receipt in record_votes(engine, rater, presses, Terms(2, 600)))
    return settings


def shows(page: Page, words: str) -> None:
    expect(page.locator(".count")).to_have_text(words)


@pytest.mark.browser
def test_a_curator_looks_selects_overrules_and_undoes(served_store, engine, serve, quiet_page):
    page = quiet_page
    with serve(served_store) as served:
        page.goto(f"{served.url}/pool")
        shows(page, "67 pictures: rejects")
        expect(page.locator(".parts [aria-pressed=true] span")).to_have_text("67")
        first = page.locator(".thumbs li").first
        expect(first.locator(".why")).to_have_text("hands")
        _filter(page)
        _enlarge(page, engine)
        _select(page, engine)


def _filter(page: Page) -> None:
    page.get_by_label("Prompt has").fill("red square")
    shows(page, "22 pictures: rejects")
    expect(page.locator("[name=rater] option")).to_have_text(["any", "ada (22)"])
    expect(page).to_have_url(re.compile("prompt=red"))
    page.get_by_role("button", name="Clear filters").click()
    shows(page, "67 pictures: rejects")
    page.get_by_role("button", name="Next page →").click()
    expect(page.locator(".turn span")).to_have_text("page 2 of 2")
    page.reload()
    expect(page.locator(".turn span")).to_have_text("page 2 of 2")
    page.get_by_role("button", name="← Previous page").click()
    expect(page.locator(".thumbs li")).to_have_count(60)


def _enlarge(page: Page, engine) -> None:
    page.evaluate("window.whole = true")
    # Ten times as long on a busy machine, and more while it does something else.
    until(lambda: page.evaluate(OPENED) < 10 * OPENED_MS, "a picture that opens at once")
    assert page.evaluate("window.whole")  # no reload
    viewer = page.locator(".viewer")
    expect(viewer.locator(".place")).to_have_text("8 of 67")
    page.keyboard.press("ArrowRight")
    expect(viewer.locator(".place")).to_have_text("9 of 67")
    viewer.get_by_role("button", name="Previous picture").click()
    expect(viewer.locator(".place")).to_have_text("8 of 67")
    number = int(page.url.split("image=")[1])
    page.keyboard.press("k")
    asking = page.locator(".asking")
    asking.get_by_label("Reason").fill(HOSTILE)
    page.keyboard.press("Enter")
    expect(viewer.locator(".verdict")).to_have_text("Kept a curator's verdict")
    until(lambda: open_image(engine, number).ruled is Verdict.keep, "the curator's verdict in the store")
    page.keyboard.press("Escape")
    expect(viewer).not_to_be_visible()
    shows(page, "66 pictures: rejects")
    page.get_by_role("button", name="Undo").click()
    shows(page, "67 pictures: rejects")
    until(lambda: open_image(engine, number).ruled is None, "the undo in the store")


def _select(page: Page, engine) -> None:
    page.locator(".thumbs .open").first.focus()
    page.keyboard.press("Space")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    chosen = page.locator(".chosen")
    expect(chosen.locator("strong")).to_have_text("3 selected")
    page.locator(".thumbs .tick").nth(5).click(modifiers=["Shift"])
    expect(chosen.locator("strong")).to_have_text("6 selected")
    chosen.get_by_role("button", name="All 60 on this page").click()
    expect(chosen.locator("strong")).to_have_text("60 selected")
    chosen.get_by_role("button", name="All 67 that match").click()
    chosen.get_by_role("button", name="Take out…").click()
    page.get_by_role("button", name="Take out", exact=True).click()
    shows(page, "0 pictures: rejects")
    page.locator(".parts").get_by_text("Taken out").click()
    shows(page, "67 pictures: taken out")
    page.get_by_role("button", name="History").click()
    page.locator(".past li").first.get_by_role("button", name="Undo").click()
    shows(page, "0 pictures: taken out")


@pytest.mark.browser
def test_an_address_opens_its_picture_and_a_phone_has_all_of_it(served_store, serve, quiet_page):
    page = quiet_page
    page.set_viewport_size({"width": 390, "height": 844})
    with serve(served_store) as served:
        page.goto(f"{served.url}/pool?image=1")
        viewer = page.locator(".viewer")
        expect(viewer.locator("dl")).to_contain_text("1 reject, 1 keep")
        expect(viewer.locator(".verdict")).to_have_text("Disputed")
        viewer.get_by_role("button", name="Close").click()
        page.get_by_role("button", name="Filters", exact=True).click()
        page.get_by_label("Version").select_option("0")
        shows(page, "67 pictures: rejects")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
