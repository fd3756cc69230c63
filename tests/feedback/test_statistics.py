import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.statistics import wilson


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
