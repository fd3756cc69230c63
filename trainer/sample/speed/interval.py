"""Guidance, and with it the LoRA, only at some noise levels; at the others the UNet has one row a picture.

Source: Kynkäänniemi et al. 2024, "Applying Guidance in a Limited Interval", eq. 5.

Shape suffixes: R rows of one UNet call, B pictures; R = 2B, the null (or negative) prompt first, then the prompt.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from store.settings import Settings
from trainer.sample.adapter_rows import swap_forwards

Call = Callable[..., tuple[Tensor]]


class Interval(NamedTuple):
    """Noise levels from `low` to `high`; `sigmas` has the level of each timestep that the model was trained at."""

    low: float
    high: float
    sigmas: list[float]

    def has(self, timestep: Tensor | float) -> bool:
        """Whether the timestep's noise level is one of them; between two timesteps it is interpolated."""
        at = float(timestep)
        below, above = self.sigmas[math.floor(at)], self.sigmas[math.ceil(at)]
        return self.low <= below + (at - math.floor(at)) * (above - below) <= self.high

    @contextmanager
    def applied(
        self,
        unet: nn.Module,
        guided: Call | None = None,
        held: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> Iterator[None]:
        """While it lasts, calls of the stock pipeline at these levels go to `guided` inside `held()`, the others to the
        UNet with the prompt's rows only.

        The pipeline then gets its rows twice, and null + w (cond - null) is the prompt's own prediction.
        """
        forward = unet.forward

        def call(sample_RCHW: Tensor, timestep: Tensor, **given: Any) -> tuple[Tensor]:
            if self.has(timestep):
                with held():
                    return (guided or forward)(sample_RCHW, timestep, **given)
            found_BCHW = forward(_prompts(sample_RCHW), timestep, **_prompts_of(given))[0]
            return (torch.cat([found_BCHW, found_BCHW]),)

        with swap_forwards([(unet, call)]):
            yield


def interval_of(settings: Settings, scheduler: Any) -> Interval | None:
    """The interval that the settings name; None where all noise levels have guidance."""
    if settings.guidance_interval is None:
        return None
    alphas = scheduler.alphas_cumprod.double().tolist()
    sigmas = [math.sqrt((1 - alpha) / alpha) if alpha else math.inf for alpha in alphas]
    high = math.inf if settings.guidance_sigma_max is None else settings.guidance_sigma_max
    return Interval(settings.guidance_sigma_min or 0.0, high, sigmas)


def _prompts(rows: Tensor) -> Tensor:
    return rows.chunk(2)[1]


def _prompts_of(given: dict[str, Any]) -> dict[str, Any]:
    added = {name: _prompts(rows) for name, rows in given["added_cond_kwargs"].items()}
    return given | {"encoder_hidden_states": _prompts(given["encoder_hidden_states"]), "added_cond_kwargs": added}
