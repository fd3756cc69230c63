"""A model whose weights take most of the memory of a process that draws with it, and whose pictures are small."""

import shutil
from pathlib import Path

import torch
from diffusers import StableDiffusionXLPipeline, UNet2DConditionModel

from bench.retrain.full_size import UNET
from store.settings import Settings
from trainer.base.model import load_base
from trainer.base.weights import BUILTIN_FOLDER

WIDTHS = (96, 192, 384)
HEAD = 32


def write_heavy(folder: Path) -> Path:
    """Writes a model with SDXL's UNet at 0.3 of the width, 207 million random parameters, the rest built in.

    It is stored in 16 bits, so that a CPU, which computes in 32, cannot map the file but has its own copy.
    """
    pipe = load_base(Settings(_env_file=None, device="cpu")).pipe
    same = ("sample_size", "cross_attention_dim", "addition_time_embed_dim", "projection_class_embeddings_input_dim")
    own = {name: pipe.unet.config[name] for name in same}
    heads = tuple(width // HEAD for width in WIDTHS)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        unet = UNet2DConditionModel(**UNET | own | {"block_out_channels": WIDTHS, "attention_head_dim": heads})
    heavy = StableDiffusionXLPipeline(**pipe.components | {"unet": unet}, add_watermarker=False)
    heavy.to(torch.float16).save_pretrained(folder)
    shutil.copy(BUILTIN_FOLDER / "naysayer.json", folder)
    return folder
