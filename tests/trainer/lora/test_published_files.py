"""Files that others published, by their lists of keys, on the real SDXL configuration."""

import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from diffusers import UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from store.errors import BadLora
from tests.trainer.lora.written import written
from trainer.lora.foreign import read_lora
from trainer.lora.names import ModuleNames
from trainer.lora.text_encoders import text_layers


def real_data() -> Path:
    folder = os.environ.get("NAYSAYER_REALDATA")
    if not folder:
        pytest.skip("NAYSAYER_REALDATA is not set: the real SDXL configuration and key listings are not at hand")
    return Path(folder)


@pytest.fixture(scope="module")
def real_unet() -> UNet2DConditionModel:
    """A UNet of the real configuration, without memory for its weights."""
    config = json.loads((real_data() / "sdxl_config/unet/config.json").read_text())
    with torch.device("meta"):
        return UNet2DConditionModel.from_config(config)


def real_text_layers() -> dict[str, torch.nn.Linear]:
    """Those of text encoders of the real configuration, without memory for their weights."""
    folder = real_data() / "sdxl_config"
    with torch.device("meta"):
        first = CLIPTextModel(CLIPTextConfig.from_pretrained(folder / "text_encoder"))
        second = CLIPTextModelWithProjection(CLIPTextConfig.from_pretrained(folder / "text_encoder_2"))
    return text_layers(SimpleNamespace(text_encoder=first, text_encoder_2=second))


def listed(name: str) -> dict[str, list[int]]:
    rows = json.loads((real_data() / "statedict_listings" / name).read_text())
    return {key: row["shape"] for key, row in rows.items()}


@pytest.mark.slow
def test_a_published_kohya_file_is_read_whole(real_unet, tmp_path):
    shapes = listed("lora_sdxl_kohya_AlienStyle_rank32_te1te2unet.json")
    random = torch.Generator().manual_seed(0)
    tensors = {key: torch.randn(shape, generator=random).bfloat16() for key, shape in shapes.items()}
    read = read_lora(written(tmp_path, tensors), real_unet, real_text_layers())
    assert (read.about["imported_modules"], read.about["imported_ranks"]) == (722 + 264, [32])
    assert read.about["text_encoder_modules_left_out"] == 0
    assert len(read_lora(tmp_path / "theirs.safetensors", real_unet).weights) == 2 * 722


@pytest.mark.slow
def test_a_published_sd_15_file_is_refused(real_unet, tmp_path):
    shapes = listed("lora_sd15_kohya_shinkai_rank128.json")
    tensors = {key: torch.zeros(shape, dtype=torch.float16) for key, shape in shapes.items()}
    with pytest.raises(BadLora, match=r"Stable Diffusion 1\.x"):
        read_lora(written(tmp_path, tensors), real_unet)


def test_the_original_block_names_of_every_layer_lead_to_its_diffusers_path(real_unet):
    text = (real_data() / "statedict_listings/aitoolkit_stable_diffusion_sdxl_keymap.json").read_text()
    names = ModuleNames(real_unet)
    layers, checked = set(names.unet.values()), 0
    for original, theirs in json.loads(text)["ldm_diffusers_keymap"].items():
        path = theirs.removeprefix("unet_").removesuffix(".weight")
        if original.startswith("model.diffusion_model.") and path in layers:
            blocks = original.removeprefix("model.diffusion_model.").removesuffix(".weight").replace(".", "_")
            assert names.find(f"lora_unet_{blocks}") == path
            checked += 1
    assert checked == len(layers) == 794
