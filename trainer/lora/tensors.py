"""The negative LoRA as tensors: put on a pipeline, taken off, written in the formats that other tools read.

A tensor is named by its module in the UNet, as peft does: `<module path>.lora_A.weight`. Those of the text encoders
begin with `text_encoder.` and `text_encoder_2.`, as in a diffusers file.
"""

import json
import struct
import warnings
from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionXLPipeline
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from torch import Tensor, nn

DIFFUSERS_FILE = "pytorch_lora_weights.safetensors"
KOHYA_FILE = "naysayer_kohya.safetensors"
TRAINED = "negative"
TEXT_ENCODERS = ("text_encoder.", "text_encoder_2.")
KOHYA_PREFIXES = {"unet": "lora_unet_", "text_encoder": "lora_te1_", "text_encoder_2": "lora_te2_"}

ATTENTION = ["to_q", "to_k", "to_v", "to_out.0"]
FEED_FORWARD = ["ff.net.0.proj", "ff.net.2"]
CONVOLUTIONS = ["conv1", "conv2", "conv_shortcut"]
CLIP_ATTENTION = ["q_proj", "k_proj", "v_proj", "out_proj"]
TEXT = ["attn2.to_k", "attn2.to_v"]
"""Keys and values of the text: what a prompt does not say they cannot change (as Kumari et al. 2023 train)."""
LAYERS = {"text": TEXT, "attention": ATTENTION, "all": ATTENTION + FEED_FORWARD + CONVOLUTIONS, "clip": CLIP_ATTENTION}


def add_fresh(network: Any, rank: int, layers: str, seed: int) -> list[nn.Parameter]:
    """The trainable float32 parameters of a new adapter `negative` without effect yet; alpha equals the rank.

    `layers` is a key of LAYERS.
    """
    config = LoraConfig(r=rank, lora_alpha=rank, target_modules=LAYERS[layers], init_lora_weights="gaussian")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network.add_adapter(config, adapter_name=TRAINED)
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    for parameter in parameters:
        parameter.data = parameter.data.float()
    return parameters


@torch.no_grad()
def round_to_half(parameters: list[nn.Parameter]) -> None:
    """Rounds the trained weights to the float16 that is published, so that what is checked is what is shipped."""
    for parameter in parameters:
        parameter.copy_(parameter.half())


def weights_of(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The adapter's tensors on the CPU."""
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def trained_tensors(network: nn.Module) -> dict[str, Tensor]:
    """The trained adapter where it is: what is written into these tensors is the adapter's."""
    return get_peft_model_state_dict(network, adapter_name=TRAINED)


def attach_file(pipe: StableDiffusionXLPipeline, path: Path, name: str) -> None:
    """Loads a LoRA file beside the base; without effect until `trainer.sample.sampler` or `steered` uses it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipe.load_lora_weights(path.parent, weight_name=path.name, adapter_name=name, use_safetensors=True)
    for network in carriers(pipe, name):
        network.disable_adapters()


def detach(pipe: StableDiffusionXLPipeline, name: str) -> None:
    """Takes an adapter off again, wherever it is."""
    pipe.delete_adapters(name)


def carriers(pipe: StableDiffusionXLPipeline, name: str) -> list[Any]:
    """The networks of a pipeline that have the adapter `name`."""
    networks = (pipe.unet, pipe.text_encoder, pipe.text_encoder_2)
    return [network for network in networks if name in (getattr(network, "peft_config", None) or ())]


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
    """A safetensors file in float16 that depends on its content alone.

    The library orders header keys by chance, so the same weights would get another hash each time.
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
