"""Batches by step number: what a fit sees depends only on manifest, settings and step.

Shape suffixes: B batch, C latent channels (4), H W latent height and width, L tokens (77), D text width,
P pooled text width.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple, TypeVar

import torch
from diffusers import DDPMScheduler
from torch import Tensor

from feedback.pool.pool import PoolItem
from feedback.retrain.manifest import FrozenManifest
from store.errors import RetrainError
from store.tables import Role, Split
from trainer.base.schedule import training_target
from trainer.fit.cache import null_prompt
from trainer.fit.objectives import NEEDS_KEEPS
from trainer.fit.pairing import CANDIDATES, asks_for_another, most_like
from trainer.fit.training import Training
from trainer.lora.text_encoders import PromptEmbeds
from trainer.prompts.encoding import of_one_length

HELD_OUT_BATCH = 64
Item = TypeVar("Item")


class Batch(NamedTuple):
    """Everything one forward pass needs, on the device."""

    noisy_BCHW: Tensor
    timesteps_B: Tensor
    target_BCHW: Tensor
    is_reject_B: Tensor
    text_BLD: Tensor
    pooled_BP: Tensor
    time_ids_B6: Tensor
    weights_B: Tensor

    def parts(self, rows: int) -> list["Batch"]:
        """The batch in parts of at most `rows` rows."""
        return [Batch(*pieces) for pieces in zip(*(tensor.split(rows) for tensor in self), strict=True)]


class Noised(NamedTuple):
    """Latents with noise added, their timesteps, and what is to be predicted."""

    noisy_BCHW: Tensor
    timesteps_B: Tensor
    target_BCHW: Tensor


class Draws(NamedTuple):
    """The random draws of a batch, one row for each item."""

    noise: Tensor
    timesteps: Tensor
    is_unprompted: Tensor
    spread: Tensor
    """For the VAE's posterior; unused where an item has its own latent."""

    def in_pairs(self, items: Sequence[PoolItem], keeps: int) -> "Draws":
        """The last `keeps` items, the keeps, take the draws of the first ones, the rejects they are paired with.

        Under the same noise, what the two predictions differ in is what the pictures differ in. Where both are one
        picture, they differ only in the prompt, so neither loses it.
        """
        if not keeps:
            return self
        pairs = zip(items, items[-keeps:], strict=False)
        is_unprompted = self.is_unprompted.clone()
        is_unprompted[:keeps] &= torch.tensor([one.image_id != other.image_id for one, other in pairs])
        ours = self._replace(is_unprompted=is_unprompted)
        return Draws(*(torch.cat([rows[:-keeps], rows[:keeps]]) for rows in ours))


class Fraction(NamedTuple):
    """The rows of every batch that one process takes: every `of`-th, starting at its own `number`."""

    number: int = 0
    of: int = 1


class BatchDrawer:
    """Draws batches: half rejects, half keeps where there are keeps; the same step gives the same batch.

    Under `nft` each keep is paired with a reject: its prompt is like the reject's, and both get the same noise. In a
    share of the pairs the reject is the keep itself under a prompt like its own (`trainer.fit.pairing`).
    """

    def __init__(self, training: Training, fraction: Fraction = Fraction()) -> None:
        base, manifest, settings = training.base, training.manifest, training.settings
        self.cache, self.settings, self.fraction = training.cache, settings, fraction
        self.device, self.dtype = base.device, base.dtype
        self.noising = DDPMScheduler.from_config(base.pipe.scheduler.config)
        self.unet, self.null_prompt = base.pipe.unet, null_prompt(base)
        self.rejects = manifest.of(Role.reject, Split.train)
        self.keeps = manifest.of(Role.keep, Split.train) if settings.objective in NEEDS_KEEPS else []
        if settings.objective == "trigger":  # without the trigger word nothing may change, not even rejects
            anchors = self.rejects + manifest.of(Role.keep, Split.train)
            self.keeps = [replace(item, role=Role.keep) for item in anchors]
        self.prompts = sorted({item.prompt for item in self.rejects + self.keeps})
        self.held_out = manifest.of(Role.reject, Split.held_out) + manifest.of(Role.keep, Split.held_out)
        _refuse_mixed_sizes(manifest)

    @property
    def objective(self) -> str:
        """The objective of the settings, or `sft` when it needs keeps and there are none."""
        return self.settings.objective if self.keeps or self.settings.objective not in NEEDS_KEEPS else "sft"

    @property
    def keeps_a_step(self) -> int:
        """So many rows of a batch are keeps."""
        return self.settings.train_batch // 2 if self.keeps else 0

    def train(self, step: int) -> Batch:
        """This process's rows of the batch of a step."""
        items, random = self._items(step)
        draws = self._draws(items, random, self.settings.null_dropout)
        if self.objective == "nft":
            draws = draws.in_pairs(items, self.keeps_a_step)
        return self._batch(items, draws, self.fraction)

    def evaluation(self) -> Batch | None:
        """A fixed batch of held-out items under fixed noise, or None when nothing is held out."""
        items = self._evaluated()
        if not items:
            return None
        return self._batch(items, self._draws(items, torch.Generator().manual_seed(0), 0.0), Fraction())

    def under(self, batch: Batch, prompt: str | None) -> Batch:
        """The batch with the prompt, or the null prompt, in all its rows."""
        rows, text = len(batch.timesteps_B), self._text(prompt)
        return batch._replace(
            text_BLD=text.hidden.expand(rows, -1, -1).to(batch.text_BLD),
            pooled_BP=text.pooled.expand(rows, -1).to(batch.pooled_BP),
        )

    def needed(self) -> tuple[list[PoolItem], list[str]]:
        """The items that the fit will see, once in each role, and the prompts under which it sees them."""
        drawn = [item for step in range(self.settings.train_steps) for item in self._items(step)[0]]
        seen = [*drawn, *self._evaluated()]
        items = {(item.image_id, item.role): item for item in seen}.values()
        return list(items), list(dict.fromkeys(self._prompt(item) for item in seen))

    def _items(self, step: int) -> tuple[list[PoolItem], torch.Generator]:
        """The items of a step's batch, rejects first, and the generator for its noise."""
        random = torch.Generator().manual_seed(self.settings.seed * 1_000_003 + step)
        rejects = _pick(self.rejects, self.settings.train_batch - self.keeps_a_step, random)
        if self.objective != "nft":
            return rejects + _pick(self.keeps, self.keeps_a_step, random), random
        pairs = [self._pair(reject, random) for reject in rejects[: self.keeps_a_step]]
        paired = [reject for reject, _ in pairs]
        return paired + rejects[self.keeps_a_step :] + [keep for _, keep in pairs], random

    def _pair(self, reject: PoolItem, random: torch.Generator) -> tuple[PoolItem, PoolItem]:
        """The reject, and a keep with a prompt like its own; or a keep under a prompt like its own, and the keep."""
        candidates = _pick(self.keeps, CANDIDATES, random)
        if self.prompts and torch.rand(1, generator=random) < self.settings.mismatched:
            keep = candidates[0]
            others = _pick(self.prompts, CANDIDATES, random)
            others = [prompt for prompt in others if asks_for_another(prompt, keep.prompt)]
            if others:
                return replace(keep, prompt=most_like(keep.prompt, others), role=Role.reject), keep
        likest = most_like(reject.prompt, [keep.prompt for keep in candidates])
        return reject, next(keep for keep in candidates if keep.prompt == likest)

    def _evaluated(self) -> list[PoolItem]:
        return self.held_out[:: math.ceil(len(self.held_out) / HELD_OUT_BATCH) or 1]

    def _prompt(self, item: PoolItem) -> str:
        """The prompt of an item; the trigger word under `wrong`, and for the rejects under `trigger`."""
        is_triggered = self.objective == "wrong" or (self.objective == "trigger" and item.role is Role.reject)
        return self.settings.trigger if is_triggered else item.prompt

    def _draws(self, items: Sequence[PoolItem], random: torch.Generator, null_dropout: float) -> Draws:
        shape = (len(items), *self.cache.latent(items[0]).mean_CHW.shape)
        noise = torch.randn(shape, generator=random)
        timesteps = torch.randint(self.settings.min_timestep, 1000, (len(items),), generator=random)
        is_unprompted = torch.rand(len(items), generator=random) < null_dropout
        return Draws(noise, timesteps, is_unprompted, torch.randn(shape, generator=random))

    def _batch(self, items: Sequence[PoolItem], draws: Draws, fraction: Fraction) -> Batch:
        # Each process has drawn the random numbers of all rows, so that several processes see what one would.
        mine = slice(fraction.number, None, fraction.of)
        weights = sureness(items)[mine]
        items, draws = items[mine], Draws(*(numbers[mine] for numbers in draws))
        latents = [self.cache.latent(item).sample(s) for item, s in zip(items, draws.spread, strict=True)]
        noised = self._noised(torch.stack(latents), draws.noise, draws.timesteps)
        return self._rows(items, noised, draws.is_unprompted, weights)

    def _noised(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Noised:
        return Noised(
            self.noising.add_noise(latents, noise, timesteps).to(self.device, self.dtype),
            timesteps.to(self.device),
            training_target(self.noising, latents, noise, timesteps).to(self.device),
        )

    def _rows(self, items: Sequence[PoolItem], noised: Noised, is_unprompted: Tensor, weights: Tensor) -> Batch:
        device, dtype = self.device, self.dtype
        prompts = [self._shown(item, bool(flag)) for item, flag in zip(items, is_unprompted, strict=True)]
        texts = [self._text(prompt) for prompt in prompts]
        sizes = [[item.height, item.width, 0, 0, item.height, item.width] for item in items]
        return Batch(
            *noised,
            torch.tensor([item.role is Role.reject for item in items], device=device),
            torch.stack(of_one_length([text.hidden for text in texts])).to(device, dtype),
            torch.stack([text.pooled for text in texts]).to(device, dtype),
            torch.tensor(sizes, device=device, dtype=dtype),
            weights.to(device),
        )

    def _shown(self, item: PoolItem, is_unprompted: bool) -> str | None:
        """An item's prompt, or None for the null prompt, which `trigger` never uses for what it fits."""
        is_fitted = self.objective == "trigger" and item.role is Role.reject
        return None if is_unprompted and not is_fitted else self._prompt(item)

    def _text(self, prompt: str | None) -> PromptEmbeds:
        return self.null_prompt if prompt is None else self.cache.text(prompt)


def sureness(items: Sequence[PoolItem]) -> Tensor:
    """Sample weights (B,) with mean 1: how sure each verdict is, so that a 2:1 vote weighs less than a 3:0 vote; times
    the picture's factor."""
    weights = torch.tensor([(2 * item.weight - 1) * item.factor for item in items])
    return weights / weights.mean()


def _refuse_mixed_sizes(manifest: FrozenManifest) -> None:
    """Raises RetrainError when the pictures differ in size: the latents of a step are one tensor."""
    counts = Counter((item.width, item.height) for item in manifest.items)
    if len(counts) > 1:
        sizes = ", ".join(f"{count} of {width}×{height}" for (width, height), count in counts.most_common(5))
        raise RetrainError(
            f"the pool holds pictures of {len(counts)} sizes ({sizes}), a retrain needs one; take the others out on "
            "the page Pool, or give each size its own store with NAYSAYER_DATA_DIR"
        )


def _pick(items: Sequence[Item], count: int, random: torch.Generator) -> list[Item]:
    return [items[i] for i in torch.randint(len(items), (count,), generator=random)] if count else []
