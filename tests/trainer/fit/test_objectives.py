import torch

from trainer.fit.objectives import anchored_errors, nft_errors, sft_errors

RANDOM = torch.Generator().manual_seed(0)
PRED, BASE, TARGET = (torch.randn((6, 4, 8, 8), generator=RANDOM) for _ in range(3))
REJECT, KEEP = torch.ones(6, dtype=torch.bool), torch.zeros(6, dtype=torch.bool)


def test_every_objective_gives_one_error_per_row():
    errors = (
        sft_errors(PRED, TARGET),
        anchored_errors(PRED, BASE, TARGET, REJECT),
        nft_errors(PRED, BASE, TARGET, REJECT),
    )
    assert {one.shape for one in errors} == {(6,)}


def test_nft_divides_each_error_by_the_bases_own():
    expected = sft_errors(PRED, TARGET) / sft_errors(BASE, TARGET)
    torch.testing.assert_close(nft_errors(PRED, BASE, TARGET, REJECT), expected)


def test_an_adapter_without_effect_has_error_one_under_nft_whatever_the_labels_and_the_noise():
    for labels in (REJECT, KEEP):
        torch.testing.assert_close(nft_errors(BASE, BASE, TARGET, labels), torch.ones(6))


def test_on_keeps_the_best_prediction_mirrors_the_target_at_the_base():
    mirrored = 2 * BASE - TARGET
    assert nft_errors(mirrored, BASE, TARGET, KEEP).max() < 1e-10


def test_the_gradients_of_a_reject_and_a_keep_point_opposite_ways():
    pred = BASE.clone().requires_grad_()
    (towards,) = torch.autograd.grad(nft_errors(pred, BASE, TARGET, REJECT).mean(), pred)
    (away,) = torch.autograd.grad(nft_errors(pred, BASE, TARGET, KEEP).mean(), pred)
    torch.testing.assert_close(towards, -away)


def test_beta_scales_the_step_that_fits_a_reject():
    halfway = BASE + 0.5 * (TARGET - BASE)
    assert nft_errors(halfway, BASE, TARGET, REJECT, beta=2.0).max() < 1e-10


def test_errors_of_half_precision_predictions_are_float32():
    assert nft_errors(PRED.half(), BASE.half(), TARGET, REJECT).dtype is torch.float32
    assert sft_errors(PRED.half(), TARGET).dtype is torch.float32


def test_anchored_is_sft_on_rejects_and_holds_keeps_to_the_base():
    torch.testing.assert_close(anchored_errors(PRED, BASE, TARGET, REJECT), sft_errors(PRED, TARGET))
    assert anchored_errors(BASE, BASE, TARGET, KEEP).max() == 0
    torch.testing.assert_close(anchored_errors(PRED, BASE, TARGET, KEEP, anchor=0.5), 0.5 * sft_errors(PRED, BASE))
