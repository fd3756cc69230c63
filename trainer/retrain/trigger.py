"""How much a LoRA changes with its trigger word in the prompt, and how much without.

In A1111, Forge and InvokeAI both halves of guidance have the LoRA, so it must act only where the word is given.
"""

import torch
from torch import Tensor

from feedback.recipe import TRIGGERED
from trainer.fit.batches import Batch, BatchDrawer
from trainer.fit.loss import predict
from trainer.fit.training import Training


@torch.no_grad()
def trigger_change(training: Training) -> dict[str, float]:
    """Norm of what the active adapter changes in the prediction, relative to the base's.

    Means over held-out pictures. `change_with_trigger`: the prompt is only the word; `change_without_trigger`: each
    picture's own prompt; `change_without_prompt`: the null prompt. Empty for other objectives, and when nothing is held
    out.
    """
    draw = BatchDrawer(training.with_settings(objective="sft"))
    batch = draw.evaluation() if training.settings.objective in TRIGGERED else None
    if batch is None:
        return {}
    asked = {
        "change_with_trigger": draw.under(batch, draw.settings.trigger),
        "change_without_trigger": batch,
        "change_without_prompt": draw.under(batch, None),
    }
    return {name: _change(draw, rows) for name, rows in asked.items()}


def _change(draw: BatchDrawer, batch: Batch) -> float:
    unet = draw.unet
    changed_BCHW = predict(unet, batch)
    unet.disable_adapters()
    own_BCHW = predict(unet, batch)
    unet.enable_adapters()
    return float((_norms(changed_BCHW - own_BCHW) / _norms(own_BCHW)).mean())


def _norms(x_BCHW: Tensor) -> Tensor:
    return x_BCHW.float().flatten(1).norm(dim=1)
