from dataclasses import replace

import pytest

from feedback.check.looks import Looks
from feedback.people.decisions import Decision, decide, rater_events
from feedback.people.reliability import rater_figures
from feedback.rate.controls import control_rows, make_control
from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from store.tables import RaterAction, Verdict
from tests.ui.dashboard.conftest import HOSTILE
from ui.dashboard.raters import agreement_html, controls_html, events_html, raters_html, states_of


def test_the_raters_table_states_what_each_figure_is_based_on(rated):
    html = raters_html(rater_figures(rated))
    assert html.count('<th scope="row">') == 3
    assert "2.0" in html
    assert "–" in html  # no controls answered yet


def test_the_raters_table_says_how_many_votes_look_like_slips_and_how_many_changed(rated):
    [first, *others] = rater_figures(rated)
    html = raters_html([replace(first, looks=Looks(waiting=7, taken=5, changed=3)), *others])
    assert "<td>7<small>3 of 5 changed</small></td>" in html
    assert html.count("changed</small>") == 1


def test_agreement_is_not_claimed_without_shared_pictures(settings, monkeypatch, tmp_path):
    monkeypatch.setenv("NAYSAYER_DATA_DIR", str(tmp_path))
    assert "no agreement yet" in agreement_html([(1, 0), (0, 1)])
    assert "<b>50 %</b>" in agreement_html([(2, 0), (1, 1)])


def test_prompts_names_and_reasons_are_escaped(rated):
    decide(rated, HOSTILE, Decision(RaterAction.exclude, HOSTILE, HOSTILE))
    make_control(rated, 2, Verdict.reject, by=HOSTILE)
    for page in (
        raters_html(rater_figures(rated)),
        events_html(rater_events(rated)),
        controls_html(control_rows(rated)),
    ):
        assert "<img src=x" not in page
        assert "&lt;img src=x" in page


def test_a_rater_who_is_paused_and_excluded_is_marked_so(rated):
    decide(rated, "ada", Decision(RaterAction.pause, "root", "x"))
    decide(rated, "ada", Decision(RaterAction.exclude, "root", "x"))
    [ada] = [row for row in rater_figures(rated) if row.name == "ada"]
    assert states_of(ada) == ["paused", "excluded"]


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
def test_a_rater_is_excluded_and_the_pool_follows(served_store, engine, serve, quiet_page):
    with serve(served_store) as served:
        quiet_page.goto(f"{served.url}/raters")
        quiet_page.get_by_role("button", name="Exclude votes…").click()
        quiet_page.get_by_label("Reason").fill("always rejects")
        quiet_page.get_by_role("button", name="Exclude votes", exact=True).click()
        quiet_page.locator(".ns-badge", has_text="excluded").wait_for()
        quiet_page.get_by_text("always rejects").wait_for()
        assert [row.is_excluded for row in rater_figures(engine)].count(True) == 1
        quiet_page.goto(f"{served.url}/pool")
        quiet_page.get_by_text("3 pictures: rejects").wait_for()
        assert quiet_page.locator(".ns-gallery b.no").first.inner_text() == "1"
