"""SDXL's refiner: a second UNet that draws the last steps, without a LoRA (Podell et al. 2023, section 2.5)."""

import warnings
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import StableDiffusionXLImg2ImgPipeline, StableDiffusionXLPipeline

from store.errors import ModelError
from store.settings import Settings
from trainer.base.weights import find, first_line, hash_of


@dataclass(frozen=True)
class Refiner:
    """The loaded refiner; it takes over at the share `start` (0 to 1) of the noise schedule."""

    pipe: StableDiffusionXLImg2ImgPipeline
    name: str
    sha256: str
    start: float


def load_refiner(
    pipe: StableDiffusionXLPipeline, settings: Settings, device: torch.device, dtype: torch.dtype
) -> Refiner:
    """The refiner that the settings name; it shares the second text encoder and the VAE with the base.

    Raises ModelError when it cannot be loaded.
    """
    path = find(settings.refiner, "NAYSAYER_REFINER", settings.model_variant)
    shared = {"vae": pipe.vae, "text_encoder_2": pipe.text_encoder_2, "tokenizer_2": pipe.tokenizer_2}
    how: dict[str, Any] = {"torch_dtype": dtype, "add_watermarker": False} | shared
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if path.is_file():
                loaded = StableDiffusionXLImg2ImgPipeline.from_single_file(str(path), **how)
            else:
                loaded = StableDiffusionXLImg2ImgPipeline.from_pretrained(
                    path, use_safetensors=True, variant=settings.model_variant or None, **how
                )
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise ModelError(
            f"{settings.refiner!r} could not be loaded as an SDXL refiner ({first_line(error)}); check "
            "NAYSAYER_REFINER, or leave it empty to draw with only the base"
        ) from error
    loaded.set_progress_bar_config(disable=True)
    loaded.to(device).unet.requires_grad_(False).eval()
    return Refiner(loaded, settings.refiner, hash_of(path, settings), settings.refiner_start)
