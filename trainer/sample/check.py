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

Shape suffixes: B pictures, N looks (pictures, each under every timestep and noise), R rows of a call (2N, or 3N with
the departure), K kinds of evidence (2), C latent channels, H W latent height and width.
"""

from collections.abc import Sequence
from contextlib import suppress
from itertools import product
from typing import NamedTuple

import torch
from diffusers import DDPMScheduler
from safetensors.torch import load
from torch import Tensor

from feedback.check.version_check import How, VersionCheck
from feedback.retrain.progress import Tell, quiet
from store.errors import DamagedStore, ModelError
from store.layout import Layout
from store.tables import Image, Version
from trainer.base.memory import halve_until_fits
from trainer.base.model import Base, move_to
from trainer.base.schedule import training_target
from trainer.base.vae import encode_picture
from trainer.lora.tensors import attach_file, detach
from trainer.lora.text_encoders import PromptEmbeds, has_text_lora
from trainer.prompts.encoding import Words, encode_words
from trainer.sample.adapter_rows import Adapter, LastResults, Part, make_forwards, swap_forwards
from trainer.sample.sampler import require_sound
from trainer.sample.text import apply_text_lora

FIRST_NOISE = 2**40
"""Seed of the first noise; pictures of the loop hardly ever have such a seed."""
MOST_AT_ONCE = 8
"""Looks in one call, which then has as many rows as a drawing of eight pictures; never more than are drawn at once."""
CHECK = How.at((880,), 2)
"""How new versions judge; the votes set their weights."""


class Look(NamedTuple):
    """A picture, by its place in a batch, at a timestep and under the noise of that number."""

    picture: int
    timestep: int
    noise: int


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
    def evidence(self, latents_BCHW: Tensor, prompts: Sequence[str], tell: Tell = quiet) -> Tensor:
        """Likeness and departure of each picture (B, K), float32 on the CPU; a departure without weight is 0.

        `latents_BCHW` are in the UNet's scale. Neither depends on the other pictures, beyond rounding. Tells of the
        pictures, in fractions. Raises ModelError when one is not finite.
        """
        if not prompts:
            return torch.zeros(0, 2)
        tried = list(product(self.how.timesteps, range(self.how.noises)))
        looks = [Look(picture, *under) for picture in range(len(prompts)) for under in tried]
        latents_BCHW, text = latents_BCHW.to(self.base.device, torch.float32), self._read(prompts)

        def in_parts(count: int) -> Tensor:
            gains = []
            for start in range(0, len(looks), count):
                gains.append(self._gains(latents_BCHW, text, looks[start : start + count]))
                tell(len(gains[-1]) / len(tried))
            return torch.cat(gains)

        try:
            with swap_forwards(self.forwards):
                most = min(MOST_AT_ONCE, self.base.settings.sample_batch)
                gains_NK, _ = halve_until_fits(in_parts, min(len(looks), most))
        finally:
            self.kept.clear()
        if not torch.isfinite(gains_NK).all():
            raise ModelError(
                "the check's predictions hold NaN or infinite values; use NAYSAYER_DTYPE=bf16 or fp32 instead"
            )
        return gains_NK.view(len(prompts), len(tried), 2).mean(dim=1).cpu()

    def _gains(self, latents_BCHW: Tensor, text: Sequence[PromptEmbeds], looks: Sequence[Look]) -> Tensor:
        """What each look adds to the evidence (N, K)."""
        pictures_N = torch.tensor([look.picture for look in looks], device=latents_BCHW.device)
        timesteps_N = torch.tensor([look.timestep for look in looks], device=latents_BCHW.device)
        latents_NCHW = latents_BCHW[pictures_N]
        noise_NCHW = torch.stack([noise_of(look.noise, latents_BCHW.shape[1:]) for look in looks]).to(latents_NCHW)
        noisy_NCHW = self.noising.add_noise(latents_NCHW, noise_NCHW, timesteps_N)
        target_NCHW = training_target(self.noising, latents_NCHW, noise_NCHW, timesteps_N)
        rows = [PromptEmbeds(*(values[pictures_N] for values in part)) for part in text]
        predicted = self._predict(noisy_NCHW, timesteps_N, rows).float().chunk(self.parts)
        base_N, *others = ((part - target_NCHW).pow(2).mean(dim=(1, 2, 3)) for part in predicted)
        gains = [(base_N - other_N) / base_N for other_N in others]
        return torch.stack([*gains, torch.zeros_like(base_N)][:2], dim=1)

    def _predict(self, noisy_NCHW: Tensor, timesteps_N: Tensor, text: Sequence[PromptEmbeds]) -> Tensor:
        """The predictions (R, C, H, W) of the base, of the LoRA, and of the base without a prompt, in one call."""
        height, width = (side * self.base.pipe.vae_scale_factor for side in noisy_NCHW.shape[2:])
        size = torch.tensor([height, width, 0, 0, height, width], device=self.base.device, dtype=self.base.dtype)
        hidden, pooled = (torch.cat(parts).to(self.base.dtype) for parts in zip(*text, strict=True))
        return self.base.pipe.unet(
            noisy_NCHW.repeat(self.parts, 1, 1, 1).to(self.base.dtype),
            timesteps_N.repeat(self.parts),
            encoder_hidden_states=hidden,
            added_cond_kwargs={"text_embeds": pooled, "time_ids": size.expand(len(hidden), -1)},
            return_dict=False,
        )[0]

    def _read(self, prompts: Sequence[str]) -> Sequence[PromptEmbeds]:
        """The prompts' text for each part; the LoRA reads it with the adapter's text encoders where it has any."""
        pipe = self.base.pipe
        with move_to(self.base.device, pipe.text_encoder, pipe.text_encoder_2):
            plain, null = _embeddings(self.base, prompts)
            theirs = plain
            if has_text_lora(pipe, self.adapter_name):
                with apply_text_lora(pipe, self.adapter_name):
                    theirs, _ = _embeddings(self.base, prompts)
        return (plain, theirs, null)[: self.parts]


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
            self.strip()
            name = f"check-v{version.number}"  # another name than the sampler's, which may have it attached too
            attach_file(self.base.pipe, require_sound(self.layout, version), name)
            self.attached, self._judge = version.number, Judge(self.base, name, how_of(version))
        return self._judge

    def strip(self) -> None:
        """Takes the LoRA off that it keeps beside the base."""
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
    found = encode_words(base.pipe, Words(prompts), is_weighted=base.settings.weighs_prompts)
    given = PromptEmbeds(found.prompt_embeds, found.pooled_prompt_embeds)
    return given, PromptEmbeds(found.negative_prompt_embeds, found.negative_pooled_prompt_embeds)
