import pytest

from feedback.check.looks import Doubt
from feedback.people.decisions import Decision, decide
from feedback.pool.curation import Scored, curate, open_image
from feedback.pool.gallery import Filter, gallery
from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from store.tables import PictureTry, PoolAction, RaterAction, Verdict
from tests.ui.dashboard.conftest import HOSTILE
from ui.dashboard.pool import gallery_html, opened_html, rings


def test_an_opened_picture_shows_votes_reason_and_marks_within_the_frame(rated):
    opened = open_image(rated, 1)
    html = opened_html(opened, {})
    assert "3 votes" in html
    assert "hands, 1 mark" in html
    assert [(ring.x, ring.y) for ring in rings(opened.votes)] == [(0.25, 1.0)]
    assert "left:25.00%;top:100.00%" in html
    assert "no version yet" in html
    decide(rated, "eve", Decision(RaterAction.exclude, "root", "x"))
    assert "not counted: rater excluded" in opened_html(open_image(rated, 1), {})


def test_a_gallery_link_keeps_the_filter(rated):
    html = gallery_html(gallery(rated, Filter()), {"rater": "a&b"})
    assert html.count("<li>") == 3
    assert "?rater=a%26b&amp;image=3" in html


def test_prompts_names_and_reasons_are_escaped(rated):
    curate(rated, 1, PoolAction.exclude, by=HOSTILE, reason=HOSTILE)
    page = opened_html(open_image(rated, 1), {})
    assert "<img src=x" not in page
    assert page.count("&lt;img src=x") >= 5  # title, alternative text, rater, decided by, reason
    found = gallery(rated, Filter())
    assert "<img src=x" not in gallery_html(found, {"prompt": HOSTILE})


def test_a_vote_that_looks_like_a_slip_is_shown_in_peoples_words(rated):
    found = gallery(rated, Filter())._replace(doubts={3: Doubt(HOSTILE, Verdict.keep, 0.914, 2)})
    html = gallery_html(found, {})
    assert "kept by &lt;img src=x onerror=alert(1)&gt;<br>reject: 91 %" in html
    assert html.count("<br>reject: ") == 1


@pytest.fixture
def served_store(settings, engine, draw):
    """Three pictures that two raters rejected; prompt and one name are hostile."""
    draw(3, prompts=[HOSTILE])
    for rater in ("ada", HOSTILE[:70]):
        images = next_images(engine, rater, Terms(2, 600), count=3)
        presses = [Press(f"{rater[:3]}-{image.image_id}", image.image_id, Verdict.reject) for image in images]
        record_votes(engine, rater, presses, Terms(2, 600))
    return settings


@pytest.mark.browser
def test_a_picture_is_opened_and_taken_out_with_a_reason(served_store, engine, serve, quiet_page):
    with serve(served_store) as served:
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


def test_an_opened_picture_tells_what_the_check_says_of_it_and_its_tries(rated):
    opened = open_image(rated, 1)
    assert "<dt>check" not in opened_html(opened, {})
    tries = [PictureTry(image_id=1, number=n, score=0.5 / n, is_kept=n == 2) for n in (1, 2)]
    scored = opened._replace(scored=Scored(3, 0.25, 0.34, 5, 6), tries=tries)
    assert (
        "<dt>check</dt><dd>v3&#39;s check expects a reject with a chance of 34 %; score 0.250, higher than 83 % of "
        "6 other pictures of v0; try 2 of 2 was kept (scores 0.500, 0.250)</dd>" in opened_html(scored, {})
    )
    alone = opened._replace(scored=Scored(3, 0.25, None, 0, 0), tries=tries[:1])
    assert "<dt>check</dt><dd>score 0.250</dd>" in opened_html(alone, {})
