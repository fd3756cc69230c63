"""LoRA files on disk, as one writer or another leaves them."""

from pathlib import Path

from safetensors.torch import save

from tests.trainer.foreign_files import kohya_names, random_lora

RANK = 4
ALPHA = 1.0


def written(folder: Path, tensors: dict, metadata: dict | None = None, name: str = "theirs.safetensors") -> Path:
    (folder / name).write_bytes(save(tensors, metadata))
    return folder / name


FIRST = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q"


def one_more(unet, name: str, tensor) -> bytes:
    return save(kohya_names(random_lora(unet, "attention", RANK), ALPHA) | {name: tensor})
