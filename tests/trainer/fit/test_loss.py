import pytest
import torch
from accelerate import Accelerator

from tests.trainer.conftest import with_effect
from tests.trainer.fitting import drawer
from trainer.fit.loss import errors_of, held_out_loss, loss_of, predict
from trainer.fit.objectives import nft_errors


def test_the_loss_is_the_weighted_mean_of_the_errors_of_the_rows(rated, taught):
    draw = drawer(rated, taught)
    batch = draw.train(0)._replace(weights_B=torch.tensor([2.0, 0.0, 1.0, 1.0]))
    with torch.no_grad():
        errors_B, loss = errors_of(taught.pipe.unet, batch, draw), loss_of(taught.pipe.unet, batch, draw)
    torch.testing.assert_close(loss, (2 * errors_B[0] + errors_B[2] + errors_B[3]) / 4)


def test_after_a_loss_the_adapter_is_active_again(rated, taught):
    draw = drawer(rated, taught)
    batch = draw.train(0)
    with torch.no_grad():
        before = predict(taught.pipe.unet, batch)
        loss_of(taught.pipe.unet, batch, draw)
        assert torch.equal(predict(taught.pipe.unet, batch), before)


@pytest.mark.parametrize("objective", ["nft", "sft", "anchored"])
def test_the_held_out_loss_does_not_depend_on_the_rows_per_pass(objective, rated, own_base):
    base = with_effect(own_base)
    draw = drawer(rated.model_copy(update={"objective": objective}), base)
    whole, parts = (held_out_loss(base.pipe.unet, draw, Accelerator(cpu=True), rows) for rows in (64, 1))
    assert parts["held_out"] == pytest.approx(whole["held_out"], rel=1e-5)


def test_without_held_out_items_there_is_no_held_out_loss(rated, base):
    draw = drawer(rated, base)
    draw.held_out = []
    assert held_out_loss(base.pipe.unet, draw, Accelerator(cpu=True), 4) == {}


@pytest.mark.parametrize(("objective", "changes"), [("anchored", {"anchor": 0.25}), ("nft", {"beta": 2.0})])
def test_each_objective_takes_its_own_setting(objective, changes, rated, own_base):
    base = with_effect(own_base)
    plain = drawer(rated.model_copy(update={"objective": objective}), base)
    other = drawer(rated.model_copy(update={"objective": objective, **changes}), base)
    batch = plain.train(0)
    with torch.no_grad():
        before, after = (errors_of(base.pipe.unet, batch, draw) for draw in (plain, other))
        pred, unet = predict(base.pipe.unet, batch), base.pipe.unet
        unet.disable_adapters()
        own = predict(unet, batch)
        unet.enable_adapters()
    keeps = ~batch.is_reject_B
    if objective == "anchored":
        torch.testing.assert_close(after[keeps], 0.25 * before[keeps])
        torch.testing.assert_close(after[~keeps], before[~keeps])
    else:
        torch.testing.assert_close(after, nft_errors(pred, own, batch.target_BCHW, batch.is_reject_B, 2.0))
