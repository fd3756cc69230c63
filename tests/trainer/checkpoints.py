"""Models of other kinds than the built-in one, made from its parts: a single file in the original layout, a refiner."""

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionXLImg2ImgPipeline, StableDiffusionXLPipeline, UNet2DConditionModel
from safetensors.torch import save_file
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel

from trainer.base.model import Base
from trainer.base.weights import BUILTIN_FOLDER

ENDS = {
    "conv_in": "input_blocks.0.0",
    "mid_block.resnets.0": "middle_block.0",
    "mid_block.attentions.0": "middle_block.1",
    "mid_block.resnets.1": "middle_block.2",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
}
RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
VAE = {
    "mid_block.resnets.0": "mid.block_1",
    "mid_block.attentions.0": "mid.attn_1",
    "mid_block.resnets.1": "mid.block_2",
    "conv_norm_out": "norm_out",
    "conv_shortcut": "nin_shortcut",
    "group_norm": "norm",
    "to_q": "q",
    "to_k": "k",
    "to_v": "v",
    "to_out.0": "proj_out",
    ".resnets.": ".block.",
    ".downsamplers.0": ".downsample",
    ".upsamplers.0": ".upsample",
    "down_blocks": "down",
}
CLIP_G = {
    "text_model.embeddings.token_embedding": "token_embedding",
    "text_model.embeddings.position_embedding.weight": "positional_embedding",
    "text_model.final_layer_norm": "ln_final",
    "text_model.encoder.layers": "transformer.resblocks",
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
    "self_attn": "attn",
}


def narrow_folder(base: Base, folder: Path) -> Path:
    """A model folder with a first text encoder of another width, as SDXL's differ; random UNet, the rest built in."""
    pipe = base.pipe
    config = CLIPTextConfig.from_pretrained(BUILTIN_FOLDER / "text_encoder")
    config.hidden_size, config.intermediate_size = 32, 64
    with torch.random.fork_rng():
        torch.manual_seed(0)
        encoder = CLIPTextModel(config)
        unet = UNet2DConditionModel.from_config({**pipe.unet.config, "cross_attention_dim": 32 + 64})
    parts = pipe.components | {"text_encoder": encoder, "unet": unet}
    StableDiffusionXLPipeline(**parts, add_watermarker=False).save_pretrained(folder)
    shutil.copy(BUILTIN_FOLDER / "naysayer.json", folder)
    return folder


def single_file(folder: Path, path: Path) -> Path:
    """The same weights as one file with the original checkpoint's names."""
    pipe = StableDiffusionXLPipeline.from_pretrained(folder, use_safetensors=True, add_watermarker=False)
    save_file(original_tensors(pipe), path)
    return path


def original_tensors(pipe: Any) -> dict[str, Tensor]:
    """The weights of UNet, VAE and text encoders under the original checkpoint's names."""
    tensors = _renamed("model.diffusion_model.", pipe.unet.state_dict(), _unet_blocks(pipe.unet.config), RESNET)
    tensors |= _vae(pipe.vae.state_dict(), len(pipe.vae.config.block_out_channels))
    tensors |= {
        f"conditioner.embedders.0.transformer.text_model.{name.removeprefix('text_model.')}": tensor
        for name, tensor in pipe.text_encoder.state_dict().items()
    }
    tensors |= _open_clip(pipe.text_encoder_2.state_dict())
    return {name: tensor.contiguous() for name, tensor in tensors.items()}


def _unet_blocks(config: Any) -> dict[str, str]:
    """The original checkpoint's blocks by their paths in diffusers, from any number of levels and layers."""
    levels, layers = len(config.down_block_types), config.layers_per_block
    blocks = dict(ENDS)
    for level in range(levels):
        down, up = (layers + 1) * level + 1, (layers + 1) * level
        for layer in range(layers):
            blocks[f"down_blocks.{level}.resnets.{layer}"] = f"input_blocks.{down + layer}.0"
            blocks[f"down_blocks.{level}.attentions.{layer}"] = f"input_blocks.{down + layer}.1"
        for layer in range(layers + 1):
            blocks[f"up_blocks.{level}.resnets.{layer}"] = f"output_blocks.{up + layer}.0"
            blocks[f"up_blocks.{level}.attentions.{layer}"] = f"output_blocks.{up + layer}.1"
        blocks[f"down_blocks.{level}.downsamplers.0.conv"] = f"input_blocks.{down + layers}.0.op"
        place = 2 if "CrossAttn" in config.up_block_types[level] else 1
        blocks[f"up_blocks.{level}.upsamplers.0.conv"] = f"output_blocks.{up + layers}.{place}.conv"
    return blocks


def _renamed(
    prefix: str, tensors: dict[str, Tensor], blocks: dict[str, str], inner: dict[str, str]
) -> dict[str, Tensor]:
    named = {}
    for name, tensor in tensors.items():
        block = max((key for key in blocks if name.startswith(key + ".")), key=len)
        rest = name.removeprefix(block)
        if "resnets" in block:
            for ours, theirs in inner.items():
                rest = rest.replace(f".{ours}.", f".{theirs}.")
        named[prefix + blocks[block] + rest] = tensor
    return named


def _vae(tensors: dict[str, Tensor], levels: int) -> dict[str, Tensor]:
    named = {}
    for name, tensor in tensors.items():
        new = name
        for level in range(levels):
            new = new.replace(f"up_blocks.{level}.", f"up.{levels - 1 - level}.")
        for ours, theirs in VAE.items():
            new = new.replace(ours, theirs)
        is_linear = "attn_1" in new and new.endswith("weight") and tensor.ndim == 2
        named[f"first_stage_model.{new}"] = tensor[:, :, None, None] if is_linear else tensor
    return named


def _open_clip(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    named, parts = {}, ("q_proj", "k_proj", "v_proj")
    for name, tensor in tensors.items():
        if any(part in name for part in parts[1:]):
            continue
        if "q_proj" in name:
            tensor = torch.cat([tensors[name.replace("q_proj", part)] for part in parts])
            name = name.replace(".q_proj.", ".in_proj_")
        if name == "text_projection.weight":
            name, tensor = "text_projection", tensor.T
        for ours, theirs in CLIP_G.items():
            name = name.replace(ours, theirs)
        named[f"conditioner.embedders.1.model.{name}"] = tensor
    # What SDXL's base is known by: its second text encoder has more than nine layers.
    return {"conditioner.embedders.1.model.transformer.resblocks.9.mlp.c_proj.bias": torch.zeros(1)} | named


def refiner_folder(base: Base, folder: Path) -> Path:
    """A refiner to go with the base: random UNet, only the second text encoder, and an aesthetic score."""
    unet = base.pipe.unet.config
    pooled = base.pipe.text_encoder_2.config
    with torch.random.fork_rng():
        torch.manual_seed(0)
        own = {
            "cross_attention_dim": pooled.hidden_size,
            "projection_class_embeddings_input_dim": pooled.projection_dim + 5 * unet.addition_time_embed_dim,
        }
        refiner = UNet2DConditionModel.from_config({**unet, **own})
    kept = {name: part for name, part in base.pipe.components.items() if name not in ("text_encoder", "tokenizer")}
    parts = kept | {"unet": refiner, "text_encoder": None, "tokenizer": None}
    pipe = StableDiffusionXLImg2ImgPipeline(**parts, requires_aesthetics_score=True, add_watermarker=False)
    pipe.save_pretrained(folder)
    return folder


def with_config(folder: Path, file: str, **changes: object) -> Path:
    """The model folder with some values of one of its configuration files changed."""
    path = folder / file
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return folder
