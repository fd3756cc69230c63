"""What the guards of the strength sweep measure on pictures.

Shape suffixes: B pictures, C latent channels (4), H W latent height and width.
"""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from feedback.recipe import Recipe
from feedback.retrain.manifest import FrozenManifest
from feedback.retrain.progress import Tell, quiet
from feedback.sample.work import Job
from store.tables import Split
from trainer.base.memory import halve_until_fits
from trainer.base.vae import decode_latents
from trainer.fit.training import Training
from trainer.lora.tensors import TRAINED
from trainer.retrain.pictures.plain import draw_plain
from trainer.sample.sampler import sample_latents, steer_drawing

SEEDS_EACH = 2
FRESH_SEED = 2**30
"""The sweep's own seeds start here; pictures of the loop hardly ever have such a seed."""
KIND = "sweep"


class Looks(NamedTuple):
    """The spread of a prompt's latents over its seeds, contrast, saturation."""

    diversity: float
    contrast: float
    saturation: float


def held_out_jobs(manifest: FrozenManifest, count: int) -> list[Job]:
    """Prompts and seeds to draw, SEEDS_EACH in a row for each prompt.

    First held-out items, then the manifest's other prompts; the other seeds belong to no picture.
    """
    held_out = {item.prompt: item.seed for item in manifest.items if item.split is Split.held_out}
    others = {item.prompt: FRESH_SEED - 1 for item in manifest.items if item.prompt not in held_out}
    prompts = list((held_out | others).items())[: max(1, count // SEEDS_EACH)]
    return [
        Job(prompt, seed if s == 0 else FRESH_SEED + SEEDS_EACH * k + s)
        for k, (prompt, seed) in enumerate(prompts)
        for s in range(SEEDS_EACH)
    ]


def looks_of(training: Training, jobs: Sequence[Job], strength: float, tell: Tell = quiet) -> Looks:
    """The looks of the pictures that these jobs give at a strength. Tells of each step of each."""
    return _looks(_draw(training, strength, tell, jobs))


def plain_looks(training: Training, jobs: Sequence[Job], tell: Tell = quiet) -> Looks:
    """The looks of the plain base's pictures, which are drawn once and kept. Tells of those it draws."""
    return _looks(draw_plain(training, KIND, jobs, partial(_draw, training, 0.0, tell)))


def _draw(training: Training, strength: float, tell: Tell, jobs: Sequence[Job]) -> list[dict[str, Tensor]]:
    """For each job its final latent (C, H, W), and the contrast and saturation of its picture."""
    base, settings = training.base, training.settings
    drawing = steer_drawing(base.plain, Recipe.asked(settings, strength))

    def in_parts(rows: int) -> list[dict[str, Tensor]]:
        parts = [jobs[start : start + rows] for start in range(0, len(jobs), rows)]
        latents = [sample_latents(base, part, drawing, TRAINED, partial(_tell_each, tell, part)) for part in parts]
        pictures = [picture for part in latents for picture in decode_latents(base, part, may_be_black=True)]
        return [
            {"latent_CHW": latent, "pixels": torch.tensor(_pixel_looks(picture))}
            for latent, picture in zip(torch.cat(latents), pictures, strict=True)
        ]

    return halve_until_fits(in_parts, settings.sample_batch)[0]


def _looks(drawn: Sequence[dict[str, Tensor]]) -> Looks:
    latents_BCHW = torch.stack([one["latent_CHW"].float().cpu() for one in drawn])
    pixels = torch.stack([one["pixels"] for one in drawn]).mean(dim=0)
    by_prompt = latents_BCHW.unflatten(0, (-1, SEEDS_EACH))
    return Looks(float(by_prompt.std(dim=1).mean()), *pixels.tolist())


def _tell_each(tell: Tell, part: Sequence[Job], _step: object) -> None:
    tell(len(part))


def _pixel_looks(picture: Image.Image) -> tuple[float, float]:
    """Contrast (standard deviation of luminance) and saturation (HSV), 0 to 1."""
    contrast = np.asarray(picture.convert("L"), dtype=np.float32).std() / 255
    saturation = np.asarray(picture.convert("HSV"), dtype=np.float32)[..., 1].mean() / 255
    return float(contrast), float(saturation)
