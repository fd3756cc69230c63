"""Module names of a UNet and its text encoders in the spellings that LoRA files use.

Sources: the original checkpoint's block numbers as InvokeAI maps them (`sdxl_lora_conversion_utils.py`), the accepted
prefixes and suffixes as ComfyUI reads them (`comfy/lora.py`: `model_lora_keys_unet`, `load_lora`).
"""

import re
from collections.abc import Iterable, Iterator

from diffusers import UNet2DConditionModel
from torch import nn

from trainer.lora.formats import KOHYA_PREFIXES

RESNET = {
    "in_layers_2": "conv1",
    "out_layers_3": "conv2",
    "emb_layers_1": "time_emb_proj",
    "skip_connection": "conv_shortcut",
}
SINGLE = {
    "time_embed_0": "time_embedding.linear_1",
    "time_embed_2": "time_embedding.linear_2",
    "label_emb_0_0": "add_embedding.linear_1",
    "label_emb_0_2": "add_embedding.linear_2",
    "input_blocks_0_0": "conv_in",
    "out_2": "conv_out",
}
HALVES = {
    ".lora_down.weight": "down",
    ".lora_up.weight": "up",
    ".lora_A.weight": "down",
    ".lora_B.weight": "up",
    ".lora.down.weight": "down",
    ".lora.up.weight": "up",
    ".lora_linear_layer.down.weight": "down",
    ".lora_linear_layer.up.weight": "up",
    "_lora.down.weight": "down",
    "_lora.up.weight": "up",
    ".alpha": "alpha",
}


def split_name(name: str) -> tuple[str, str] | None:
    """The module that a tensor belongs to and its part (`down`, `up`, `alpha`); None when it is not part of a LoRA.

    >>> split_name("lora_unet_mid_block_attentions_0_proj_in.lora_up.weight")
    ('lora_unet_mid_block_attentions_0_proj_in', 'up')
    >>> split_name("unet.mid_block.attentions.0.proj_in.dora_scale") is None
    True
    """
    for ending, part in HALVES.items():
        if name.endswith(ending):
            return name.removesuffix(ending), part
    return None


def module_names(unet: UNet2DConditionModel) -> dict[str, str]:
    """From every spelling of a linear or convolution module, without its suffix, to its path in diffusers."""
    paths = {path for path, module in _layers(unet)}
    known = {}
    for path in paths:
        known[f"lora_unet_{path.replace('.', '_')}"] = path
        for prefix in ("unet.", "", "base_model.model."):
            known[prefix + path] = path
        # The attention processors of diffusers before 0.22 carried the weights.
        known["unet." + re.sub(r"\.to_out\.0$", ".to_out", path).replace(".to_", ".processor.to_")] = path
    for blocks, path in original_blocks(unet).items():
        for inner in paths:
            if inner == path or inner.startswith(path + "."):
                rest = inner.removeprefix(path).replace(".", "_")
                known[f"lora_unet_{blocks}{rest}"] = inner
    return known


def text_module_names(layers: Iterable[str]) -> dict[str, str]:
    """From every spelling of a text encoder's module to our name of it, for modules in our names.

    >>> set(text_module_names(["text_encoder.text_model.k_proj"]).values())
    {'text_encoder.text_model.k_proj'}
    >>> sorted(text_module_names(["text_encoder.text_model.k_proj"]))[:2]
    ['lora_te1_text_model_k_proj', 'text_encoder.k_proj']
    """
    known = {}
    for name in layers:
        encoder, _, path = name.partition(".")
        known[KOHYA_PREFIXES[encoder] + path.replace(".", "_")] = name
        known[name] = name
        known[f"{encoder}.{path.removeprefix('text_model.')}"] = name  # as a flat `CLIPTextModel` has it
        known[re.sub(r"\.(q|k|v|out)_proj$", r".to_\1", name)] = name  # diffusers before 0.22
    return known


def original_blocks(unet: UNet2DConditionModel) -> dict[str, str]:
    """From the original checkpoint's blocks, `_` for `.`, to their paths in diffusers: `input_blocks_4_1` and so on."""
    levels, layers = len(unet.config.down_block_types), unet.config.layers_per_block
    blocks: dict[str, str] = dict(SINGLE)
    for level in range(levels):
        has_attention = "CrossAttn" in unet.config.up_block_types[level]
        for layer in range(layers):
            place = f"input_blocks_{(layers + 1) * level + layer + 1}"
            blocks |= _resnet(f"{place}_0", f"down_blocks.{level}.resnets.{layer}")
            blocks[f"{place}_1"] = f"down_blocks.{level}.attentions.{layer}"
        for layer in range(layers + 1):
            place = f"output_blocks_{(layers + 1) * level + layer}"
            blocks |= _resnet(f"{place}_0", f"up_blocks.{level}.resnets.{layer}")
            if has_attention:
                blocks[f"{place}_1"] = f"up_blocks.{level}.attentions.{layer}"
        blocks[f"input_blocks_{(layers + 1) * (level + 1)}_0_op"] = f"down_blocks.{level}.downsamplers.0.conv"
        last = f"output_blocks_{(layers + 1) * level + layers}"
        blocks[f"{last}_{2 if has_attention else 1}_conv"] = f"up_blocks.{level}.upsamplers.0.conv"
    blocks |= _resnet("middle_block_0", "mid_block.resnets.0") | _resnet("middle_block_2", "mid_block.resnets.1")
    return blocks | {"middle_block_1": "mid_block.attentions.0"}


def _resnet(block: str, path: str) -> dict[str, str]:
    return {f"{block}_{theirs}": f"{path}.{ours}" for theirs, ours in RESNET.items()}


def _layers(unet: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    return ((path, module) for path, module in unet.named_modules() if isinstance(module, nn.Linear | nn.Conv2d))
