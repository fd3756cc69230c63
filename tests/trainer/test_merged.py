from contextlib import ExitStack

import pytest
import torch
from torch import Tensor

from tests.trainer.test_guidance import adapted, unet_inputs  # noqa: F401 - a fixture
from trainer.guidance import _adapt_rows
from trainer.lora import TRAINED
from trainer.merged import merged_rows
from trainer.model import Base

SCALE = 0.7


@torch.no_grad()
def predicted(base: Base, rows: int) -> Tensor:
    args, kwargs = unet_inputs(base, rows)
    return base.pipe.unet(*args, **kwargs, return_dict=False)[0]


@pytest.mark.parametrize(("part", "parts"), [(0, 2), (2, 3), (0, 1)])
def test_merged_weights_predict_what_the_low_rank_form_predicts(adapted, part, parts):  # noqa: F811
    rows = 2 * parts
    plain = predicted(adapted, rows)
    with ExitStack() as hooks:
        _adapt_rows(hooks, adapted.pipe.unet, TRAINED, part=part, parts=parts, scale=SCALE)
        wanted = predicted(adapted, rows)
    with merged_rows(adapted.pipe.unet, TRAINED, part=part, parts=parts, scale=SCALE):
        found = predicted(adapted, rows)
    assert (wanted - plain).abs().max() > 0.01  # or the test would compare nothing
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-4)


def test_nothing_stays_behind_when_merged_rows_end_or_fail(adapted):  # noqa: F811
    before = predicted(adapted, 4)
    with pytest.raises(KeyError), merged_rows(adapted.pipe.unet, TRAINED, part=0, parts=2, scale=SCALE):
        raise KeyError
    assert torch.equal(predicted(adapted, 4), before)
