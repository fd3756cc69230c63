"""SDXL at full size with random weights: the cost of a retrain does not depend on the weights' values."""

import shutil
from pathlib import Path

import torch
from diffusers import AutoencoderKL, EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
from torch import nn
from transformers import AutoTokenizer, CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from trainer.base.model import DTYPES
from trainer.base.weights import BUILTIN_FOLDER

UNET = {
    "sample_size": 128,
    "block_out_channels": (320, 640, 1280),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "layers_per_block": 2,
    "transformer_layers_per_block": (1, 2, 10),
    "attention_head_dim": (5, 10, 20),
    "cross_attention_dim": 2048,
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}
VAE = {
    "sample_size": 1024,
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
    "scaling_factor": 0.13025,
    "force_upcast": True,
}
VOCABULARY = ("vocab.json", "merges.txt")
"""What programs read that do not know `tokenizer.json`, kohya's scripts among them."""
TEXT = {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12, "num_hidden_layers": 12}
TEXT_2 = {"hidden_size": 1280, "intermediate_size": 5120, "num_attention_heads": 20, "num_hidden_layers": 32}


def write_full_size(
    folder: Path, dtype: str, device: torch.device | str = "cpu", tokenizers: Path = BUILTIN_FOLDER
) -> Path:
    """Writes the pipeline of `build_full_size`; returns `folder`."""
    build_full_size(dtype, device, tokenizers).save_pretrained(folder)
    for name in ("tokenizer", "tokenizer_2"):
        for file in VOCABULARY:
            if (tokenizers / name / file).is_file():
                shutil.copy(tokenizers / name / file, folder / name)
    return folder


def build_full_size(
    dtype: str, device: torch.device | str = "cpu", tokenizers: Path = BUILTIN_FOLDER
) -> StableDiffusionXLPipeline:
    """A pipeline with 3.5 billion parameters, and the tokenizers of that folder."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(DTYPES[dtype])  # float32 first would take twice the memory
    try:
        with torch.device(device):
            networks = _networks()
    finally:
        torch.set_default_dtype(before)
    # Not on that device: the scheduler computes with numpy.
    return StableDiffusionXLPipeline(
        **networks,
        tokenizer=AutoTokenizer.from_pretrained(tokenizers, subfolder="tokenizer"),
        tokenizer_2=AutoTokenizer.from_pretrained(tokenizers, subfolder="tokenizer_2"),
        scheduler=EulerDiscreteScheduler.from_pretrained(BUILTIN_FOLDER, subfolder="scheduler"),
    )


def _networks() -> dict[str, nn.Module]:
    return {
        "unet": UNet2DConditionModel(**UNET),
        "vae": AutoencoderKL(**VAE),
        "text_encoder": CLIPTextModel(CLIPTextConfig(**TEXT, hidden_act="quick_gelu", projection_dim=768)),
        "text_encoder_2": CLIPTextModelWithProjection(CLIPTextConfig(**TEXT_2, hidden_act="gelu", projection_dim=1280)),
    }
