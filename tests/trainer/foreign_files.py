"""LoRA files as others write them, with random numbers, for the built-in UNet or any other."""

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn

from trainer.lora.tensors import LAYERS


def random_lora(unet: UNet2DConditionModel, layers: str, rank: int, seed: int = 0) -> dict[str, Tensor]:
    """Down and up of every adapted layer, named as peft does."""
    random = torch.Generator().manual_seed(seed)
    made: dict[str, Tensor] = {}
    for path, layer in unet.named_modules():
        if not any(path.endswith(f".{ending}") for ending in LAYERS[layers]):
            continue
        if isinstance(layer, nn.Conv2d):
            shapes = (rank, layer.in_channels, *layer.kernel_size), (layer.out_channels, rank, 1, 1)
        else:
            shapes = (rank, layer.in_features), (layer.out_features, rank)
        for half, shape in zip("AB", shapes, strict=True):
            made[f"{path}.lora_{half}.weight"] = torch.randn(shape, generator=random) * 0.05
    return made


def random_text_lora(layers: dict[str, nn.Linear], rank: int, seed: int = 1) -> dict[str, Tensor]:
    """Down and up of every linear layer of the text encoders, in our names."""
    random = torch.Generator().manual_seed(seed)
    made: dict[str, Tensor] = {}
    for path, layer in layers.items():
        made[f"{path}.lora_A.weight"] = torch.randn((rank, layer.in_features), generator=random) * 0.1
        made[f"{path}.lora_B.weight"] = torch.randn((layer.out_features, rank), generator=random) * 0.1
    return made


def kohya_names(weights: dict[str, Tensor], alpha: float) -> dict[str, Tensor]:
    """The same in kohya's names, each module with its alpha."""
    named: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        module, half = name.removesuffix(".weight").rsplit(".", 1)
        prefix = f"lora_unet_{module.replace('.', '_')}"
        for encoder, theirs in (("text_encoder_2_", "lora_te2_"), ("text_encoder_", "lora_te1_")):
            prefix = prefix.replace(f"lora_unet_{encoder}", theirs)
        named[f"{prefix}.lora_{'down' if half == 'lora_A' else 'up'}.weight"] = tensor
        named[f"{prefix}.alpha"] = torch.tensor(alpha)
    return named


def text_encoder_part(rank: int) -> dict[str, Tensor]:
    """Two modules of the first text encoder in kohya's names."""
    modules = [f"lora_te1_text_model_encoder_layers_0_self_attn_{one}_proj" for one in "qk"]
    halves = {"lora_down.weight": torch.ones(rank, 64), "lora_up.weight": torch.ones(64, rank)}
    return {f"{module}.{half}": tensor.clone() for module in modules for half, tensor in halves.items()}
