"""SDXL's refiner: a second UNet that draws the last steps, without a LoRA (Podell et al. 2023, section 2.5)."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionXLImg2ImgPipeline, StableDiffusionXLPipeline

from store.errors import ModelError
from store.file_kinds import mistaken_kind
from store.settings import Settings
from trainer.base.declared import (
    REFINER,
    Header,
    Prediction,
    declared_prediction,
    family_of,
    family_of_folder,
    read_header,
)
from trainer.base.hashing.remembered import weights_hashes
from trainer.base.hashing.tensors import Weights
from trainer.base.identity import IN_ONE_FILE, Sources, network_files, prediction_hash
from trainer.base.pipeline import LOAD_ERRORS
from trainer.base.schedule import choose_scheduler, set_prediction
from trainer.base.weights import first_line


@dataclass(frozen=True)
class Refiner:
    """The loaded refiner; it takes over at the share `start` (0 to 1) of the noise schedule.

    `parts` has the hashes of what only the refiner uses, by name.
    """

    pipe: StableDiffusionXLImg2ImgPipeline
    name: str
    start: float
    parts: dict[str, str]


def load_refiner(pipe: StableDiffusionXLPipeline, sources: Sources, settings: Settings, dtype: torch.dtype) -> Refiner:
    """The refiner that the settings name; it shares device, second text encoder and VAE with the base.

    Raises ModelError when it cannot be loaded, or is of another family.
    """
    path = sources.refiner
    assert path is not None
    header = _checked_header(path, settings)
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
    except LOAD_ERRORS as error:
        raise ModelError(
            f"{settings.refiner!r} could not be loaded as an SDXL refiner ({first_line(error)}); check "
            "NAYSAYER_REFINER, or leave it empty to draw with only the base"
        ) from error
    predicting = set_prediction(loaded.scheduler, declared_prediction(header) if header else Prediction())
    loaded.scheduler = choose_scheduler(predicting, settings.scheduler)  # as the base's: they hand latents over
    loaded.set_progress_bar_config(disable=True)
    loaded.unet.to(pipe.device).requires_grad_(False).eval()  # all else is the base's
    unet = [path] if path.is_file() else network_files(path / "unet", settings.model_variant)
    parts = {
        **weights_hashes({"refiner": Weights(tuple(unet), IN_ONE_FILE["unet"] if path.is_file() else "")}),
        "refiner_prediction": prediction_hash(loaded.scheduler.config),
        "refiner_start": f"{settings.refiner_start:g}",
    }
    return Refiner(loaded, settings.refiner, settings.refiner_start, parts)


def _checked_header(path: Path, settings: Settings) -> Header | None:
    """The header of the file with the refiner's UNet. Raises ModelError for another family than SDXL."""
    if path.is_file() and (mistaken := mistaken_kind(path)):
        raise ModelError(f"{settings.refiner!r} could not be loaded: {mistaken} (NAYSAYER_REFINER)")
    files = [path] if path.is_file() else network_files(path / "unet", settings.model_variant)
    try:
        header = read_header(files[0]) if files else None
    except LOAD_ERRORS as error:
        raise ModelError(
            f"{settings.refiner!r} could not be loaded as an SDXL refiner ({first_line(error)}); check NAYSAYER_REFINER"
        ) from error
    family = family_of(header) if path.is_file() and header else family_of_folder(path)
    if family and not family.startswith(REFINER):
        raise ModelError(f"{settings.refiner!r} is {family}; NAYSAYER_REFINER takes SDXL's refiner, or nothing")
    return header
