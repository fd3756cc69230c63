from datetime import timedelta

import pytest

from store.phrases import plural
from store.tables import utc_now
from ui.web.phrases import ago, percent, points, size, thousands

NOW = utc_now()


@pytest.mark.parametrize(
    ("passed", "words"),
    [
        (timedelta(0), "now"),
        (timedelta(seconds=12), "12 seconds ago"),
        (timedelta(minutes=1), "a minute ago"),
        (timedelta(hours=3), "3 hours ago"),
        (timedelta(days=40), "a month ago"),
    ],
)
def test_a_time_is_said_in_the_largest_unit_that_fits(passed, words):
    assert ago(NOW - passed, NOW) == words


def test_a_time_may_come_without_a_zone():
    assert ago((NOW - timedelta(minutes=2)).replace(tzinfo=None), NOW) == "2 minutes ago"


def test_a_clock_that_is_ahead_never_shows_the_future():
    assert ago(NOW + timedelta(days=1), NOW) == "now"


@pytest.mark.parametrize(("n", "words"), [(0, "0 votes"), (1, "1 vote"), (2, "2 votes"), (1200, "1,200 votes")])
def test_one_has_no_s(n, words):
    assert plural(n, "vote") == words


@pytest.mark.parametrize(("share", "words"), [(0, "0 %"), (0.254, "25 %"), (1, "100 %")])
def test_a_share_is_said_in_whole_per_cent(share, words):
    assert percent(share) == words


@pytest.mark.parametrize(
    ("difference", "words"), [(-0.12, "−12 points"), (-0.01, "−1 point"), (0.01, "+1 point"), (0, "0 points")]
)
def test_a_difference_carries_its_sign(difference, words):
    assert points(difference) == words


def test_large_numbers_have_commas_and_sizes_have_units():
    assert (thousands(1_234_567), size(1_230_000), size(2.5e9)) == ("1,234,567", "1.2 MB", "2.5 GB")
