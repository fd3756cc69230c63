"""Fit a negative LoRA on a frozen manifest, on one device or on several.

Shape suffixes: B batch, C latent channels (4), H W latent height and width.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from diffusers import UNet2DConditionModel
from torch import Tensor
from tqdm import trange

from store.errors import BadRequest, Interrupted, NonFiniteLoss, RetrainError
from store.settings import Settings
from trainer.base.memory import (
    advise_on_memory,
    checkpoint_blocks,
    halve_until_fits,
    make_deterministic,
    memory_advice,
    offload_encoders,
)
from trainer.base.model import Base
from trainer.fit.batches import Batch, BatchDrawer, Fraction
from trainer.fit.checkpoint import State, newest_checkpoint, save_checkpoint
from trainer.fit.learner import Learner, gradient_norm
from trainer.fit.loss import held_out_loss, loss_of
from trainer.fit.training import Training
from trainer.lora.tensors import add_fresh, choose_layers, round_to_half, trained_tensors, weights_of


class Fitted(NamedTuple):
    """The trained adapter (float32, peft's names) and its curve: step, loss, learning rate, held-out loss."""

    weights: dict[str, Tensor]
    curve: list[dict[str, float]]


@dataclass(frozen=True)
class Watch:
    """Callbacks of a running fit: after every step (step, steps), and whether to stop; `name` is on its bar.

    `on_curve` is given the curve so far before `on_step` is called, `on_saved` the folder of each new checkpoint.
    """

    on_step: Callable[[int, int], None] = lambda step, steps: None
    should_stop: Callable[[], bool] = lambda: False
    name: str = "fitting"
    on_curve: Callable[[list[dict[str, float]]], None] = lambda curve: None
    on_saved: Callable[[Path], None] = lambda checkpoint: None


def fit(training: Training, folder: Path, watch: Watch) -> Fitted:
    """The adapter after `train_steps` steps, resumed from the newest checkpoint in `folder`.

    Started by `accelerate launch`, each process takes its fraction of every batch, and all end with the same weights.
    Raises NonFiniteLoss before the step that would use it; OutOfMemory when one latent a pass does not fit;
    Interrupted, after saving, when asked to stop.
    """
    base, settings = training.base, training.settings
    accelerator = Accelerator(cpu=base.device.type == "cpu", mixed_precision=_precision(base))
    unet = base.pipe.unet
    fraction = Fraction(accelerator.process_index, accelerator.num_processes)
    _refuse_more_processes_than_latents(settings, fraction)
    draw = BatchDrawer(training, fraction)
    with accelerator.main_process_first():
        training.cache.prepare(*draw.needed())
    parameters = add_fresh(unet, settings.lora_rank, choose_layers(settings), settings.seed)
    with (
        offload_encoders(base),
        make_deterministic(settings.deterministic),
        checkpoint_blocks(unet, settings.gradient_checkpointing),
        advise_on_memory(lambda: memory_advice(unet, parameters, settings)),
    ):
        learner = Learner(parameters, settings, accelerator)
        curve = _Run(unet, draw, learner, folder, watch).finish()
    round_to_half(parameters)
    return Fitted(weights_of(trained_tensors(unet)), curve)


class _Run:
    """The steps of one fit in this process."""

    def __init__(
        self, unet: UNet2DConditionModel, draw: BatchDrawer, learner: Learner, folder: Path, watch: Watch
    ) -> None:
        self.unet, self.draw, self.learner, self.folder, self.watch = unet, draw, learner, folder, watch
        self.settings, self.accelerator = learner.settings, learner.accelerator
        self.rows = self.settings.micro_batch or self.settings.train_batch
        self.curve: list[dict[str, float]] = []

    def finish(self) -> list[dict[str, float]]:
        """Takes the remaining steps. The whole curve."""
        state, steps = newest_checkpoint(self.folder), self.settings.train_steps
        done = state.step if state else 0
        if state:
            self.learner.restore(state.learned)
            self.curve = state.curve
        self.accelerator.wait_for_everyone()
        bar = trange(
            done, steps, initial=done, total=steps, desc=self.watch.name, unit="step", disable=not self.is_first
        )
        batch = self.draw.train(done)
        for step in bar:
            batch, must_stop = self._step(step, batch)
            is_last = step + 1 == steps
            self._save(step + 1, must_stop, is_last)
            self.watch.on_curve(self.curve)
            self.watch.on_step(step + 1, steps)
            if must_stop and not is_last:
                raise Interrupted(f"at step {step + 1} of {steps}")
        return self.curve

    @property
    def is_first(self) -> bool:
        return self.accelerator.is_main_process

    def _step(self, step: int, batch: Batch) -> tuple[Batch, bool]:
        """Takes one step of the optimiser. The next step's batch, and whether any process was asked to stop."""
        set_seed((self.settings.seed * 1_000_003 + step) % 2**32)
        rate = self.learner.set_rate(step)
        loss = self._add_gradients(batch)
        norm = gradient_norm(self.learner.parameters, self.accelerator)
        following = self.draw.train(step + 1)  # while the device is still at work
        asked = torch.tensor(float(self.watch.should_stop()), device=loss.device)
        summed = self.accelerator.reduce(torch.stack([loss, asked]), reduction="sum")
        point = {"step": step + 1, "loss": summed[0].item(), "learning_rate": rate, "gradient_norm": norm.item()}
        self._refuse_non_finite(point)
        self.learner.step()
        self.curve.append(point)
        return following, summed[1].item() > 0

    def _add_gradients(self, batch: Batch) -> Tensor:
        """Leaves the gradient in the parameters. This process's part of the step's loss."""

        def work(rows: int) -> Tensor:
            self.learner.optimizer.zero_grad()  # what a pass left that ran out of memory
            losses = [self._pass(part) for part in batch.parts(rows)]
            return torch.stack(losses).sum()

        loss, self.rows = halve_until_fits(work, self.rows)
        return loss

    def _pass(self, part: Batch) -> Tensor:
        with self.accelerator.autocast():
            loss = loss_of(self.unet, part, self.draw)
        loss = loss * (len(part.timesteps_B) / self.settings.train_batch)
        self.accelerator.backward(loss)
        return loss.detach()

    def _refuse_non_finite(self, point: dict[str, float]) -> None:
        if not math.isfinite(point["loss"]):
            raise NonFiniteLoss(int(point["step"]), point["loss"])
        # A gradient scaler skips steps that overflowed.
        if not math.isfinite(point["gradient_norm"]) and self.accelerator.scaler is None:
            raise NonFiniteLoss(int(point["step"]), point["gradient_norm"], "norm of the gradient")

    def _save(self, step: int, must_stop: bool, is_last: bool) -> None:
        """Saves a checkpoint at milestones and when asked to stop; at milestones measures the held-out loss too."""
        is_milestone = is_last or step % self.settings.checkpoint_every == 0
        if not self.is_first or not (is_milestone or must_stop):
            return
        if is_milestone:
            self.curve[-1] |= held_out_loss(self.unet, self.draw, self.accelerator, self.rows)
        self.watch.on_saved(save_checkpoint(self.folder, State(step, self.curve, self.learner.state())))


def _refuse_more_processes_than_latents(settings: Settings, fraction: Fraction) -> None:
    """Raises BadRequest when there are more processes than latents in a batch."""
    if settings.train_batch < fraction.of:
        raise BadRequest(
            f"NAYSAYER_TRAIN_BATCH is {settings.train_batch} and {fraction.of} processes were started, but each "
            "needs a latent per step; raise it, or start fewer"
        )


def _precision(base: Base) -> str:
    if base.dtype is torch.float16 and base.device.type == "cpu":
        raise RetrainError(
            "a CPU draws in fp16 but cannot train in it; set NAYSAYER_DTYPE to bf16 or fp32 for the same weights"
        )
    return {torch.bfloat16: "bf16", torch.float16: "fp16"}.get(base.dtype, "no")
