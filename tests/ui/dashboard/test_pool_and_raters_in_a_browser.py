"""The pages Pool and Raters in a real browser: decisions reach the store, hostile words stay words."""

import pytest
from sqlmodel import func, select

from feedback.people.reliability import rater_figures
from feedback.pool.curation import open_image
from feedback.rate.queue import next_images
from feedback.rate.repeats import repeat_answers
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from store.engine import reading
from store.tables import Verdict, Vote

HOSTILE = "<img src=http://evil.example/x onerror=alert(1)> ![x](http://evil.example/y) [z](http://evil.example)"

pytestmark = pytest.mark.browser


@pytest.fixture
def rated(settings, engine, draw):
    draw(3, prompts=[HOSTILE])
    for rater in ("ada", HOSTILE[:70]):
        images = next_images(engine, rater, Terms(2, 600), count=3)
        presses = [Press(f"{rater[:3]}-{image.image_id}", image.image_id, Verdict.reject) for image in images]
        record_votes(engine, rater, presses, Terms(2, 600))
    return settings


@pytest.fixture
def quiet_page(page):
    """A tab that fails the test on a dialog or on any request to elsewhere."""
    outside: list[str] = []
    dialogs: list[str] = []
    page.on("request", lambda request: "127.0.0.1" in request.url or outside.append(request.url))
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    yield page
    assert ([url for url in outside if not url.startswith(("data:", "blob:"))], dialogs) == ([], [])


def test_a_picture_is_opened_and_taken_out_with_a_reason(rated, engine, serve, quiet_page):
    with serve(rated) as served:
        quiet_page.goto(f"{served.url}/pool")
        quiet_page.locator(".ns-gallery a").nth(2).click()
        quiet_page.get_by_text("follows the votes").wait_for()
        quiet_page.get_by_role("button", name="Take it out of the pool…").click()
        quiet_page.get_by_label("Reason").fill(HOSTILE)
        quiet_page.get_by_role("button", name="Take it out", exact=True).click()
        quiet_page.get_by_text("taken out by hand").wait_for()
        assert open_image(engine, 1).is_taken_out
        quiet_page.get_by_text("← Pool").click()
        quiet_page.get_by_text("2 pictures: rejects").wait_for()
        quiet_page.get_by_text("taken out", exact=True).click()
        quiet_page.get_by_text("1 picture: taken out").wait_for()


def test_a_rater_is_excluded_and_the_pool_follows(rated, engine, serve, quiet_page):
    with serve(rated) as served:
        quiet_page.goto(f"{served.url}/raters")
        quiet_page.get_by_role("button", name="Exclude votes…").click()
        quiet_page.get_by_label("Reason").fill("always rejects")
        quiet_page.get_by_role("button", name="Votes excluded").click()
        quiet_page.locator(".ns-badge", has_text="excluded").wait_for()
        quiet_page.get_by_text("always rejects").wait_for()
        assert [row.is_excluded for row in rater_figures(engine)].count(True) == 1
        quiet_page.goto(f"{served.url}/pool")
        quiet_page.get_by_text("3 pictures: rejects").wait_for()
        assert quiet_page.locator(".ns-gallery b.no").first.inner_text() == "1"


def test_repeats_are_shown_within_one_session(settings, engine, draw, serve, page, monkeypatch):
    draw(120)
    monkeypatch.setenv("NAYSAYER_REPEAT_SHARE", "0.5")
    with serve(settings) as served:
        page.goto(f"{served.url}/")
        page.locator("#name").fill("ada")
        page.keyboard.press("Enter")
        for _ in range(110):
            page.locator(".frame img").wait_for()
            page.keyboard.press("j")
        page.wait_for_function("!Object.keys(localStorage).some((key) => key.startsWith('naysayer.vote.'))")
    with reading(engine) as session:
        votes = session.exec(select(func.count(Vote.id))).one()
        assert len(repeat_answers(session)) >= 5
    assert votes == 110
