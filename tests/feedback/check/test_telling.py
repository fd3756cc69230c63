import numpy as np
import pytest
from scipy.stats import norm

from feedback.check.telling import auc, auc_interval, auc_within, auc_within_interval

RANDOM = np.random.default_rng(5)


def by_pairs(scores, is_reject, groups) -> float:
    won = [
        (scores[i] > scores[j]) + (scores[i] == scores[j]) / 2
        for i in range(len(scores))
        for j in range(len(scores))
        if is_reject[i] and not is_reject[j] and groups[i] == groups[j]
    ]
    return float(np.mean(won))


def test_the_area_is_the_share_of_pairs_that_the_reject_wins_with_ties_as_half():
    scores, is_reject = RANDOM.integers(6, size=60).astype(float), RANDOM.random(60) < 0.4
    assert auc(scores, is_reject) == pytest.approx(by_pairs(scores, is_reject, [0] * 60))
    groups = [f"prompt {i % 7}" for i in range(60)]
    assert auc_within(scores, is_reject, groups) == pytest.approx(by_pairs(scores, is_reject, groups))


def test_a_difference_between_prompts_counts_only_in_the_plain_area():
    groups = ["easy"] * 20 + ["hard"] * 20
    is_reject = np.array([i % 5 == 0 for i in range(20)] + [i % 5 != 0 for i in range(20)])
    scores = np.array([0.0] * 20 + [1.0] * 20)
    assert auc(scores, is_reject) > 0.75
    assert auc_within(scores, is_reject, groups) == 0.5


@pytest.mark.parametrize("flags", [[], [True, True], [False, False]])
def test_without_a_pair_there_is_no_area(flags):
    scores = [0.5] * len(flags)
    assert auc(scores, flags) is None
    assert auc_interval(scores, flags) is None
    assert auc_within(scores, flags, flags) is None
    assert auc_within_interval(scores, flags, flags) is None


def test_groups_of_one_kind_have_no_pair():
    assert auc_within([1, 2], [True, False], ["a", "b"]) is None


@pytest.mark.parametrize(("shift", "rejects", "keeps"), [(1.2, 8, 12), (0.5, 40, 60), (2.0, 30, 100)])
def test_the_interval_covers_the_truth_in_about_19_of_20_samples(shift, rejects, keeps):
    truth = norm.cdf(shift / 2**0.5)
    is_reject = np.arange(rejects + keeps) < rejects
    found = [auc_interval(is_reject * shift + RANDOM.normal(size=len(is_reject)), is_reject) for _ in range(400)]
    assert 0.92 <= np.mean([one.low <= truth <= one.high for one in found if one]) <= 0.98


def test_perfect_scores_of_few_pictures_are_no_certainty():
    perfect = auc_interval([1, 2, 3, 4, 5], [False, False, False, True, True])
    assert perfect is not None
    assert (perfect.value, perfect.high, perfect.n) == (1.0, 1.0, 5)
    assert 0.3 < perfect.low < 0.8
    wrong = auc_interval([5, 4, 3, 2, 1], [False, False, False, True, True])
    assert wrong is not None
    assert (wrong.low, wrong.high) == (0.0, pytest.approx(1 - perfect.low))


def test_the_interval_within_groups_rests_on_groups_not_on_pictures():
    is_reject = np.arange(400) % 2 == 0
    scores = is_reject * 1.0 + RANDOM.normal(size=400)
    many = auc_within_interval(scores, is_reject, [i // 4 for i in range(400)])
    one = auc_within_interval(scores, is_reject, ["a"] * 400)
    assert many is not None and one is not None
    assert many.low < many.value < many.high
    assert many.high - many.low < 0.2
    assert (one.low, one.high) == (0.0, 1.0)


def test_pictures_of_groups_without_a_pair_are_not_counted():
    found = auc_within_interval([1, 2, 3], [False, True, True], ["a", "a", "b"])
    assert found is not None
    assert (found.rejects, found.keeps) == (1, 1)
