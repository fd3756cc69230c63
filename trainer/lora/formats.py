"""The two files of a version: diffusers' names, and kohya's, which ComfyUI, Forge, A1111 and InvokeAI load.

A tensor is named by its module in the UNet, as peft does: `<module path>.lora_A.weight`. Those of the text encoders
begin with `text_encoder.` and `text_encoder_2.`, as in a diffusers file.
"""

import hashlib
import json
import struct
from collections.abc import Mapping

import torch
from torch import Tensor

DIFFUSERS_FILE = "pytorch_lora_weights.safetensors"
KOHYA_FILE = "naysayer_kohya.safetensors"
TEXT_ENCODERS = ("text_encoder.", "text_encoder_2.")
KOHYA_PREFIXES = {"unet": "lora_unet_", "text_encoder": "lora_te1_", "text_encoder_2": "lora_te2_"}


def diffusers_layout(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Names that `StableDiffusionXLPipeline.load_lora_weights` reads; alpha is absent and so equals the rank."""
    return {name if name.startswith(TEXT_ENCODERS) else f"unet.{name}": tensor for name, tensor in weights.items()}


def kohya_layout(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Names that ComfyUI, Forge, A1111, InvokeAI and kohya's scripts read, with an `alpha` for each module.

    >>> sorted(kohya_layout({"mid.to_out.0.lora_A.weight": torch.zeros(4, 8)}))
    ['lora_unet_mid_to_out_0.alpha', 'lora_unet_mid_to_out_0.lora_down.weight']
    >>> list(kohya_layout({"text_encoder.text_model.q_proj.lora_B.weight": torch.zeros(8, 4)}))
    ['lora_te1_text_model_q_proj.lora_up.weight']
    """
    named = {}
    for name, tensor in weights.items():
        module, half = name.removesuffix(".weight").rsplit(".", 1)
        encoder, _, rest = module.partition(".") if name.startswith(TEXT_ENCODERS) else ("unet", "", module)
        prefix = KOHYA_PREFIXES[encoder] + rest.replace(".", "_")
        named[f"{prefix}.{'lora_down' if half == 'lora_A' else 'lora_up'}.weight"] = tensor
        if half == "lora_A":
            named[f"{prefix}.alpha"] = torch.tensor(float(tensor.shape[0]))
    return named


def safetensors_bytes(tensors: dict[str, Tensor], metadata: dict[str, str]) -> bytes:
    """A safetensors file in float16; the same tensors and metadata give the same bytes.

    The library writes header keys in a random order, so the same weights would get another hash each time.
    Source: the format as documented in huggingface/safetensors.
    """
    header: dict[str, object] = {"__metadata__": dict(sorted(metadata.items()))}
    pieces, offset = [], 0
    for name in sorted(tensors):
        data = tensors[name].to("cpu", torch.float16).contiguous().numpy().tobytes()
        shape = list(tensors[name].shape)
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [offset, offset + len(data)]}
        pieces.append(data)
        offset += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(pieces)


def lora_hash(weights: Mapping[str, Tensor]) -> str:
    """SHA-256 of a LoRA's tensors in our names, as float16: the same LoRA whatever its file's names, order and types.

    >>> one = {"b.lora_A.weight": torch.ones(1, 2), "a.lora_A.weight": torch.zeros(1, 2)}
    >>> lora_hash(one) == lora_hash({name: one[name].double() for name in sorted(one)})
    True
    """
    found = hashlib.sha256()
    for name in sorted(weights):
        tensor = weights[name].to("cpu", torch.float16).contiguous() + 0  # no -0, which is 0
        found.update(f"{name} {tuple(tensor.shape)}".encode())
        found.update(tensor.numpy().tobytes())
    return found.hexdigest()


def from_diffusers_layout(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Our names for the tensors of a file in `diffusers_layout`."""
    return {name.removeprefix("unet."): tensor for name, tensor in tensors.items()}
