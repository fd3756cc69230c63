"""Pictures to latents and back by the base's VAE.

Shape suffixes: B batch, C latent channels, H W latent height and width.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from diffusers import AutoencoderKL
from PIL import Image
from torch import Tensor

from store.errors import ModelError
from trainer.base.model import Base, move_to

NOT_FINITE = "pixels that are NaN or infinite"
OTHER_VAE = (
    "name a sound VAE for SDXL in NAYSAYER_VAE (madebyollin/sdxl-vae-fp16-fix suits every NAYSAYER_DTYPE), or lower "
    "NAYSAYER_STRENGTH if only a steered version draws this"
)


class Posterior(NamedTuple):
    """What the VAE's encoder gives for a picture: mean and standard deviation (C, H, W)."""

    mean: Tensor
    std: Tensor

    @property
    def is_finite(self) -> bool:
        return bool(torch.isfinite(self.mean).all() and torch.isfinite(self.std).all())


@torch.inference_mode()
def encode_picture(base: Base, png: bytes) -> Posterior:
    """The VAE's posterior for a picture, in the UNet's scale, as float16.

    Encodes in float32 where the VAE's own type overflows. Raises ModelError when float32 does not help.
    """
    with Image.open(io.BytesIO(png), formats=("PNG", "JPEG", "WEBP")) as picture:
        pixels = base.pipe.image_processor.preprocess(picture.convert("RGB"))
    vae = base.pipe.vae
    with move_to(base.device, vae):
        with upcast_where_needed(vae):
            found = _encode(base, pixels)
        if not found.is_finite:
            with in_float32(vae):
                found = _encode(base, pixels)
    if not found.is_finite:
        raise ModelError(f"a picture's latents from the VAE hold NaN or infinite values, in float32 too; {OTHER_VAE}")
    return found


def _encode(base: Base, pixels: Tensor) -> Posterior:
    vae = base.pipe.vae
    posterior = vae.encode(pixels.to(base.device, vae.dtype)).latent_dist
    mean, std = posterior.mean, posterior.std
    unshifted = to_model_scale(vae, torch.zeros_like(std))
    return Posterior(to_model_scale(vae, mean)[0].half(), (to_model_scale(vae, std) - unshifted)[0].half())


@torch.inference_mode()
def decode_latents(base: Base, latents_BCHW: Tensor, *, may_be_black: bool = False) -> list[Image.Image]:
    """RGB pictures of the latents.

    Decodes again in float32 when a picture is black or not finite. Raises ModelError when it then still is; black ones
    pass with `may_be_black`.
    """
    vae = base.pipe.vae
    with upcast_where_needed(vae):
        pixels = _decode(vae, latents_BCHW)
    if vae.dtype != torch.float32 and find_fault(pixels):
        with in_float32(vae):
            pixels = _decode(vae, latents_BCHW)
    fault = find_fault(pixels)
    if fault == NOT_FINITE or (fault and not may_be_black):
        raise ModelError(f"the VAE gives {fault} for sound latents, in float32 too; {OTHER_VAE}")
    return base.pipe.image_processor.postprocess(pixels, output_type="pil")


def _decode(vae: AutoencoderKL, latents_BCHW: Tensor) -> Tensor:
    return vae.decode(from_model_scale(vae, latents_BCHW.to(vae.dtype)), return_dict=False)[0].float()


def find_fault(pixels_BCHW: Tensor) -> str:
    """What is wrong with decoded pixels (-1 to 1), as a phrase; empty when nothing is.

    >>> find_fault(torch.zeros(1, 3, 2, 2)), find_fault(torch.full((1, 3, 2, 2), -1.0))
    ('', 'a black picture')
    """
    if not torch.isfinite(pixels_BCHW).all():
        return NOT_FINITE
    # A pixel below half a step of 8 bits is written as 0.
    is_black_B = pixels_BCHW.flatten(1).amax(dim=1) < -1 + 1 / 255
    return "a black picture" if is_black_B.any() else ""


@contextmanager
def in_float32(vae: AutoencoderKL) -> Iterator[None]:
    """Inside it, the VAE is in float32."""
    before = vae.dtype
    vae.to(torch.float32)
    try:
        yield
    finally:
        vae.to(before)


@contextmanager
def upcast_where_needed(vae: AutoencoderKL) -> Iterator[None]:
    """Inside it, the VAE is in float32 if float16 would overflow it."""
    if vae.dtype != torch.float16 or not vae.config.force_upcast:
        yield
        return
    with in_float32(vae):
        yield


def from_model_scale(vae: AutoencoderKL, latents_BCHW: Tensor) -> Tensor:
    """Latents in the UNet's scale, as the VAE's decoder takes them."""
    shift, spread = _shift_and_spread(vae, latents_BCHW)
    return latents_BCHW * spread / vae.config.scaling_factor + shift


def to_model_scale(vae: AutoencoderKL, latents_BCHW: Tensor) -> Tensor:
    """Latents from the VAE's encoder, in the UNet's scale."""
    shift, spread = _shift_and_spread(vae, latents_BCHW)
    return (latents_BCHW - shift) * vae.config.scaling_factor / spread


def _shift_and_spread(vae: AutoencoderKL, like: Tensor) -> tuple[Tensor, Tensor]:
    def by_channel(values: list[float] | None, default: float) -> Tensor:
        return torch.tensor(values or [default], device=like.device, dtype=like.dtype)[None, :, None, None]

    return by_channel(vae.config.latents_mean, 0.0), by_channel(vae.config.latents_std, 1.0)
