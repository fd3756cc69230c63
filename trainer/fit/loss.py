"""The loss of a batch under the chosen objective.

Shape suffixes: B batch, C latent channels (4), H W latent height and width.
"""

import torch
from accelerate import Accelerator
from diffusers import UNet2DConditionModel
from torch import Tensor

from trainer.fit.batches import Batch, BatchDrawer
from trainer.fit.objectives import NEEDS_BASE, anchored_errors, nft_errors, sft_errors
from trainer.fit.training import choose_anchor


def loss_of(unet: UNet2DConditionModel, batch: Batch, draw: BatchDrawer) -> Tensor:
    """Scalar float32 loss of a batch: the weighted mean of its errors."""
    return (errors_of(unet, batch, draw) * batch.weights_B).mean()


def errors_of(unet: UNet2DConditionModel, batch: Batch, draw: BatchDrawer) -> Tensor:
    """The objective's error of each row (B,)."""
    if draw.objective not in NEEDS_BASE:
        return sft_errors(predict(unet, batch), batch.target_BCHW)
    unet.disable_adapters()
    with torch.no_grad():
        base_BCHW = predict(unet, batch)
    unet.enable_adapters()
    predictions = (predict(unet, batch), base_BCHW, batch.target_BCHW, batch.is_reject_B)
    if draw.objective == "nft":
        return nft_errors(*predictions, draw.settings.beta)
    return anchored_errors(*predictions, choose_anchor(draw.settings))


def predict(unet: UNet2DConditionModel, batch: Batch) -> Tensor:
    """The UNet's prediction (B, C, H, W)."""
    return unet(
        batch.noisy_BCHW,
        batch.timesteps_B,
        encoder_hidden_states=batch.text_BLD,
        added_cond_kwargs={"text_embeds": batch.pooled_BP, "time_ids": batch.time_ids_B6},
        return_dict=False,
    )[0]


@torch.no_grad()
def held_out_loss(
    unet: UNet2DConditionModel, draw: BatchDrawer, accelerator: Accelerator, rows: int
) -> dict[str, float]:
    """The loss on held-out items, `rows` of them per pass; empty when none are held out."""
    batch = draw.evaluation()
    if batch is None:
        return {}
    total, count = 0.0, len(batch.timesteps_B)
    for part in batch.parts(rows):
        with accelerator.autocast():
            loss = loss_of(unet, part, draw)
        total += loss.item() * len(part.timesteps_B) / count
    return {"held_out": total}
