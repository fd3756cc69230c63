"""Pictures to latents and back by the base's VAE.

Shape suffixes: B batch, C latent channels, H W latent height and width.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from diffusers import AutoencoderKL
from PIL import Image
from torch import Tensor

from trainer.base.model import Base, move_to


@torch.inference_mode()
def encode_picture(base: Base, png: bytes) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (C, H, W) of the VAE's posterior for a picture, in the UNet's scale, as float16.

    Encodes in float32 where float16 would overflow the VAE.
    """
    with Image.open(io.BytesIO(png), formats=("PNG", "JPEG", "WEBP")) as picture:
        pixels = base.pipe.image_processor.preprocess(picture.convert("RGB"))
    vae = base.pipe.vae
    with move_to(base.device, vae), upcast_where_needed(vae):
        posterior = vae.encode(pixels.to(base.device, vae.dtype)).latent_dist
    mean, std = posterior.mean, posterior.std
    unshifted = to_model_scale(vae, torch.zeros_like(std))
    return to_model_scale(vae, mean)[0].half(), (to_model_scale(vae, std) - unshifted)[0].half()


@torch.inference_mode()
def decode_latents(base: Base, latents_BCHW: Tensor) -> list[Image.Image]:
    """RGB pictures of the latents."""
    vae = base.pipe.vae
    with upcast_where_needed(vae):
        pixels = vae.decode(from_model_scale(vae, latents_BCHW.to(vae.dtype)), return_dict=False)[0]
    return base.pipe.image_processor.postprocess(pixels.float(), output_type="pil")


@contextmanager
def upcast_where_needed(vae: AutoencoderKL) -> Iterator[None]:
    """Inside it, the VAE is in float32 if float16 would overflow it."""
    if vae.dtype != torch.float16 or not vae.config.force_upcast:
        yield
        return
    vae.to(torch.float32)
    try:
        yield
    finally:
        vae.to(torch.float16)


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
