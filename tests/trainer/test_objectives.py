import torch

from trainer.objectives import nft_loss, sft_loss

RANDOM = torch.Generator().manual_seed(0)
PRED, BASE, TARGET = (torch.randn((6, 4, 8, 8), generator=RANDOM) for _ in range(3))
REJECT, KEEP = torch.ones(6, dtype=torch.bool), torch.zeros(6, dtype=torch.bool)


def test_on_rejects_alone_nft_with_beta_one_is_sft():
    torch.testing.assert_close(nft_loss(PRED, BASE, TARGET, REJECT), sft_loss(PRED, TARGET))


def test_an_adapter_without_effect_has_the_bases_own_loss_whatever_the_labels():
    for labels in (REJECT, KEEP):
        torch.testing.assert_close(nft_loss(BASE, BASE, TARGET, labels), sft_loss(BASE, TARGET))


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
