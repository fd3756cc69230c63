"""Where a version comes from: settings, libraries, commit, as its row and its files' headers record them."""

import json
import re
import subprocess
from contextlib import suppress
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

from feedback.retrain.manifest import FrozenManifest
from store.blobs.folders import remove_folders
from store.files import remove_folder, sha256_of
from store.layout import Layout
from store.settings import Settings
from trainer.card.loading import CHOICE_FILE
from trainer.fit.training import choose_anchor
from trainer.lora.tensors import choose_layers

LIBRARIES = ("torch", "diffusers", "peft", "transformers", "accelerate", "safetensors", "compel", "naysayer")
TRAINING = (
    "objective",
    "lora_rank",
    "train_steps",
    "train_batch",
    "learning_rate",
    "min_timestep",
    "null_dropout",
    "mismatched",
    "beta",
    "trigger",
    "prompt_weighting",
    "dtype",
    "base_quantization",
    "seed",
    "rule",
    "strength",
    "guidance_gain",
    "sweep_pictures",
)
RUNNING = (
    "micro_batch",
    "gradient_checkpointing",
    "sample_batch",
    "vae_decode",
    "offload_encoders",
    "deterministic",
)
"""Settings that change only how a fit uses the machine, so that an interrupted run may resume under others."""


def training_settings(settings: Settings) -> dict[str, Any]:
    """The settings that decide what a version becomes."""
    used: dict[str, Any] = {"lora_layers": choose_layers(settings), "anchor": choose_anchor(settings)}
    return {name: getattr(settings, name) for name in TRAINING} | used


def recorded_settings(settings: Settings) -> dict[str, Any]:
    """The settings that a version's row keeps."""
    return training_settings(settings) | {name: getattr(settings, name) for name in RUNNING}


def libraries() -> dict[str, str]:
    """Versions of the libraries that a version's bytes depend on."""
    return {name: version_of(name) for name in LIBRARIES}


def code_commit() -> str:
    """The commit of this checkout, with `+` when files differ from it; empty outside a checkout."""
    command = ["git", "describe", "--always", "--abbrev=40", "--dirty=+", "--exclude=*"]
    with suppress(OSError, subprocess.CalledProcessError):
        found = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
        return found.stdout.strip()
    return ""


def checkpoint_folder(layout: Layout, manifest: FrozenManifest, settings: Settings) -> Path:
    """The folder for checkpoints of this manifest under these settings; other data or settings get another one."""
    identity = repr((manifest.id, sorted(training_settings(settings).items()), sorted(libraries().items())))
    return layout.checkpoints / sha256_of(identity.encode())[:32]


def remove_checkpoints(layout: Layout) -> None:
    """Removes the folders that `checkpoint_folder` names and the choice of a retrain, and nothing else.

    Those of the bucket go too.
    """
    if layout.bucket is not None:
        remove_folders(layout.bucket, layout.checkpoints.name)
    found = list(layout.checkpoints.iterdir()) if layout.checkpoints.is_dir() else []
    for folder in found:
        if re.fullmatch(r"[0-9a-f]{32}", folder.name) and folder.is_dir() and not folder.is_symlink():
            remove_folder(folder)
    (layout.checkpoints / CHOICE_FILE).unlink(missing_ok=True)
    with suppress(OSError):
        layout.checkpoints.rmdir()


def kohya_header(rank: int, title: str) -> dict[str, str]:
    """What other programs read in a kohya file's header. It has no date: the same training gives the same bytes."""
    return {
        "ss_base_model_version": "sdxl_base_v1-0",
        "ss_v2": "False",
        "ss_network_module": "networks.lora",
        "ss_network_dim": str(rank),
        "ss_network_alpha": str(rank),
        "ss_network_args": json.dumps({"conv_dim": str(rank), "conv_alpha": str(rank)}),
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": "stable-diffusion-xl-v1-base/lora",
        "modelspec.implementation": "https://github.com/Stability-AI/generative-models",
        "modelspec.title": title,
    }
