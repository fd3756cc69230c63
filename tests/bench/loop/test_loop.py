"""The bench of the loop: what is kept, and one round for real."""

import pytest

from bench.loop.loop import _keep, finished, run
from bench.loop.rows import DEFAULT
from bench.loop.summary import world_record
from store.settings import Settings
from tests.bench.loop.conftest import PLAN, finished_row


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_one_round_of_the_default_method_beats_the_base_beyond_chance(tmp_path):
    settings = Settings(_env_file=None, sweep_pictures=8, train_steps=300)
    found = world_record(run(settings, tmp_path, PLAN, [5], 1), PLAN)
    print(found.model_dump_json(by_alias=True, indent=1))
    base, default = found.methods["base"], found.methods[DEFAULT]
    assert base.n == default.n == 72
    assert default.rate < base.rate
    assert default.paired_high < 0


def test_a_second_call_finds_the_finished_rows_of_its_replicate(tmp_path):
    rows = [finished_row("base", 0, [["fingers"], []], 7), finished_row(DEFAULT, 1, [[], []], 7)]
    for row in rows:
        _keep(tmp_path, row)
    assert finished(tmp_path, 7) == rows
    assert finished(tmp_path, 8) == []
