"""The rows that a plan measures."""

from bench.loop.rows import BY_ROUND, DEFAULT, ONCE, ROWS, Plan, planned_rows
from tests.bench.loop.conftest import PLAN


def test_a_full_plan_measures_every_row_and_a_short_one_two():
    assert planned_rows(Plan()) == ROWS
    assert [row.label for row in planned_rows(PLAN)] == ["base", f"{ONCE}, round 1", f"{DEFAULT}, round 1"]
    assert {row.round for row in planned_rows(Plan(rounds=2)) if row.name in BY_ROUND} == {1, 2}


def test_no_two_rows_have_the_same_label():
    assert len({row.label for row in ROWS}) == len(ROWS)
