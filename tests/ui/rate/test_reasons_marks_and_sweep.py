"""What a rater adds to a vote, the grid, and gestures, in a real browser on the real server."""

from collections import Counter
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import Engine
from sqlmodel import select

from store.engine import reading
from store.tables import CurrentVote, Mark, Reason, Verdict, Vote, VoteReason
from tests.ui.conftest import Served, serve
from tests.ui.rate.test_rating_page import IMAGE, all_sent, begin_rating, press, words
from ui.rate.page_data import LIMITS

pytestmark = pytest.mark.browser

APART = """([key, count, ms]) => new Promise((done) => {
  let left = count;
  const timer = setInterval(() => {
    window.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    if (--left === 0) { clearInterval(timer); done(); }
  }, ms);
})"""

# At once, because a busy machine may take longer than a reason may.
REJECT_AND_SAY_WHY = """(line) => {
  for (const key of ["j", "1"]) window.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  return line.textContent;
}"""


@pytest.fixture
def served(settings, engine) -> Iterator[Served]:
    with serve(settings) as served:
        yield served


def votes(engine: Engine) -> list[Vote]:
    with reading(engine) as session:
        return list(session.exec(select(Vote).order_by(Vote.id)))


def added(engine: Engine) -> tuple[list[VoteReason], list[Mark]]:
    with reading(engine) as session:
        return list(session.exec(select(VoteReason))), list(session.exec(select(Mark)))


def reasons_of_current_votes(engine: Engine) -> list[tuple[Verdict, set[Reason]]]:
    """The verdict and the reasons of each current vote, in the order of the votes."""
    reasons, _ = added(engine)
    with reading(engine) as session:
        current = session.execute(select(CurrentVote.verdict, CurrentVote.vote_id).order_by(CurrentVote.vote_id)).all()
    return [(verdict, {row.reason for row in reasons if row.vote_id == vote_id}) for verdict, vote_id in current]


def sweep(page: Page, size: int = 9) -> None:
    page.locator("[data-mode=sweep]").click()
    page.locator(".size").select_option(str(size))
    painted(page, size)


def painted(page: Page, count: int) -> None:
    """Waits until so many pictures of the grid may be voted on."""
    expect(page.locator(".cell[data-painted]")).to_have_count(count)


def swipe(page: Page, dx: float, dy: float) -> None:
    """A real finger's way across the picture."""
    box = page.locator(".glass").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    touch = page.context.new_cdp_session(page)
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for part in (0.5, 1):
        points = [{"x": x + part * dx, "y": y + part * dy}]
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": points})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_reasons_and_marks_travel_with_the_vote_and_never_with_the_next(page, served, engine, draw):
    draw(4)
    begin_rating(page, served)
    for key in "1643":
        page.keyboard.press(key)
    page.keyboard.press("4")  # again: off
    box = page.locator(IMAGE).bounding_box()
    for x, y in ((0.25, 0.5), (0.75, 0.75), (0.5, 0.25)):
        page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
    page.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + 0.25 * box["height"])  # on a mark: removes it
    press(page, "j")
    press(page, "k")
    all_sent(page)
    first, _ = votes(engine)
    reasons, marks = added(engine)
    assert {(row.vote_id, row.reason) for row in reasons} == {
        (first.id, reason) for reason in (Reason.hands, Reason.artefact, Reason.text)
    }
    assert [(mark.vote_id, round(mark.x, 2), round(mark.y, 2)) for mark in marks] == [
        (first.id, 0.25, 0.5),
        (first.id, 0.75, 0.75),
    ]


def press_on(page: Page, layout: dict[str, tuple[str, str, int]], names: str) -> None:
    """What Chromium sends for keys of another layout: the character, the place, and Shift (8) or none (0)."""
    keyboard = page.context.new_cdp_session(page)
    for name in names.split():
        key, code, shift = layout[name]
        pressed = {"key": key, "code": code, "modifiers": shift}
        keyboard.send("Input.dispatchKeyEvent", {"type": "keyDown", "text": key, **pressed})
        keyboard.send("Input.dispatchKeyEvent", {"type": "keyUp", **pressed})


AZERTY = {
    "1": ("&", "Digit1", 0),
    "2": ("é", "Digit2", 0),
    "shift-3": ("3", "Digit3", 8),
    "j": ("j", "KeyJ", 0),
    "k": ("k", "KeyK", 0),
}
CZECH = {"1": ("+", "Digit1", 0), "4": ("č", "Digit4", 0), "j": ("j", "KeyJ", 0), "x": ("x", "KeyX", 0)}
RUSSIAN = {"1": ("1", "Digit1", 0), "j": ("о", "KeyJ", 0), "k": ("л", "KeyK", 0), "x": ("ч", "KeyX", 0)}


def test_keys_of_other_layouts_vote_and_give_reasons_by_their_place(page, served, engine, draw):
    draw(13)
    begin_rating(page, served)
    for layout, names in ((AZERTY, "j 1 2 shift-3"), (CZECH, "j 1 4"), (RUSSIAN, "j 1"), (RUSSIAN, "k")):
        expect(page.locator(IMAGE)).to_be_visible()
        press_on(page, layout, names)
    all_sent(page)
    assert reasons_of_current_votes(engine) == [
        (Verdict.reject, {Reason.hands, Reason.anatomy, Reason.text}),
        (Verdict.reject, {Reason.hands, Reason.colour}),
        (Verdict.reject, {Reason.hands}),
        (Verdict.keep, set()),
    ]
    sweep(page, 9)
    press_on(page, RUSSIAN, "x")
    expect(page.locator(".cell[aria-pressed=true]")).to_have_count(1)


def test_a_reason_right_after_a_reject_is_the_rejected_pictures_and_undo_brings_it_back(page, served, engine, draw):
    draw(5)
    begin_rating(page, served)
    assert page.locator(".whose").evaluate(REJECT_AND_SAY_WHY) == "hands → previous picture"
    press(page, "k")  # the next picture: nothing is wrong with it
    page.keyboard.press("2")  # on the third, which is kept after all
    page.locator(".glass").click()
    press(page, "k")
    all_sent(page)
    assert reasons_of_current_votes(engine) == [
        (Verdict.reject, {Reason.hands}),
        (Verdict.keep, set()),
        (Verdict.keep, set()),
    ]
    assert added(engine)[1] == []
    page.keyboard.press("u")
    expect(page.locator(".mark")).to_have_count(1)
    expect(page.locator("[data-reason=anatomy]")).to_have_attribute("aria-pressed", "true")
    all_sent(page)
    page.reload()
    for _ in range(2):  # what the server knows
        expect(page.locator('[data-verdict="undo"]')).to_be_enabled()
        page.keyboard.press("u")
    expect(page.locator("[data-reason=hands]")).to_have_attribute("aria-pressed", "true")
    page.locator("[data-tool=history]").click()
    expect(page.locator(".history .close")).to_be_in_viewport()


def test_zoom_blur_and_help_hold_up_no_vote(page, served, engine, draw):
    draw(4)
    begin_rating(page, served)
    page.keyboard.press("z")
    page.keyboard.press("b")
    expect(page.locator(".veil")).to_be_visible()
    page.locator(".glass").click()  # unveils, and marks nothing
    expect(page.locator(".veil")).to_be_hidden()
    expect(page.locator(".mark")).to_have_count(0)
    page.keyboard.press("?")
    expect(page.locator(".help")).to_be_visible()
    page.keyboard.press("j")  # behind the help: no vote
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    expect(page.locator(".veil")).to_be_visible()
    page.reload()
    expect(page.locator(".veil")).to_be_visible()  # remembered
    all_sent(page)
    assert words(engine) == {Verdict.reject: 1}


def test_a_sweep_is_one_vote_a_picture_and_undo_takes_the_grid_back(page, served, engine, draw):
    draw(21)
    begin_rating(page, served)
    sweep(page)
    page.locator(".cell").nth(1).click()
    page.locator(".cell").nth(4).click(modifiers=["Shift"])  # 1 to 4
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("x")  # 3 is kept after all
    for place in range(9):
        expect(page.locator(".cell").nth(place)).to_have_attribute("aria-pressed", str(place in (1, 2, 4)).lower())
    page.reload()  # the choices stay
    painted(page, 9)
    expect(page.locator(".cell[aria-pressed=true]")).to_have_count(3)
    page.keyboard.press("Enter")
    all_sent(page)
    assert words(engine) == {Verdict.reject: 3, Verdict.keep: 6}
    assert {vote.page for vote in votes(engine)} == {"sweep"}
    assert len({vote.request_id for vote in votes(engine)}) == 9
    page.keyboard.press("u")
    expect(page.locator(".cell[aria-pressed=true]")).to_have_count(3)
    all_sent(page)
    assert words(engine) == {Verdict.undo: 9}
    for shown in (9, 9, 3):
        painted(page, shown)
        page.keyboard.press("Enter")
    expect(page.get_by_text("You have seen everything.")).to_be_visible()
    all_sent(page)
    assert words(engine) == {Verdict.reject: 3, Verdict.keep: 18}


def test_the_end_is_told_only_when_the_server_has_no_more(page, served, engine, draw):
    draw(LIMITS.queue + 6)
    begin_rating(page, served)
    page.evaluate("localStorage.setItem('naysayer.sweep', 9)")
    page.reload()
    expect(page.locator(IMAGE)).to_be_visible()
    page.route("**/naysayer/next", lambda route: None)  # no further answer comes
    page.locator("[data-mode=sweep]").click()
    for shown in (9, 9, LIMITS.queue - 18):
        expect(page.locator(".cell[data-painted]")).to_have_count(shown)
        page.keyboard.press("Enter")
    expect(page.locator(".cell")).to_have_count(0)
    assert page.locator(".nothing").is_hidden()
    page.unroute("**/naysayer/next")
    page.reload()
    expect(page.locator(".cell[data-painted]")).to_have_count(6)
    page.keyboard.press("Enter")
    expect(page.locator(".nothing")).to_be_visible()


def test_a_sweep_votes_on_no_picture_that_was_not_painted(page, served, engine, draw):
    draw(6)
    page.route("**/naysayer/image/*", lambda route: None)  # none of them ever comes
    page.goto(served.url)
    page.fill("#name", "Ada")
    page.press("#name", "Enter")
    page.locator("[data-mode=sweep]").click()
    expect(page.locator(".cell")).to_have_count(6)
    page.keyboard.press("Enter")
    page.wait_for_timeout(500)
    assert votes(engine) == []


def test_swipes_on_a_phone_reject_keep_and_skip(phone, served, engine, draw):
    draw(6)
    begin_rating(phone, served)
    for way in ([-120, 10], [120, -10], [5, -130], [20, 5]):  # the last is too short for a swipe, too long for a tap
        expect(phone.locator(IMAGE)).to_be_visible()
        swipe(phone, *way)
    all_sent(phone)
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    assert words(engine) == {Verdict.reject: 1, Verdict.keep: 1, Verdict.skip: 1}
    assert Counter(len(rows) for rows in added(engine)) == {0: 2}


def test_twenty_presses_60_ms_apart_are_twenty_votes(page, served, engine, draw):
    draw(40)
    begin_rating(page, served)
    page.evaluate(APART, ["j", 20, 60])
    all_sent(page)
    assert words(engine) == {Verdict.reject: 20}


def test_seven_votes_that_nobody_acknowledged_survive_a_reload(page, served, engine, draw):
    draw(30)
    begin_rating(page, served)
    page.route("**/naysayer/votes", lambda route: route.abort())
    for _ in range(7):
        press(page, "j")
    page.unroute("**/naysayer/votes")
    page.reload()
    all_sent(page)
    assert words(engine) == {Verdict.reject: 7}


@pytest.mark.slow
def test_ten_seconds_without_network_lose_no_vote(page, served, engine, draw):
    draw(30)
    begin_rating(page, served)
    page.context.set_offline(True)
    for _ in range(10):
        press(page, "k")
    page.wait_for_timeout(10_000)
    page.context.set_offline(False)
    all_sent(page)
    assert words(engine) == {Verdict.keep: 10}


def test_a_vote_is_changed_from_the_history_by_a_new_row(page, served, engine, draw):
    draw(4)
    begin_rating(page, served)
    press(page, "j")
    page.locator("[data-tool=history]").click()
    page.get_by_role("button", name="Keep it").click()
    expect(page.get_by_role("button", name="Reject it")).to_be_visible()
    all_sent(page)
    assert [vote.verdict for vote in votes(engine)] == [Verdict.reject, Verdict.keep]
    assert words(engine) == {Verdict.keep: 1}
    expect(page.locator(".count")).to_have_text("1")
