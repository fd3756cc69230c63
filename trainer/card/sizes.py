"""The sizes of a base and of its work, told from its configuration and its files' headers, without loading it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from math import prod
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor, nn

from store.files import make_folder, sha256_of, write_file
from store.settings import Settings
from trainer.base.declared import read_header
from trainer.base.identity import IN_ONE_FILE, Sources, files_in_use, network_files
from trainer.base.model import pick_dtype
from trainer.base.pipeline import VAE_TILE_PX
from trainer.card.counting import keep_blocks, peak_of
from trainer.lora.tensors import add_fresh, choose_layers

SDXL = "stabilityai/stable-diffusion-xl-base-1.0"
"""Whose configuration a single file has that brings none."""
STATES = 4
"""For each trained parameter, in float32: weight, gradient and AdamW's two moments."""
TOKENS = 77
WORK = ("latent", "latent_checkpointed", "row", "decoded", "decoded_tiled")
CPU_TAKES = 2.4
"""Times what is counted for WORK: the C library does not use again all that is freed, and oneDNN has its own copies.
Measured on the built-in model, 64 and 256 latents: 1.6 to 1.8, with gradient checkpointing 2.3 to 2.4. A GPU: 1.0."""


@dataclass(frozen=True)
class Sizes:
    """Bytes.

    Weights: the UNet, its linear layers at `linear_each` bytes a number, both text encoders, the larger one, the VAE, a
    refiner. Training: `lora` with its states, and a latent in a pass, also with gradient checkpointing. Drawing: a row
    of the UNet (a picture has `rows`), and decoding a picture whole and in tiles.
    """

    unet: int
    linear: int
    linear_each: int
    encoders: int
    encoder: int
    vae: int
    refiner: int
    lora: int
    latent: int
    latent_checkpointed: int
    row: int
    rows: int
    decoded: int
    decoded_tiled: int


@dataclass(frozen=True)
class Shape:
    """All that the sizes depend on, besides the weights that are only stored: configurations, pixels, LoRA, type."""

    unet: Mapping[str, Any]
    vae: Mapping[str, Any]
    width_px: int
    height_px: int
    dtype: str
    rank: int
    layers: str
    rows: int

    @property
    def scale(self) -> int:
        """Pixels for each latent."""
        return int(2 ** (len(self.vae["block_out_channels"]) - 1))


def sizes_of(sources: Sources, settings: Settings, device: torch.device, folder: Path | None = None) -> Sizes:
    """The sizes of the base that the settings name; what was counted is kept in `folder`, if one is given.

    Raises what the libraries raise for files that they cannot use.
    """
    dtype = pick_dtype(settings.dtype, device)
    shape = shape_of(sources, settings, dtype)
    each, counts = dtype.itemsize, [_parameters(sources, name) for name in ("text_encoder", "text_encoder_2")]
    stored = {"encoders": sum(counts) * each, "encoder": max(counts) * each}
    stored["refiner"] = _refiner(sources, settings) * each
    counted = _kept(shape, folder, lambda: count(shape))
    if device.type == "cpu":
        counted |= {name: round(CPU_TAKES * counted[name]) for name in WORK}
    return Sizes(**counted, **stored)


def shape_of(sources: Sources, settings: Settings, dtype: torch.dtype) -> Shape:
    """What decides how much the base's work takes."""
    base = sources.base
    where = str(base) if base.is_dir() else settings.model_config_source or SDXL
    unet = _plain(UNet2DConditionModel.load_config(where, subfolder="unet"))
    own_vae = sources.vae if sources.vae is not None and sources.vae.is_dir() else None
    vae = _plain(AutoencoderKL.load_config(own_vae) if own_vae else AutoencoderKL.load_config(where, subfolder="vae"))
    advice = json.loads(file.read_text()) if (file := base / "naysayer.json").is_file() else {}
    side = unet["sample_size"] * 2 ** (len(vae["block_out_channels"]) - 1)
    return Shape(
        unet=unet,
        vae=vae,
        width_px=settings.width_px or advice.get("width", side),
        height_px=settings.height_px or advice.get("height", side),
        dtype=str(dtype).removeprefix("torch."),
        rank=settings.lora_rank,
        layers=choose_layers(settings),
        rows=3 if settings.rule == "same-prompt" else 2,
    )


def _plain(config: Any) -> dict[str, Any]:
    return {name: value for name, value in config.items() if not name.startswith("_")}


def count(shape: Shape) -> dict[str, int]:
    """All of `Sizes` but the text encoders and the refiner."""
    dtype: torch.dtype = getattr(torch, shape.dtype)
    half = None if dtype == torch.float32 else dtype
    with torch.device("meta"):
        unet, vae = UNet2DConditionModel.from_config(shape.unet), AutoencoderKL.from_config(shape.vae)
    for network in (unet, vae):
        nn.Module.to(network, dtype).requires_grad_(False)  # diffusers' own `to` warns
    found = {
        "unet": _bytes(unet.parameters()),
        "linear": _bytes(module.weight for module in unet.modules() if isinstance(module, nn.Linear)),
        "linear_each": dtype.itemsize,
        "vae": _bytes(vae.parameters()),
        "rows": shape.rows,
        "row": peak_of(lambda: _predict(unet, shape, dtype), unet),
    } | _decoding(vae, shape, dtype)
    parameters = add_fresh(unet, shape.rank, shape.layers, 0)
    found["lora"] = STATES * _bytes(parameters)
    found["latent"] = peak_of(lambda: _learn(unet, shape, dtype), unet, half)
    keep_blocks(unet, half)
    return found | {"latent_checkpointed": peak_of(lambda: _learn(unet, shape, dtype), unet, half)}


def _predict(unet: UNet2DConditionModel, shape: Shape, dtype: torch.dtype) -> Tensor:
    """One row, as it is drawn."""
    with torch.no_grad():
        return _call(unet, shape, dtype)


def _learn(unet: UNet2DConditionModel, shape: Shape, dtype: torch.dtype) -> None:
    """One latent's pass, forward and back, as in a fit."""
    error = (_call(unet, shape, dtype).float() - 1.0).pow(2).mean()
    torch.autograd.backward(error)
    for parameter in unet.parameters():
        parameter.grad = None


def _call(unet: UNet2DConditionModel, shape: Shape, dtype: torch.dtype) -> Tensor:
    def empty(*size: int) -> Tensor:
        return torch.empty(1, *size, dtype=dtype, device="meta")

    config = unet.config
    pooled = config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim
    found: Tensor = unet(
        empty(config.in_channels, shape.height_px // shape.scale, shape.width_px // shape.scale),
        torch.empty(1, dtype=torch.long, device="meta"),
        encoder_hidden_states=empty(TOKENS, config.cross_attention_dim),
        added_cond_kwargs={"text_embeds": empty(pooled), "time_ids": empty(6)},
        return_dict=False,
    )[0]
    return found


def _decoding(vae: AutoencoderKL, shape: Shape, dtype: torch.dtype) -> dict[str, int]:
    """A picture decoded whole and in tiles; in float32 where float16 would overflow."""
    if dtype == torch.float16 and vae.config.force_upcast:
        dtype = torch.float32
        nn.Module.to(vae, dtype)

    def decode(height_px: int, width_px: int) -> Tensor:
        size = (1, vae.config.latent_channels, height_px // shape.scale, width_px // shape.scale)
        with torch.no_grad():
            found: Tensor = vae.decode(torch.empty(size, dtype=dtype, device="meta"), return_dict=False)[0]
        return found

    whole = peak_of(lambda: decode(shape.height_px, shape.width_px), vae)
    tile = min(VAE_TILE_PX, shape.height_px), min(VAE_TILE_PX, shape.width_px)
    pieces = 4 * 3 * shape.height_px * shape.width_px * dtype.itemsize  # decoded tiles, which overlap, and the picture
    return {"decoded": whole, "decoded_tiled": min(whole, peak_of(lambda: decode(*tile), vae) + pieces)}


def _bytes(tensors: Any) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def _kept(shape: Shape, folder: Path | None, make: Callable[[], dict[str, int]]) -> dict[str, int]:
    """What was counted for this shape before, else what `make` counts now, which takes seconds for SDXL."""
    libraries = [version(name) for name in ("torch", "diffusers", "peft")]
    name = sha256_of(json.dumps([asdict(shape), libraries, sorted(Sizes.__annotations__)], sort_keys=True).encode())
    path = folder / f"sizes-{name[:16]}.json" if folder else None
    if path is not None and path.is_file():
        found: dict[str, int] = json.loads(path.read_bytes())
        return found
    counted = make()
    if path is not None:
        make_folder(path.parent)
        write_file(path, json.dumps(counted).encode())
    return counted


def _parameters(sources: Sources, network: str) -> int:
    prefix = IN_ONE_FILE[network] if sources.base.is_file() else ""
    return _numbers(files_in_use(sources, network), prefix)


def _refiner(sources: Sources, settings: Settings) -> int:
    if sources.refiner is None:
        return 0
    if sources.refiner.is_file():
        return _numbers([sources.refiner], IN_ONE_FILE["unet"])
    return _numbers(network_files(sources.refiner / "unet", settings.model_variant), "")


def _numbers(files: list[Path], prefix: str) -> int:
    shapes = (read_header(file).shapes for file in files)
    return sum(prod(shape) for each in shapes for name, shape in each.items() if name.startswith(prefix))
