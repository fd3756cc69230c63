from feedback.retrain.progress import Progress, RetrainNow
from feedback.retrain.stages import FIT, Phase, Stage
from store.tables import Run, RunStatus
from ui.dashboard.live.retrain import loss_line, retrain_html

HALF = Stage("fitting half 1 of 2", Phase.halves, FIT, 100, 100, 50.0, is_over=True)
WHOLE = Stage("fitting", Phase.fit, FIT, 200, 100, 60.0)
TRYING = Stage("trying strengths", Phase.strengths, "draw", 80)
CURVE = [{"step": n, "loss": 1 / n} for n in (1, 2, 4)]


def page_of(*stages: Stage, **told: list) -> str:
    run = Run(status=RunStatus.running, step=500, steps=1000)
    return retrain_html(RetrainNow(run, Progress(list(stages), **told), []))


def test_the_card_says_what_is_done_now_what_was_done_and_how_long_the_rest_takes():
    page = page_of(HALF, WHOLE, TRYING)
    assert "<b>At least a minute left</b><span>now fitting; some phases have not been timed yet</span>" in page
    assert page.count('aria-current="step"') == 1
    assert page.index('class="over"') < page.index('class="now"') < page.index('class="later"')
    assert "50 s" in page
    assert "about 2 min" in page


def test_the_loss_is_drawn_while_it_falls():
    assert "Loss from 1.0000 to 0.2500 over 4 steps" in page_of(WHOLE, curve=CURVE)
    line = loss_line(CURVE)
    assert (line.low, line.high, line.steps) == (0.25, 1.0, 4)
    assert len(line.polygon.split(", ")) == 2 * len(CURVE)
    assert loss_line(CURVE[:1]) is None
    assert loss_line([{"step": 1, "loss": 0.5}, {"step": 2, "loss": 0.5}]).polygon


def test_each_strength_is_shown_as_soon_as_it_is_measured():
    measured = [{"strength": 1.0, "push": 0.12, "passes": 1.0}, {"strength": 8.0, "push": 0.9, "passes": 0.0}]
    page = page_of(WHOLE, strengths=measured)
    assert page.index("push 0.12") < page.index("allowed") < page.index("push 0.90") < page.index("too strong")


def test_a_retrain_that_has_told_nothing_is_starting_and_one_that_does_not_run_is_not_shown():
    assert "Starting" in page_of()
    assert retrain_html(None) == ""
