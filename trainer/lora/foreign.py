"""Somebody else's LoRA file, read and checked: kohya's or diffusers' names in, our names with alpha folded in out."""

import json
import struct
from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import torch
from diffusers import UNet2DConditionModel
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn
from torch.nn.functional import pad

from store.errors import BadLora
from store.file_kinds import mistaken_kind
from store.files import sha256_of
from trainer.lora.formats import TEXT_ENCODERS
from trainer.lora.kinds import method_of, model_of, spelling_of, whole_of
from trainer.lora.names import ModuleNames, is_of_text, split_name

MAX_BYTES = 4 * 2**30
MAX_HEADER_BYTES = 32 * 2**20
MOST_ALPHA = 1e6
NETWORKS = ("unet.", *TEXT_ENCODERS)
NO_LAYERS: Mapping[str, nn.Linear] = {}
NOTHING = "it has nothing for the UNet, so nothing that could steer the negative half"
FAMILIES = {768: "Stable Diffusion 1.x", 1024: "Stable Diffusion 2.x", 2048: "SDXL"}
KEPT_KEYS = ("ss_output_name", "ss_base_model_version", "ss_sd_model_name", "modelspec.title", "modelspec.architecture")


class Foreign(NamedTuple):
    """A LoRA in our names (see `trainer.lora.formats`), for use at scale 1, and what is known of its origin."""

    weights: dict[str, Tensor]
    about: dict[str, Any]


def read_lora(path: Path, unet: UNet2DConditionModel, of_text: Mapping[str, nn.Linear] = NO_LAYERS) -> Foreign:
    """The file's LoRA, fit for that UNet and for the text encoders' modules `of_text`, which are in our names.

    What else it has for text encoders is left out and counted in `about`.
    Raises BadLora with the reason when the file is damaged, of another base, or of a kind that is not understood.
    """
    data = _bytes_of(path)
    header = _header(path, data)
    try:
        tensors = load(data)
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, OverflowError) as error:
        raise BadLora(path, f"it is not a valid safetensors file ({str(error).splitlines()[0][:200]})") from error
    parts, left_out_text, left_out_keys = _by_module(path, tensors, ModuleNames(unet, of_text), unet)
    alphas = _peft_alphas(path, header)
    weights: dict[str, Tensor] = {}
    for module, own in sorted(parts.items()):
        layer = of_text[module] if module in of_text else unet.get_submodule(module)
        down, up = _checked_pair(path, module, own, layer)
        scale = float(own["alpha"]) / len(down) if "alpha" in own else _peft_scale(path, alphas, module, len(down))
        weights |= _folded(path, module, down, up, scale)
    ranks = sorted({len(tensor) for name, tensor in weights.items() if name.endswith("lora_A.weight")})
    about = {
        "imported_from": path.name,
        "imported_sha256": sha256_of(data),
        "imported_ranks": ranks,
        "imported_modules": len(parts),
        "text_encoder_modules_left_out": left_out_text,
        "other_keys_left_out": left_out_keys,
        "imported_names": spelling_of(tensors),
    }
    if not parts.keys().isdisjoint(of_text):
        about["lora_text_encoders"] = True
    about |= {f"imported_{key}": header[key][:200] for key in KEPT_KEYS if header.get(key)}
    return Foreign(_filled(weights, of_text), about)


def _filled(weights: dict[str, Tensor], of_text: Mapping[str, nn.Linear]) -> dict[str, Tensor]:
    """The weights, zero-padded so that each text encoder has one rank and an `out_proj`; zeros change nothing.

    diffusers 0.42 loses the alphas of a kohya file's text encoder when they differ, and knows its spelling by
    `out_proj`.
    """
    filled = dict(weights)
    for encoder in TEXT_ENCODERS:
        used = {name.rsplit(".lora_", 1)[0] for name in weights if name.startswith(encoder)}
        if not used:
            continue
        rank = max(len(weights[f"{module}.lora_A.weight"]) for module in used)
        used.add(next(module for module in of_text if module.startswith(encoder) and module.endswith("out_proj")))
        for module in used:
            wide, high = of_text[module].in_features, of_text[module].out_features
            down = weights.get(f"{module}.lora_A.weight", torch.zeros(0, wide))
            up = weights.get(f"{module}.lora_B.weight", torch.zeros(high, 0))
            filled[f"{module}.lora_A.weight"] = pad(down, (0, 0, 0, rank - len(down)))
            filled[f"{module}.lora_B.weight"] = pad(up, (0, rank - len(down)))
    return filled


def _bytes_of(path: Path) -> bytes:
    if not path.is_file():
        raise BadLora(path, "there is no such file")
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise BadLora(path, f"it has {size:,} bytes; a LoRA may have {MAX_BYTES:,} at most")
    if mistaken := mistaken_kind(path):
        raise BadLora(path, mistaken)
    return path.read_bytes()


def _header(path: Path, data: bytes) -> dict[str, str]:
    """The free text of the header. The library checks the rest."""
    length = struct.unpack("<Q", data[:8])[0] if len(data) >= 8 else 0
    if not 2 <= length <= len(data) - 8:
        raise BadLora(path, "it is cut short, or not a safetensors file")
    if length > MAX_HEADER_BYTES:
        raise BadLora(path, f"its header has {length:,} bytes; it may have {MAX_HEADER_BYTES:,} at most")
    try:
        header = json.loads(data[8 : 8 + length])
        text = header.get("__metadata__") or {}
        return {str(key): value for key, value in text.items() if isinstance(value, str)}
    except (ValueError, AttributeError, RecursionError) as error:
        raise BadLora(path, f"its header is not that of a safetensors file ({str(error)[:100]})") from error


class _Sorted(NamedTuple):
    """The tensors of every module by part; how many modules of text encoders, and other keys, are left out."""

    parts: dict[str, dict[str, Tensor]]
    left_out_text: int
    left_out_keys: int


def _by_module(path: Path, tensors: dict[str, Tensor], names: ModuleNames, unet: UNet2DConditionModel) -> _Sorted:
    _refuse_other_kind(path, tensors)
    _refuse_other_family(path, tensors, unet)
    parts: dict[str, dict[str, Tensor]] = defaultdict(dict)
    text_modules, others = set(), []
    for name, tensor in tensors.items():
        if (split := split_name(name)) is None:
            others.append(name)
            continue
        spelling, part = split
        module = names.find(spelling)
        if module is None and is_of_text(spelling):
            text_modules.add(spelling)
        elif module is None:
            raise BadLora(path, _unknown(spelling, tensors))
        elif part in parts[module]:
            raise BadLora(path, f"it names the module {module} twice, in two spellings or under two adapters")
        else:
            parts[module][part] = _number(path, name, part, tensor)
    if all(module.startswith(TEXT_ENCODERS) for module in parts):
        kind = "" if parts or text_modules else whole_of(others)
        raise BadLora(path, f"it is {kind}, and not a LoRA" if kind else NOTHING)
    if whole := [name for name in others if names.find(name.rpartition(".")[0]) in parts]:
        raise BadLora(path, f"it holds whole weights beside the LoRA ({whole[0][:100]}); only a LoRA is read")
    return _Sorted(parts, len(text_modules), len(others))


def _unknown(spelling: str, names: Iterable[str]) -> str:
    """Why a LoRA with a module that the base has not is refused."""
    what = f"it has the unknown key {spelling[:150]!r}"
    if family := model_of(names):
        return f"{what}: it is a LoRA for {family}, and one for SDXL's UNet was needed"
    whose = spelling_of(names)
    kind = f"a LoRA with {whose} names" if whose else "a LoRA with names of no known program"
    return f"{what}: it is {kind}, but this base has no such module"


def _refuse_other_kind(path: Path, names: Iterable[str]) -> None:
    for name in names:
        if kind := method_of(name):
            raise BadLora(path, f"it is {kind}, told by its key {name[:100]!r}; only LoRA is read")


def _number(path: Path, name: str, part: str, tensor: Tensor) -> Tensor:
    """The tensor in float32. An alpha may be of any type of number; weights may be fp8."""
    if tensor.is_complex() or (part != "alpha" and not tensor.is_floating_point()):
        raise BadLora(path, f"{name!r} is stored as {tensor.dtype}, not as floating-point numbers")
    number = tensor.float()
    if not torch.isfinite(number).all():
        raise BadLora(path, f"{name!r} holds NaN or infinite values")
    return number


def _refuse_other_family(path: Path, tensors: dict[str, Tensor], unet: UNet2DConditionModel) -> None:
    """Raises BadLora for another family of models, told by the width of its text: clearer than a shape that misfits."""
    needed = unet.config.cross_attention_dim
    for name, tensor in tensors.items():
        split = split_name(name)
        is_text = split is not None and split[1] == "down" and "attn2" in name and "to_k" in name
        if is_text and tensor.dim() >= 2 and tensor.shape[1] != needed:
            width = tensor.shape[1]
            family = FAMILIES.get(width, "another model")
            raise BadLora(path, f"it was made for {family} (text of width {width}), the base takes width {needed}")
    if any(name.startswith(("lora_te_", "lora_te_text_model")) for name in tensors):
        raise BadLora(path, "it has keys for the one text encoder of Stable Diffusion 1.x or 2.x; SDXL was needed")


def _checked_pair(path: Path, module: str, own: dict[str, Tensor], layer: nn.Module) -> tuple[Tensor, Tensor]:
    """Down and up in float32, in the shape the module takes."""
    if "down" not in own or "up" not in own:
        raise BadLora(path, f"{module} has only {' and '.join(sorted(own))}; both down and up are needed")
    if "alpha" in own and own["alpha"].numel() != 1:
        raise BadLora(path, f"the alpha of {module} has {own['alpha'].numel()} numbers; it must have one")
    down, up, rank = own["down"].float(), own["up"].float(), own["down"].shape[0] if own["down"].dim() else 0
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
    """peft's own settings, which diffusers writes into the header when alpha is not the rank."""
    try:
        settings = json.loads(header.get("lora_adapter_metadata", "{}"))
        found = {key: value for key, value in settings.items() if key.startswith(NETWORKS)}
    except (ValueError, AttributeError, RecursionError) as error:
        raise BadLora(path, "its header key lora_adapter_metadata is not a JSON object") from error
    for network, trait in product(NETWORKS, ("use_dora", "use_rslora")):
        if found.get(network + trait):
            raise BadLora(path, f"it was trained with {trait}, which is not read")
    return found


def _peft_scale(path: Path, settings: dict[str, Any], module: str, rank: int) -> float:
    """alpha over rank by peft's settings; 1 without them, as diffusers and InvokeAI take a missing alpha."""
    network = next((network for network in TEXT_ENCODERS if module.startswith(network)), "unet.")
    pattern = settings.get(f"{network}alpha_pattern") or {}
    if not isinstance(pattern, dict):
        raise BadLora(path, "the alpha_pattern in its header is not a JSON object")
    inner = module.removeprefix(network)
    own = pattern.get(inner, pattern.get(inner.removeprefix("text_model.")))
    alpha = settings.get(f"{network}lora_alpha", rank) if own is None else own
    if isinstance(alpha, bool) or not isinstance(alpha, int | float) or not -MOST_ALPHA <= alpha <= MOST_ALPHA:
        raise BadLora(path, f"the alpha of {module} in its header is not a number that can be used")
    return float(alpha) / rank


def _folded(path: Path, module: str, down: Tensor, up: Tensor, scale: float) -> dict[str, Tensor]:
    """Both halves, each times the root of the scale: folded into only one of them, it could leave float16's range."""
    root = abs(scale) ** 0.5
    pair = {
        f"{module}.lora_A.weight": down * root,
        f"{module}.lora_B.weight": up * (root if scale >= 0 else -root),
    }
    for name, tensor in pair.items():
        if not torch.isfinite(tensor.half()).all():
            raise BadLora(path, f"{name} with alpha/rank {scale:g} is beyond what float16 can hold")
    return pair
