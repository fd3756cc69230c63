"""What makes rating calm: pace and goal, words for screen readers, a quiet end, small screens, contrast in the dark."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from store.files import only_one
from store.migrate import open_store
from store.settings import Settings
from tests.ui.conftest import PHONE, PROMPTS, STILL, Served, new_tab, put_pictures, serve
from tests.ui.rate.test_rating_page import begin_rating, press

pytestmark = pytest.mark.browser

PICTURES = 6
NAMES = """(root) => [...root.querySelectorAll("button, select, input")].filter((one) => one.checkVisibility())
  .map((one) => [one.className, one.getAttribute("aria-label") ?? one.labels?.[0]?.innerText ?? one.innerText])"""
FITS = """() => ["[data-testid=stMain]", "body"].map((name) => document.querySelector(name))
  .filter(Boolean).every((box) => box.scrollWidth === box.clientWidth)"""
CONTRAST = """(root) => {
  const parse = (colour) => {
    const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d");
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = ([r, g, b, a], under) => [r, g, b].map((value, place) => value * a + under[place] * (1 - a));
  const parent = (one) => one.assignedSlot ?? one.parentElement ?? one.getRootNode().host;
  const ground = (one) => {
    if (!one) return [255, 255, 255];
    const colour = parse(getComputedStyle(one).backgroundColor);
    return colour[3] === 1 ? colour.slice(0, 3) : over(colour, ground(parent(one)));
  };
  const opacity = (one) => (one ? getComputedStyle(one).opacity * opacity(parent(one)) : 1);
  const light = (rgb) => rgb.map((value) => value / 255)
    .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
    .reduce((sum, value, place) => sum + value * [0.2126, 0.7152, 0.0722][place], 0);
  const found = [];
  for (const one of root.querySelectorAll("*")) {
    const text = [...one.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data.trim()).join("");
    if (!text || !one.checkVisibility({ opacityProperty: true }) || one.closest("button:disabled")) continue;
    const under = ground(one);
    const ink = parse(getComputedStyle(one).color);
    const shown = over([...ink.slice(0, 3), ink[3] * opacity(one)], under);
    const [high, low] = [light(shown), light(under)].sort((a, b) => b - a);
    found.push([text.slice(0, 30), (high + 0.05) / (low + 0.05)]);
  }
  return found;
}"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server for all tests here; every rater is shown every picture."""
    folder: Path = tmp_path_factory.mktemp("comfort")
    settings = Settings(data_dir=folder / "data", overlap=9, _env_file=None)
    engine = open_store(settings)
    put_pictures(settings, engine, PICTURES)
    engine.dispose()
    with serve(settings) as served:
        yield served


@pytest.fixture
def begin(served: Served, chromium: Browser) -> Iterator[Callable[..., Page]]:
    """A function that opens the rating page as a new rater, in a tab of the given kind."""
    with ExitStack() as tabs:

        def begin(name: str, **kind: object) -> Page:
            page = tabs.enter_context(new_tab(chromium, **kind))
            begin_rating(page, served, name)
            return page

        yield begin


def test_pace_and_goal_are_told_and_the_end_of_the_queue_is_quiet(begin, served):
    page = begin("ann")
    page.keyboard.press("?")
    page.get_by_label("Goal of this session").fill("3")
    page.get_by_role("button", name="Close").click()
    for given in range(1, PICTURES + 1):
        press(page, "j" if given % 2 else "k")
        expect(page.locator(".count")).to_have_text(str(given))
        goal = "goal of 3 reached" if given >= 3 else f"{given} of 3 this session"
        pace = f" · {given} in the last minute" if given > 1 else ""
        expect(page.locator(".pace")).to_have_text(f"{pace} · {goal}", use_inner_text=True)
    expect(page.locator(".nothing")).to_contain_text("You have seen everything.")
    expect(page.locator(".stalled")).to_contain_text("because the worker does not run. Tell whoever runs this server.")
    expect(page.locator(".coming")).to_be_hidden()
    with only_one(served.settings.data_dir / "worker.lock", "another worker leads"):
        expect(page.locator(".coming")).to_have_text("New pictures are coming. They appear here by themselves.")
        expect(page.locator(".stalled")).to_be_hidden()
    expect(page.locator(".announcement")).to_have_text(
        "Rejected. No more pictures." if PICTURES % 2 else "Kept. No more pictures."
    )
    expect(page.get_by_role("button", name="Reject")).to_be_disabled()
    expect(page.get_by_role("button", name="Undo")).to_be_enabled()
    expect(page.locator(".note")).to_have_text("")


def test_the_rating_page_is_found_by_its_name_as_well(begin, served):
    page = begin("eve")
    page.goto(f"{served.url}/rate")
    expect(page.locator(".frame img")).to_be_visible()
    expect(page).to_have_url(f"{served.url}/")
    expect(page.get_by_text("Page not found")).to_have_count(0)


def test_a_screen_reader_is_told_what_is_shown_and_what_was_done(begin):
    page = begin("bob")
    prompt = page.locator(".prompt").inner_text()
    assert prompt in PROMPTS
    expect(page.get_by_role("img", name=prompt)).to_be_visible()
    assert [name for name in page.locator(".rating").evaluate(NAMES) if not name[1]] == []
    page.keyboard.press("j")
    expect(page.locator(".announcement")).to_have_text(f"Rejected. Now: {page.locator('.prompt').inner_text()}")
    for key in "zz1":  # after another key a reason is this picture's
        press(page, key)
    expect(page.locator(".announcement")).to_have_text("hands: on, this picture")
    expect(page.get_by_role("button", name="hands")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Sweep").click()
    cell = page.get_by_role("group", name="Pictures; pressed ones are rejected").get_by_role("button").first
    cell.click()
    expect(cell).to_have_attribute("aria-pressed", "true")
    expect(cell.get_by_role("img")).to_have_accessible_name(cell.get_attribute("aria-label"))
    assert [name for name in page.locator(".rating").evaluate(NAMES) if not name[1]] == []


def test_nothing_is_wider_than_a_phone(begin, served):
    page = begin("cleo", **PHONE)
    page.wait_for_function(FITS)
    for button in ("Reject", "Keep", "Skip", "Undo"):
        assert page.get_by_role("button", name=button).bounding_box()["height"] >= 44
    page.get_by_role("button", name="Sweep").click()
    page.locator(".cell img").first.wait_for()
    page.wait_for_function(FITS)
    for path in ("pool", "raters", "naysayer/plain"):
        page.goto(f"{served.url}/{path}")
        page.locator("h1, h2").first.wait_for()
        page.wait_for_function(FITS)
    page.get_by_label("Your name").fill("cleo")
    page.get_by_role("button", name="Start rating").click()
    page.get_by_text("Rating as").wait_for()
    page.wait_for_function(FITS)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_word_stands_out_from_its_ground(begin, scheme):
    page = begin(f"eye {scheme}", color_scheme=scheme)
    page.wait_for_function(STILL)
    found = page.locator(".rating").evaluate(CONTRAST)
    assert len(found) > 20
    assert [(text, round(ratio, 2)) for text, ratio in found if ratio < 4.5] == []
