from dataclasses import replace

import pytest
from playwright.sync_api import expect

from feedback.check.looks import Looks
from feedback.people.decisions import Decision, decide, rater_events
from feedback.people.reliability import RaterFigures, rater_figures
from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from feedback.statistics import Fraction
from store.tables import RaterAction, Verdict
from tests.ui.dashboard.conftest import HOSTILE
from tests.ui.lists import choose
from ui.dashboard.raters import (
    agreement_html,
    events_html,
    flag_sentence,
    raters_html,
    share_sentence,
    shares_of,
    states_of,
)


def test_the_raters_table_states_what_each_figure_is_based_on(rated):
    html = raters_html(rater_figures(rated))
    assert html[html.index("ns-raters") :].count('<th scope="row">') == 3
    assert "2.0" in html
    assert "–" in html  # no controls answered yet


def test_the_raters_table_says_how_many_votes_look_like_slips_and_how_many_changed(rated):
    [first, *others] = rater_figures(rated)
    html = raters_html([replace(first, looks=Looks(waiting=7, taken=5, changed=3)), *others])
    assert "<td>7<small>3 of 5 changed</small></td>" in html
    assert html.count("changed</small>") == 1


def test_a_column_that_says_nothing_of_anybody_is_marked_for_narrow_screens(rated):
    html = raters_html(rater_figures(rated))
    assert '<th scope="col" class="bare">Controls right</th>' in html
    assert '<th scope="col">Seconds</th>' in html


def rejecting(row: RaterFigures, name: str, rejects: int, votes: int) -> RaterFigures:
    return replace(row, name=name, votes=votes, rejects=Fraction(rejects, votes))


def test_each_raters_share_of_rejects_is_shown_and_who_differs_is_said(rated):
    [row, *_] = rater_figures(rated)
    rows = [rejecting(row, "ann", 60, 100), rejecting(row, "bob", 30, 100), rejecting(row, "cat", 32, 100)]
    assert [one.differs for one in shares_of(rows)] == [True, False, False]
    assert share_sentence(shares_of(rows)) == "ann rejects 60 %, the others 31 %."
    html = raters_html(rows)
    assert '<th scope="col">Rejects</th>' in html
    assert '<td class="differs">60 %<small>50–69 %, n 100</small></td>' in html
    assert share_sentence(shares_of(rows[1:])) == "No rater rejects clearly more or less than the others."
    assert share_sentence(shares_of(rows[:1])) == ""
    rows[0] = replace(rows[0], is_excluded=True)
    assert [one.differs for one in shares_of(rows)[1:]] == [False, False]


def test_the_sentence_above_the_table_names_who_is_flagged(rated):
    [row, *_] = rater_figures(rated)
    calm, hasty = replace(row, name="ann"), replace(row, name="bob", fast=Fraction(100, 100))
    assert flag_sentence([calm]) == ""
    assert flag_sentence([calm, hasty]).startswith("Flagged: bob. It is at the top of the table, with the reason")
    assert "Flagged: bob, bob, bob and 2 more. They are" in flag_sentence([hasty] * 5)
    assert flag_sentence([replace(hasty, is_excluded=True)]) == ""
    assert "Flagged: bob." in raters_html([hasty, calm])


def test_agreement_is_not_claimed_without_shared_pictures(settings, monkeypatch, tmp_path):
    monkeypatch.setenv("NAYSAYER_DATA_DIR", str(tmp_path))
    assert "no agreement yet" in agreement_html([(1, 0), (0, 1)])
    assert "<b>50 %</b>" in agreement_html([(2, 0), (1, 1)])


def test_prompts_names_and_reasons_are_escaped(rated):
    decide(rated, HOSTILE, Decision(RaterAction.exclude, HOSTILE, HOSTILE))
    for page in (
        raters_html(rater_figures(rated)),
        events_html(rater_events(rated)),
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
        choose(quiet_page, "Rater", "ada")
        quiet_page.get_by_role("button", name="Exclude votes…").click()
        quiet_page.get_by_label("Reason").fill("always rejects")
        quiet_page.get_by_role("button", name="Exclude votes", exact=True).click()
        quiet_page.locator(".ns-badge", has_text="excluded").wait_for()
        quiet_page.get_by_text("always rejects").wait_for()
        assert [row.is_excluded for row in rater_figures(engine)].count(True) == 1
        quiet_page.goto(f"{served.url}/pool")
        quiet_page.get_by_text("3 pictures: rejects").wait_for()
        expect(quiet_page.locator(".thumbs b.reject").first).to_have_text("−1")
