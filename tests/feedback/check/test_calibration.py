import numpy as np
import pytest

from feedback.check.calibration import (
    BOTH_FROM,
    ISOTONIC_FROM,
    Curve,
    fit_curve,
    fit_isotonic,
    measure_reliability,
    reliability,
)

RANDOM = np.random.default_rng(3)


def votes(count: int, slope: float = 2.0, intercept: float = -0.5):
    """Scores, the true chance of a reject at each, and verdicts by that chance."""
    scores = RANDOM.normal(size=count)
    chances = 1 / (1 + np.exp(-(slope * scores + intercept)))
    return scores, chances, RANDOM.random(count) < chances


def test_few_votes_give_a_logistic_curve_near_the_truth():
    scores, chances, is_reject = votes(BOTH_FROM - 1)
    curve = fit_curve(scores, is_reject)
    assert not curve.knots
    assert np.abs(curve.chances(scores) - chances).mean() < 0.1


def test_some_hundred_votes_follow_a_shape_that_no_logistic_curve_has_and_still_rise_everywhere():
    scores = RANDOM.normal(size=800)
    chances = np.where(scores < 0.5, 0.2, 0.9)
    is_reject = RANDOM.random(800) < chances
    curve = fit_curve(scores, is_reject)
    logistic = Curve(curve.slope, curve.intercept)
    assert np.abs(curve.chances(scores) - chances).mean() < 0.7 * np.abs(logistic.chances(scores) - chances).mean()
    assert (np.diff(curve.chances(np.linspace(-5, 5, 500))) > 0).all()


def test_a_curve_with_slope_and_knots_is_the_mean_of_both():
    both, lines, curve = Curve(1.0, 0.0, ((0.0, 0.2), (1.0, 0.6))), Curve(knots=((0.0, 0.2), (1.0, 0.6))), Curve(1.0)
    at = [-1.0, 0.25, 2.0]
    assert both.chances(at) == pytest.approx((lines.chances(at) + curve.chances(at)) / 2)


def test_scores_of_any_scale_are_fitted():
    scores, chances, is_reject = votes(800)
    curve = fit_curve(scores * 1e-3 + 7, is_reject)
    assert np.abs(curve.chances(scores * 1e-3 + 7) - chances).mean() < 0.04


def test_perfectly_parted_votes_are_no_certainty():
    curve = fit_curve([1.0, 2, 3, 4], [False, False, True, True])
    low, high = curve.chances([1.0, 4.0])
    assert 0.1 < low < 0.3
    assert high == pytest.approx(1 - low, abs=1e-3)


def test_many_votes_give_steps_that_only_rise():
    scores, chances, is_reject = votes(ISOTONIC_FROM + 1500)
    curve = fit_curve(scores, is_reject)
    along = curve.chances(np.linspace(-5, 5, 500))
    assert (np.diff(along) >= 0).all()
    assert np.abs(curve.chances(scores) - chances).mean() < 0.05
    assert curve.chances([-99.0])[0] == along[0]


def test_the_isotonic_fit_is_the_mean_of_each_pool_of_violators():
    # Ayer et al. 1955: 0 1 0 1 1 has the pool (1, 0).
    curve = fit_isotonic(np.array([1.0, 2, 3, 4, 5]), np.array([False, True, False, True, True]))
    assert curve.chances([1, 2, 3, 4, 5]).tolist() == [0, 0.5, 0.5, 1, 1]


def test_the_error_is_the_mean_distance_of_chances_from_what_raters_said():
    found = reliability([0.2] * 40 + [0.9] * 40, [True] * 16 + [False] * 24 + [True] * 36 + [False] * 4)
    assert [(one.n, one.chance, one.rejected) for one in found.bins] == [
        (40, pytest.approx(0.2), pytest.approx(0.4)),
        (40, pytest.approx(0.9), pytest.approx(0.9)),
    ]
    assert found.error == pytest.approx(0.1)


def test_right_chances_err_by_luck_only():
    found = [reliability(chances, is_reject) for _, chances, is_reject in (votes(400) for _ in range(40))]
    assert np.mean([one.error for one in found]) == pytest.approx(found[0].error_by_luck, abs=0.012)


def test_a_fold_is_measured_by_a_curve_that_has_not_seen_it():
    scores, _, is_reject = votes(400)
    folds = np.arange(400) % 5
    turned = np.where(folds == 0, ~is_reject, is_reject)
    honest, cheated = measure_reliability(scores, is_reject, folds), measure_reliability(scores, turned, folds)
    assert honest is not None and cheated is not None
    assert cheated.error > honest.error


def test_folds_without_both_verdicts_cannot_be_measured():
    assert measure_reliability([1.0, 2.0], [True, False], [0, 1]) is None
    assert measure_reliability([], [], []) is None


def test_a_curve_is_level_beyond_its_knots():
    curve = Curve(knots=((0.0, 0.2), (1.0, 0.6)))
    assert curve.chances([-1, 0, 0.5, 1, 9]) == pytest.approx([0.2, 0.2, 0.4, 0.6, 0.6])
