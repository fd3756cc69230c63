"""The stock pipeline around the base's weights: read, checked, its scheduler set to what the model predicts."""

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, StableDiffusionXLPipeline, UNet2DConditionModel
from diffusers.loaders.single_file_utils import SingleFileComponentError
from diffusers.utils import logging
from safetensors import SafetensorError
from tqdm import tqdm

from feedback.retrain.progress import BAR
from store.errors import ModelError
from store.file_kinds import mistaken_kind
from store.settings import Settings
from trainer.base.declared import (
    Header,
    choose_prediction,
    family_of,
    family_of_folder,
    read_header,
)
from trainer.base.identity import Sources, files_in_use
from trainer.base.quantization import unet_quantization
from trainer.base.schedule import refuse_other_schedules, set_prediction
from trainer.base.weights import first_line

LOAD_ERRORS = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    RuntimeError,
    AssertionError,
    SafetensorError,
    SingleFileComponentError,
)
"""What the libraries raise for files that they cannot use."""
VAE_TILE_PX = 512
"""Side of a tile. SDXL's VAE names 1024, which would leave pictures of 1024 px whole."""
TAKES = "NAYSAYER_MODEL takes `builtin`, a hub id, a diffusers folder or a single .safetensors checkpoint of SDXL"

SHOWN_AFTER_S = 2
OF_COMPONENTS = "Loading pipeline"
"""So begins the title of diffusers' bar over them; there is another one over the shards of a component."""


def load_pipeline(
    sources: Sources,
    settings: Settings,
    device: torch.device,
    dtype: torch.dtype,
    tell: Callable[[float], object] | None = None,
) -> tuple[StableDiffusionXLPipeline, str]:
    """The pipeline on the CPU, and who says what the model predicts (empty: its configuration).

    `tell` gets the share of each component that is loaded; without it a bar shows them.

    Raises ModelError when it cannot be loaded, is of another family, or predicts what cannot be drawn.
    """
    header = _checked_header(sources, settings)
    with explain_failure(settings, sources.base), told(sources.base, tell):
        pipe = _load(sources, settings, device, dtype)
    _refuse_misfits(pipe, settings)
    prediction = choose_prediction(settings, header)
    pipe.scheduler = set_prediction(pipe.scheduler, prediction)
    refuse_other_schedules(settings.model, pipe.scheduler)
    return pipe, prediction.source if prediction.type else ""


@contextmanager
def told(base: Path, tell: Callable[[float], object] | None = None) -> Iterator[None]:
    """Inside, `tell` gets the share of each component of the base that is loaded; by default a bar, over two seconds.

    Takes the place of diffusers' own bar, which counts a scheduler as much as a UNet.
    """
    own = logging.tqdm
    with tqdm(total=1.0, desc="loading the model", bar_format=BAR, delay=SHOWN_AFTER_S, disable=bool(tell)) as bar:
        advance = tell or bar.update

        def counted(things: Iterable[Any], desc: str = "", **how: Any) -> Iterable[Any]:
            return components(list(things)) if desc.startswith(OF_COMPONENTS) else own(things, desc=desc, **how)

        def components(listed: list[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
            shares = _shares(base, [name for name, _ in listed])
            for (name, kind), share in zip(listed, shares, strict=True):
                yield name, kind
                advance(share)

        logging.tqdm = counted
        try:
            yield
        finally:
            logging.tqdm = own


def _shares(base: Path, names: list[str]) -> list[float]:
    """What part of the work each component is: by the bytes of its files; of a single file, all the same."""
    sizes = [sum(file.stat().st_size for file in (base / name).glob("*")) if base.is_dir() else 1 for name in names]
    return [size / max(1, sum(sizes)) for size in sizes]


def set_decoding(vae: AutoencoderKL, way: str) -> None:
    """Lets the VAE decode pictures all at once (`whole`) or one by one (`sliced`), and each in tiles (`tiled`)."""
    if way != "whole":
        vae.enable_slicing()
    if way == "tiled":
        vae.enable_tiling()
        vae.tile_sample_min_size = min(vae.tile_sample_min_size, VAE_TILE_PX)
        vae.tile_latent_min_size = vae.tile_sample_min_size // 2 ** (len(vae.config.block_out_channels) - 1)


@contextmanager
def explain_failure(settings: Settings, path: Path) -> Iterator[None]:
    """Turns what the libraries raise into ModelError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the libraries' own deprecations are not the user's business
            yield
    except LOAD_ERRORS as error:
        raise ModelError(
            f"{settings.model!r} could not be loaded as an SDXL pipeline ({first_line(error)}); "
            f"{TAKES}{_hint(path, settings)}"
        ) from error


def _checked_header(sources: Sources, settings: Settings) -> Header | None:
    """The header of the file with the UNet; None when no file is there. Raises ModelError for another family."""
    path = sources.base
    if path.is_file() and (mistaken := mistaken_kind(path)):
        raise ModelError(f"{settings.model!r} could not be loaded: {mistaken} (NAYSAYER_MODEL)")
    with explain_failure(settings, path):
        files = files_in_use(sources, "unet")
        header = read_header(files[0]) if files else None
    family = family_of(header) if path.is_file() and header else family_of_folder(path)
    if family:
        raise ModelError(f"{settings.model!r} is {family}; {TAKES}")
    if path.is_file() and header and not settings.vae and not _has(header, "first_stage_model."):
        raise ModelError(f"{settings.model!r} holds no VAE; name one in NAYSAYER_VAE, or use a file with all parts")
    return header


def _has(header: Header, prefix: str) -> bool:
    return any(name.startswith(prefix) for name in header.shapes)


def _load(sources: Sources, settings: Settings, device: torch.device, dtype: torch.dtype) -> StableDiffusionXLPipeline:
    path, replaced = sources.base, {}
    if quantization := unet_quantization(settings, device, dtype):
        replaced["unet"] = _quantized_unet(path, settings, dtype, quantization)
    if sources.vae is not None:
        replaced["vae"] = _load_vae(sources, settings, dtype)
    how: dict[str, Any] = {"torch_dtype": dtype, "add_watermarker": False} | replaced
    if path.is_file():
        return StableDiffusionXLPipeline.from_single_file(str(path), config=settings.model_config_source or None, **how)
    variant = settings.model_variant or None
    return StableDiffusionXLPipeline.from_pretrained(path, use_safetensors=True, variant=variant, **how)


def _load_vae(sources: Sources, settings: Settings, dtype: torch.dtype) -> AutoencoderKL:
    """The VAE that replaces the base's own: a folder, or a single file with the configuration of the base's."""
    assert sources.vae is not None
    try:
        if not sources.vae.is_file():
            return AutoencoderKL.from_pretrained(sources.vae, torch_dtype=dtype, use_safetensors=True)
        if mistaken := mistaken_kind(sources.vae):
            raise ModelError(f"{settings.vae!r} could not be loaded: {mistaken} (NAYSAYER_VAE)")
        config = settings.model_config_source if sources.base.is_file() else sources.base
        where = {"config": str(config), "subfolder": "vae"} if config else {}
        return AutoencoderKL.from_single_file(str(sources.vae), torch_dtype=dtype, **where)
    except LOAD_ERRORS as error:
        raise ModelError(
            f"{settings.vae!r} could not be loaded as a VAE ({first_line(error)}); NAYSAYER_VAE takes a hub id, a "
            "folder or a .safetensors file with a VAE for SDXL, or nothing"
        ) from error


def _quantized_unet(path: Path, settings: Settings, dtype: torch.dtype, quantization: Any) -> UNet2DConditionModel:
    """Only the UNet: its linear weights are quantised while they are read, so they are never in memory in full."""
    how = {"torch_dtype": dtype, "quantization_config": quantization}
    if path.is_file():
        where = {"config": settings.model_config_source, "subfolder": "unet"} if settings.model_config_source else {}
        return UNet2DConditionModel.from_single_file(str(path), **where, **how)
    return UNet2DConditionModel.from_pretrained(
        path, subfolder="unet", use_safetensors=True, variant=settings.model_variant or None, **how
    )


def _refuse_misfits(pipe: StableDiffusionXLPipeline, settings: Settings) -> None:
    """Raises ModelError when parts are missing or do not belong together."""
    missing = [name for name in ("unet", "vae", "text_encoder", "text_encoder_2") if getattr(pipe, name) is None]
    if missing:
        raise ModelError(f"{settings.model!r} has no {' and no '.join(missing)}; {TAKES}")
    takes, gives = pipe.unet.config.in_channels, pipe.vae.config.latent_channels
    if takes != gives:
        whose = "the VAE in NAYSAYER_VAE" if settings.vae else "its VAE"
        raise ModelError(
            f"the UNet of {settings.model!r} takes {takes} channels and {whose} gives {gives}; an SDXL that draws from "
            "text, with 4 of both, was needed"
        )


def _hint(path: Path, settings: Settings) -> str:
    if path.is_dir():
        unet = path / "unet"
        other = sorted({file.name.split(".")[-2] for file in unet.glob("*.*.safetensors")})
        is_plain = (unet / "diffusion_pytorch_model.safetensors").exists()
        if other and not settings.model_variant and not is_plain:
            return f"; the folder holds the variant {other[0]}, which NAYSAYER_MODEL_VARIANT names"
        return ""
    if settings.model_config_source:
        return ""
    return (
        "; such a file holds only weights; its configuration comes from the hub or from the folder that "
        "NAYSAYER_MODEL_CONFIG_SOURCE names"
    )
