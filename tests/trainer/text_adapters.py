"""An adapter on both text encoders, as an imported LoRA may bring one; a retrain trains none."""

import torch
from diffusers import StableDiffusionXLPipeline
from peft import LoraConfig
from torch import Tensor, nn

from trainer.lora.tensors import TRAINED, trained_tensors
from trainer.lora.text_encoders import PREFIXES, encoders_of

ATTENTION = ["q_proj", "k_proj", "v_proj", "out_proj"]


def add_text_adapter(pipe: StableDiffusionXLPipeline, rank: int) -> list[nn.Parameter]:
    """The parameters of a new adapter `negative` on both encoders, without effect yet."""
    parameters = []
    for encoder in encoders_of(pipe):
        config = LoraConfig(r=rank, lora_alpha=rank, target_modules=ATTENTION, init_lora_weights="gaussian")
        torch.manual_seed(0)
        encoder.add_adapter(config, adapter_name=TRAINED)
        parameters += [parameter for name, parameter in encoder.named_parameters() if "lora" in name]
        encoder.disable_adapters()
    return parameters


def text_tensors(pipe: StableDiffusionXLPipeline) -> dict[str, Tensor]:
    """Its tensors by the names of a diffusers file."""
    return {
        f"{prefix}.text_model.{name.removeprefix('text_model.')}": tensor
        for prefix, encoder in zip(PREFIXES, encoders_of(pipe), strict=True)
        for name, tensor in trained_tensors(encoder).items()
    }
