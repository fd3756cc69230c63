import random
from math import comb, exp, inf, lgamma, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.statistics import (
    Fraction,
    confidence_sequence,
    log_e_value,
    mean_interval,
    paired_difference,
    watched_difference,
    wilson,
)


# Newcombe, Statistics in Medicine 17 (1998), table I: Wilson's score interval without continuity correction.
@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_the_interval_is_the_published_one(successes: int, n: int, low: float, high: float) -> None:
    assert [round(end, 4) for end in wilson(successes, n)] == [low, high]


def test_nothing_observed_says_nothing() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


@given(n=st.integers(1, 10**6), share=st.floats(0, 1))
def test_the_interval_holds_the_share_and_mirrors(n: int, share: float) -> None:
    successes = round(share * n)
    low, high = wilson(successes, n)
    rounding = 1e-12
    assert 0 <= low <= successes / n + rounding
    assert successes / n - rounding <= high <= 1
    assert [1 - high, 1 - low] == pytest.approx(list(wilson(n - successes, n)))


@given(n=st.integers(1, 10**6), share=st.floats(0, 1))
def test_the_ends_solve_wilsons_equation(n: int, share: float) -> None:
    p, z = round(share * n) / n, 1.959964
    for end in wilson(round(share * n), n):
        assert (p - end) ** 2 == pytest.approx(z**2 * end * (1 - end) / n, abs=1e-12)


def test_a_share_of_nothing_has_no_value_and_any_interval() -> None:
    assert Fraction(0, 0).value is None
    assert Fraction(0, 0).interval == (0.0, 1.0)
    assert Fraction(15, 148).value == 15 / 148
    assert Fraction(15, 148).interval == wilson(15, 148)


# By hand from Agresti and Min 2005: half a pair in each of the four cells, so 102 pairs; 30.5 and 5.5 are discordant.
def test_the_paired_interval_adds_half_a_pair_to_each_cell() -> None:
    middle, half = -25 / 102, 1.959964 * (36 - 25**2 / 102) ** 0.5 / 102
    assert list(paired_difference(30, 5, 100)) == pytest.approx([middle - half, middle + half])
    assert list(paired_difference(30, 5, 100, z=1.0)) == pytest.approx(
        [middle - half / 1.959964, middle + half / 1.959964]
    )


@given(mended=st.integers(0, 50), broke=st.integers(0, 50), alike=st.integers(0, 50))
def test_the_paired_interval_mirrors_and_stays_within_a_rates_limits(mended: int, broke: int, alike: int) -> None:
    n = mended + broke + alike
    low, high = paired_difference(mended, broke, n)
    assert -1 <= low <= (broke - mended) / (n + 2) <= high <= 1
    assert [-high, -low] == pytest.approx(list(paired_difference(broke, mended, n)))


def test_few_pairs_reach_the_limits_and_none_say_nothing() -> None:
    assert paired_difference(0, 0, 0) == (-1.0, 1.0)
    assert paired_difference(1, 0, 1).low == -1.0
    assert paired_difference(0, 1, 1).high == 1.0
    assert paired_difference(1, 0, 1).high == pytest.approx(-1 / 3 + 1.959964 * (2 - 1 / 3) ** 0.5 / 3)


@pytest.mark.parametrize("n", [1, 2, 10, 40])
def test_under_the_null_the_e_value_is_one_on_average(n: int) -> None:
    assert sum(comb(n, k) * 0.5**n * exp(log_e_value(k, n - k)) for k in range(n + 1)) == pytest.approx(1)


def test_the_e_value_of_one_pair_is_its_likelihood_under_the_alternatives() -> None:
    assert exp(log_e_value(1, 0)) == pytest.approx(2 * (0.1 * 0.58 + 0.6 * 2 / 3 + 0.3 * 0.86))
    assert exp(log_e_value(0, 1)) == pytest.approx(2 * (0.1 * 0.42 + 0.6 / 3 + 0.3 * 0.14))
    assert log_e_value(2000, 0) == pytest.approx(2000 * log(2 * 0.86) + log(0.3))


@pytest.mark.parametrize("alpha", [0.05, 0.2])
@pytest.mark.parametrize(("successes", "n"), [(3, 10), (40, 50), (1, 2)])
def test_at_the_ends_of_a_confidence_sequence_the_likelihood_ratio_is_one_in_alpha(
    successes: int, n: int, alpha: float
) -> None:
    ends = confidence_sequence(successes, n, alpha)
    assert 0 < ends.low < successes / n < ends.high < 1
    mixture = exp(lgamma(successes + 1) + lgamma(n - successes + 1) - lgamma(n + 2))
    for p in ends:
        assert mixture / (p**successes * (1 - p) ** (n - successes)) == pytest.approx(1 / alpha)


def test_a_confidence_sequence_of_one_kind_only_is_open_at_its_end() -> None:
    assert confidence_sequence(0, 0) == (0.0, 1.0)
    for n in (1, 20):
        reach = (0.05 / (n + 1)) ** (1 / n)
        assert list(confidence_sequence(0, n)) == pytest.approx([0, 1 - reach])
        assert list(confidence_sequence(n, n)) == pytest.approx([reach, 1])


def test_the_interval_of_a_mean_is_that_of_students_formula_with_n_minus_one() -> None:
    error = (5 / 3 / 4) ** 0.5
    assert list(mean_interval([1, 2, 3, 4])) == pytest.approx([2.5 - 1.959964 * error, 2.5 + 1.959964 * error])
    assert list(mean_interval([1, 2, 3, 4], z=1.0)) == pytest.approx([2.5 - error, 2.5 + error])


def test_a_mean_of_fewer_than_two_may_be_anything() -> None:
    assert mean_interval([]) == mean_interval([3.0]) == (-inf, inf)
    assert mean_interval([1.0, 1.0]) == (1.0, 1.0)


@pytest.mark.parametrize(("mended", "spoilt"), [(0.2, 0.1), (0.15, 0.15), (0.3, 0.05)])
def test_an_interval_of_pairs_that_is_watched_misses_the_truth_in_at_most_one_run_in_twenty_on_each_side(
    mended, spoilt
):
    chance, runs, missed = random.Random(1), 200, [0, 0]
    for _ in range(runs):
        counts, above, below = [0, 0, 0], False, False
        for _ in range(150):
            u = chance.random()
            counts[0 if u < mended else 1 if u < mended + spoilt else 2] += 1
            m, s, a = counts
            above = above or log_e_value(m, s, a, spoilt - mended) >= log(20)
            below = below or log_e_value(s, m, a, mended - spoilt) >= log(20)
        missed = [missed[0] + above, missed[1] + below]
    assert max(missed) <= 0.05 * runs + 6  # two standard errors


@pytest.mark.parametrize("counts", [(12, 2, 32), (11, 2, 32), (0, 8, 4), (3, 3, 6), (30, 12, 58)])
def test_the_watched_interval_leaves_out_no_change_exactly_when_the_gate_decides(counts):
    mended, spoilt, _ = counts
    low, high = watched_difference(*counts)
    assert (high < 0) is (log_e_value(mended, spoilt) >= log(20))
    assert (low > 0) is (log_e_value(spoilt, mended) >= log(20))
    assert low <= (spoilt - mended) / sum(counts) <= high
