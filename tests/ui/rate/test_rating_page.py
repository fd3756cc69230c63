"""The rating and versions pages in a real browser, on the real server."""

from collections import Counter
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Response, expect
from sqlalchemy import Engine
from sqlmodel import select

from feedback.versions import champion, events
from store.engine import reading
from store.tables import Image, Prompt, Verdict, Vote
from tests.feedback.oracle import current_votes
from tests.ui.conftest import Served, serve
from tests.waiting import until

pytestmark = pytest.mark.browser

IMAGE = ".frame img"
FIRE_AT_ONCE = """count => {
  for (let i = 0; i < count; i++) window.dispatchEvent(new KeyboardEvent("keydown", { key: "j", bubbles: true }));
}"""
HELD = """() => {
  for (let i = 0; i < 12; i++)
    window.dispatchEvent(new KeyboardEvent("keydown", { key: "j", repeat: i > 0, bubbles: true }));
}"""
OUTBOX = 'Object.keys(localStorage).filter((key) => key.includes("naysayer.vote.")).length'


@pytest.fixture
def served(settings, engine) -> Iterator[Served]:
    with serve(settings) as served:
        yield served


def begin_rating(page: Page, served: Served, name: str = "Ada") -> None:
    page.goto(served.url)
    page.fill("#name", name)
    page.press("#name", "Enter")
    all_loaded(page)


def all_loaded(page: Page) -> None:
    """Waits until a picture is on screen at its size, and the next ones are loaded: then no key comes too early."""
    expect(page.locator(f"{IMAGE}[style*=width]")).to_be_visible()
    page.wait_for_function("window.loading === 0")


def all_sent(page: Page) -> None:
    page.wait_for_function(f"{OUTBOX} === 0")


def words(engine: Engine) -> Counter[Verdict]:
    """The current verdicts in the store."""
    with reading(engine) as session:
        return Counter(row.verdict for row in session.execute(current_votes()))


def press(page: Page, key: str) -> None:
    """One key press, once there is a picture to judge."""
    expect(page.locator(IMAGE)).to_be_visible()
    page.keyboard.press(key)


def test_sixty_pictures_by_keyboard_with_undo_and_a_reload_are_exactly_the_right_votes(page, served, engine, draw):
    draw(60)
    begin_rating(page, served)
    for number in range(30):
        press(page, "jk"[number % 2])
    for _ in range(4):  # two keeps and two rejects taken back …
        press(page, "u")
    page.reload()
    for _ in range(2):  # … and, after a reload, one more of each
        expect(page.locator('[data-verdict="undo"]')).to_be_enabled()
        press(page, "u")
    for number in range(36):
        press(page, "ArrowRight" if number % 3 else "s")
    expect(page.get_by_text("You have seen everything.")).to_be_visible()
    all_sent(page)
    assert words(engine) == {Verdict.reject: 12, Verdict.keep: 12 + 24, Verdict.skip: 12}
    with reading(engine) as session:
        assert len(list(session.exec(select(Vote).where(Vote.verdict == Verdict.undo)))) == 6


def test_twenty_presses_at_once_are_twenty_votes_on_twenty_pictures(page, served, engine, draw):
    draw(40)
    begin_rating(page, served)
    page.evaluate(FIRE_AT_ONCE, 20)
    all_sent(page)
    assert words(engine) == {Verdict.reject: 20}
    expect(page.locator(".count")).to_have_text("20")


def test_a_held_key_votes_once(page, served, engine, draw):
    draw(12)
    begin_rating(page, served)
    page.evaluate(HELD)
    page.keyboard.press("Control+j")
    expect(page.locator('[data-verdict="keep"]')).to_be_enabled()
    page.locator('[data-verdict="keep"]').focus()
    page.keyboard.down("Enter")
    for _ in range(5):
        page.keyboard.down("Enter")  # a key held down repeats
    page.keyboard.up("Enter")
    all_sent(page)
    assert words(engine) == {Verdict.reject: 1, Verdict.keep: 1}


def test_a_server_killed_in_the_middle_loses_no_vote(page, served, engine, draw):
    draw(24)
    begin_rating(page, served)
    for _ in range(6):
        press(page, "j")
    served.kill()
    for _ in range(6):
        press(page, "k")
    expect(page.locator(".note")).to_contain_text("votes waiting to be sent")
    served.start()
    all_sent(page)
    expect(page.locator(".note")).to_be_empty()
    assert words(engine) == {Verdict.reject: 6, Verdict.keep: 6}


def test_names_and_prompts_are_text(page, served, draw):
    hostile = "<img src=x onerror=\"document.title='broken'\"><b>bold</b>"
    draw(3, prompts=[hostile + " [a](http://evil.example/x.png)"])
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    begin_rating(page, served, hostile)
    expect(page.locator(".prompt")).to_have_text(hostile + " [a](http://evil.example/x.png)")
    expect(page.locator(".name")).to_have_text(hostile)
    assert page.locator(".prompt *, .name *").count() == 0
    assert [url for url in asked if not url.startswith((served.url, "blob:", "data:"))] == []
    assert page.title() != "broken"


def test_nothing_in_the_page_or_on_the_wire_names_the_version(page, served, engine, draw, publish_version):
    draw(1)
    publish_version(engine, 1)
    draw(6, version=1, first_seed=1)
    answers: list[Response] = []
    page.on(
        "response",
        lambda answer: answers.append(answer) if "/naysayer/" in answer.url and "/image/" not in answer.url else None,
    )
    begin_rating(page, served)
    press(page, "j")
    all_sent(page)
    heard = [answer.text() for answer in answers]
    assert heard
    assert not any("version" in text for text in heard)
    assert "version" not in page.locator(".main").inner_html().lower()


def test_the_buttons_work_by_touch_on_a_small_screen(phone, served, engine, draw):
    draw(6)
    begin_rating(phone, served)
    for label in ("Reject", "Keep", "Skip", "Undo"):
        phone.get_by_role("button", name=label).tap()
        expect(phone.locator(IMAGE)).to_be_visible()
    all_sent(phone)
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    assert words(engine) == {Verdict.reject: 1, Verdict.keep: 1, Verdict.undo: 1}


def test_small_pictures_are_enlarged_by_whole_numbers_without_blur(page, served, draw):
    draw(2)
    begin_rating(page, served)
    style = page.locator(IMAGE).evaluate("img => ({ w: img.clientWidth, how: getComputedStyle(img).imageRendering })")
    assert style["w"] > 64
    assert style["w"] % 64 == 0
    assert style["how"] == "pixelated"
    page.keyboard.press("j")
    expect(page.locator(IMAGE)).to_have_js_property("clientWidth", style["w"])
    page.keyboard.press("u")
    expect(page.locator(IMAGE)).to_have_js_property("clientWidth", style["w"])


def test_two_tabs_of_one_rater_deliver_every_vote(page, served, engine, draw):
    draw(40)
    begin_rating(page, served)
    other = page.context.new_page()
    other.goto(served.url)
    all_loaded(other)
    for tab in (page, other, page, other):
        for _ in range(3):
            press(tab, "j")
    all_sent(page)
    with reading(engine) as session:
        assert len(list(session.exec(select(Vote)))) == 12


def test_new_pictures_appear_by_themselves(page, served, draw):
    draw(1)
    begin_rating(page, served)
    press(page, "k")
    expect(page.get_by_text("You have seen everything.")).to_be_visible()
    draw(2, first_seed=10)
    expect(page.locator(IMAGE)).to_be_visible()


def test_promote_and_roll_back_through_the_page_keep_the_reason(page, served, engine, draw, publish_version):
    draw(3)
    publish_version(engine, 1)
    page.goto(f"{served.url}/versions")
    page.get_by_role("button", name="Promote v1…").click()
    page.get_by_label("Reason").fill("<b>fewer</b> bad hands")
    page.get_by_text("Promote it anyway").click()  # the row of this test has no files behind it
    page.get_by_role("button", name="Promote v1", exact=True).click()
    until(lambda: champion(engine).number == 1, "v1 to be champion")
    assert events(engine)[0].reason.startswith("<b>fewer</b> bad hands (forced: ")
    expect(page.get_by_role("button", name="Promote v1…", disabled=False)).to_have_count(0)
    expect(page.get_by_role("button", name="Promote v1…")).to_be_disabled()
    page.get_by_role("button", name="Roll back…").click()
    page.get_by_label("Reason").fill("to see it work")
    page.get_by_role("button", name="Roll back", exact=True).click()
    until(lambda: champion(engine).number == 0, "v0 to be champion")
    page.goto(f"{served.url}/overview")
    expect(page.get_by_text("<b>fewer</b> bad hands")).to_be_visible()


def test_rows_in_the_store_hold_what_was_on_screen_and_when(page, served, engine, draw):
    draw(3)
    begin_rating(page, served)
    prompt = page.locator(".prompt").inner_text()
    press(page, "j")
    all_sent(page)
    with reading(engine) as session:
        vote = session.exec(select(Vote)).one()
        seen = session.get_one(Prompt, session.get_one(Image, vote.image_id).prompt_id)
    assert seen.text == prompt
    assert vote.page == "one"
    assert vote.shown_at is not None
    assert vote.shown_at <= vote.decided_at
