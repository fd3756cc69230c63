"""Our files by the names that ComfyUI, Forge and InvokeAI look for, in SDXL's real size but without its weights."""

from types import SimpleNamespace

import pytest
import torch
from diffusers import UNet2DConditionModel
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from bench.retrain.full_size import TEXT, TEXT_2, UNET
from tests.trainer.lora.loaders import recorded
from trainer.lora.formats import kohya_layout
from trainer.lora.names import ModuleNames
from trainer.lora.text_encoders import text_layers


@pytest.fixture(scope="module")
def unet() -> UNet2DConditionModel:
    with torch.device("meta"):
        return UNet2DConditionModel(**UNET)


def our_name(path: str) -> str:
    """The module's name in the kohya file that we write."""
    (down, alpha) = kohya_layout({f"{path}.lora_A.weight": torch.zeros(1, 1)})
    assert (down, alpha) == (alpha.removesuffix(".alpha") + ".lora_down.weight", down.split(".")[0] + ".alpha")
    return down.split(".")[0]


def layers_of(unet: UNet2DConditionModel) -> list[str]:
    return [path for path, module in unet.named_modules() if isinstance(module, nn.Linear | nn.Conv2d)]


def test_comfyui_and_forge_put_every_layer_of_our_files_on_the_block_that_it_was_trained_on(unet):
    theirs, ours = recorded()["comfyui"], ModuleNames(unet)
    for path in layers_of(unet):
        block = theirs[our_name(path)].removeprefix("diffusion_model.")
        assert ours.find(f"lora_unet_{block.replace('.', '_')}") == ours.find(f"diffusion_model.{block}") == path


def test_comfyui_and_forge_know_every_layer_of_the_text_encoders():
    with torch.device("meta"):
        first = CLIPTextModel(CLIPTextConfig(**TEXT))
        second = CLIPTextModelWithProjection(CLIPTextConfig(**TEXT_2))
    names = {our_name(path) for path in text_layers(SimpleNamespace(text_encoder=first, text_encoder_2=second))}
    theirs = recorded()["comfyui"]
    assert names == {name for name in theirs if name.startswith("lora_te")}
    assert all(("clip_l" in theirs[name]) == name.startswith("lora_te1_") for name in names)


def test_invokeai_leaves_the_names_of_our_files_as_they_are(unet):
    # It rewrites what begins with one of the original's blocks, and refuses a file in which only some names do.
    originals = tuple(recorded()["invokeai"])
    for name in map(our_name, layers_of(unet)):
        assert not name.removeprefix("lora_unet_").startswith(originals)


def test_invokeai_and_comfyui_agree_on_the_originals_name_of_every_layer(unet):
    comfyui, invokeai = recorded()["comfyui"], recorded()["invokeai"]
    for name in map(our_name, layers_of(unet)):
        original = comfyui[name].removeprefix("diffusion_model.").replace(".", "_")
        block = max((block for block in invokeai if original.startswith(block)), key=len)
        assert f"lora_unet_{invokeai[block]}{original.removeprefix(block)}" == name
