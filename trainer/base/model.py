"""The base model: anything that `StableDiffusionXLPipeline` can load."""

import json
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, StableDiffusionXLPipeline, UNet2DConditionModel
from diffusers.utils import logging as diffusers_logging
from torch import nn
from transformers.utils import logging as transformers_logging

from feedback.sample.plan import Drawing
from store.errors import ModelError
from store.files import sha256_of
from store.settings import Settings
from trainer.base.quantization import unet_quantization
from trainer.base.refiner import Refiner, load_refiner
from trainer.base.weights import first_line, hash_of, locate, revision_of

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
DISTILLED = re.compile(r"turbo|lightning|hyper-?sd|\blcm\b|dmd", re.IGNORECASE)
DISTILLED_SCHEDULERS = ("LCMScheduler", "TCDScheduler")


@dataclass(frozen=True)
class Base:
    """A loaded base model; `sha256` covers every weight file it was loaded from, the refiner's too.

    `revision` is the commit of the hub it came from, or empty.
    """

    pipe: StableDiffusionXLPipeline
    name: str
    sha256: str
    plain: Drawing
    revision: str = ""
    refiner: Refiner | None = None

    @cached_property
    def device(self) -> torch.device:
        return self.pipe.unet.device

    @cached_property
    def dtype(self) -> torch.dtype:
        return self.pipe.unet.dtype

    @property
    def facts(self) -> dict[str, Any]:
        """What a version's settings record about its base, besides its name and hash."""
        facts = {"model_revision": self.revision} if self.revision else {}
        return facts | ({"refiner": self.refiner.name, "refiner_start": self.refiner.start} if self.refiner else {})


def load_base(settings: Settings) -> Base:
    """The base model the settings name, on its device, in its dtype, ready to sample and to train.

    Raises ModelError when it cannot be loaded, is no SDXL, or has no negative half to steer with.
    """
    device = pick_device(settings.device)
    dtype = pick_dtype(settings.dtype, device)
    path = locate(settings)
    try:
        pipe = _load(path, settings, device, dtype)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise ModelError(
            f"{settings.model!r} could not be loaded as an SDXL pipeline ({first_line(error)}); "
            "NAYSAYER_MODEL takes `builtin`, a hub id, a diffusers folder or a single .safetensors checkpoint of SDXL"
            f"{_hint(path, settings)}"
        ) from error
    pipe.set_progress_bar_config(disable=True)
    if settings.vae_decode != "whole":
        (pipe.vae.enable_tiling if settings.vae_decode == "tiled" else pipe.vae.enable_slicing)()
    plain = _plain_drawing(pipe, path, settings)
    _refuse_distilled(pipe, settings, plain)
    pipe.to(device)
    for module in (pipe.unet, pipe.vae, pipe.text_encoder, pipe.text_encoder_2):
        module.requires_grad_(False).eval()
    refiner = load_refiner(pipe, settings, device, dtype) if settings.refiner else None
    sha256 = hash_of(path, settings)
    whole = sha256_of(f"{sha256}\n{refiner.sha256}\n{refiner.start:g}".encode()) if refiner else sha256
    return Base(pipe, settings.model, whole, plain, revision_of(path), refiner)


def pick_device(wanted: str) -> torch.device:
    """`auto` is CUDA where there is one, else MPS, else the CPU. Raises ModelError when the wanted one is not there."""
    if wanted != "auto":
        device = torch.device(wanted)
        found = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available()), "cpu": 1}
        if (device.index or 0) >= found[device.type]:
            raise ModelError(
                f"NAYSAYER_DEVICE is {wanted}, but PyTorch {torch.__version__} finds {found[device.type]} such devices "
                "here; use auto or cpu, or install the driver and the PyTorch that fit the device"
            )
        return device
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def pick_dtype(wanted: str, device: torch.device) -> torch.dtype:
    """`auto` is bf16 on CUDA, else fp32."""
    if wanted != "auto":
        return DTYPES[wanted]
    return torch.bfloat16 if device.type == "cuda" else torch.float32


def _load(path: Path, settings: Settings, device: torch.device, dtype: torch.dtype) -> StableDiffusionXLPipeline:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the libraries' own deprecations are not the user's business
        replaced = {}
        if quantization := unet_quantization(settings, device, dtype):
            replaced["unet"] = _quantized_unet(path, settings, dtype, quantization)
        if settings.vae:
            replaced["vae"] = AutoencoderKL.from_pretrained(settings.vae, torch_dtype=dtype, use_safetensors=True)
        if path.is_file():
            return StableDiffusionXLPipeline.from_single_file(
                str(path),
                torch_dtype=dtype,
                config=settings.model_config_source or None,
                add_watermarker=False,
                **replaced,
            )
        return StableDiffusionXLPipeline.from_pretrained(
            path,
            torch_dtype=dtype,
            use_safetensors=True,
            variant=settings.model_variant or None,
            add_watermarker=False,
            **replaced,
        )


def _quantized_unet(path: Path, settings: Settings, dtype: torch.dtype, quantization: Any) -> UNet2DConditionModel:
    """Only the UNet: its linear weights are quantised while they are read, so they are never in memory in full."""
    how = {"torch_dtype": dtype, "quantization_config": quantization}
    if path.is_file():
        where = {"config": settings.model_config_source, "subfolder": "unet"} if settings.model_config_source else {}
        return UNet2DConditionModel.from_single_file(str(path), **where, **how)
    return UNet2DConditionModel.from_pretrained(
        path, subfolder="unet", use_safetensors=True, variant=settings.model_variant or None, **how
    )


def _plain_drawing(pipe: StableDiffusionXLPipeline, path: Path, settings: Settings) -> Drawing:
    """How the plain base draws: the settings, else the model folder's `naysayer.json`, else SDXL's usual values."""
    advice = path / "naysayer.json"
    own = json.loads(advice.read_text()) if advice.is_file() else {}
    side = pipe.default_sample_size * pipe.vae_scale_factor
    return Drawing(
        rule="plain",
        strength=0.0,
        guidance_scale=settings.guidance_scale or own.get("guidance_scale", 6.0),
        num_inference_steps=settings.num_inference_steps or own.get("num_inference_steps", 30),
        width=settings.width_px or own.get("width", side),
        height=settings.height_px or own.get("height", side),
        negative_prompt=settings.negative_prompt,
    )


def _refuse_distilled(pipe: StableDiffusionXLPipeline, settings: Settings, plain: Drawing) -> None:
    """Raises ModelError for a model that is sampled without classifier-free guidance; a guidance set by hand decides.

    The signs: a guidance scale of at most 1, or a UNet that takes the guidance as an input (LCM). Where the settings
    name no guidance scale, also the model's name, its scheduler, and trailing timesteps without rescaled betas: Turbo
    has those. Zero-terminal-SNR models have trailing timesteps too, but rescaled betas.
    """
    how = pipe.scheduler.config
    trails = how.get("timestep_spacing") == "trailing" and not how.get("rescale_betas_zero_snr")
    is_distilled = DISTILLED.search(settings.model) or type(pipe.scheduler).__name__ in DISTILLED_SCHEDULERS or trails
    if plain.guidance_scale <= 1 or pipe.unet.config.time_cond_proj_dim is not None:
        raise ModelError(
            f"{settings.model!r} samples without classifier-free guidance, so it has no negative half to steer with; "
            "use an undistilled SDXL, and a guidance scale above 1"
        )
    if is_distilled and settings.guidance_scale is None:
        raise ModelError(
            f"{settings.model!r} looks like a distilled model, which samples without classifier-free guidance and has "
            "no negative half to steer with; use an undistilled SDXL, or set NAYSAYER_GUIDANCE_SCALE above 1 if this "
            "one does use guidance"
        )


def _hint(path: Path, settings: Settings) -> str:
    if path.is_dir() or settings.model_config_source:
        return ""
    return (
        "; such a file holds only weights; its configuration comes from the hub or from the folder that "
        "NAYSAYER_MODEL_CONFIG_SOURCE names"
    )


@contextmanager
def move_to(device: torch.device | str, *modules: nn.Module) -> Iterator[None]:
    """Inside it, the modules are on that device; afterwards each is back where it was."""
    device = torch.device(device)
    homes = {module: home for module in modules if (home := next(module.parameters()).device).type != device.type}
    try:
        for module in homes:
            module.to(device)
        yield
    finally:
        for module, home in homes.items():
            module.to(home)


def silence_libraries() -> None:
    """Turns off the progress bars that the libraries show while loading."""
    diffusers_logging.disable_progress_bar()
    transformers_logging.disable_progress_bar()
