"""Cross-fitting: one LoRA for each half of the pool, each of which judges the half that it was not trained on.

The version is trained on all votes, so that none is left to tell how well it judges; the halves can tell, with every
vote. Source: Chernozhukov et al. 2018 (cross-fitting).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor, stack

from feedback.check.halves import HALVES, half_of
from feedback.check.version_check import LEAST_EACH
from feedback.pool.pool import PoolItem
from feedback.recipe import Recipe
from feedback.retrain.manifest import FrozenManifest
from feedback.retrain.progress import Tell, Teller, quiet
from feedback.retrain.stages import DRAW, ENCODE, FIT, SCORE, Phase, Stage
from feedback.sample.work import Job
from store.layout import Layout
from store.tables import Role, Split
from trainer.base.memory import halve_until_fits
from trainer.fit.batches import BatchDrawer
from trainer.fit.fit import Watch
from trainer.fit.training import Training
from trainer.lora.tensors import TRAINED, detach, trained_tensors
from trainer.retrain.pictures.plain import count_missing, draw_plain
from trainer.retrain.shared_checkpoints import fit_shared
from trainer.sample.check import Judge
from trainer.sample.sampler import sample_latents, steer_drawing

MOST_SCORED = 5_000
"""Pictures of the pool that are scored, the newest: more of them would not make the check's figures better."""
AT_ONCE = 32
TIMES_THE_SWEEP = 3
"""So many times the pictures of the strength sweep are drawn to set the cut, and to compare the scales of LoRAs."""
ENCODING, DRAWING = "encoding", "drawing for the check"
KIND = "check"
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
    """The LoRA of one half, as tensors on the CPU, and what it finds (B, K): in the other half's pictures, and in the
    unjudged ones."""

    lora: dict[str, Tensor]
    items: tuple[PoolItem, ...]
    evidence: Tensor
    of_unjudged: Tensor


def halves_of(training: Training) -> list[Half]:
    """Both halves, by prompt, each with half the steps.

    None when cross-fitting is off, when a half has no rejects, or when there are too few pictures for a check.
    """
    items, base = training.manifest.items, training.manifest.base_sha256
    if min(sum(item.role is role for item in items) for role in Role) < LEAST_EACH:
        return []
    parts = [tuple(item for item in items if half_of(item.prompt) == number) for number in range(HALVES)]
    manifests = [FrozenManifest(base, part) for part in parts]
    if not training.settings.cross_fit or not all(one.of(Role.reject, Split.train) for one in manifests):
        return []
    shorter = training.with_settings(train_steps=max(1, training.settings.train_steps // HALVES))
    return [
        Half(replace(shorter, manifest=own), others) for own, others in zip(manifests, reversed(parts), strict=True)
    ]


def fit_half(half: Half, layout: Layout, watch: Watch) -> None:
    """Fits the LoRA of one half, resumed from its newest checkpoint; it stays attached."""
    fit_shared(half.training, layout, watch)


@contextmanager
def followed(watch: Watch, teller: Teller, name: str) -> Iterator[Watch]:
    """A watch that tells how far a fit is, which has its own bar."""
    with teller.stage(name, has_bar=False, can_stop=False) as tell:
        yield replace(watch, name=name, on_step=lambda step, _: tell(step - teller.done(name)), on_curve=teller.follow)


def encode(training: Training, teller: Teller) -> None:
    """Encodes what the fits will see and is not in the cache yet.

    All at once, as the whole fit would: how prompts share a batch decides the last bits of their embeddings.
    """
    with teller.stage(ENCODING, has_bar=False) as tell:
        training.cache.prepare(*BatchDrawer(training).needed(), tell)


def cross_fit(training: Training, layout: Layout, watch: Watch, teller: Teller) -> CrossFit | None:
    """The scores that each half's LoRA gives; None without halves. Leaves no LoRA attached."""
    halves = halves_of(training)
    if not halves:
        return None
    with teller.stage(DRAWING) as tell:
        unjudged = _draw_unjudged(training, tell)
    found = []
    for number, half in enumerate(halves):
        with followed(watch, teller, fitting_half(number)) as watching:
            fit_half(half, layout, watching)
        with teller.stage(scoring_half(number)) as tell:
            found.append(_scores(half, unjudged, tell))
        detach(training.base.pipe, TRAINED)
    return CrossFit(found, unjudged)


def stages_before(training: Training) -> list[Stage]:
    """The stages that come before the whole pool is fitted."""
    new = sum(map(len, training.cache.missing(*BatchDrawer(training).needed())))
    stages, halves = [Stage(ENCODING, Phase.encoding, ENCODE, new)], halves_of(training)
    if halves:
        unjudged = count_missing(training, KIND, jobs_of(training))
        stages.append(Stage(DRAWING, Phase.halves, DRAW, drawing_work(training, unjudged, 0.0)))
    for number, half in enumerate(halves):
        judged = len(_newest(half)) + len(jobs_of(training))
        stages.append(Stage(fitting_half(number), Phase.halves, FIT, half.training.settings.train_steps))
        stages.append(Stage(scoring_half(number), Phase.halves, SCORE, judged))
    return stages


def fitting_half(number: int) -> str:
    """The name of a stage: the fit of a half."""
    return f"fitting half {number + 1} of {HALVES}"


def scoring_half(number: int) -> str:
    """The name of a stage: a half judges the other's pictures."""
    return f"scoring with half {number + 1} of {HALVES}"


def drawing_work(training: Training, pictures: int, strength: float) -> int:
    """How many rows of the UNet it takes to draw so many pictures at a strength."""
    rows = 3 if strength and training.settings.rule == "same-prompt" else 2
    return pictures * training.base.plain.num_inference_steps * rows


def help_to_cross_fit(training: Training, layout: Layout, watch: Watch) -> None:
    """Another process's part of `cross_fit`."""
    for half in halves_of(training):
        fit_half(half, layout, watch)
        detach(training.base.pipe, TRAINED)


def see_items(training: Training, judge: Judge, items: tuple[PoolItem, ...], tell: Tell = quiet) -> Tensor:
    """The evidence (B, K) in pictures of the pool."""
    found = [torch.zeros(0, 2)]
    for start in range(0, len(items), AT_ONCE):
        some = items[start : start + AT_ONCE]
        latents = [training.cache.latent(item).mean_CHW.float() for item in some]
        found.append(judge.evidence(stack(latents), [item.prompt for item in some], tell))
    return torch.cat(found)


def _newest(half: Half) -> tuple[PoolItem, ...]:
    return half.others[-MOST_SCORED // HALVES :]


def _scores(half: Half, unjudged: Pictures, tell: Tell) -> HalfScores:
    judge = Judge(half.training.base, TRAINED)
    newest = _newest(half)
    lora = {name: tensor.cpu().clone() for name, tensor in trained_tensors(half.training.base.pipe.unet).items()}
    found = see_items(half.training, judge, newest, tell)
    return HalfScores(lora, newest, found, judge.evidence(*unjudged, tell))


def _draw_unjudged(training: Training, tell: Tell) -> Pictures:
    """The plain base's pictures of all that `jobs_of` gives, drawn once and kept."""

    def draw(jobs: Sequence[Job]) -> list[dict[str, Tensor]]:
        return [{"latent_CHW": latent} for latent in draw_pictures(training, 0.0, tell, list(jobs)).latents]

    jobs = jobs_of(training)
    found = draw_plain(training, KIND, jobs, draw)
    return Pictures(torch.stack([one["latent_CHW"] for one in found]), [job.prompt for job in jobs])


def draw_pictures(training: Training, strength: float, tell: Tell = quiet, jobs: list[Job] | None = None) -> Pictures:
    """Pictures of `jobs`, or of all that `jobs_of` gives, by the LoRA that is attached; strength 0 draws the plain
    base."""
    base, settings = training.base, training.settings
    jobs = jobs_of(training) if jobs is None else jobs
    drawing = steer_drawing(base.plain, Recipe.asked(settings, strength))
    of_a_job = drawing_work(training, 1, strength) / base.plain.num_inference_steps

    def draw(some: list[Job]) -> torch.Tensor:
        latents = sample_latents(base, some, drawing, TRAINED, lambda _: tell(of_a_job * len(some)))
        return latents.float().cpu()

    def in_parts(rows: int) -> torch.Tensor:
        return torch.cat([draw(jobs[start : start + rows]) for start in range(0, len(jobs), rows)])

    latents_BCHW, _ = halve_until_fits(in_parts, settings.sample_batch)
    return Pictures(latents_BCHW, [job.prompt for job in jobs])


def jobs_of(training: Training) -> list[Job]:
    """Prompts from all over the manifest, the held-out ones first, with seeds that no other picture has."""
    count = TIMES_THE_SWEEP * training.settings.sweep_pictures
    items = sorted(training.manifest.items, key=lambda item: item.split is Split.train)
    prompts = list(dict.fromkeys(item.prompt for item in items))
    spread = prompts[:: max(1, len(prompts) // count)]
    return [Job(spread[k % len(spread)], FIRST_SEED + k) for k in range(count)]
