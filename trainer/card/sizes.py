"""The sizes of a base and of its work, told from its configuration and its files' headers, without loading it."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from importlib.metadata import version
from math import prod
from pathlib import Path
from typing import Any, NoReturn

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor, nn
from tqdm import tqdm

from store.files import sha256_of, write_file
from store.settings import Settings
from trainer.base.declared import read_header
from trainer.base.hashing.remembered import SHOWN_AFTER_S, own_folder
from trainer.base.hashing.tensors import Weights
from trainer.base.identity import Sources, weights_of
from trainer.base.model import pick_dtype, picture_size
from trainer.base.pipeline import VAE_TILE_PX
from trainer.card.counting import keep_blocks, peak_of
from trainer.lora.tensors import TEXT, add_fresh, choose_layers

GB = 10**9
SDXL = "stabilityai/stable-diffusion-xl-base-1.0"
"""Whose configuration a single file has that brings none."""
STATES = 4
"""For each trained parameter, in float32: weight, gradient and AdamW's two moments."""
TOKENS = 77
WORK = ("latent", "latent_checkpointed", "row", "decoded", "decoded_tiled")
CPU_TAKES = 2.4
"""Times what is counted for WORK: the C library does not use again all that is freed, and oneDNN has its own copies.
Measured on the built-in model, 64 and 256 latents: 1.6 to 1.8, with gradient checkpointing 2.3 to 2.4. A GPU: 1.0."""
UNCOUNTED, LIBRARIES = round(0.9 * GB), round(0.5 * GB)
"""On a card, work space of kernels, and what the allocator cannot use: on an H200 a fit took 7.7 GB of the 6.8 that
were counted. On a CPU, the libraries of a process: 0.45 GB."""
SECONDS = {"drawing": 1.2, "a LoRA": 1.9, "a pass": 3.3, "a pass with checkpointing": 6.2}
"""What is counted, in this order, and how long that takes for SDXL on one core."""
BAR = "{l_bar}{bar}| {elapsed}<{remaining}"


@dataclass(frozen=True)
class Sizes:
    """Bytes.

    Weights: the UNet, its linear layers at `linear_each` bytes a number, both text encoders, the larger one, the VAE, a
    refiner. Training: `lora` with its states, and a latent in a pass, also with gradient checkpointing. Drawing: a row
    of the UNet (a picture has `rows`), its keys and values of the `text`, which a steered drawing keeps, and decoding a
    picture whole and in tiles. Besides, a process takes what is `uncounted`; only where the device `has_own` memory,
    what leaves it makes room there.
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
    text: int
    decoded: int
    decoded_tiled: int
    uncounted: int = UNCOUNTED
    has_own: bool = True


COUNTED = Sizes.__annotations__.keys() - {"encoders", "encoder", "refiner", "uncounted", "has_own"}
"""What `count` finds: what depends on the shape only."""


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
    """The sizes of the base that the settings name; what was counted is kept in `folder`; None: this user's.

    Raises what the libraries raise for files that they cannot use.
    """
    dtype = pick_dtype(settings.dtype, device)
    shape, each = shape_of(sources, settings, dtype), dtype.itemsize
    encoders = [each * _numbers(weights_of(sources, name)) for name in ("text_encoder", "text_encoder_2")]
    refiner = weights_of(sources._replace(base=sources.refiner), "unet") if sources.refiner else Weights(())
    counted = _kept(shape, own_folder("sizes") if folder is None else folder, lambda: count(shape))
    if device.type == "cpu":
        counted |= {name: round(CPU_TAKES * counted[name]) for name in WORK} | {"uncounted": LIBRARIES}
    return Sizes(
        **counted,
        encoders=sum(encoders),
        encoder=max(encoders),
        refiner=each * _numbers(refiner),
        has_own=device.type == "cuda",
    )


def shape_of(sources: Sources, settings: Settings, dtype: torch.dtype) -> Shape:
    """What decides how much the base's work takes."""
    base = sources.base
    where = str(base) if base.is_dir() else settings.model_config_source or SDXL
    unet = _plain(UNet2DConditionModel.load_config(where, subfolder="unet"))
    own_vae = sources.vae if sources.vae is not None and sources.vae.is_dir() else None
    vae = _plain(AutoencoderKL.load_config(own_vae) if own_vae else AutoencoderKL.load_config(where, subfolder="vae"))
    width, height = picture_size(settings, base, unet["sample_size"] * 2 ** (len(vae["block_out_channels"]) - 1))
    return Shape(
        unet=unet,
        vae=vae,
        width_px=width,
        height_px=height,
        dtype=str(dtype).removeprefix("torch."),
        rank=settings.lora_rank,
        layers=choose_layers(settings),
        rows=3 if settings.rule == "same-prompt" else 2,
    )


def _plain(config: Any) -> dict[str, Any]:
    return {name: value for name, value in config.items() if not name.startswith("_")}


def count(shape: Shape) -> dict[str, int]:
    """COUNTED, by name; a bar shows how far it is after two seconds."""
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
        "text": TOKENS * dtype.itemsize * sum(layer.out_features for layer in _of_the_text(unet)),
    }
    with tqdm(total=sum(SECONDS.values()), bar_format=BAR, delay=SHOWN_AFTER_S) as bar:
        with _part(bar, "drawing"):
            found |= {"row": peak_of(lambda: _predict(unet, shape, dtype), unet)} | _decoding(vae, shape, dtype)
        with _part(bar, "a LoRA"):
            found["lora"] = STATES * _bytes(add_fresh(unet, shape.rank, shape.layers, 0))
        with _part(bar, "a pass"):
            found["latent"] = peak_of(lambda: _learn(unet, shape, dtype), unet, half)
        keep_blocks(unet, half)
        with _part(bar, "a pass with checkpointing"):
            found["latent_checkpointed"] = peak_of(lambda: _learn(unet, shape, dtype), unet, half)
    return found


def _of_the_text(unet: UNet2DConditionModel) -> list[nn.Linear]:
    return [module for name, module in unet.named_modules() if name.endswith(tuple(TEXT))]


@contextmanager
def _part(bar: "tqdm[NoReturn]", name: str) -> Iterator[None]:
    """Inside, the bar says that this one of SECONDS is counted."""
    is_shown = bar.format_dict["elapsed"] >= SHOWN_AFTER_S
    bar.set_description_str(f"counting the memory of {name}", refresh=is_shown)
    yield
    bar.update(SECONDS[name])


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
    name = sha256_of(json.dumps([asdict(shape), libraries, sorted(COUNTED)], sort_keys=True).encode())
    path = folder / f"sizes-{name[:16]}.json" if folder else None
    with suppress(OSError, ValueError):
        found = json.loads(path.read_bytes()) if path else None
        if isinstance(found, dict) and found.keys() == COUNTED:
            return found
    counted = make()
    if path is not None:
        with suppress(OSError):  # without it, the next program counts again
            write_file(path, json.dumps(counted).encode())
    return counted


def _numbers(weights: Weights) -> int:
    """How many numbers the weights are."""
    shapes = (read_header(file).shapes for file in weights.files)
    prefix = weights.prefix or ""
    return sum(prod(shape) for each in shapes for name, shape in each.items() if name.startswith(prefix))
