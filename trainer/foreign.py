"""Somebody else's LoRA file, read and checked: kohya's or diffusers' names in, our names with alpha folded in out."""

import json
import struct
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import torch
from diffusers import UNet2DConditionModel
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from store.errors import BadLora
from store.files import sha256_of
from trainer.names import module_names, split_name

MAX_BYTES = 4 * 2**30
MAX_HEADER_BYTES = 32 * 2**20
MOST_ALPHA = 1e6
TEXT_ENCODERS = ("lora_te1_", "lora_te2_", "text_encoder.", "text_encoder_2.")
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
FAMILIES = {768: "Stable Diffusion 1.x", 1024: "Stable Diffusion 2.x", 2048: "SDXL"}
TOLD = ("ss_output_name", "ss_base_model_version", "ss_sd_model_name", "modelspec.title", "modelspec.architecture")


class Foreign(NamedTuple):
    """A LoRA in our names (`<module path>.lora_A.weight`), to be used at scale 1, and what is known of its origin."""

    weights: dict[str, Tensor]
    about: dict[str, Any]


def read_lora(path: Path, unet: UNet2DConditionModel) -> Foreign:
    """The UNet part of the file, fit for that UNet. The text encoders' part is left out and counted in `about`.

    Raises BadLora with the reason when the file is damaged, of another base, or of a kind that is not understood.
    """
    data = _bytes_of(path)
    header = _header(path, data)
    try:
        tensors = load(data)
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, OverflowError) as error:
        raise BadLora(path, f"it is no sound safetensors file ({str(error).splitlines()[0][:200]})") from error
    parts, left_out = _by_module(path, tensors, unet)
    alphas = _peft_alphas(path, header)
    weights: dict[str, Tensor] = {}
    for module, own in sorted(parts.items()):
        down, up = _checked_pair(path, module, own, unet)
        scale = float(own["alpha"]) / len(down) if "alpha" in own else _peft_scale(path, alphas, module, len(down))
        weights |= _folded(path, module, down, up, scale)
    ranks = sorted({len(tensor) for name, tensor in weights.items() if name.endswith("lora_A.weight")})
    about = {
        "imported_from": path.name,
        "imported_sha256": sha256_of(data),
        "imported_ranks": ranks,
        "imported_modules": len(parts),
        "text_encoder_modules_left_out": left_out,
    }
    return Foreign(weights, about | {f"imported_{key}": header[key][:200] for key in TOLD if header.get(key)})


def _bytes_of(path: Path) -> bytes:
    if not path.is_file():
        raise BadLora(path, "there is no such file")
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise BadLora(path, f"it has {size:,} bytes, {MAX_BYTES:,} are the most for a LoRA")
    with path.open("rb") as file:
        start = file.read(8)
    if start[:2] in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05") or path.suffix in (
        ".bin",
        ".pt",
        ".pth",
    ):
        raise BadLora(path, "it is a pickle (.bin, .pt), which can run code when opened; only .safetensors is read")
    return path.read_bytes()


def _header(path: Path, data: bytes) -> dict[str, str]:
    """The free text of the header. The library checks the rest."""
    length = struct.unpack("<Q", data[:8])[0] if len(data) >= 8 else 0
    if not 2 <= length <= len(data) - 8:
        raise BadLora(path, "it is cut short, or no safetensors file at all")
    if length > MAX_HEADER_BYTES:
        raise BadLora(path, f"its header has {length:,} bytes, {MAX_HEADER_BYTES:,} are the most")
    try:
        header = json.loads(data[8 : 8 + length])
        text = header.get("__metadata__") or {}
        return {str(key): value for key, value in text.items() if isinstance(value, str)}
    except (ValueError, AttributeError, RecursionError) as error:
        raise BadLora(path, f"its header is no safetensors header ({str(error)[:100]})") from error


def _by_module(
    path: Path, tensors: dict[str, Tensor], unet: UNet2DConditionModel
) -> tuple[dict[str, dict[str, Tensor]], int]:
    """The tensors of every module of the UNet by part, and how many modules of text encoders there were."""
    known = module_names(unet)
    _refuse_other_family(path, tensors, unet)
    parts: dict[str, dict[str, Tensor]] = defaultdict(dict)
    text_modules = set()
    for name, tensor in tensors.items():
        if tensor.dtype not in FLOATS:
            raise BadLora(path, f"{name!r} is stored as {tensor.dtype}, a floating-point number was needed")
        if not torch.isfinite(tensor).all():
            raise BadLora(path, f"{name!r} holds NaN or infinite values")
        split = split_name(name)
        if name.startswith(TEXT_ENCODERS):
            text_modules.add(split[0] if split else name)
        elif split is None or split[0] not in known:
            raise BadLora(path, f"it has the unknown key {name[:150]!r}: only LoRA on an SDXL UNet is read, no LoHa, "
                          "LoKr or DoRA")  # fmt: skip
        elif split[1] in parts[known[split[0]]]:
            raise BadLora(path, f"it names the module {known[split[0]]} twice, in two spellings")
        else:
            parts[known[split[0]]][split[1]] = tensor
    if not parts:
        raise BadLora(path, "it has nothing for the UNet, so nothing that could steer the negative half")
    return parts, len(text_modules)


def _refuse_other_family(path: Path, tensors: dict[str, Tensor], unet: UNet2DConditionModel) -> None:
    """Tells other families by the width of their text, which is plainer than the first shape that does not fit."""
    needed = unet.config.cross_attention_dim
    for name, tensor in tensors.items():
        is_text = "attn2" in name and "to_k" in name and name.endswith(("down.weight", "lora_A.weight"))
        if is_text and tensor.dim() >= 2 and tensor.shape[1] != needed:
            width = tensor.shape[1]
            family = FAMILIES.get(width, "another model")
            raise BadLora(path, f"it was made for {family} (text of width {width}), the base takes width {needed}")
    if any(name.startswith(("lora_te_", "lora_te_text_model")) for name in tensors):
        raise BadLora(path, "it has keys for the one text encoder of Stable Diffusion 1.x or 2.x; SDXL was needed")


def _checked_pair(path: Path, module: str, own: dict[str, Tensor], unet: UNet2DConditionModel) -> tuple[Tensor, Tensor]:
    """Down and up in float32, in the shape the module takes."""
    if "down" not in own or "up" not in own:
        raise BadLora(path, f"{module} has {' and '.join(sorted(own))} alone, both down and up were needed")
    if "alpha" in own and own["alpha"].numel() != 1:
        raise BadLora(path, f"the alpha of {module} has {own['alpha'].numel()} numbers, one was needed")
    down, up, rank = own["down"].float(), own["up"].float(), own["down"].shape[0] if own["down"].dim() else 0
    layer = unet.get_submodule(module)
    wanted: tuple[tuple[int, ...], tuple[int, ...]]
    if isinstance(layer, nn.Conv2d):
        wanted = ((rank, layer.in_channels, *layer.kernel_size), (layer.out_channels, rank, 1, 1))
    else:
        assert isinstance(layer, nn.Linear)
        wanted = ((rank, layer.in_features), (layer.out_features, rank))
        # SD-style files store linear layers as 1x1 convolutions.
        down, up = (t.flatten(1) if t.dim() == 4 and t.shape[2:] == (1, 1) else t for t in (down, up))
    found = (tuple(down.shape), tuple(up.shape))
    if rank < 1 or found != wanted:
        raise BadLora(path, f"the shapes of {module} are {found[0]} and {found[1]}, the base and rank {rank} need "
                      f"{wanted[0]} and {wanted[1]}")  # fmt: skip
    return down, up


def _peft_alphas(path: Path, header: dict[str, str]) -> dict[str, Any]:
    """peft's own settings, which diffusers writes beside its names when alpha is not the rank."""
    try:
        settings = json.loads(header.get("lora_adapter_metadata", "{}"))
        found = {key.removeprefix("unet."): value for key, value in settings.items() if key.startswith("unet.")}
    except (ValueError, AttributeError, RecursionError) as error:
        raise BadLora(path, "its header key lora_adapter_metadata is no JSON object") from error
    for trait in ("use_dora", "use_rslora"):
        if found.get(trait):
            raise BadLora(path, f"it was trained with {trait}, which is not read")
    return found


def _peft_scale(path: Path, settings: dict[str, Any], module: str, rank: int) -> float:
    """alpha over rank by peft's settings; 1 without them, as diffusers and InvokeAI take a missing alpha."""
    pattern = settings.get("alpha_pattern") or {}
    if not isinstance(pattern, dict):
        raise BadLora(path, "the alpha_pattern in its header is no JSON object")
    alpha = pattern.get(module, settings.get("lora_alpha", rank))
    if isinstance(alpha, bool) or not isinstance(alpha, int | float) or not -MOST_ALPHA <= alpha <= MOST_ALPHA:
        raise BadLora(path, f"the alpha of {module} in its header is no number that can be used")
    return float(alpha) / rank


def _folded(path: Path, module: str, down: Tensor, up: Tensor, scale: float) -> dict[str, Tensor]:
    """Both halves with the scale in them, half of it each: folded into one alone it can leave float16's range."""
    root = abs(scale) ** 0.5
    pair = {
        f"{module}.lora_A.weight": down * root,
        f"{module}.lora_B.weight": up * (root if scale >= 0 else -root),
    }
    for name, tensor in pair.items():
        if not torch.isfinite(tensor.half()).all():
            raise BadLora(path, f"{name} with alpha/rank {scale:g} is beyond what float16 can hold")
    return pair
