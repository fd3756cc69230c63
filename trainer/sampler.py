"""Draw pictures with a version: prompts and seeds in, PNG bytes and final latents out."""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from diffusers import AutoencoderKL
from PIL import Image
from safetensors.torch import save
from torch import Tensor

from feedback.work import Drawing
from store.errors import ModelError
from store.layout import Layout
from store.tables import Version
from trainer.guidance import steered
from trainer.lora import DIFFUSERS_FILE, attach_file, detach
from trainer.model import Base


class Drawn(NamedTuple):
    """One picture: PNG without metadata, and its final latent as a safetensors file (float16, key `latent`)."""

    png: bytes
    latent: bytes


class Sampler:
    """Keeps the LoRA of one version beside the base, so that drawing with it again costs no loading."""

    def __init__(self, base: Base, layout: Layout) -> None:
        self.base, self.layout, self.attached = base, layout, 0

    def drawing_of(self, version: Version) -> Drawing:
        """How pictures of that version are drawn."""
        return drawing_by(self.base.plain, version.rule, version.strength, version.settings)

    def draw(self, version: Version, prompts: Sequence[str], seeds: Sequence[int]) -> list[Drawn]:
        """One picture for every prompt and seed. A seed gives the same noise whatever the batch."""
        self._attach(version)
        latents = sample_latents(self.base, prompts, seeds, self.drawing_of(version), f"v{version.number}")
        pictures = decode(self.base, latents)
        return [Drawn(png_of(picture), latent_file(latent)) for picture, latent in zip(pictures, latents, strict=True)]

    def _attach(self, version: Version) -> None:
        if version.number in (0, self.attached):
            return
        if self.attached:
            detach(self.base.pipe, f"v{self.attached}")
        assert version.sha256 is not None
        attach_file(self.base.pipe, self._file(version.sha256), f"v{version.number}")
        self.attached = version.number

    def _file(self, sha256: str) -> Path:
        return self.layout.version_folder(sha256) / DIFFUSERS_FILE


def drawing_by(plain: Drawing, rule: str, strength: float, how: Mapping[str, Any]) -> Drawing:
    """The base's own drawing, steered; `how` holds the settings `trigger` and `guidance_gain` of a version.

    Under `same-prompt` the guidance scale grows with the strength: what pushes away from the rejects alone leaves the
    prompt behind. Under `woolf` the trigger word is the negative prompt. An imported version may have a
    `negative_prompt` of its own for any rule.
    """
    drawing = replace(
        plain, rule=rule, strength=strength, negative_prompt=how.get("negative_prompt", plain.negative_prompt)
    )
    if rule == "same-prompt":
        return replace(drawing, guidance_scale=plain.guidance_scale + how.get("guidance_gain", 0.0) * strength)
    return replace(drawing, negative_prompt=how["trigger"]) if rule == "woolf" else drawing


def sample_latents(
    base: Base, prompts: Sequence[str], seeds: Sequence[int], drawing: Drawing, adapter_name: str = ""
) -> Tensor:
    """Final latents (B, 4, H, W), in the scale the UNet works in.

    Raises ModelError when they are not finite.
    """
    negative = [drawing.negative_prompt] * len(prompts) if drawing.negative_prompt else None
    with steered(base.pipe.unet, adapter_name, drawing.rule, drawing.strength), torch.inference_mode():
        latents = base.pipe(
            prompt=list(prompts),
            negative_prompt=negative,
            generator=[torch.Generator("cpu").manual_seed(seed) for seed in seeds],
            guidance_scale=drawing.guidance_scale,
            num_inference_steps=drawing.num_inference_steps,
            width=drawing.width,
            height=drawing.height,
            output_type="latent",
        ).images
    if not torch.isfinite(latents).all():
        raise ModelError(
            f"the sampler's latents hold NaN or infinite values (rule {drawing.rule}, strength {drawing.strength:g}); "
            "use NAYSAYER_DTYPE=bf16 or fp32, or a lower strength"
        )
    return latents


@torch.inference_mode()
def decode(base: Base, latents_BCHW: Tensor) -> list[Image.Image]:
    """RGB pictures of the latents."""
    vae = base.pipe.vae
    with safe_precision(vae):
        pixels = vae.decode(from_model_scale(vae, latents_BCHW.to(vae.dtype)), return_dict=False)[0]
    return base.pipe.image_processor.postprocess(pixels.float(), output_type="pil")


@contextmanager
def safe_precision(vae: AutoencoderKL) -> Iterator[None]:
    """While it lasts, the VAE is in float32 where float16 would overflow it."""
    if vae.dtype != torch.float16 or not vae.config.force_upcast:
        yield
        return
    vae.to(torch.float32)
    try:
        yield
    finally:
        vae.to(torch.float16)


def from_model_scale(vae: AutoencoderKL, latents_BCHW: Tensor) -> Tensor:
    """Latents as the VAE's decoder takes them."""
    shift, spread = _shift_and_spread(vae, latents_BCHW)
    return latents_BCHW * spread / vae.config.scaling_factor + shift


def to_model_scale(vae: AutoencoderKL, latents_BCHW: Tensor) -> Tensor:
    """What the VAE's encoder gives, as the UNet takes it."""
    shift, spread = _shift_and_spread(vae, latents_BCHW)
    return (latents_BCHW - shift) * vae.config.scaling_factor / spread


def _shift_and_spread(vae: AutoencoderKL, like: Tensor) -> tuple[Tensor, Tensor]:
    def by_channel(values: list[float] | None, default: float) -> Tensor:
        return torch.tensor(values or [default], device=like.device, dtype=like.dtype)[None, :, None, None]

    return by_channel(vae.config.latents_mean, 0.0), by_channel(vae.config.latents_std, 1.0)


def png_of(picture: Image.Image) -> bytes:
    """The picture as PNG without any metadata: nothing in the file tells which version drew it."""
    buffer = io.BytesIO()
    Image.frombytes("RGB", picture.size, picture.convert("RGB").tobytes()).save(buffer, "PNG")
    return buffer.getvalue()


def latent_file(latent_CHW: Tensor) -> bytes:
    """A safetensors file with the latent in float16."""
    return save({"latent": latent_CHW.to("cpu", torch.float16).contiguous()})
