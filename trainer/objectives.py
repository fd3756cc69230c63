"""Training objectives: what a negative LoRA learns from rejects and keeps.

Shape suffixes: B batch, C latent channels (4), H W latent height and width (pixels / VAE factor).
"""

from torch import Tensor


def sft_loss(pred_BCHW: Tensor, target_BCHW: Tensor) -> Tensor:
    """Scalar float32: the adapter fits the rejects by the base's own denoising objective.

    Source: epsilon objective, Ho et al. 2020, eq. 14; used on losers alone in cPGD 2026.
    """
    return _squared_error(pred_BCHW, target_BCHW).mean()


def nft_loss(
    pred_BCHW: Tensor, base_BCHW: Tensor, target_BCHW: Tensor, is_reject_B: Tensor, beta: float = 1.0
) -> Tensor:
    """Scalar float32: on rejects base + beta (pred - base) fits the target, on keeps base - beta (pred - base) does.

    So the adapter moves towards the rejects and away from the keeps, and where both agree it stays with the base.
    Source: DiffusionNFT, Zheng et al. 2025, eq. 5, with the roles of the good and the bad exchanged.
    """
    sign_B111 = (is_reject_B.float() * 2 - 1)[:, None, None, None]
    base_BCHW = base_BCHW.float()
    implicit_BCHW = base_BCHW + sign_B111 * beta * (pred_BCHW.float() - base_BCHW)
    return _squared_error(implicit_BCHW, target_BCHW).mean()


def _squared_error(pred_BCHW: Tensor, target_BCHW: Tensor) -> Tensor:
    return (pred_BCHW.float() - target_BCHW.float()).pow(2).mean(dim=(1, 2, 3))
