"""Fit a negative LoRA on a frozen manifest.

Shape suffixes: B batch, C latent channels (4), H W latent height and width, L tokens (77), D text width,
P pooled text width.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from accelerate import Accelerator
from diffusers import DDPMScheduler, UNet2DConditionModel
from torch import Tensor
from tqdm import trange

from feedback.manifest import FrozenManifest, Item
from store.errors import Interrupted, NonFiniteLoss
from store.settings import Settings
from store.tables import Role, Split
from trainer.cache import Cache, null_prompt
from trainer.checkpoint import State, newest_checkpoint, restore, save_checkpoint, state_of
from trainer.lora import add_fresh, round_to_half, weights_of
from trainer.model import Base
from trainer.objectives import NEEDS_BASE, NEEDS_KEEPS, anchored_loss, kto_loss, nft_loss, sft_loss

HELD_OUT_BATCH = 64


class Batch(NamedTuple):
    """Everything one step needs, on the device."""

    noisy_BCHW: Tensor
    timesteps_B: Tensor
    target_BCHW: Tensor
    is_reject_B: Tensor
    text_BLD: Tensor
    pooled_BP: Tensor
    time_ids_B6: Tensor
    weights_B: Tensor


class Fitted(NamedTuple):
    """The trained adapter (float32, peft's names) and its curve: step, loss, learning rate, held-out loss."""

    weights: dict[str, Tensor]
    curve: list[dict[str, float]]


@dataclass(frozen=True)
class Watch:
    """What the outside wants of a running fit: told of every step, asked whether to stop."""

    on_step: Callable[[int, int], None] = lambda step, steps: None
    should_stop: Callable[[], bool] = lambda: False


def fit(base: Base, cache: Cache, manifest: FrozenManifest, settings: Settings, folder: Path, watch: Watch) -> Fitted:
    """The adapter after `train_steps` steps, going on from the newest checkpoint in `folder`.

    Raises NonFiniteLoss before the step that would use it; Interrupted, after saving, when asked to stop.
    """
    accelerator = Accelerator(cpu=base.device.type == "cpu", mixed_precision=_precision(base))
    unet = base.pipe.unet
    parameters = add_fresh(unet, settings.lora_rank, settings.lora_layers, settings.seed)
    optimizer = torch.optim.AdamW(parameters, lr=settings.learning_rate, weight_decay=1e-2)
    optimizer = accelerator.prepare(optimizer)
    state = newest_checkpoint(folder) or State(0, [], {})
    if state.step:
        restore(state.tensors, parameters, optimizer.optimizer)
    draw = BatchDrawer(base, cache, manifest, settings)
    curve, steps = state.curve, settings.train_steps
    for step in trange(state.step, steps, initial=state.step, total=steps, desc="fitting", unit="step"):
        rate = _set_learning_rate(optimizer, settings.learning_rate, step, steps)
        batch = draw.train(step)
        with accelerator.autocast():
            loss = loss_of(unet, batch, draw.objective, settings)
        if not math.isfinite(loss.item()):
            raise NonFiniteLoss(step + 1, loss.item())
        accelerator.backward(loss)
        norm = accelerator.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        curve.append({"step": step + 1, "loss": loss.item(), "learning_rate": rate, "gradient_norm": float(norm)})
        is_last, must_stop = step + 1 == steps, watch.should_stop()
        is_milestone = is_last or (step + 1) % settings.checkpoint_every == 0
        if is_milestone:
            curve[-1] |= held_out_losses(unet, draw, accelerator, settings)
        if is_milestone or must_stop:
            save_checkpoint(folder, State(step + 1, curve, state_of(parameters, optimizer.optimizer)))
        watch.on_step(step + 1, steps)
        if must_stop and not is_last:
            raise Interrupted(step + 1, steps)
    round_to_half(parameters)
    return Fitted(weights_of(unet), curve)


class BatchDrawer:
    """Batches by step number: half rejects, half keeps where there are keeps; the same step gives the same batch."""

    def __init__(self, base: Base, cache: Cache, manifest: FrozenManifest, settings: Settings) -> None:
        self.base, self.cache, self.settings = base, cache, settings
        self.noising = DDPMScheduler.from_config(base.pipe.scheduler.config)
        self.null = null_prompt(base)
        self.rejects = manifest.of(Role.reject, Split.train)
        self.keeps = manifest.of(Role.keep, Split.train) if settings.objective in NEEDS_KEEPS else []
        self.held_out = manifest.of(Role.reject, Split.held_out) + manifest.of(Role.keep, Split.held_out)

    @property
    def objective(self) -> str:
        """Some need keeps to learn from; without any, `sft` fits the rejects alone."""
        return self.settings.objective if self.keeps or self.settings.objective not in NEEDS_KEEPS else "sft"

    def train(self, step: int) -> Batch:
        """The batch of a step."""
        random = torch.Generator().manual_seed(self.settings.seed * 1_000_003 + step)
        size = self.settings.train_batch
        rejects = size - size // 2 if self.keeps else size
        items = _pick(self.rejects, rejects, random) + _pick(self.keeps, size - rejects, random)
        return self._batch(items, random, self.settings.null_dropout)

    def evaluation(self) -> Batch | None:
        """A fixed batch of held-out items under fixed noise, or None when nothing is held out."""
        items = self.held_out[:: math.ceil(len(self.held_out) / HELD_OUT_BATCH) or 1]
        return self._batch(items, torch.Generator().manual_seed(0), 0.0) if items else None

    def _batch(self, items: Sequence[Item], random: torch.Generator, null_dropout: float) -> Batch:
        device, dtype = self.base.device, self.base.dtype
        noise = torch.randn((len(items), *self.cache.latent(items[0]).mean_CHW.shape), generator=random)
        timesteps = torch.randint(self.settings.min_timestep, 1000, (len(items),), generator=random)
        is_null = torch.rand(len(items), generator=random) < null_dropout
        spread = torch.randn(noise.shape, generator=random)  # last: pictures with a latent of their own do without
        latents = torch.stack([self.cache.latent(item).sample(s) for item, s in zip(items, spread, strict=True)])
        prompts = [self.settings.trigger if self.objective == "wrong" else item.prompt for item in items]
        texts = [self.null if null else self.cache.text(text) for text, null in zip(prompts, is_null, strict=True)]
        sizes = [[item.height, item.width, 0, 0, item.height, item.width] for item in items]
        return Batch(
            self.noising.add_noise(latents, noise, timesteps).to(device, dtype),
            timesteps.to(device),
            self._target(latents, noise, timesteps).to(device),
            torch.tensor([item.role is Role.reject for item in items], device=device),
            torch.stack([text.hidden_LD for text in texts]).to(device, dtype),
            torch.stack([text.pooled_P for text in texts]).to(device, dtype),
            torch.tensor(sizes, device=device, dtype=dtype),
            sureness(items).to(device),
        )

    def _target(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        if self.noising.config.prediction_type == "v_prediction":
            return self.noising.get_velocity(latents, noise, timesteps)
        return noise


def sureness(items: Sequence[Item]) -> Tensor:
    """Sample weights (B,) with mean 1: how sure each verdict is, 0 at even odds, so that 2:1 teaches less than 3:0."""
    weights = torch.tensor([2 * item.weight - 1 for item in items])
    return weights / weights.mean()


def loss_of(unet: UNet2DConditionModel, batch: Batch, objective: str, settings: Settings) -> Tensor:
    """Scalar float32 loss of one batch under the objective."""
    if objective not in NEEDS_BASE:
        return sft_loss(predict(unet, batch), batch.target_BCHW, batch.weights_B)
    unet.disable_adapters()
    with torch.no_grad():
        base_BCHW = predict(unet, batch)
    unet.enable_adapters()
    known = (predict(unet, batch), base_BCHW, batch.target_BCHW, batch.is_reject_B, batch.weights_B)
    if objective == "nft":
        return nft_loss(*known, beta=settings.beta_used)
    return kto_loss(*known, beta=settings.beta_used) if objective == "kto" else anchored_loss(*known, settings.anchor)


def predict(unet: UNet2DConditionModel, batch: Batch) -> Tensor:
    """The UNet's prediction (B, C, H, W)."""
    return unet(
        batch.noisy_BCHW,
        batch.timesteps_B,
        encoder_hidden_states=batch.text_BLD,
        added_cond_kwargs={"text_embeds": batch.pooled_BP, "time_ids": batch.time_ids_B6},
        return_dict=False,
    )[0]


@torch.no_grad()
def held_out_losses(
    unet: UNet2DConditionModel, draw: BatchDrawer, accelerator: Accelerator, settings: Settings
) -> dict[str, float]:
    """The objective on held-out items, or nothing when none are held out."""
    batch = draw.evaluation()
    if batch is None:
        return {}
    with accelerator.autocast():
        return {"held_out": loss_of(unet, batch, draw.objective, settings).item()}


def _pick(items: Sequence[Item], count: int, random: torch.Generator) -> list[Item]:
    return [items[i] for i in torch.randint(len(items), (count,), generator=random)] if count else []


def _set_learning_rate(optimizer: torch.optim.Optimizer, peak: float, step: int, steps: int) -> float:
    """Cosine decay to zero after a short warm-up; a function of the step alone."""
    warm_up = min(1.0, (step + 1) / max(1, steps // 20))
    rate = peak * warm_up * 0.5 * (1 + math.cos(math.pi * step / steps))
    for group in optimizer.param_groups:
        group["lr"] = rate
    return rate


def _precision(base: Base) -> str:
    return {torch.bfloat16: "bf16", torch.float16: "fp16"}.get(base.dtype, "no")
