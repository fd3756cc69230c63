"""What learns in a fit: the LoRA's parameters, their optimiser, their running average, and all of it as a state."""

import importlib
import io
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from importlib.util import find_spec
from typing import Any

import torch
from accelerate import Accelerator
from diffusers.training_utils import EMAModel
from torch import Tensor, nn
from torch.optim import Optimizer

from store.errors import NotInstalled
from store.settings import Settings

PACKAGES = {"adamw8bit": "bitsandbytes", "prodigy": "prodigyopt", "schedule-free": "schedulefree"}
"""Optimisers that come in a package of their own."""
WEIGHT_DECAY = 1e-2


class Learner:
    """The trainable parameters and everything that changes them; `state` and `restore` carry it through a kill."""

    def __init__(self, parameters: list[nn.Parameter], settings: Settings, accelerator: Accelerator) -> None:
        self.parameters, self.settings, self.accelerator = parameters, settings, accelerator
        self.optimizer = accelerator.prepare(make_optimizer(parameters, settings))
        self.average = EMAModel(parameters, decay=settings.ema_decay) if settings.ema_decay else None
        self.is_averaging = self.average is not None or settings.optimizer == "schedule-free"
        self.optimizer.train()

    def set_rate(self, step: int) -> float:
        """The learning rate of a step, now in force."""
        rate = learning_rate(self.settings, step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        return rate

    def step(self) -> None:
        """Moves the parameters along their gradients, which are then gone."""
        self.optimizer.step()
        self.optimizer.zero_grad()
        if self.average is not None:
            self.average.step(self.parameters)

    @contextmanager
    def as_published(self) -> Iterator[None]:
        """While it lasts, the parameters are those that would be published: averaged, where there is an average."""
        if not self.is_averaging:
            yield
            return
        kept = [parameter.detach().clone() for parameter in self.parameters]
        self.settle()
        yield
        self.optimizer.train()
        with torch.no_grad():
            for parameter, value in zip(self.parameters, kept, strict=True):
                parameter.copy_(value)

    def settle(self) -> None:
        """Makes the parameters those that are published."""
        self.optimizer.eval()
        if self.average is not None:
            self.average.copy_to(self.parameters)

    def state(self) -> dict[str, Any]:
        """Everything that the next step depends on: tensors, numbers and words, nested."""
        scaler, average = self.accelerator.scaler, self.average
        return {
            "parameters": list(self.parameters),
            "optimizer": self.optimizer.state_dict(),
            "average": average.state_dict() if average is not None else None,
            "scaler": scaler.state_dict() if scaler is not None else None,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Takes up a saved state."""
        with torch.no_grad():
            for parameter, value in zip(self.parameters, state["parameters"], strict=True):
                parameter.copy_(value)
        self.optimizer.load_state_dict(state["optimizer"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
            self.average.to(device=self.parameters[0].device)
        if self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(state["scaler"])


def make_optimizer(parameters: list[nn.Parameter], settings: Settings) -> Optimizer:
    """The optimiser that the settings name. Raises NotInstalled when it comes in a package that is missing."""
    rate = settings.learning_rate_used
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(parameters, lr=rate, weight_decay=WEIGHT_DECAY)
    if settings.optimizer == "adafactor":
        # Without its own relative steps, so that the schedule is ours; as diffusers' and kohya's users set it.
        own = {"scale_parameter": False, "relative_step": False, "warmup_init": False}
        return _class("transformers.optimization", "Adafactor")(parameters, lr=rate, weight_decay=WEIGHT_DECAY, **own)
    require_optimizer(settings)
    if settings.optimizer == "adamw8bit":
        return _class("bitsandbytes.optim", "AdamW8bit")(parameters, lr=rate, weight_decay=WEIGHT_DECAY)
    if settings.optimizer == "prodigy":
        # Bias correction and the guard against a warm-up: Mishchenko and Defazio 2023, as diffusers' scripts set them.
        own = {"use_bias_correction": True, "safeguard_warmup": True}
        with redirect_stdout(io.StringIO()):  # it prints that it decouples the weight decay
            return _class("prodigyopt", "Prodigy")(parameters, lr=rate, weight_decay=WEIGHT_DECAY, **own)
    return _class("schedulefree", "AdamWScheduleFree")(parameters, lr=rate, weight_decay=WEIGHT_DECAY)


def require_optimizer(settings: Settings) -> None:
    """Raises NotInstalled when the optimiser's package is missing."""
    package = PACKAGES.get(settings.optimizer)
    if package is not None and find_spec(package) is None:
        raise NotInstalled("NAYSAYER_OPTIMIZER", settings.optimizer, package)


def learning_rate(settings: Settings, step: int) -> float:
    """Cosine decay to zero after a short warm-up; a function of the step alone. Schedule-free stays at the peak."""
    peak, steps = settings.learning_rate_used, settings.train_steps
    rate = peak * min(1.0, (step + 1) / max(1, steps // 20))
    return rate if settings.optimizer == "schedule-free" else rate * 0.5 * (1 + math.cos(math.pi * step / steps))


def gradient_norm(parameters: list[nn.Parameter], accelerator: Accelerator) -> Tensor:
    """Norm of the gradient summed over all processes, after which it is clipped to 1."""
    if accelerator.num_processes > 1:
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        total = accelerator.reduce(torch.cat([gradient.flatten() for gradient in gradients]), reduction="sum")
        for gradient, part in zip(gradients, total.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))
    return accelerator.clip_grad_norm_(parameters, 1.0)


def _class(module: str, name: str) -> Callable[..., Optimizer]:
    return getattr(importlib.import_module(module), name)
