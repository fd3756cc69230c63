"""The check: a version's LoRA, and the base itself, as judges of finished pictures.

The picture is noised again, and three predictions of what was added are compared: the base's with the prompt, the
LoRA's with the prompt, the base's without a prompt. Each error E is a mean over the latent.

    likeness(x0)  = mean over (t, noise) of (E_base(x_t, c) - E_lora(x_t, c)) / E_base(x_t, c)
    departure(x0) = mean over (t, noise) of (E_base(x_t, c) - E_base(x_t, null)) / E_base(x_t, c)

The LoRA has learnt what rejects look like, so the more it beats the base, the more the picture is like the rejects. And
the less the prompt helps the base to predict a picture, the less the picture shows what the prompt asks for; no vote is
needed for that. The score is their weighted sum, with weights that the votes decide (`feedback.check.weighing`).
Sources: Li et al. 2023 (Your Diffusion Model is Secretly a Zero-Shot Classifier), for the likeness with base and LoRA
in place of two prompts; the division as in `trainer.fit.objectives.nft_errors`.

Shape suffixes: B pictures, R rows of a call (2B, or 3B with the departure), K kinds of evidence (2), C latent channels,
H W latent height and width.
"""

from collections.abc import Sequence
from contextlib import suppress
from itertools import product

import torch
from diffusers import DDPMScheduler
from safetensors.torch import load
from torch import Tensor

from feedback.check.version_check import How, VersionCheck
from store.errors import DamagedStore, ModelError
from store.layout import Layout
from store.tables import Image, Version
from trainer.base.memory import halve_until_fits
from trainer.base.model import Base, move_to
from trainer.base.schedule import training_target
from trainer.base.vae import encode_picture
from trainer.lora.tensors import attach_file, detach
from trainer.lora.text_encoders import PromptEmbeds, has_text_lora
from trainer.sample.adapter_rows import Adapter, LastResults, Part, make_forwards, swap_forwards
from trainer.sample.sampler import require_sound
from trainer.sample.text import apply_text_lora

FIRST_NOISE = 2**40
"""Seed of the first noise; pictures of the loop hardly ever have such a seed."""
MOST_AT_ONCE = 32
CHECK = How.at((880,), 2)
"""How new versions judge; the votes set their weights."""


class Judge:
    """A LoRA that is attached to the base, prepared to score pictures as often as wanted."""

    def __init__(self, base: Base, adapter_name: str, how: How = CHECK) -> None:
        self.base, self.adapter_name, self.how = base, adapter_name, how
        self.noising = DDPMScheduler.from_config(base.pipe.scheduler.config)
        self.kept: LastResults = {}
        self.parts = 3 if how.asks_the_prompt else 2
        lora_rows = Part(1, self.parts)
        self.forwards = make_forwards(base.pipe.unet, Adapter(adapter_name, 1.0), lora_rows, self.kept)

    def scores(self, latents_BCHW: Tensor, prompts: Sequence[str]) -> Tensor:
        """How much each picture is like the rejects (B,), float32 on the CPU: its evidence, weighted."""
        return self.evidence(latents_BCHW, prompts) @ torch.tensor(self.how.weights)

    @torch.inference_mode()
    def evidence(self, latents_BCHW: Tensor, prompts: Sequence[str]) -> Tensor:
        """Likeness and departure of each picture (B, K), float32 on the CPU; a departure without weight is 0.

        `latents_BCHW` are in the UNet's scale. Neither depends on the other pictures, beyond rounding. Raises
        ModelError when one is not finite.
        """

        def in_parts(rows: int) -> Tensor:
            starts = range(0, len(prompts), rows)
            return torch.cat([self._evidence(latents_BCHW[s : s + rows], prompts[s : s + rows]) for s in starts])

        if not prompts:
            return torch.zeros(0, 2)
        found_BK, _ = halve_until_fits(in_parts, min(len(prompts), MOST_AT_ONCE))
        if not torch.isfinite(found_BK).all():
            raise ModelError(
                "the check's predictions hold NaN or infinite values; use NAYSAYER_DTYPE=bf16 or fp32 instead"
            )
        return found_BK

    def _evidence(self, latents_BCHW: Tensor, prompts: Sequence[str]) -> Tensor:
        latents_BCHW = latents_BCHW.to(self.base.device, torch.float32)
        text = self._read(prompts)
        try:
            with swap_forwards(self.forwards):
                tried = product(self.how.timesteps, range(self.how.noises))
                gains = [self._gains(latents_BCHW, text, t, number) for t, number in tried]
        finally:
            self.kept.clear()
        return torch.stack(gains).mean(dim=0).cpu()

    def _gains(self, latents_BCHW: Tensor, text: PromptEmbeds, timestep: int, number: int) -> Tensor:
        noise_BCHW = noise_of(number, latents_BCHW[0].shape).to(latents_BCHW).expand_as(latents_BCHW)
        timesteps_B = torch.full((len(latents_BCHW),), timestep, device=latents_BCHW.device)
        noisy_BCHW = self.noising.add_noise(latents_BCHW, noise_BCHW, timesteps_B)
        target_BCHW = training_target(self.noising, latents_BCHW, noise_BCHW, timesteps_B)
        predicted = self._predict(noisy_BCHW, timestep, text).float().chunk(self.parts)
        base_B, *others = ((rows - target_BCHW).pow(2).mean(dim=(1, 2, 3)) for rows in predicted)
        gains = [(base_B - other_B) / base_B for other_B in others]
        return torch.stack([*gains, torch.zeros_like(base_B)][:2], dim=1)

    def _predict(self, noisy_BCHW: Tensor, timestep: int, text: PromptEmbeds) -> Tensor:
        """The predictions (R, C, H, W) of the base, of the LoRA, and of the base without a prompt, in one call."""
        rows = self.parts * len(noisy_BCHW)
        height, width = (side * self.base.pipe.vae_scale_factor for side in noisy_BCHW.shape[2:])
        size = torch.tensor([height, width, 0, 0, height, width], device=self.base.device, dtype=self.base.dtype)
        return self.base.pipe.unet(
            noisy_BCHW.repeat(self.parts, 1, 1, 1).to(self.base.dtype),
            torch.tensor(timestep, device=self.base.device),
            encoder_hidden_states=text.hidden,
            added_cond_kwargs={"text_embeds": text.pooled, "time_ids": size.expand(rows, -1)},
            return_dict=False,
        )[0]

    def _read(self, prompts: Sequence[str]) -> PromptEmbeds:
        """The text of all rows; the LoRA's rows read it with the adapter's text encoders where it has any."""
        pipe = self.base.pipe
        with move_to(self.base.device, pipe.text_encoder, pipe.text_encoder_2):
            plain, null = _embeddings(self.base, prompts)
            theirs = plain
            if has_text_lora(pipe, self.adapter_name):
                with apply_text_lora(pipe, self.adapter_name):
                    theirs, _ = _embeddings(self.base, prompts)
        parts = (plain, theirs, null)[: self.parts]
        return PromptEmbeds(*(torch.cat(all_rows).to(self.base.dtype) for all_rows in zip(*parts, strict=True)))


def reject_scores(
    base: Base, latents_BCHW: Tensor, prompts: Sequence[str], adapter_name: str, how: How | None = None
) -> Tensor:
    """The scores (B,) of `Judge`, once, by the LoRA that is attached under that name."""
    return Judge(base, adapter_name, how or CHECK).scores(latents_BCHW, prompts)


def how_of(version: Version) -> How:
    """How the version's check judges; as new ones do where it has none."""
    check = VersionCheck.of(version)
    return check.how if check else CHECK


class Checker:
    """Keeps the LoRA of one version of a store beside the base, so that another picture costs no loading."""

    def __init__(self, base: Base, layout: Layout) -> None:
        self.base, self.layout, self.attached = base, layout, 0
        self._judge: Judge | None = None

    def reject_scores(self, version: Version, latents_BCHW: Tensor, prompts: Sequence[str]) -> Tensor:
        """The scores (B,) of latents, as the version sees them. Raises DamagedVersion."""
        return self._judge_of(version).scores(latents_BCHW, prompts)

    def _judge_of(self, version: Version) -> Judge:
        if self._judge is None or self.attached != version.number:
            self._detach()
            name = f"check-v{version.number}"  # another name than the sampler's, which may have it attached too
            attach_file(self.base.pipe, require_sound(self.layout, version), name)
            self.attached, self._judge = version.number, Judge(self.base, name, how_of(version))
        return self._judge

    def _detach(self) -> None:
        if self._judge is not None:
            self._judge = None
            detach(self.base.pipe, f"check-v{self.attached}")


def read_latent(base: Base, layout: Layout, image: Image) -> Tensor:
    """The latent (C, H, W) of a picture, float32: the sampler's own, or, without one, the VAE's mean for its pixels.

    Raises DamagedStore when neither can be read.
    """
    if image.latent_sha256:
        with suppress(DamagedStore):
            return load(layout.blobs.get(image.latent_sha256))["latent"].float()
    return encode_picture(base, layout.blobs.get(image.sha256)).mean.float()


def noise_of(number: int, shape_CHW: Sequence[int]) -> Tensor:
    """The check's noise of that number, on the CPU: one for every picture and version."""
    return torch.randn(tuple(shape_CHW), generator=torch.Generator().manual_seed(FIRST_NOISE + number))


def _embeddings(base: Base, prompts: Sequence[str]) -> tuple[PromptEmbeds, PromptEmbeds]:
    """The prompts' text, and as many times the null prompt's."""
    hidden, null, pooled, null_pooled = base.pipe.encode_prompt(list(prompts), device=base.device)
    return PromptEmbeds(hidden, pooled), PromptEmbeds(null, null_pooled)
