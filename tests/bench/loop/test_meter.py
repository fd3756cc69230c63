"""A row's pictures are drawn as its name says, and judged from their pixels."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.loop.meter import Meter, _spread
from bench.loop.rows import HIGHER_GUIDANCE, Plan, Redrawing, Row
from bench.loop.stores import Stores
from feedback.sample.tries import Redraw, best_of
from store.tables import Version
from tests.bench.loop.conftest import DRAWN
from tests.trainer.conftest import quick_settings
from trainer.base.model import load_base
from trainer.lora.tensors import TRAINED, add_fresh, detach


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
    assert (first.drawings, first.own_scores) == (1, [])
    assert first.spread > 0
    assert first.train_s == 0


@pytest.fixture
def with_lora(meter: Meter) -> Iterator[Meter]:
    """The meter with a LoRA of random weights attached to its base."""
    torch.manual_seed(3)
    for parameter in add_fresh(meter.base.pipe.unet, 2, "attention", 0):
        parameter.data = 0.1 * torch.randn_like(parameter)
    meter.base.pipe.unet.disable_adapters()
    yield meter
    detach(meter.base.pipe, TRAINED)


def test_a_picture_is_drawn_again_only_where_the_check_asks_and_every_drawing_takes_time(with_lora: Meter) -> None:
    row = Row("check-1", "own", "same-prompt", 1, Redrawing(1))
    drawing, items = replace(with_lora.base.plain, rule="same-prompt", strength=1.0), with_lora._items(row)
    own, of_base = with_lora._tell(row, drawing, items)
    assert len(set(own.scores)) == len(of_base.scores) == 4
    once = with_lora._draw(row, drawing, items, None)
    cut = sorted(own.scores)[1]
    again = with_lora._draw(row, drawing, items, Redraw(2, cut))
    assert (once.drawings, again.drawings) == (1, 1.5)
    assert again.seconds > once.seconds
    kept = [a is b for a, b in zip(once.shots, again.shots, strict=True)]
    assert all(same for same, score in zip(kept, own.scores, strict=True) if score <= cut)
    assert with_lora._draw(row, drawing, items, best_of(3)).drawings == 3
    assert with_lora._redraw(row, drawing, Version(number=1)).most == 2


def test_without_a_check_of_its_own_a_version_draws_once_as_it_ships(with_lora: Meter) -> None:
    row = Row("default", "own", "same-prompt", 1, Redrawing(None))
    assert with_lora._redraw(row, with_lora.base.plain, Version(number=1)) is None


def test_the_spread_counts_only_pairs_of_pictures_that_both_count():
    latents = np.array([[[0.0, 0.0], [3.0, 3.0], [9.0, 9.0]]])
    assert _spread(latents) == pytest.approx((3 + 9 + 6) / 3)
    assert _spread(latents, np.array([[True, True, False]])) == pytest.approx(3)
    assert _spread(latents, np.array([[True, False, False]])) == 0
