"""The check: a version's LoRA as a judge of finished pictures.

The picture is noised again, and base and LoRA both predict what was added. The LoRA has learnt what rejects look like,
so the more its prediction beats the base's, the more the picture is like the rejects:

    g(x0) = mean over (t, noise) of (|base(x_t, c) - y|^2 - |lora(x_t, c) - y|^2) / |base(x_t, c) - y|^2

where y is what the UNet is trained to predict, the noise or the velocity. Sources: Li et al. 2023 (Your Diffusion Model
is Secretly a Zero-Shot Classifier), with base and LoRA in place of two prompts; the division as in
`trainer.fit.objectives.nft_errors`.

Shape suffixes: B pictures, R = 2B rows of a call, C latent channels, H W latent height and width.
"""

from collections.abc import Sequence
from contextlib import suppress
from itertools import product
from typing import NamedTuple

import torch
from diffusers import DDPMScheduler
from safetensors.torch import load
from torch import Tensor

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

LORA_ROWS = Part(1, 2)
FIRST_NOISE = 2**40
"""Seed of the first noise; pictures of the loop hardly ever have such a seed."""
MOST_AT_ONCE = 32


class Check(NamedTuple):
    """At which timesteps (of 1,000) a picture is judged, and under how many noises at each."""

    timesteps: tuple[int, ...] = (800,)
    noises: int = 2

    @property
    def unet_rows(self) -> int:
        """Rows of UNet calls that one picture costs; a steered drawing takes two or three a step."""
        return 2 * len(self.timesteps) * self.noises


CHECK = Check()


class Judge:
    """A LoRA that is attached to the base, prepared to score pictures as often as wanted."""

    def __init__(self, base: Base, adapter_name: str, check: Check = CHECK) -> None:
        self.base, self.adapter_name, self.check = base, adapter_name, check
        self.noising = DDPMScheduler.from_config(base.pipe.scheduler.config)
        self.kept: LastResults = {}
        self.forwards = make_forwards(base.pipe.unet, Adapter(adapter_name, 1.0), LORA_ROWS, self.kept)

    @torch.inference_mode()
    def scores(self, latents_BCHW: Tensor, prompts: Sequence[str]) -> Tensor:
        """How much each picture is like the rejects (B,), float32 on the CPU: above 0 more than not.

        `latents_BCHW` are in the UNet's scale. A score does not depend on the other pictures, beyond rounding. Raises
        ModelError when a score is not finite.
        """

        def in_parts(rows: int) -> Tensor:
            starts = range(0, len(prompts), rows)
            return torch.cat([self._scores(latents_BCHW[s : s + rows], prompts[s : s + rows]) for s in starts])

        if not prompts:
            return torch.zeros(0)
        scores_B, _ = halve_until_fits(in_parts, min(len(prompts), MOST_AT_ONCE))
        if not torch.isfinite(scores_B).all():
            raise ModelError(
                "the check's predictions hold NaN or infinite values; use NAYSAYER_DTYPE=bf16 or fp32 instead"
            )
        return scores_B

    def _scores(self, latents_BCHW: Tensor, prompts: Sequence[str]) -> Tensor:
        latents_BCHW = latents_BCHW.to(self.base.device, torch.float32)
        text = self._read(prompts)
        try:
            with swap_forwards(self.forwards):
                tried = product(self.check.timesteps, range(self.check.noises))
                gains = [self._gain(latents_BCHW, text, t, number) for t, number in tried]
        finally:
            self.kept.clear()
        return torch.stack(gains).mean(dim=0).cpu()

    def _gain(self, latents_BCHW: Tensor, text: PromptEmbeds, timestep: int, number: int) -> Tensor:
        noise_BCHW = noise_of(number, latents_BCHW[0].shape).to(latents_BCHW).expand_as(latents_BCHW)
        timesteps_B = torch.full((len(latents_BCHW),), timestep, device=latents_BCHW.device)
        noisy_BCHW = self.noising.add_noise(latents_BCHW, noise_BCHW, timesteps_B)
        target_BCHW = training_target(self.noising, latents_BCHW, noise_BCHW, timesteps_B)
        base_B, lora_B = _errors(self._predict(noisy_BCHW, timestep, text), target_BCHW)
        return (base_B - lora_B) / base_B

    def _predict(self, noisy_BCHW: Tensor, timestep: int, text: PromptEmbeds) -> Tensor:
        """The base's predictions, then the LoRA's (R, C, H, W), in one call."""
        rows = 2 * len(noisy_BCHW)
        height, width = (side * self.base.pipe.vae_scale_factor for side in noisy_BCHW.shape[2:])
        size = torch.tensor([height, width, 0, 0, height, width], device=self.base.device, dtype=self.base.dtype)
        return self.base.pipe.unet(
            torch.cat([noisy_BCHW, noisy_BCHW]).to(self.base.dtype),
            torch.tensor(timestep, device=self.base.device),
            encoder_hidden_states=text.hidden,
            added_cond_kwargs={"text_embeds": text.pooled, "time_ids": size.expand(rows, -1)},
            return_dict=False,
        )[0]

    def _read(self, prompts: Sequence[str]) -> PromptEmbeds:
        """The text of all rows; the LoRA's rows read it with the adapter's text encoders where it has any."""
        pipe = self.base.pipe
        with move_to(self.base.device, pipe.text_encoder, pipe.text_encoder_2):
            plain = _embeddings(self.base, prompts)
            theirs = plain
            if has_text_lora(pipe, self.adapter_name):
                with apply_text_lora(pipe, self.adapter_name):
                    theirs = _embeddings(self.base, prompts)
        return PromptEmbeds(*(torch.cat(both).to(self.base.dtype) for both in zip(plain, theirs, strict=True)))


def reject_scores(base: Base, latents_BCHW: Tensor, prompts: Sequence[str], adapter_name: str) -> Tensor:
    """The scores (B,) of `Judge`, once, by the LoRA that is attached under that name."""
    return Judge(base, adapter_name).scores(latents_BCHW, prompts)


class Checker:
    """Keeps the LoRA of one version of a store beside the base, so that another picture costs no loading."""

    def __init__(self, base: Base, layout: Layout) -> None:
        self.base, self.layout, self.attached = base, layout, 0
        self._judge: Judge | None = None

    def reject_score(self, version: Version, image: Image, prompt: str) -> float:
        """How much a picture of the store is like the rejects, as the version sees it.

        Raises DamagedVersion, or DamagedStore when neither latent nor picture can be read.
        """
        latent_CHW = read_latent(self.base, self.layout, image)
        return float(self.reject_scores(version, latent_CHW[None], [prompt])[0])

    def reject_scores(self, version: Version, latents_BCHW: Tensor, prompts: Sequence[str]) -> Tensor:
        """The scores (B,) of latents, as the version sees them. Raises DamagedVersion."""
        return self._judge_of(version).scores(latents_BCHW, prompts)

    def _judge_of(self, version: Version) -> Judge:
        if self._judge is None or self.attached != version.number:
            self._detach()
            name = f"check-v{version.number}"  # another name than the sampler's, which may have it attached too
            attach_file(self.base.pipe, require_sound(self.layout, version), name)
            self.attached, self._judge = version.number, Judge(self.base, name)
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


def _errors(predicted_RCHW: Tensor, target_BCHW: Tensor) -> tuple[Tensor, Tensor]:
    """The squared errors (B,) of the base's rows and of the LoRA's."""
    base_BCHW, lora_BCHW = predicted_RCHW.float().chunk(2)
    base_B, lora_B = ((rows - target_BCHW).pow(2).mean(dim=(1, 2, 3)) for rows in (base_BCHW, lora_BCHW))
    return base_B, lora_B


def _embeddings(base: Base, prompts: Sequence[str]) -> PromptEmbeds:
    hidden, _, pooled, _ = base.pipe.encode_prompt(list(prompts), device=base.device, do_classifier_free_guidance=False)
    return PromptEmbeds(hidden, pooled)
