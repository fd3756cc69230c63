import pytest

from feedback.retrain.stages import FIT, Phase, Stage, left, pace_of, phases_of, share_done

HALF = Stage("fitting half 1 of 2", Phase.halves, FIT, 100)
WHOLE = Stage("fitting", Phase.fit, FIT, 200)
TRYING = Stage("trying strengths", Phase.strengths, "draw", 80)


def over(stage: Stage, seconds: float, done: float | None = None) -> Stage:
    values = {"seconds": seconds, "done": stage.work if done is None else done, "is_over": True}
    return Stage(**(stage.__dict__ | values))


def begun(stage: Stage, seconds: float, done: float) -> Stage:
    return Stage(**(stage.__dict__ | {"seconds": seconds, "done": done}))


def test_what_is_under_way_goes_on_at_its_own_pace():
    assert left([begun(WHOLE, 50, 100)], [over(WHOLE, 999)]).seconds == 50


def test_a_pace_of_a_moment_is_not_believed():
    assert left([begun(WHOLE, 0.5, 1)], [over(WHOLE, 100)]).seconds == pytest.approx(99.5)


def test_what_has_not_begun_takes_as_long_as_last_time_for_as_much_work():
    last = [over(Stage("fitting", Phase.fit, FIT, 100), 40)]
    assert left([WHOLE], last).seconds == 80


def test_a_stage_that_ended_early_last_time_is_expected_to_end_early_again():
    assert left([TRYING], [over(TRYING, 30, done=40)]).seconds == 30


def test_a_machine_that_is_slower_this_time_is_slower_for_the_rest_too():
    last = [over(HALF, 10), over(WHOLE, 20)]
    assert left([over(HALF, 30), WHOLE], last).seconds == pytest.approx(60)


def test_without_a_last_time_the_same_kind_of_work_tells_the_pace():
    assert left([over(HALF, 50), WHOLE, TRYING], []) == (100, (Phase.strengths,))


def test_what_needs_no_work_takes_no_time():
    nothing = Stage("encoding", Phase.encoding, "encode", 0)
    assert pace_of(nothing, [nothing], []) == 0
    assert left([nothing], []) == (0, ())


def test_only_a_retrain_whose_every_stage_is_over_is_done_in_full():
    assert share_done([over(HALF, 50), begun(WHOLE, 100, 200)], []) == 0.99
    assert share_done([over(HALF, 50), over(WHOLE, 100)], []) == 1
    assert share_done([over(HALF, 50), WHOLE], []) == pytest.approx(1 / 3)
    assert share_done([], []) == 0


def test_while_nobody_knows_the_time_the_stages_are_counted():
    assert share_done([over(HALF, 50), WHOLE, TRYING], []) == pytest.approx(1 / 3)


def test_a_phase_adds_up_its_stages_and_says_what_it_will_take():
    second = Stage("fitting half 2 of 2", Phase.halves, FIT, 100)
    halves, whole, trying = phases_of([over(HALF, 50), begun(second, 25, 50), WHOLE, TRYING])
    assert (halves.seconds, halves.share, halves.expected_s, halves.is_over) == (75, 0.75, 100, False)
    assert (whole.seconds, whole.share, whole.expected_s) == (0, 0, 100)
    assert (trying.expected_s, trying.share) == (None, 0)
