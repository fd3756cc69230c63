"""The bench of the loop: what a plan measures, what is kept, and one round for real."""

import numpy as np
import pytest

from bench.loop.loop import DEFAULT, ROWS, Plan, _keep, _spread, finished, planned_rows, run
from bench.loop.record import make_record
from store.settings import Settings
from tests.bench.loop.conftest import PLAN, finished_row


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_one_round_of_the_default_method_beats_the_base_beyond_chance(tmp_path):
    settings = Settings(_env_file=None, sweep_pictures=8, train_steps=300)
    found = make_record(run(settings, tmp_path, PLAN, [5], 1), PLAN)
    print(found.to_json(indent=1))
    base, default = found.methods["base"], found.methods[DEFAULT]
    assert base.n == default.n == 72
    assert default.rate < base.rate
    assert default.paired_high < 0


def test_a_full_plan_measures_every_row_and_a_short_one_two():
    assert planned_rows(Plan()) == ROWS
    assert [row.label for row in planned_rows(PLAN)] == ["base", f"{DEFAULT}, round 1"]
    assert "nft, same-prompt, round 3" not in [row.label for row in planned_rows(Plan(rounds=2))]


def test_no_two_rows_have_the_same_label():
    assert len({row.label for row in ROWS}) == len(ROWS)


def test_a_second_call_finds_the_finished_rows_of_its_replicate(tmp_path):
    rows = [finished_row("base", 0, [["fingers"], []], 7), finished_row(DEFAULT, 1, [[], []], 7)]
    for row in rows:
        _keep(tmp_path, row)
    assert finished(tmp_path, 7) == rows
    assert finished(tmp_path, 8) == []


def test_the_spread_counts_only_pairs_of_pictures_that_both_count():
    latents = np.array([[[0.0, 0.0], [3.0, 3.0], [9.0, 9.0]]])
    assert _spread(latents) == pytest.approx((3 + 9 + 6) / 3)
    assert _spread(latents, np.array([[True, True, False]])) == pytest.approx(3)
    assert _spread(latents, np.array([[True, False, False]])) == 0
