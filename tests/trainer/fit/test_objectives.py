import pytest
import torch

from trainer.fit.objectives import anchored_loss, nft_loss, sft_loss

RANDOM = torch.Generator().manual_seed(0)
PRED, BASE, TARGET = (torch.randn((6, 4, 8, 8), generator=RANDOM) for _ in range(3))
REJECT, KEEP = torch.ones(6, dtype=torch.bool), torch.zeros(6, dtype=torch.bool)


def sft_errors(prediction, target):
    return torch.stack([sft_loss(one[None], other[None]) for one, other in zip(prediction, target, strict=True)])


def test_nft_weighs_each_error_by_the_bases_own():
    fitted, known = (sft_errors(prediction, TARGET) for prediction in (PRED, BASE))
    torch.testing.assert_close(nft_loss(PRED, BASE, TARGET, REJECT), (fitted / known).mean())


def test_an_adapter_without_effect_has_loss_one_under_nft_whatever_the_labels_and_the_noise():
    for labels in (REJECT, KEEP):
        torch.testing.assert_close(nft_loss(BASE, BASE, TARGET, labels), torch.tensor(1.0))


def test_on_keeps_the_best_prediction_mirrors_the_target_at_the_base():
    mirrored = 2 * BASE - TARGET
    assert nft_loss(mirrored, BASE, TARGET, KEEP).item() < 1e-10


def test_the_gradients_of_a_reject_and_a_keep_point_opposite_ways():
    pred = BASE.clone().requires_grad_()
    (towards,) = torch.autograd.grad(nft_loss(pred, BASE, TARGET, REJECT), pred)
    (away,) = torch.autograd.grad(nft_loss(pred, BASE, TARGET, KEEP), pred)
    torch.testing.assert_close(towards, -away)


def test_beta_scales_the_step_that_fits_a_reject():
    halfway = BASE + 0.5 * (TARGET - BASE)
    assert nft_loss(halfway, BASE, TARGET, REJECT, beta=2.0).item() < 1e-10


def test_losses_of_half_precision_predictions_are_float32():
    assert nft_loss(PRED.half(), BASE.half(), TARGET, REJECT).dtype is torch.float32
    assert sft_loss(PRED.half(), TARGET).dtype is torch.float32


@pytest.mark.parametrize("loss", [nft_loss, anchored_loss])
def test_a_picture_of_weight_zero_teaches_nothing(loss):
    weights = torch.tensor([0.0, 1, 1, 1, 1, 1])
    labels = torch.tensor([True, False, True, False, True, False])
    pred = PRED.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(pred, BASE, TARGET, labels, weights), pred)
    assert gradient[0].abs().max() == 0 < gradient[1].abs().max()


def test_anchored_is_sft_on_rejects_and_holds_keeps_to_the_base():
    torch.testing.assert_close(anchored_loss(PRED, BASE, TARGET, REJECT), sft_loss(PRED, TARGET))
    assert anchored_loss(BASE, BASE, TARGET, KEEP).item() == 0
    torch.testing.assert_close(anchored_loss(PRED, BASE, TARGET, KEEP, anchor=0.5), 0.5 * sft_loss(PRED, BASE))
