"""The negative LoRA as tensors: put on a pipeline, trained, taken off."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionXLPipeline
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from torch import Tensor, nn

from store.settings import Settings

TRAINED = "negative"

ATTENTION = ["to_q", "to_k", "to_v", "to_out.0"]
FEED_FORWARD = ["ff.net.0.proj", "ff.net.2"]
CONVOLUTIONS = ["conv1", "conv2", "conv_shortcut"]
TEXT = ["attn2.to_k", "attn2.to_v"]
"""Keys and values of the text: they cannot change what a prompt does not say (as Kumari et al. 2023 train)."""
LAYERS = {"text": TEXT, "attention": ATTENTION, "all": ATTENTION + FEED_FORWARD + CONVOLUTIONS}


def choose_layers(settings: Settings) -> str:
    """The layers that get a LoRA: for `trigger` those that read the text, else all."""
    return settings.lora_layers or ("text" if settings.objective == "trigger" else "all")


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
    """Rounds the trained weights to the float16 that is published, so that the check sees the same weights as users."""
    for parameter in parameters:
        parameter.copy_(parameter.half())


def weights_of(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The adapter's tensors on the CPU."""
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def trained_tensors(network: nn.Module) -> dict[str, Tensor]:
    """The trained adapter's own tensors, no copies: writing into them changes the adapter."""
    return get_peft_model_state_dict(network, adapter_name=TRAINED)


@contextmanager
def replaced_tensors(network: nn.Module, tensors: dict[str, Tensor]) -> Iterator[None]:
    """Swaps the trained adapter's tensors for these; when the block ends, its own are back."""
    own = {name: place.clone() for name, place in trained_tensors(network).items()}
    _write(network, tensors)
    try:
        yield
    finally:
        _write(network, own)


@torch.no_grad()
def _write(network: nn.Module, tensors: dict[str, Tensor]) -> None:
    for name, place in trained_tensors(network).items():
        place.copy_(tensors[name])


def attach_file(pipe: StableDiffusionXLPipeline, path: Path, name: str) -> None:
    """Loads a LoRA file beside the base; without effect until `trainer.sample.sampler` or `steered` uses it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipe.load_lora_weights(path.parent, weight_name=path.name, adapter_name=name, use_safetensors=True)
    for network in carriers(pipe, name):
        network.disable_adapters()


def detach(pipe: StableDiffusionXLPipeline, name: str) -> None:
    """Takes an adapter off every network that has it."""
    pipe.delete_adapters(name)


def carriers(pipe: StableDiffusionXLPipeline, name: str) -> list[Any]:
    """The networks of a pipeline that have the adapter `name`."""
    networks = (pipe.unet, pipe.text_encoder, pipe.text_encoder_2)
    return [network for network in networks if name in (getattr(network, "peft_config", None) or ())]
