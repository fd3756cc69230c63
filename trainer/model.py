"""The base model: anything `StableDiffusionXLPipeline` can load, by one code path."""

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

from feedback.work import Drawing
from store.errors import ModelError
from store.files import sha256_of, sha256_of_file
from store.settings import Settings
from trainer.quantization import unet_quantization

BUILTIN_FOLDER = Path(__file__).parent / "builtin" / "model"
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
DISTILLED = re.compile(r"turbo|lightning|hyper-?sd|\blcm\b|dmd", re.IGNORECASE)


@dataclass(frozen=True)
class Base:
    """A loaded base model; `sha256` covers every weight file it was loaded from."""

    pipe: StableDiffusionXLPipeline
    name: str
    sha256: str
    plain: Drawing

    @cached_property
    def device(self) -> torch.device:
        return self.pipe.unet.device

    @cached_property
    def dtype(self) -> torch.dtype:
        return self.pipe.unet.dtype


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
            f"{settings.model!r} could not be loaded as an SDXL pipeline ({str(error).splitlines()[0][:200]}); "
            "NAYSAYER_MODEL takes `builtin`, a hub id, a diffusers folder or a single .safetensors checkpoint of SDXL"
        ) from error
    pipe.set_progress_bar_config(disable=True)
    plain = _plain_drawing(pipe, path, settings)
    _refuse_distilled(pipe, settings, plain)
    pipe.to(device)
    for module in (pipe.unet, pipe.vae, pipe.text_encoder, pipe.text_encoder_2):
        module.requires_grad_(False).eval()
    return Base(pipe, settings.model, hash_of(path, settings), plain)


def locate(settings: Settings) -> Path:
    """The folder or file of the weights on this machine, fetched from the hub first when `model` is a hub id."""
    if settings.is_builtin:
        return BUILTIN_FOLDER
    if (path := Path(settings.model)).exists():
        return path
    try:
        return Path(
            StableDiffusionXLPipeline.download(
                settings.model, use_safetensors=True, variant=settings.model_variant or None
            )
        )
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{settings.model!r} is neither a file, a folder, nor a hub id that could be fetched "
            f"({str(error).splitlines()[0][:200]}); check NAYSAYER_MODEL and the network"
        ) from error


def pick_device(wanted: str) -> torch.device:
    """`auto` is CUDA where there is one, else MPS, else the CPU."""
    if wanted != "auto":
        return torch.device(wanted)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def pick_dtype(wanted: str, device: torch.device) -> torch.dtype:
    """`auto` is bf16 on CUDA, else fp32."""
    if wanted != "auto":
        return DTYPES[wanted]
    return torch.bfloat16 if device.type == "cuda" else torch.float32


def hash_of(path: Path, settings: Settings) -> str:
    """SHA-256 over the hashes of the weight files (and of the VAE that replaces the base's own, by name)."""
    files = [path] if path.is_file() else sorted(path.glob("**/*.safetensors"))
    if len(files) == 1:
        return sha256_of_file(files[0])
    return sha256_of("\n".join([*map(sha256_of_file, files), settings.vae, settings.model_variant]).encode())


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
                str(path), torch_dtype=dtype, add_watermarker=False, **replaced
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
    """The UNet alone: its linear weights are quantised while they are read, so that they never lie there in full."""
    how = {"torch_dtype": dtype, "quantization_config": quantization}
    if path.is_file():
        return UNet2DConditionModel.from_single_file(str(path), **how)
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
    is_named_so = DISTILLED.search(settings.model) and settings.guidance_scale is None
    if plain.guidance_scale <= 1 or pipe.unet.config.time_cond_proj_dim is not None or is_named_so:
        raise ModelError(
            f"{settings.model!r} samples without classifier-free guidance, so it has no negative half to steer with; "
            "use an undistilled SDXL, or set NAYSAYER_GUIDANCE_SCALE above 1 if this one does use guidance"
        )


@contextmanager
def placed(device: torch.device | str, *modules: nn.Module) -> Iterator[None]:
    """While it lasts, the modules are on that device; then where each was before."""
    device = torch.device(device)
    homes = {module: home for module in modules if (home := next(module.parameters()).device).type != device.type}
    try:
        for module in homes:
            module.to(device)
        yield
    finally:
        for module, home in homes.items():
            module.to(home)


def quiet_libraries() -> None:
    """Turns off the progress bars that the libraries show while loading."""
    diffusers_logging.disable_progress_bar()
    transformers_logging.disable_progress_bar()
