"""Module names of a UNet and its text encoders in the spellings that LoRA files use.

Sources: the original checkpoint's block numbers as InvokeAI maps them (`sdxl_lora_conversion_utils.py`), the accepted
suffixes as ComfyUI reads them (`comfy/lora.py`: `model_lora_keys_unet`, `load_lora`).
"""

import re
from collections.abc import Iterable, Iterator

from diffusers import UNet2DConditionModel
from torch import nn

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
HALF = re.compile(r"^(.+)[._]lora(?:_linear_layer)?[._](down|up|A|B)(?:\.(?!weight$)(.+?))?(?:\.weight)?$")
"""Module, half, and the adapter's name, which peft writes in between."""
ALPHA = re.compile(r"^(.+?)(?:[._]lora)?[._](?:lora_)?alpha$")
PARTS = {"down": "down", "A": "down", "up": "up", "B": "up"}
BLOCKS = (
    "down_blocks|up_blocks|mid_block|time_embedding|add_embedding|input_blocks|middle_block|output_blocks|"
    "time_embed|label_emb|conv_in|conv_out|out_2"
)
OF_UNET = re.compile(rf"(?:^|_)((?:{BLOCKS})(?:_.*)?)$")
OF_TEXT = re.compile(r"(?:^|_)(encoder_layers_\d+_.+)$")
OTHER_NETWORK = re.compile(r"(?:^|_)(?:te\d?|text|clip|vae|first_stage|encoder|decoder|control|refiner)(?:_|\d|$)")
SECOND = re.compile(r"(?:^|_)(?:te2|te_2|clip_g|text_encoder_2|text_encoder2|embedders_1)(?:_|$)")
FIRST = re.compile(r"(?:^|_)(?:te1|te_1|clip_l|text_encoder|text_encoder_1|text_encoder1|embedders_0)(?:_|$)")


def split_name(name: str) -> tuple[str, str] | None:
    """The module that a tensor belongs to and its part (`down`, `up`, `alpha`); None when it is not part of a LoRA.

    >>> split_name("lora_unet_mid_block_attentions_0_proj_in.lora_up.weight")
    ('lora_unet_mid_block_attentions_0_proj_in', 'up')
    >>> split_name("base_model.model.conv_in.lora_A.default.weight")
    ('base_model.model.conv_in', 'down')
    >>> split_name("unet.mid_block.attentions.0.proj_in.dora_scale") is None
    True
    """
    if found := HALF.match(name):
        module, half, adapter = found.groups()
        return None if adapter in ("bias", "scale_weight") else (module, PARTS[half])
    found = ALPHA.match(name)
    return (found[1], "alpha") if found else None


class ModuleNames:
    """Finds a module by any spelling: dots or underscores, diffusers' or the original's blocks, behind any prefix."""

    def __init__(self, unet: UNet2DConditionModel, of_text: Iterable[str] = ()) -> None:
        paths = [path for path, _ in _layers(unet)]
        self.unet = {_flat(path): path for path in paths}
        for blocks, path in original_blocks(unet).items():
            inner = [one for one in paths if one == path or one.startswith(path + ".")]
            self.unet |= {blocks + _flat(one.removeprefix(path)): one for one in inner}
        self.text = {name.partition(".")[0] + _flat(name).partition("_encoder_layers")[2]: name for name in of_text}

    def find(self, spelling: str) -> str | None:
        """Our name of the module; None when the base has none of that name.

        Names of the text encoders begin with TEXT_ENCODERS.
        """
        flat = _flat(spelling)
        if is_of_text(spelling):
            return self._find_text(flat)
        found = OF_UNET.search(flat)
        if found is None or OTHER_NETWORK.search(flat[: found.start(1)]):
            return None
        inner = found[1].replace("_processor_", "_")  # of diffusers before 0.22
        return self.unet.get(inner) or self.unet.get(f"{inner}_0")

    def _find_text(self, flat: str) -> str | None:
        found = OF_TEXT.search(flat)
        if found is None:
            return None
        before = flat[: found.start(1)]
        encoder = "text_encoder_2" if SECOND.search(before) else "text_encoder" if FIRST.search(before) else ""
        inner = re.sub(r"_to_(q|k|v|out)$", r"_\1_proj", found[1])
        return self.text.get(encoder + inner.removeprefix("encoder_layers"))


def is_of_text(spelling: str) -> bool:
    """Whether a module's spelling names a text encoder.

    >>> [is_of_text(name) for name in ("lora_te2_text_model_x", "text_encoders.clip_l.transformer.x", "lora_unet_x")]
    [True, True, False]
    """
    flat = _flat(spelling)
    return bool(FIRST.search(flat) or SECOND.search(flat))


def _flat(name: str) -> str:
    return name.replace(".", "_")


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
