"""The strength sweep: after each fit the sampler draws held-out prompts and seeds at several strengths.

Stronger steering avoids more rejects until it spoils pictures. The guards below measure where that begins
(over-optimisation: Gao et al. 2023). Where raters have judged earlier versions' evaluation pictures, strengths that
they rejected significantly more often than the best one are left out too.

Shape suffixes: B pictures, C latent channels (4), H W latent height and width.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from feedback.recipe import Recipe
from feedback.retrain.manifest import FrozenManifest
from feedback.sample.work import Job
from feedback.statistics import Interval, wilson
from store.settings import Settings
from store.tables import Split
from trainer.base.memory import halve_until_fits
from trainer.base.model import Base
from trainer.base.vae import decode_latents
from trainer.fit.batches import Batch, BatchDrawer
from trainer.fit.loss import predict
from trainer.fit.training import Training
from trainer.lora.tensors import TRAINED
from trainer.sample.sampler import sample_latents, steer_drawing

STRENGTHS = {
    "same-prompt": (1.0, 2.0, 4.0, 6.0),
    "negative-half": (0.5, 1.0, 2.0, 3.0, 4.0),
    "woolf": (0.25, 0.5, 0.75, 1.0),
}
DIVERSITY = Interval(0.5, float("inf"))
"""Up to half of the spread of a prompt's pictures are mistakes, mostly wrong colours, which should go; pictures that
all look the same would have none."""
CONTRAST = Interval(0.8, 1.25)
SATURATION = Interval(0.8, 1.25)
MOST_PUSH = 0.6
"""The push away from the rejects, relative to the pull towards the prompt."""
DECIDED_FROM = 400
"""A picture's content is decided at this timestep and above; below it, the pull towards the prompt is small."""
TINY = 1e-6
SEEDS_EACH = 2
FRESH_SEED = 2**30
"""The sweep's own seeds start here; pictures of the loop hardly ever have such a seed."""
MIN_JUDGED = 40
"""Judged evaluation pictures that a strength needs before its rate counts."""

Curve = list[dict[str, float]]


class Looks(NamedTuple):
    """What the guards measure: the spread of a prompt's latents over its seeds, contrast, saturation."""

    diversity: float
    contrast: float
    saturation: float


class Choice(NamedTuple):
    """The strength a version ships, and the measures of every strength that was tried."""

    strength: float
    curve: Curve


def choose_strength(training: Training, judged: dict[float, tuple[int, int]]) -> Choice:
    """The strongest strength that every guard allows, with the curve. The trained adapter must be active.

    `judged` gives (rejects, judged) on evaluation pictures, for strengths of earlier versions with the same rule. A
    strength set by hand is kept; only that one is measured.
    """
    base, settings = training.base, training.settings
    wanted = STRENGTHS[settings.rule] if settings.strength is None else (settings.strength,)
    share = guidance_share(training)
    base.pipe.unet.disable_adapters()
    jobs = held_out_jobs(training.manifest, settings.sweep_pictures)
    plain = looks_of(base, jobs, settings, 0.0)
    curve: Curve = []
    for strength in wanted:
        looks = looks_of(base, jobs, settings, strength)
        ratios = {name: (a + TINY) / (b + TINY) for name, a, b in zip(Looks._fields, looks, plain, strict=True)}
        w = steer_drawing(base.plain, Recipe.asked(settings, strength)).guidance_scale
        push = push_of(settings.rule, strength, share, w)
        point = {"strength": strength, "pictures": len(jobs), "guidance_scale": w, "push": push} | ratios
        curve.append(point | _votes_on(judged, strength) | {"passes": float(passes(point, judged))})
        if settings.strength is None and not curve[-1]["passes"]:
            break  # the guards only worsen from here on
    base.pipe.unet.enable_adapters()
    allowed = [point["strength"] for point in curve if point["passes"]]
    return Choice(max(allowed, default=min(wanted)), curve)


def push_of(rule: str, strength: float, share: float, guidance_scale: float) -> float:
    """The push away from the rejects, relative to the pull towards the prompt; `share` is that of `guidance_share`.

    In null + w (cond - null) the null row, which the adapter changes, has the weight w - 1.

    >>> push_of("same-prompt", 2.0, 0.5, 4.0), push_of("negative-half", 2.0, 0.5, 4.0)
    (0.25, 0.75)
    """
    return strength * share * (1 if rule == "same-prompt" else guidance_scale - 1) / guidance_scale


def passes(point: dict[str, float], judged: dict[float, tuple[int, int]]) -> bool:
    """Whether every guard allows a strength.

    >>> passes({"strength": 2, "diversity": 1.0, "contrast": 1.1, "saturation": 1.0, "push": 0.3}, {})
    True
    >>> passes({"strength": 8, "diversity": 0.4, "contrast": 1.1, "saturation": 1.0, "push": 0.3}, {})
    False
    """
    within = (("diversity", DIVERSITY), ("contrast", CONTRAST), ("saturation", SATURATION))
    is_sound = all(low <= point[name] <= high for name, (low, high) in within) and point["push"] <= MOST_PUSH
    return is_sound and not is_rejected_more(point["strength"], judged)


def is_rejected_more(strength: float, judged: dict[float, tuple[int, int]]) -> bool:
    """Raters rejected this strength's pictures significantly more often than those of the best strength.

    >>> is_rejected_more(6.0, {2.0: (10, 100), 6.0: (40, 100)}), is_rejected_more(6.0, {2.0: (10, 100), 6.0: (12, 100)})
    (True, False)
    """
    known = {s: wilson(rejects, n) for s, (rejects, n) in judged.items() if n >= MIN_JUDGED}
    return strength in known and known[strength].low > min(interval.high for interval in known.values())


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


def looks_of(base: Base, jobs: Sequence[Job], settings: Settings, strength: float) -> Looks:
    """The looks of the pictures that these jobs give at a strength; 0 is the plain base."""
    drawing = steer_drawing(base.plain, Recipe.asked(settings, strength))

    def in_parts(rows: int) -> tuple[list[Tensor], list[Image.Image]]:
        parts = [jobs[start : start + rows] for start in range(0, len(jobs), rows)]
        latents = [sample_latents(base, part, drawing, TRAINED) for part in parts]
        return latents, [picture for part in latents for picture in decode_latents(base, part, may_be_black=True)]

    (drawn, pictures), _ = halve_until_fits(in_parts, settings.sample_batch)
    by_prompt = torch.cat(drawn).float().unflatten(0, (-1, SEEDS_EACH))
    return Looks(float(by_prompt.std(dim=1).mean()), *_pixel_looks(pictures))


def _pixel_looks(pictures: Sequence[Image.Image]) -> tuple[float, float]:
    """Contrast (standard deviation of luminance) and saturation (HSV), each the mean over the pictures, 0 to 1."""
    contrast = [np.asarray(picture.convert("L"), dtype=np.float32).std() / 255 for picture in pictures]
    saturation = [np.asarray(picture.convert("HSV"), dtype=np.float32)[..., 1].mean() / 255 for picture in pictures]
    return float(np.mean(contrast)), float(np.mean(saturation))


@torch.no_grad()
def guidance_share(training: Training) -> float:
    """What the adapter changes in the row it acts on (the null row, or the prompt's own under `same-prompt`).

    Relative to |cond - null|; the mean over held-out pictures and noise levels from DECIDED_FROM on.
    """
    draw = BatchDrawer(training.with_settings(min_timestep=DECIDED_FROM))
    batch = draw.evaluation()
    if batch is None:
        return 0.0

    def in_parts(rows: int) -> Tensor:
        return torch.cat([_shares(draw, part) for part in batch.parts(rows)])

    shares_B, _ = halve_until_fits(in_parts, draw.settings.micro_batch or draw.settings.train_batch)
    return float(shares_B.mean())


def _shares(draw: BatchDrawer, batch: Batch) -> Tensor:
    """For each row of the batch (B,) what `guidance_share` is the mean of."""
    unet, null = draw.unet, draw.under(batch, None)
    adapted = batch if draw.settings.rule == "same-prompt" else null
    changed_BCHW = predict(unet, adapted)
    unet.disable_adapters()
    cond_BCHW, null_BCHW = predict(unet, batch), predict(unet, null)
    unet.enable_adapters()
    unchanged_BCHW = cond_BCHW if adapted is batch else null_BCHW
    return _norms(changed_BCHW - unchanged_BCHW) / _norms(cond_BCHW - null_BCHW)


def _norms(x_BCHW: Tensor) -> Tensor:
    return x_BCHW.float().flatten(1).norm(dim=1)


def _votes_on(judged: dict[float, tuple[int, int]], strength: float) -> dict[str, float]:
    rejects, n = judged.get(strength, (0, 0))
    return {"rejects": rejects, "judged": n} if n else {}
