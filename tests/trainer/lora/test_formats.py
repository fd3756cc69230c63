import hashlib
import json
import os
from pathlib import Path

import pytest
import torch
from diffusers import UNet2DConditionModel
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import load
from torch import Tensor

from trainer.lora.formats import diffusers_layout, kohya_layout, safetensors_bytes
from trainer.lora.tensors import LAYERS

WEIGHTS = {
    "mid.attn.to_out.0.lora_A.weight": torch.arange(8.0).view(2, 4),
    "mid.attn.to_out.0.lora_B.weight": torch.ones(3, 2),
}


def test_the_diffusers_file_says_unet_before_every_name():
    assert set(diffusers_layout(WEIGHTS)) == {f"unet.{name}" for name in WEIGHTS}


def test_the_kohya_file_has_down_up_and_alpha_equal_to_the_rank():
    named = kohya_layout(WEIGHTS)
    assert named["lora_unet_mid_attn_to_out_0.alpha"].item() == 2
    assert torch.equal(
        named["lora_unet_mid_attn_to_out_0.lora_down.weight"], WEIGHTS["mid.attn.to_out.0.lora_A.weight"]
    )
    assert torch.equal(named["lora_unet_mid_attn_to_out_0.lora_up.weight"], WEIGHTS["mid.attn.to_out.0.lora_B.weight"])


def test_the_written_file_is_read_back_by_the_library():
    read = load(safetensors_bytes(WEIGHTS, {"b": "2", "a": "1"}))
    for name, tensor in WEIGHTS.items():
        assert torch.equal(read[name].float(), tensor)


def test_the_same_content_gives_the_same_bytes_whatever_the_order():
    first = safetensors_bytes(WEIGHTS, {"b": "2", "a": "1"})
    second = safetensors_bytes(dict(reversed(WEIGHTS.items())), {"a": "1", "b": "2"})
    assert hashlib.sha256(first).digest() == hashlib.sha256(second).digest()


def real_data() -> Path:
    folder = os.environ.get("NAYSAYER_REALDATA")
    if not folder:
        pytest.skip("NAYSAYER_REALDATA is not set: the real SDXL configuration and key listings are not at hand")
    return Path(folder)


def full_size_lora(layers: str, rank: int) -> dict[str, Tensor]:
    """The adapter of a UNet of the real configuration, without memory for its weights."""
    config = json.loads((real_data() / "sdxl_config/unet/config.json").read_text())
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(config)
        unet.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=LAYERS[layers]), adapter_name="negative")
    assert sum(p.numel() for n, p in unet.named_parameters() if "lora" not in n) == 2_567_463_684
    return {
        name: torch.empty_like(tensor, device="meta")
        for name, tensor in get_peft_model_state_dict(unet, adapter_name="negative").items()
    }


def sgm_names() -> dict[str, str]:
    """From a module's diffusers path to its path in the original checkpoint, both with `_` for `.`."""
    text = (real_data() / "statedict_listings/aitoolkit_stable_diffusion_sdxl_keymap.json").read_text()
    pairs = json.loads(text)["ldm_diffusers_keymap"].items()
    return {
        theirs.removeprefix("unet_").removesuffix(".weight").replace(".", "_"): original.removeprefix(
            "model.diffusion_model."
        )
        .removesuffix(".weight")
        .replace(".", "_")
        for original, theirs in pairs
        if original.startswith("model.diffusion_model.") and original.endswith(".weight")
    }


def published_kohya() -> dict[str, tuple[int, ...]]:
    """Name and shape of every UNet tensor of a published kohya SDXL LoRA of rank 32."""
    text = (real_data() / "statedict_listings/lora_sdxl_kohya_AlienStyle_rank32_te1te2unet.json").read_text()
    listed = json.loads(text)
    return {name: tuple(row["shape"]) for name, row in listed.items() if name.startswith("lora_unet_")}


def in_sgm_names(ours: dict[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """Our kohya file with the original checkpoint's module paths, as other tools map it on loading."""
    names = sgm_names()
    renamed = {}
    for name, tensor in ours.items():
        module, rest = name.removeprefix("lora_unet_").split(".", 1)
        renamed[f"lora_unet_{names[module]}.{rest}"] = tuple(tensor.shape)
    return renamed


@pytest.mark.slow
def test_full_size_keys_and_shapes_are_those_of_a_published_kohya_file():
    ours = in_sgm_names(kohya_layout(full_size_lora("all", 32)))
    published = published_kohya()
    transformers = {name: shape for name, shape in ours.items() if "transformer_blocks" in name}
    assert transformers == {name: shape for name, shape in published.items() if "transformer_blocks" in name}
    convolutions = set(ours) - set(transformers)
    assert len(convolutions) == 3 * (17 * 2 + 11)  # two in each residual block, and the skips that change width
    assert all(
        any(part in name for part in ("in_layers_2", "out_layers_3", "skip_connection")) for name in convolutions
    )


@pytest.mark.slow
def test_full_size_attention_alone_is_a_part_of_the_published_file():
    ours = in_sgm_names(kohya_layout(full_size_lora("attention", 32)))
    published = published_kohya()
    assert ours == {name: shape for name, shape in published.items() if "_attn" in name}
