"""The model does what can be reckoned by hand, and says what holds a site back."""

import pytest

from bench.scale.acting import OPERATIONS
from bench.scale.costs import Cost, Costs
from bench.scale.model import Site, simulate
from bench.scale.plan import MEAN_OF_MEDIAN, Prices, table

FREE = Costs({name: [Cost(0, 0, 0, 0, 0)] for name in OPERATIONS}, [2])
SITE = Site(cards=4, raters=10, card_s=5.0, vote_s=8.0, target=240, round_trip_s=0)


def costing(**locked_s: float) -> Costs:
    """What costs nothing but so many seconds in the lock."""
    return Costs({name: [Cost(0, 0, locked_s.get(name, 0.0), 0, 0)] for name in OPERATIONS}, [2])


def test_without_costs_raters_and_cards_set_the_pace():
    few = simulate(SITE._replace(cards=1), FREE, seconds=600)
    assert few.pictures == pytest.approx(1 / 5, rel=0.05)
    assert few.votes == pytest.approx(1 / 5, rel=0.1)
    assert few.limit == "cards"
    many = simulate(SITE._replace(cards=40), FREE, seconds=600)
    assert many.votes == pytest.approx(10 / (8 * MEAN_OF_MEDIAN), rel=0.1)
    assert (many.limit, many.waiting) == ("raters", 0)
    assert many.cards_busy < 0.5


def test_a_vote_waits_for_the_lock_and_no_more_come_than_it_lets_through():
    busy = simulate(SITE._replace(cards=200, raters=200, target=4800), costing(vote=0.1), seconds=120)
    assert busy.votes == pytest.approx(10, rel=0.05)
    assert busy.limit == "write lock"
    assert busy.took["vote"].p50_ms > 500
    alone = simulate(SITE, costing(vote=0.1), seconds=120)
    assert alone.took["vote"].p50_ms == pytest.approx(100, rel=0.01)


def test_every_statement_crosses_the_network():
    costs = Costs(FREE.samples | {"vote": [Cost(0, 0, 0.001, 10, 4)]}, [2])
    far = simulate(SITE._replace(round_trip_s=0.01), costs, seconds=120)
    assert far.took["vote"].p50_ms == pytest.approx(101, rel=0.01)


def test_two_page_processes_serve_twice_the_raters():
    costs = Costs(FREE.samples | {"vote": [Cost(0.2, 0, 0, 0, 0)]}, [2])
    site = SITE._replace(cards=400, raters=200, target=4800, stock=4800)
    one, two = (simulate(site._replace(pages=pages), costs, seconds=60) for pages in (1, 2))
    assert one.limit == "page process"
    assert two.votes == pytest.approx(2 * one.votes, rel=0.1)


def test_a_table_names_the_limit_and_the_price():
    one = simulate(SITE._replace(cards=1), FREE, seconds=600)
    assert "| cards | " in table([one]).splitlines()[-1]
    assert Prices(2.0, 1.0).per_thousand_votes(one) == pytest.approx(3000 / 3600 / one.votes)
