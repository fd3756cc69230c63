import numpy as np
import pytest

from feedback.check.calibration import sigmoid
from feedback.check.telling import auc
from feedback.check.weighing import score_by_other_folds, weigh

RANDOM = np.random.default_rng(3)


def votes(
    count: int, weights: tuple[float, float], spread: tuple[float, float] = (1.0, 1.0), seed: int = 3
) -> tuple[np.ndarray, ...]:
    """Evidence of that spread, and verdicts that follow the weights of its z-scores."""
    random = np.random.default_rng(seed)
    z = random.normal(size=(count, 2))
    return z * spread, random.random(count) < sigmoid(z @ np.array(weights))


@pytest.mark.parametrize("true", [(1.0, 1.0), (2.0, 0.5), (0.0, 1.5)])
def test_many_votes_find_the_weights_in_the_units_of_the_evidence(true):
    spread = (0.01, 3.0)
    found = np.array(weigh(*votes(20_000, true, spread))) * spread
    assert np.allclose(found, true, atol=0.12)


def test_few_votes_hardly_move_the_ratio_that_was_measured():
    evidence, flags = votes(30, (1.0, 1.0))
    evidence[:, 1] = RANDOM.normal(size=30)
    first, second = np.array(weigh(evidence, flags)) * evidence.std(axis=0)
    assert 0.3 < second / first < 0.7


def test_evidence_that_points_the_wrong_way_has_no_weight():
    evidence, flags = votes(5_000, (1.5, -1.5))
    first, second = weigh(evidence, flags)
    assert first > 0.5
    assert second == 0


def test_evidence_of_which_all_points_the_wrong_way_gives_only_zeros():
    evidence, flags = votes(400, (-1.5, -1.5))
    assert weigh(evidence, flags) == (0.0, 0.0)
    assert not score_by_other_folds(evidence, flags, np.arange(400) % 5).any()


def test_evidence_that_is_the_same_everywhere_has_no_weight():
    evidence, flags = votes(200, (1.0, 0.0))
    for constant in (0.0, 0.1, 0.1 + 1e-9 * RANDOM.normal(size=200)):
        evidence[:, 1] = constant
        assert weigh(evidence, flags)[1] == 0


def test_two_hundred_votes_outweigh_the_ratio_that_was_measured_and_fifty_do_not():
    outweighed = {}
    for count in (50, 240):
        drawn = [votes(count, (0.0, 2.0), seed=seed) for seed in range(20)]
        weights = [np.array(weigh(evidence, flags)) * evidence.std(axis=0) for evidence, flags in drawn]
        outweighed[count] = np.mean([second > 2 * first for first, second in weights])
    assert outweighed[50] < 0.25
    assert outweighed[240] > 0.75


def test_on_noise_the_scores_by_other_folds_tell_no_better_than_chance():
    found = []
    for _ in range(60):
        evidence, flags = RANDOM.normal(size=(40, 2)), np.arange(40) % 2 == 0
        found.append(auc(score_by_other_folds(evidence, flags, np.arange(40) // 8), flags))
    assert np.mean(found) < 0.53


def test_folds_that_leave_one_verdict_use_the_weights_of_all_votes():
    evidence, flags = np.array([[1.0, 0.0], [2.0, 1.0]]), np.array([True, False])
    assert (
        score_by_other_folds(evidence, flags, [0, 1]).tolist() == (evidence @ np.array(weigh(evidence, flags))).tolist()
    )
