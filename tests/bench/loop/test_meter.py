"""A row's pictures are drawn as its name says, and judged from their pixels."""

from pathlib import Path

import numpy as np
import pytest

from bench.loop.meter import Meter, _spread
from bench.loop.rows import HIGHER_GUIDANCE, Plan, Row
from bench.loop.stores import Stores
from tests.bench.loop.conftest import DRAWN
from tests.trainer.conftest import quick_settings
from trainer.base.model import load_base


@pytest.fixture(scope="module")
def meter(tmp_path_factory) -> Meter:
    settings = quick_settings(Path("unused"))
    stores = Stores(DRAWN, settings, tmp_path_factory.mktemp("meter"), seed=0, votes=1, error_rate=0.0)
    return Meter(load_base(settings), stores, Plan(prompts=2, seeds=2))


def test_the_rows_without_a_lora_change_only_what_they_are_named_after(meter: Meter) -> None:
    plain = meter._plain(Row("base"))
    assert plain == meter.base.plain
    assert meter._plain(Row("base+negative-prompt")).negative_prompt == DRAWN.negative_prompt
    assert meter._plain(Row("base+guidance")).guidance_scale == HIGHER_GUIDANCE


def test_every_evaluation_picture_is_judged_and_the_same_row_gives_the_same_faults(meter: Meter) -> None:
    first, again = meter.measure(Row("base")), meter.measure(Row("base"))
    assert len(first.faults) == 4
    assert first == again
    assert first.spread > 0
    assert first.train_s == 0


def test_the_spread_counts_only_pairs_of_pictures_that_both_count():
    latents = np.array([[[0.0, 0.0], [3.0, 3.0], [9.0, 9.0]]])
    assert _spread(latents) == pytest.approx((3 + 9 + 6) / 3)
    assert _spread(latents, np.array([[True, True, False]])) == pytest.approx(3)
    assert _spread(latents, np.array([[True, False, False]])) == 0
