"""What the pages Raters and Pool say, as text."""

from datetime import timedelta

import pytest

from feedback.people.decisions import decide, rater_events
from feedback.people.reliability import Share, flags_of, rater_figures
from feedback.pool.curation import curate, open_image
from feedback.pool.gallery import Filter, gallery
from feedback.rate.controls import control_rows, make_control
from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from store.engine import writing
from store.tables import Mark, PoolAction, RaterAction, Reason, Verdict, VoteReason, utc_now
from ui.dashboard.pool import gallery_html, opened_html, rings
from ui.dashboard.raters import agreement_html, controls_html, events_html, raters_html

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def rated(engine, draw):
    """Three pictures with a hostile prompt, rejected by a hostile name and kept by ada; one mark, one reason."""
    draw(3, prompts=[HOSTILE])
    now = utc_now()
    for rater, verdict in ((HOSTILE, Verdict.reject), ("ada", Verdict.keep), ("eve", Verdict.reject)):
        images = next_images(engine, rater, Terms(3, 600), count=3)
        presses = [
            Press(f"{rater[-3:-1]}-{image.image_id}", image.image_id, verdict, "one", now, now + timedelta(seconds=2))
            for image in images
        ]
        assert not any(receipt.refused for receipt in record_votes(engine, rater, presses, Terms(3, 600)))
    with writing(engine) as session:
        session.add_all([VoteReason(vote_id=1, reason=Reason.hands), Mark(vote_id=1, x=0.25, y=1.5)])
    return engine


def test_prompts_names_and_reasons_are_escaped_on_both_pages(rated):
    decide(rated, HOSTILE, RaterAction.exclude, by=HOSTILE, reason=HOSTILE)
    curate(rated, 1, PoolAction.exclude, by=HOSTILE, reason=HOSTILE)
    make_control(rated, 2, Verdict.reject, by=HOSTILE)
    pages = [
        raters_html(rater_figures(rated)),
        events_html(rater_events(rated)),
        controls_html(control_rows(rated)),
        opened_html(open_image(rated, 1), {}),
        gallery_html(gallery(rated, Filter())[0] or gallery(rated, Filter(prompt="img"))[0], {"prompt": HOSTILE}),
    ]
    for page in pages[:4]:
        assert "<img src=x" not in page
        assert "&lt;img src=x" in page
    assert "<img src=x" not in pages[4]


def test_the_raters_table_states_what_each_figure_is_based_on(rated):
    html = raters_html(rater_figures(rated))
    assert html.count('<th scope="row">') == 3
    assert "2.0" in html
    assert "–" in html  # no controls answered yet


def test_a_flag_stands_with_its_reason():
    flags = flags_of(Share(5, 20), Share(0, 0), Share(40, 60), Share(0, 120), 80, -0.1)
    assert [flag.split(" ")[0] for flag in flags] == ["5", "40", "nearly", "agrees"]


def test_agreement_is_not_claimed_without_shared_pictures(settings, monkeypatch, tmp_path):
    monkeypatch.setenv("NAYSAYER_DATA_DIR", str(tmp_path))
    assert "no agreement yet" in agreement_html([(1, 0), (0, 1)])
    assert "<b>50 %</b>" in agreement_html([(2, 0), (1, 1)])


def test_an_opened_picture_shows_votes_reason_and_marks_within_the_frame(rated):
    opened = open_image(rated, 1)
    html = opened_html(opened, {})
    assert "3 votes" in html
    assert "hands, 1 mark" in html
    assert [(ring.x, ring.y) for ring in rings(opened.votes)] == [(0.25, 1.0)]
    assert "left:25.00%;top:100.00%" in html
    assert "no version yet" in html
    decide(rated, "eve", RaterAction.exclude, by="root", reason="x")
    assert "not counted: rater excluded" in opened_html(open_image(rated, 1), {})


def test_a_gallery_link_keeps_the_filter(rated):
    html = gallery_html(gallery(rated, Filter())[0], {"rater": "a&b"})
    assert html.count("<li>") == 3
    assert "?rater=a%26b&amp;image=3" in html
