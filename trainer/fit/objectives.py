"""Training objectives: what a negative LoRA learns from rejects and keeps, one function each.

Shape suffixes: B batch, C latent channels (4), H W latent height and width (pixels / VAE factor).
`pred` is the adapted UNet's prediction, `base` the base's own, `target` what is to be predicted (the noise, or the
velocity). Every loss is a scalar float32; `weights_B` are sample weights (mean 1: the loss keeps its scale).
"""

from torch import Tensor

NEEDS_BASE = ("nft", "anchored", "trigger")
"""Objectives that compare with the base's prediction, which costs a forward pass without gradients."""
NEEDS_KEEPS = ("nft", "anchored")
"""Objectives that also learn from keeps; without any they come to `sft`."""
TINY = 1e-4
"""The least squared error of the base that an error is divided by."""


def sft_loss(pred_BCHW: Tensor, target_BCHW: Tensor, weights_B: Tensor | float = 1.0) -> Tensor:
    """The adapter fits the rejects by the base's own denoising objective. `wrong` is this under the trigger word.

    Source: epsilon objective, Ho et al. 2020, eq. 14; used on losers alone in cPGD 2026; `wrong`: Woolf 2023.
    """
    return (_squared_error(pred_BCHW, target_BCHW) * weights_B).mean()


def anchored_loss(
    pred_BCHW: Tensor,
    base_BCHW: Tensor,
    target_BCHW: Tensor,
    is_reject_B: Tensor,
    weights_B: Tensor | float = 1.0,
    anchor: float = 1.0,
) -> Tensor:
    """`sft` on the rejects; on the keeps the adapter stays with the base's prediction, `anchor` times as strongly.

    `trigger` is this with the rejects under the trigger word and everything else without it: near-inert where the
    word is not given.
    Source: prior prediction in OneTrainer; Ruiz et al. 2023 (DreamBooth), eq. 2, with the base's own prediction.
    """
    fit_B = _squared_error(pred_BCHW, target_BCHW)
    stay_B = _squared_error(pred_BCHW, base_BCHW) * anchor
    return (is_reject_B.float() * fit_B * weights_B + (~is_reject_B).float() * stay_B * weights_B).mean()


def nft_loss(
    pred_BCHW: Tensor,
    base_BCHW: Tensor,
    target_BCHW: Tensor,
    is_reject_B: Tensor,
    weights_B: Tensor | float = 1.0,
    beta: float = 1.0,
) -> Tensor:
    """On rejects base + beta (pred - base) fits the target, on keeps base - beta (pred - base) does.

    So the adapter moves towards the rejects and away from the keeps, and where both agree it stays with the base.
    Each error is relative to the base's own under the same noise, so that every noise level counts alike: without it
    the nearly clean pictures, whose noise nobody can predict well, would drown the others.
    Source: DiffusionNFT, Zheng et al. 2025, eq. 5, with the roles of the good and the bad exchanged; their weights
    divide by the model's own error where this divides by the base's.
    """
    base_BCHW = base_BCHW.float()
    implicit_BCHW = base_BCHW + _signs(is_reject_B)[:, None, None, None] * beta * (pred_BCHW.float() - base_BCHW)
    known_B = _squared_error(base_BCHW, target_BCHW).clamp(min=TINY)
    return (_squared_error(implicit_BCHW, target_BCHW) / known_B * weights_B).mean()


def _signs(is_reject_B: Tensor) -> Tensor:
    return is_reject_B.float() * 2 - 1


def _squared_error(pred_BCHW: Tensor, target_BCHW: Tensor) -> Tensor:
    return (pred_BCHW.float() - target_BCHW.float()).pow(2).mean(dim=(1, 2, 3))
