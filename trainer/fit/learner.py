"""The trained parameters of a fit, their optimiser and its learning rate."""

import math
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from store.settings import Settings

WEIGHT_DECAY = 1e-2


class Learner:
    """The trained parameters and their AdamW; `state` and `restore` carry both through a kill."""

    def __init__(self, parameters: list[nn.Parameter], settings: Settings, accelerator: Accelerator) -> None:
        self.parameters, self.settings, self.accelerator = parameters, settings, accelerator
        adamw = torch.optim.AdamW(parameters, lr=settings.learning_rate, weight_decay=WEIGHT_DECAY)
        self.optimizer = accelerator.prepare(adamw)

    def set_rate(self, step: int) -> float:
        """Sets the learning rate of a step, and returns it."""
        rate = learning_rate(self.settings, step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        return rate

    def step(self) -> None:
        """Moves the parameters along their gradients, then clears the gradients."""
        self.optimizer.step()
        self.optimizer.zero_grad()

    def state(self) -> dict[str, Any]:
        """Everything that the next step depends on: tensors, numbers and words, nested."""
        scaler = self.accelerator.scaler
        return {
            "parameters": list(self.parameters),
            "optimizer": self.optimizer.state_dict(),
            "scaler": scaler.state_dict() if scaler is not None else None,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continues from a saved state."""
        with torch.no_grad():
            for parameter, value in zip(self.parameters, state["parameters"], strict=True):
                parameter.copy_(value)
        self.optimizer.load_state_dict(state["optimizer"])
        if self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(state["scaler"])


def learning_rate(settings: Settings, step: int) -> float:
    """The learning rate of a step: a short linear warm-up, then cosine decay to zero."""
    warm_up = min(1.0, (step + 1) / max(1, settings.train_steps // 20))
    return settings.learning_rate * warm_up * 0.5 * (1 + math.cos(math.pi * step / settings.train_steps))


def gradient_norm(parameters: list[nn.Parameter], accelerator: Accelerator) -> Tensor:
    """Norm of the gradient summed over all processes; clips the gradient to norm 1."""
    if accelerator.num_processes > 1:
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        total = accelerator.reduce(torch.cat([gradient.flatten() for gradient in gradients]), reduction="sum")
        for gradient, part in zip(gradients, total.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))
    return accelerator.clip_grad_norm_(parameters, 1.0)
