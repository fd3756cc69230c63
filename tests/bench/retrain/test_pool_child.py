"""A process that prepares a retrain of a growing pool."""

import time

import pytest

from bench.retrain.pool_child import fill, prepare


@pytest.mark.slow
def test_a_retrain_of_a_known_pool_encodes_only_the_new_rejects(tmp_path) -> None:
    fill(tmp_path, 30, 6)
    first, again = prepare(tmp_path, time.monotonic()), prepare(tmp_path, time.monotonic())
    assert first["encoded"] == again["encoded"] == 12  # six pictures and their six prompts
    assert 0 < first["freeze_s"] < first["prepare_s"]
