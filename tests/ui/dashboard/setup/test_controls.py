from feedback.rate.controls import control_candidates, control_rows, make_controls, retire_controls
from store.tables import Verdict
from tests.ui.dashboard.conftest import HOSTILE, vote_on
from ui.dashboard.setup.controls import based_on
from ui.web.templates import render


def test_the_controls_say_how_raters_answer_them(rated):
    assert based_on(control_rows(rated), 0.05)[0] == "no control is in use"
    row = control_rows(rated)
    assert row == []
    [made] = make_controls(rated, [1], Verdict.reject, by="root")
    [control] = control_rows(rated)
    counted = [control._replace(seen=10, right=9), control._replace(is_active=False, seen=5, right=0)]
    assert based_on(counted, 0.05) == ["1 control in use", "90 % of 10 answers right", "5 % of what raters see"]
    assert control.image_id == made


def test_a_control_that_most_get_wrong_is_doubted_and_one_out_of_use_comes_back(rated):
    [one] = make_controls(rated, [1], Verdict.reject, by="root")
    [row] = control_rows(rated)
    wrong = render("dashboard/setup/html/controls.html", rows=[row._replace(seen=3, right=1)])
    assert "is the answer right?" in wrong
    assert 'data-do="retire"' in wrong
    retire_controls(rated, [one])
    out = render("dashboard/setup/html/controls.html", rows=control_rows(rated))
    assert 'data-do="reuse"' in out
    assert 'data-do="retire"' not in out


def test_candidates_are_escaped(rated, draw):
    draw(1, first_seed=9, prompts=[HOSTILE])
    vote_on(rated, 1, Verdict.reject)
    html = render(
        "dashboard/setup/html/candidates.html",
        rows=control_candidates(rated, Verdict.reject, 9),
        answer=Verdict.reject,
    )
    assert html.count('name="chosen"') == 1
    assert "&lt;img src=x" in html
    assert "<img src=x" not in html
