import os
from inspect import signature
from pathlib import Path

import numpy as np
import pytest

from bench.commands import simulate
from bench.loop.simulate import PACE_S, SLIP_RATE, SPREAD, Habits
from bench.rate.ratings import Votes, counts_of, figures, geneval, imagenhub
from feedback.people.agreement import ac1, alpha, percent_agreement


def real_ratings() -> Path:
    folder = os.environ.get("NAYSAYER_REALDATA")
    if not folder:
        pytest.skip("NAYSAYER_REALDATA does not name a folder with real ratings")
    return Path(folder) / "ratings"


def alpha_by_coincidences(votes: Votes) -> float:
    """Alpha as Krippendorff (2011) writes it out: the matrix of coincidences, each pair of votes of one image in it."""
    coincidences = np.zeros((2, 2))
    for row in votes:
        said = [vote for vote in row if vote is not None]
        for i, one in enumerate(said):
            for j, other in enumerate(said):
                if i != j:
                    coincidences[one, other] += 1 / (len(said) - 1)
    of_value, n = coincidences.sum(axis=1), coincidences.sum()
    observed = coincidences[0, 1] + coincidences[1, 0]
    expected = 2 * of_value[0] * of_value[1] / (n - 1)
    return float(1 - observed / expected)


@pytest.mark.parametrize(("quality", "published"), [("semantic", 0.53), ("perceptual", 0.43)])
def test_alpha_of_imagenhub_is_the_published_one_and_that_of_another_implementation(quality, published):
    votes = imagenhub(real_ratings(), quality)
    found = alpha(counts_of(votes))
    assert round(found, 2) == published
    assert found == pytest.approx(alpha_by_coincidences(votes), abs=1e-6)


def test_alpha_of_geneval_is_that_of_another_implementation():
    votes = geneval(real_ratings())
    assert alpha(counts_of(votes)) == pytest.approx(alpha_by_coincidences(votes), abs=1e-6)


def test_the_simulated_raters_behave_as_the_real_ones_did():
    found = figures(real_ratings())
    assert found["imagenhub perceptual"]["slip_rate"] == pytest.approx(SLIP_RATE, abs=0.0005)
    assert found["pace"]["spread"] == pytest.approx(SPREAD, abs=0.0005)
    assert found["pace"]["median_s"] / 7 == pytest.approx(PACE_S, abs=0.05)


def test_the_command_simulates_real_raters_unless_told_otherwise():
    assert signature(simulate).parameters["error_rate"].default == SLIP_RATE == Habits().error_rate


def test_alpha_with_missing_votes_is_that_of_another_implementation():
    chance = np.random.default_rng(3)
    votes = [[None if chance.random() < 0.3 else int(chance.random() < 0.4) for _ in range(4)] for _ in range(200)]
    assert alpha(counts_of(votes)) == pytest.approx(alpha_by_coincidences(votes), abs=1e-9)


def test_full_agreement_is_one_and_chance_is_about_nothing():
    assert (alpha([(2, 0), (0, 2)]), ac1([(2, 0), (0, 2)]), percent_agreement([(2, 0), (0, 2)])) == (1, 1, 1)
    chance = np.random.default_rng(0).binomial(2, 0.5, 20_000)
    counts = [(int(n), int(2 - n)) for n in chance]
    assert abs(alpha(counts)) < 0.03
    assert abs(ac1(counts)) < 0.03


def test_where_nearly_all_is_alike_alpha_collapses_and_ac1_does_not():
    counts = [(0, 2)] * 95 + [(1, 1)] * 5
    assert percent_agreement(counts) == 0.95
    assert alpha(counts) < 0
    assert ac1(counts) > 0.9


def test_without_pairs_there_is_no_figure():
    assert (percent_agreement([(1, 0)]), alpha([(1, 0)]), ac1([])) == (None, None, None)
    assert alpha([(2, 0), (3, 0)]) is None


def test_images_with_one_vote_count_for_the_share_of_rejects_but_not_for_the_agreement():
    counts = [(2, 0), (1, 1), (1, 0), (0, 1), (0, 0)]
    share = (1 + 0.5 + 1 + 0) / 4
    chance = 2 * share * (1 - share)
    assert percent_agreement(counts) == 0.5
    assert ac1(counts) == pytest.approx((0.5 - chance) / (1 - chance))


def test_each_image_weighs_the_same_however_many_voted():
    assert percent_agreement([(3, 1), (0, 2)]) == pytest.approx((0.5 + 1) / 2)
