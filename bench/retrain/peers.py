"""How other projects' training scripts are called, unchanged, for the same work as ours. Imports no torch."""

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LOOP = re.compile(r"[Ss]teps: 100%\|[^|]*\| \d+/\d+ \[(?:(\d+):)?(\d+):(\d+)<")
PRECISIONS = {"fp32": "no"}
KOHYAS_TOKENIZERS = {
    "tokenizer": "openai_clip-vit-large-patch14",
    "tokenizer_2": "laion_CLIP-ViT-bigG-14-laion2B-39B-b160k",
}
"""Under which names kohya's scripts look for SDXL's tokenizers in `--tokenizer_cache_dir`."""


@dataclass(frozen=True)
class Plan:
    """What all sides get. Only ours has `micro_batch`; a script takes its batch in one pass.

    `weights` is a folder with the model where it was written before; `side_px` 0 is the model's own side.
    """

    images: int = 256
    batch: int = 64
    micro_batch: int = 16
    steps: int = 40
    rank: int = 16
    rounds: int = 3
    learning_rate: float = 5e-4
    device: str = "cpu"
    dtype: str = "fp32"
    model: str = "builtin"
    checkpointing: bool = False
    held_out: int = 128
    weights: str = ""
    side_px: int = 0

    @property
    def resolution(self) -> int:
        """The side of the pictures, in pixels."""
        return self.side_px or (64 if self.model == "builtin" else 1024)


def diffusers_options(plan: Plan, folder: Path, base: str, output: Path, turn: int) -> Iterator[str]:
    """For diffusers' train_text_to_image_lora_sdxl.py."""
    given = {
        "pretrained_model_name_or_path": base,
        "train_data_dir": folder / "pictures",
        "caption_column": "text",
        "resolution": plan.resolution,
        "train_batch_size": plan.batch,
        "max_train_steps": plan.steps,
        "learning_rate": plan.learning_rate,
        "lr_scheduler": "cosine",
        "lr_warmup_steps": plan.steps // 20,
        "rank": plan.rank,
        "mixed_precision": PRECISIONS.get(plan.dtype, plan.dtype),
        "seed": turn,
        "checkpointing_steps": plan.steps + 1,
        "output_dir": output,
        "cache_dir": folder / "datasets",
    }
    yield from _words(given)
    if plan.checkpointing:
        yield "--gradient_checkpointing"


def kohya_options(plan: Plan, folder: Path, base: str, output: Path, turn: int) -> Iterator[str]:
    """For kohya's sdxl_train_network.py, with latents and texts cached, as ours are. Its LoRA is on more layers.

    Its pictures and tokenizers must have been laid out by `lay_out_for_kohya`.
    """
    given = {
        "pretrained_model_name_or_path": base,
        "tokenizer_cache_dir": folder / "kohya" / "tokenizers",
        "train_data_dir": folder / "kohya" / "pictures",
        "caption_extension": ".txt",
        "resolution": f"{plan.resolution},{plan.resolution}",
        "train_batch_size": plan.batch,
        "max_train_steps": plan.steps,
        "learning_rate": plan.learning_rate,
        "lr_scheduler": "cosine",
        "lr_warmup_steps": plan.steps // 20,
        "network_module": "networks.lora",
        "network_dim": plan.rank,
        "network_alpha": plan.rank,
        "mixed_precision": PRECISIONS.get(plan.dtype, plan.dtype),
        "save_precision": "fp16",
        "seed": turn,
        "max_data_loader_n_workers": 0,
        "output_dir": output,
        "output_name": "kohya",
        "save_model_as": "safetensors",
    }
    yield from _words(given)
    yield from (
        "--network_train_unet_only",
        "--cache_latents",
        "--cache_text_encoder_outputs",
        "--no_half_vae",
        "--sdpa",
    )
    if plan.checkpointing:
        yield "--gradient_checkpointing"


def lay_out_for_kohya(folder: Path, tokenizers: Path) -> None:
    """Each picture with a caption file beside it, once an epoch, and SDXL's tokenizers under kohya's names."""
    pictures = folder / "kohya" / "pictures" / "1_pictures"
    pictures.mkdir(parents=True)
    captions = _captions(folder / "pictures" / "metadata.jsonl")
    for picture in (folder / "pictures").glob("*.png"):
        shutil.copy(picture, pictures)
        (pictures / picture.with_suffix(".txt").name).write_text(captions[picture.name])
    for name, theirs in KOHYAS_TOKENIZERS.items():
        shutil.copytree(tokenizers / name, folder / "kohya" / "tokenizers" / theirs)


def _captions(metadata: Path) -> dict[str, str]:
    rows = [json.loads(line) for line in metadata.read_text(encoding="utf-8").splitlines()]
    return {row["file_name"]: row["text"] for row in rows}


def loop_seconds(output: str) -> int:
    """How long a script's steps took by its own bar, in whole seconds.

    >>> loop_seconds("steps: 100%|##| 30/30 [01:05<00:00,  2.1s/it, avr_loss=0.1]")
    65
    """
    hours, minutes, seconds = (int(part or 0) for part in LOOP.findall(output)[-1])
    return max(1, 3600 * hours + 60 * minutes + seconds)


def _words(given: dict[str, Any]) -> Iterator[str]:
    yield from (word for name, value in given.items() for word in (f"--{name}", str(value)))
