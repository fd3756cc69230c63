"""A glimpse of a picture that is still being drawn, small and soon rather than exact.

Shape suffixes: B pictures, C latent channels (4), H W latent height and width.
"""

import base64
import io
import time
from collections.abc import Callable
from typing import NamedTuple

from diffusers import DPMSolverMultistepScheduler, EulerDiscreteScheduler
from diffusers.schedulers.scheduling_utils import SchedulerMixin
from PIL.Image import Image
from torch import Tensor
from torch.nn.functional import interpolate

SIDE = 32
"""Latents are shrunk to this many px before they are decoded: 256 px on SDXL, a sixteenth of a picture's work."""
QUALITY = 80


class DrawStep(NamedTuple):
    """Steps done of how many, what gives the latents (B, C, H, W) that the drawing is heading for, and which try."""

    step: int
    steps: int
    glimpse: Callable[[], Tensor]
    number: int = 1


def now_and_then(report: Callable[[DrawStep], None], every_s: float) -> Callable[[DrawStep], None]:
    """What reports the first step at once and later ones at least `every_s` seconds apart."""
    last = -every_s

    def on_step(step: DrawStep) -> None:
        nonlocal last
        if time.monotonic() - last >= every_s:
            report(step)
            last = time.monotonic()

    return on_step


def predict_clean_latents(scheduler: SchedulerMixin, before_BCHW: Tensor | None, after_BCHW: Tensor) -> Tensor:
    """The clean latents that the last step points at; under another scheduler than Euler's and DPM-Solver++, or after
    Euler's first step, the noisy ones as they are.

    Source: x - sigma dx/dsigma, the denoised picture in Karras et al. 2022, eq. 3 and 4; DPM-Solver++ keeps its own.
    """
    if isinstance(scheduler, DPMSolverMultistepScheduler) and scheduler.config.algorithm_type == "dpmsolver++":
        return scheduler.model_outputs[-1]
    if before_BCHW is None or not isinstance(scheduler, EulerDiscreteScheduler) or not scheduler.step_index:
        return after_BCHW
    earlier, sigma = scheduler.sigmas[scheduler.step_index - 1 : scheduler.step_index + 1].tolist()
    return after_BCHW - sigma * (after_BCHW - before_BCHW) / (sigma - earlier)


def shrink(latents_BCHW: Tensor) -> Tensor:
    """The latents with at most SIDE px a side."""
    share = SIDE / max(latents_BCHW.shape[-2:])
    return interpolate(latents_BCHW, scale_factor=share, mode="area") if share < 1 else latents_BCHW


def data_uri(picture: Image) -> str:
    """A picture as an address that holds it: WebP, a few kilobytes."""
    file = io.BytesIO()
    picture.save(file, "WEBP", quality=QUALITY)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"
