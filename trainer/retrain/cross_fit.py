"""Cross-fitting: one LoRA for each half of the pool, each of which judges the half that it was not trained on.

The version is trained on all votes, so that none is left to tell how well it judges; the halves can tell, with every
vote. Source: Chernozhukov et al. 2018 (cross-fitting).
"""

from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor, stack
from tqdm import tqdm

from feedback.check.halves import HALVES, half_of
from feedback.pool.pool import PoolItem
from feedback.recipe import Recipe
from feedback.retrain.manifest import FrozenManifest
from feedback.sample.work import Job
from store.layout import Layout
from store.tables import Role, Split
from trainer.base.memory import halve_until_fits
from trainer.fit.batches import BatchDrawer
from trainer.fit.fit import Watch, fit
from trainer.fit.training import Training
from trainer.lora.tensors import TRAINED, detach
from trainer.retrain.provenance import checkpoint_folder
from trainer.sample.check import Judge
from trainer.sample.sampler import sample_latents, steer_drawing

MOST_SCORED = 5_000
"""Pictures of the pool that are scored, the newest: more of them would not make the check's figures better."""
AT_ONCE = 32
TIMES_THE_SWEEP = 3
"""So many times the pictures of the strength sweep are drawn to set the cut, and to compare the scales of LoRAs."""
FIRST_SEED = 2**31
"""Their seeds start here; pictures of the loop and of the strength sweep have others."""


class Pictures(NamedTuple):
    """Pictures that nobody judged, as latents (B, C, H, W) and their prompts."""

    latents: Tensor
    prompts: list[str]


class CrossFit(NamedTuple):
    """The scores of both halves' LoRAs, and the unjudged pictures that they were given too."""

    halves: list["HalfScores"]
    unjudged: Pictures


class Half(NamedTuple):
    """The training of one half of the pool, and the pictures of the other, which it judges."""

    training: Training
    others: tuple[PoolItem, ...]


class HalfScores(NamedTuple):
    """What the LoRA of one half finds (B, K): in the other half's pictures, and in the unjudged ones."""

    items: tuple[PoolItem, ...]
    evidence: Tensor
    of_unjudged: Tensor


def halves_of(training: Training) -> list[Half]:
    """Both halves, by prompt, each with half the steps; none when cross-fitting is off or a half has no rejects."""
    items, base = training.manifest.items, training.manifest.base_sha256
    parts = [tuple(item for item in items if half_of(item.prompt) == number) for number in range(HALVES)]
    manifests = [FrozenManifest(base, part) for part in parts]
    if not training.settings.cross_fit or not all(one.of(Role.reject, Split.train) for one in manifests):
        return []
    shorter = training.with_settings(train_steps=max(1, training.settings.train_steps // HALVES))
    return [
        Half(replace(shorter, manifest=own), others) for own, others in zip(manifests, reversed(parts), strict=True)
    ]


def steps_of(training: Training) -> int:
    """The steps of the fit and of its halves together."""
    return training.settings.train_steps + sum(half.training.settings.train_steps for half in halves_of(training))


def fit_half(half: Half, layout: Layout, watch: Watch) -> None:
    """Fits the LoRA of one half, resumed from its newest checkpoint; it stays attached."""
    fit(half.training, checkpoint_folder(layout, half.training.manifest, half.training.settings), watch)


def cross_fit(training: Training, layout: Layout, watch: Watch) -> CrossFit | None:
    """The scores that each half's LoRA gives; None without halves. Leaves no LoRA attached."""
    halves = halves_of(training)
    if not halves:
        return None
    # All at once, as the whole fit would: how prompts share a batch decides the last bits of their embeddings.
    training.cache.prepare(*BatchDrawer(training).needed())
    unjudged, done, found = draw_pictures(training, 0.0), 0, []
    for number, half in enumerate(halves):
        fit_half(half, layout, watch.part(f"fitting half {number + 1} of {HALVES}", done, steps_of(training)))
        done += half.training.settings.train_steps
        found.append(_scores(half, unjudged))
        detach(training.base.pipe, TRAINED)
    return CrossFit(found, unjudged)


def help_to_cross_fit(training: Training, layout: Layout, watch: Watch) -> None:
    """Another process's part of `cross_fit`."""
    for half in halves_of(training):
        fit_half(half, layout, watch)
        detach(training.base.pipe, TRAINED)


def see_items(training: Training, judge: Judge, items: tuple[PoolItem, ...]) -> Tensor:
    """The evidence (B, K) in pictures of the pool."""
    found = [torch.zeros(0, 2)]
    for start in tqdm(range(0, len(items), AT_ONCE), desc="scoring rated pictures", unit="batch", disable=not items):
        some = items[start : start + AT_ONCE]
        latents = [training.cache.latent(item).mean_CHW.float() for item in some]
        found.append(judge.evidence(stack(latents), [item.prompt for item in some]))
    return torch.cat(found)


def _scores(half: Half, unjudged: Pictures) -> HalfScores:
    judge = Judge(half.training.base, TRAINED)
    newest = half.others[-MOST_SCORED // HALVES :]
    return HalfScores(newest, see_items(half.training, judge, newest), judge.evidence(*unjudged))


def draw_pictures(training: Training, strength: float) -> Pictures:
    """Pictures on the pool's prompts by the LoRA that is attached; strength 0 draws the plain base."""
    base, settings = training.base, training.settings
    jobs, drawing = jobs_of(training), steer_drawing(base.plain, Recipe.asked(settings, strength))

    def in_parts(rows: int) -> torch.Tensor:
        starts = tqdm(range(0, len(jobs), rows), desc="drawing for the check", unit="batch")
        return torch.cat([sample_latents(base, jobs[s : s + rows], drawing, TRAINED).float().cpu() for s in starts])

    latents_BCHW, _ = halve_until_fits(in_parts, settings.sample_batch)
    return Pictures(latents_BCHW, [job.prompt for job in jobs])


def jobs_of(training: Training) -> list[Job]:
    """Prompts from all over the manifest, the held-out ones first, with seeds that no other picture has."""
    count = TIMES_THE_SWEEP * training.settings.sweep_pictures
    items = sorted(training.manifest.items, key=lambda item: item.split is Split.train)
    prompts = list(dict.fromkeys(item.prompt for item in items))
    spread = prompts[:: max(1, len(prompts) // count)]
    return [Job(spread[k % len(spread)], FIRST_SEED + k) for k in range(count)]
