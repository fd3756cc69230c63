"""Training objectives: what a negative LoRA learns from rejects and keeps, one function each.

Shape suffixes: B batch, C latent channels (4), H W latent height and width (pixels / VAE factor).
`pred` is the adapted UNet's prediction, `base` the base's own, `target` what they should predict: the noise, or the
velocity. Every function gives one float32 error per row (B,).
"""

from torch import Tensor

NEEDS_BASE = ("nft", "anchored", "trigger")
"""Objectives that compare with the base's prediction, which costs a forward pass without gradients."""
NEEDS_KEEPS = ("nft", "anchored")
"""Objectives that also learn from keeps; without keeps they become `sft`."""
LEAST_BASE_ERROR = 1e-4
"""Lower bound of the base's error where another error is divided by it."""


def sft_errors(pred_BCHW: Tensor, target_BCHW: Tensor) -> Tensor:
    """The adapter fits the rejects by the base's own denoising objective. `wrong` is this under the trigger word.

    Source: epsilon objective, Ho et al. 2020, eq. 14; used only on losers in cPGD 2026; `wrong`: Woolf 2023.
    """
    return (pred_BCHW.float() - target_BCHW.float()).pow(2).mean(dim=(1, 2, 3))


def anchored_errors(
    pred_BCHW: Tensor, base_BCHW: Tensor, target_BCHW: Tensor, is_reject_B: Tensor, anchor: float = 1.0
) -> Tensor:
    """`sft` on the rejects; on the keeps the adapter stays at the base's prediction, with the weight `anchor`.

    `trigger` is this with the trigger word on the rejects and without it on everything else, so that the adapter has
    almost no effect without the word.
    Source: prior prediction in OneTrainer; Ruiz et al. 2023 (DreamBooth), eq. 2, with the base's own prediction.
    """
    fit_B = sft_errors(pred_BCHW, target_BCHW)
    stay_B = sft_errors(pred_BCHW, base_BCHW) * anchor
    return is_reject_B.float() * fit_B + (~is_reject_B).float() * stay_B


def nft_errors(
    pred_BCHW: Tensor, base_BCHW: Tensor, target_BCHW: Tensor, is_reject_B: Tensor, beta: float = 1.0
) -> Tensor:
    """On rejects base + beta (pred - base) fits the target, on keeps base - beta (pred - base) does.

    So the adapter moves towards the rejects and away from the keeps; where both agree it stays at the base. Each error
    is relative to the base's own under the same noise, so that every noise level has the same weight. Otherwise nearly
    clean pictures, whose noise nobody can predict well, would dominate.
    Source: DiffusionNFT, Zheng et al. 2025, eq. 5, with good and bad exchanged; their weights divide by the model's own
    error where this divides by the base's.
    """
    base_BCHW = base_BCHW.float()
    sign_B = is_reject_B.float() * 2 - 1
    implicit_BCHW = base_BCHW + sign_B[:, None, None, None] * beta * (pred_BCHW.float() - base_BCHW)
    base_error_B = sft_errors(base_BCHW, target_BCHW).clamp(min=LEAST_BASE_ERROR)
    return sft_errors(implicit_BCHW, target_BCHW) / base_error_B
