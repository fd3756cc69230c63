from feedback.figures.trend import Window
from feedback.statistics import Fraction
from ui.dashboard.trend import ticks, trend_html


def test_before_the_first_vote_the_chart_is_one_sentence():
    page = trend_html([], None)
    assert "No vote yet." in page
    assert "plot" not in page


def test_each_point_stands_at_its_votes_and_its_share_in_the_colour_of_its_version():
    page = trend_html([Window(0, 0, 100, Fraction(40, 50)), Window(9, 20, 100, Fraction(10, 50))], champion=9)
    assert 'class="ns-v0" title="v0, votes 1 to 100: 80 % of 50 votes" style="left:50.00%;bottom:80.00%"' in page
    assert 'class="ns-v2" title="v9, votes 21 to 100: 20 % of 50 votes" style="left:60.00%;bottom:20.00%"' in page
    assert "Rejects in the newest votes only: v9 20 % of 50 votes, v0 80 % of 50 votes." in page
    assert "v9, champion" in page


def test_there_are_few_round_numbers_along_any_number_of_votes():
    for end in (1, 7, 50, 739, 10_000, 3_000_000):
        found = ticks(0, end)
        assert 2 <= len(found) <= 6
        assert found[0] == (0.0, "0")
        assert all(place <= 100 for place, _ in found)
