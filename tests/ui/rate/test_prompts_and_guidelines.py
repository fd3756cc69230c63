"""Long prompts, the layout at two widths, and the guidelines, in a real browser on the real server."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import Engine
from sqlmodel import select

from store.engine import reading
from store.tables import Vote
from tests.ui.conftest import Served, serve
from tests.ui.rate.test_rating_page import IMAGE, all_sent, begin_rating, press
from tests.waiting import until

pytestmark = pytest.mark.browser

LONG = "a cinematic photo of " + ", ".join(f"detail {number} of a long prompt" for number in range(20))
PROMPTS = [LONG, "a cinematic photo of a cup", "a cinematic photo of a dog on a sofa"]
MENU = """() => {
  const button = document.querySelector("[data-testid=stExpandSidebarButton]");
  return getComputedStyle(button, "::after").content === '"Menu"';
}"""


@pytest.fixture
def served(settings, engine) -> Iterator[Served]:
    with serve(settings) as served:
        yield served


def is_cut(page: Page) -> bool:
    return page.locator(".prompt").evaluate("line => line.scrollHeight > line.clientHeight + 1")


def until_long(page: Page) -> None:
    """Keeps pictures until one has the long prompt."""
    while page.locator(".prompt").inner_text() != LONG:
        press(page, "k")


def test_prompts_are_whole_on_request_and_nothing_moves_from_picture_to_picture(page, served, draw):
    draw(40, prompts=PROMPTS)
    page.set_viewport_size({"width": 1280, "height": 900})
    begin_rating(page, served)
    keys = page.locator(".keys")
    boxes = set()
    for _ in range(4):
        boxes.add(str(keys.bounding_box()))
        press(page, "k")
    assert len(boxes) == 1
    expect(page.locator("[data-verdict=keep]")).to_be_in_viewport(ratio=1)
    until_long(page)
    expect(page.locator(".more")).to_be_visible()
    page.keyboard.press("m")
    expect(page.locator(".more")).to_contain_text("less")
    until(lambda: not is_cut(page), "the whole prompt")
    expect(page.locator("[data-verdict=keep]")).to_be_in_viewport(ratio=1)
    page.locator("[data-mode=sweep]").click()
    expect(page.locator(".cell span").first).to_contain_text("… ")
    page.locator("[data-tool=group]").click()
    cells, same = page.locator(".cell"), page.locator(".cell .same")
    until(lambda: same.count() >= cells.count() - len(PROMPTS) > 0, "pictures of one prompt to stand together")
    page.locator(".cell", has_text="… a cup").first.hover()
    expect(page.locator(".prompt")).to_have_text(PROMPTS[1])


def test_a_phone_shows_all_keys_hints_at_swipes_and_peeks_by_a_long_press(phone: Page, served, draw):
    page = phone
    draw(40, prompts=PROMPTS)
    begin_rating(page, served)
    for verdict in ("undo", "reject", "keep", "skip"):
        expect(page.locator(f"[data-verdict={verdict}]")).to_be_in_viewport(ratio=1)
    expect(page.locator(".swipes")).to_be_visible()
    page.wait_for_function(MENU)
    page.locator("[data-mode=sweep]").tap()
    cell = page.locator(".cell").first
    expect(cell.locator("img")).to_be_visible()
    box = cell.bounding_box()
    point = {"x": box["x"] + 20, "y": box["y"] + 20}
    touch = page.context.new_cdp_session(page)
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [point]})
    expect(page.locator(".peek p")).to_have_text(cell.get_attribute("aria-label"))
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.locator(".peek .close").tap()
    expect(page.locator(".cell[aria-pressed=true]")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_guidelines_written_on_setup_are_read_before_the_first_vote_which_names_them(page, served, engine, draw):
    draw(6)
    page.goto(f"{served.url}/setup?part=Guidelines")
    page.get_by_label("Guidelines, in Markdown").fill("# Look\n\nCount the **fingers**.")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".ns-guidelines strong")).to_have_text("fingers")
    page.get_by_role("button", name="Save as version 1").click()
    expect(page.get_by_text("saved as version 1")).to_be_visible()
    begin_rating(page, served)
    expect(page.locator(".guidelines .body strong")).to_have_text("fingers")
    page.keyboard.press("j")  # not yet
    page.keyboard.press("Enter")
    expect(page.locator(".guidelines")).to_be_hidden()
    press(page, "j")
    page.keyboard.press("g")
    expect(page.locator(".guidelines")).to_be_visible()
    all_sent(page)
    assert followed(engine) == [1]
    page.reload()
    expect(page.locator(IMAGE)).to_be_visible()
    expect(page.locator("[data-tool=guidelines]")).to_be_visible()
    expect(page.locator(".guidelines")).to_be_hidden()


def followed(engine: Engine) -> list[int | None]:
    with reading(engine) as session:
        return list(session.exec(select(Vote.guidelines).order_by(Vote.id)))
