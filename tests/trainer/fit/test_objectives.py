import torch

from trainer.fit.objectives import LEAST_BASE_ERROR, anchored_errors, nft_errors, sft_errors

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


def test_the_rows_of_a_mixed_batch_each_follow_their_own_label():
    labels = torch.tensor([True, False, True, False, False, True])
    for errors in (nft_errors, anchored_errors):
        mixed = errors(PRED, BASE, TARGET, labels)
        torch.testing.assert_close(mixed[labels], errors(PRED, BASE, TARGET, REJECT)[labels])
        torch.testing.assert_close(mixed[~labels], errors(PRED, BASE, TARGET, KEEP)[~labels])


def test_a_base_that_is_right_already_does_not_make_the_error_under_nft_infinite():
    errors = nft_errors(TARGET + 0.1, TARGET, TARGET, REJECT)
    torch.testing.assert_close(errors, torch.full((6,), 0.1**2 / LEAST_BASE_ERROR), rtol=1e-3, atol=0)


def test_a_base_that_is_hardly_right_is_not_floored():
    off = (2 * LEAST_BASE_ERROR) ** 0.5
    torch.testing.assert_close(
        nft_errors(TARGET + 2 * off, TARGET + off, TARGET, REJECT), torch.full((6,), 4.0), rtol=1e-3, atol=0
    )


def test_keeps_weigh_as_much_as_rejects_under_anchored_unless_told_otherwise():
    far = BASE + 3
    torch.testing.assert_close(anchored_errors(far, BASE, BASE, KEEP), anchored_errors(far, BASE, BASE, REJECT))


def test_nft_divides_by_no_less_than_the_floor():
    expected = sft_errors(PRED, BASE) / LEAST_BASE_ERROR
    torch.testing.assert_close(nft_errors(PRED, BASE, BASE, REJECT), expected)
    nearly = BASE + (LEAST_BASE_ERROR * 4) ** 0.5
    torch.testing.assert_close(nft_errors(nearly, BASE, nearly, KEEP, beta=0.0), torch.ones(6), rtol=1e-3, atol=0)


def test_the_anchor_weighs_only_the_keeps():
    mixed = torch.tensor([True, False] * 3)
    errors = anchored_errors(PRED, BASE, TARGET, mixed, anchor=0.25)
    torch.testing.assert_close(errors[mixed], sft_errors(PRED, TARGET)[mixed])
    torch.testing.assert_close(errors[~mixed], 0.25 * sft_errors(PRED, BASE)[~mixed])
