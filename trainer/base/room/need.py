"""How much memory a model needs on a device: its weights by the headers of its files, and what work takes on top."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import torch

from store.settings import Settings
from trainer.base.declared import read_header
from trainer.base.identity import IN_ONE_FILE, NETWORKS, Sources, files_in_use, network_files
from trainer.base.model import pick_dtype

GB = 10**9
PROCESS = GB // 2
"""The libraries of a process on a CPU, or its context on a GPU."""
FULL_UNET = 2_567_463_684
"""Parameters of SDXL's UNet, of which the figures below are."""
FULL_PIXELS = 1024 * 1024
DRAWN_PICTURE, DRAWN_IN_TILES = 4.0 * GB, 0.6 * GB
"""A picture drawn and decoded whole, in 16 bits: about 11 GB with 6.9 GB of weights (SDXL as diffusers runs it); and
decoded in tiles, as computed (docs/operator/card.md)."""
FIT_LATENT, FIT_LATENT_CHECKPOINTED = 9.4 * GB, 0.8 * GB
"""A latent in a forward and backward pass, 16 bits: (82 - 6.9) / 8 and (13 - 6.9) / 8 GB (docs/measured/log.md)."""
LORA_STATES = 16
"""Bytes for each trained parameter: weight, gradient and AdamW's two moments, each float32."""
LORA_SHARE = {"attention": 23.2e6 / 16, "all": 47.5e6 / 16, "text": 453_120}
"""Trained parameters at full size for each unit of rank (docs/operator/real-models.md)."""
COPIES_ON_CPU = 0.6
"""On a CPU, of the weights: merged copies of what a LoRA adapts."""
QUANTISED = {"none": None, "fp8": 1.0, "int8": 1.0, "nf4": 0.5}
"""Bytes of each weight of a quantised UNet."""


@dataclass(frozen=True)
class Size:
    """A model by its parameters, the bytes of each (of the UNet's, and of all others'), and the pixels of a picture."""

    unet: int
    others: int
    unet_bytes: float
    bytes: float
    pixels: int

    @property
    def weights(self) -> float:
        return self.unet * self.unet_bytes + self.others * self.bytes


def size_of(sources: Sources, settings: Settings, device: torch.device) -> Size:
    """The size of the model that the settings name, once it is loaded; only the files' headers are read."""
    each = pick_dtype(settings.dtype, device).itemsize
    counts = {name: _count(sources, name) for name in NETWORKS}
    refiner = 0
    if sources.refiner is not None:
        is_file = sources.refiner.is_file()
        files = [sources.refiner] if is_file else network_files(sources.refiner / "unet", settings.model_variant)
        refiner = _parameters(files, IN_ONE_FILE["unet"] if is_file else "")
    others = sum(counts.values()) - counts["unet"] + refiner
    pixels = _pixels(sources.base, settings)
    return Size(counts["unet"], others, QUANTISED[settings.base_quantization] or each, each, pixels)


def least(settings: Settings) -> Settings:
    """The settings where those that were left empty take the least memory, as `trainer.card` chooses if it must."""
    smallest = {"gradient_checkpointing": True, "vae_decode": "tiled"}
    return settings.model_copy(update={k: v for k, v in smallest.items() if k not in settings.model_fields_set})


def drawing_need(size: Size, device: torch.device, decode: str = "whole") -> int:
    """Bytes that drawing one picture at a time takes: process + weights (on a CPU 1.6 times) + a picture.

    A picture takes DRAWN_PICTURE, in tiles DRAWN_IN_TILES, times (its pixels / 1024²) (parameters of the UNet / SDXL's)
    (bytes of each / 2).
    More pictures at once are only drawn where they fit, so they count for nothing.
    """
    picture = DRAWN_IN_TILES if decode == "tiled" else DRAWN_PICTURE
    return round(PROCESS + _resident(size, device) + picture * _scale(size))


def fit_need(size: Size, settings: Settings, device: torch.device) -> int:
    """Bytes that a retrain takes at least: process + weights + LoRA + the latents of one pass.

    The weights are those of the UNet, because the others leave a card meanwhile; on a CPU all, 1.6 times.

    The LoRA takes rank x LORA_SHARE x (parameters of the UNet / SDXL's) x 16 bytes. One pass has `micro_batch` latents,
    by default one, because a pass is halved until it fits; each is scaled as a picture is. Trying strengths draws.
    """
    share = LORA_SHARE[settings.lora_layers or ("text" if settings.objective == "trigger" else "all")]
    lora = settings.lora_rank * share * size.unet / FULL_UNET * LORA_STATES
    latent = FIT_LATENT_CHECKPOINTED if settings.gradient_checkpointing else FIT_LATENT
    passes = (settings.micro_batch or 1) * latent * _scale(size)
    weights = _resident(size, device) if device.type == "cpu" else size.unet * size.unet_bytes
    return max(round(PROCESS + weights + lora + passes), drawing_need(size, device, settings.vae_decode))


def _resident(size: Size, device: torch.device) -> float:
    return size.weights * (1 + COPIES_ON_CPU if device.type == "cpu" else 1)


def _scale(size: Size) -> float:
    return size.pixels / FULL_PIXELS * size.unet / FULL_UNET * size.bytes / 2


def _pixels(base: Path, settings: Settings) -> int:
    """Of a picture: as the settings say, else the model's folder; a single file is taken for 1024 px."""
    advice, unet, vae = (_json(base / name) for name in ("naysayer.json", "unet/config.json", "vae/config.json"))
    side = unet.get("sample_size", 128) * 2 ** (len(vae.get("block_out_channels", "four")) - 1)
    return (settings.width_px or advice.get("width", side)) * (settings.height_px or advice.get("height", side))


def _json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _count(sources: Sources, network: str) -> int:
    is_own = not (network == "vae" and sources.vae is not None)
    prefix = IN_ONE_FILE[network] if sources.base.is_file() and is_own else ""
    return _parameters(files_in_use(sources, network), prefix)


def _parameters(files: Iterable[Path], prefix: str) -> int:
    shapes = (read_header(file).shapes for file in files)
    return sum(prod(shape) for each in shapes for name, shape in each.items() if name.startswith(prefix))
