"""From trained weights to a published version: files first, checked by reloading, then one transaction.

The version's row is the commit point; a folder without a row is swept at the start of the next retrain.
"""

import json
from dataclasses import dataclass
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any, NamedTuple

import torch
from sqlalchemy import Engine
from sqlmodel import select
from torch import Tensor

from feedback.retrain.manifest import FrozenManifest
from feedback.versions import next_number, publish
from store.engine import reading, writing
from store.errors import BadExport, RetrainError
from store.files import make_folder, put_in_place, remove_folder, sha256_of, write_file
from store.layout import Layout
from store.settings import Settings
from store.tables import Run, RunStatus, Version, utc_now
from trainer.base.model import Base
from trainer.fit.fit import Fitted
from trainer.lora.tensors import (
    DIFFUSERS_FILE,
    KOHYA_FILE,
    TRAINED,
    attach_file,
    detach,
    diffusers_layout,
    kohya_layout,
    safetensors_bytes,
)
from trainer.retrain.strength import Choice
from trainer.sample.text import probe_text, reads_anew

LIBRARIES = ("torch", "diffusers", "peft", "transformers", "accelerate", "safetensors", "naysayer")
TRAINING = (
    "objective",
    "lora_rank",
    "lora_layers",
    "train_steps",
    "train_batch",
    "learning_rate",
    "min_timestep",
    "null_dropout",
    "beta",
    "anchor",
    "trigger",
    "dtype",
    "base_quantization",
    "seed",
    "rule",
    "strength",
    "guidance_gain",
    "sweep_pictures",
)
RUNNING = ("micro_batch", "gradient_checkpointing", "deterministic")
"""Settings that change how a fit uses the machine, and its result by rounding alone: a run may go on under others."""


@dataclass(frozen=True)
class Made:
    """All that a version comes from."""

    base: Base
    fitted: Fitted
    choice: Choice
    manifest: FrozenManifest
    settings: Settings
    run: Run
    commit: str


class Files(NamedTuple):
    """The two files of a version."""

    diffusers: bytes
    kohya: bytes


def training_settings(settings: Settings) -> dict[str, Any]:
    """The settings that decide what a version becomes."""
    used: dict[str, Any] = {"lora_layers": settings.layers_used, "anchor": settings.anchor_used}
    if settings.lora_text_encoders:  # said where it holds, so that all other files keep their bytes
        used["lora_text_encoders"] = True
    return {name: getattr(settings, name) for name in TRAINING} | used


def libraries() -> dict[str, str]:
    """Versions of the libraries that a version's bytes depend on."""
    return {name: version_of(name) for name in LIBRARIES}


def render(made: Made) -> Files:
    """Both files, with where they come from in the header; the same inputs give the same bytes."""
    settings, base = made.settings, made.base
    provenance = {
        "naysayer.manifest": made.manifest.id,
        "naysayer.base": base.name,
        "naysayer.base_sha256": base.sha256,
        "naysayer.settings": json.dumps(training_settings(settings), sort_keys=True),
        "naysayer.strength": f"{made.choice.strength:g}",
        "naysayer.libraries": json.dumps(libraries(), sort_keys=True),
        "naysayer.commit": made.commit,
    }
    common = header_of(settings.lora_rank, "Naysayer negative LoRA") | {
        "ss_seed": str(settings.seed),
        "ss_max_train_steps": str(settings.train_steps),
        "ss_learning_rate": str(settings.learning_rate),
        "ss_batch_size_per_device": str(settings.train_batch),
        "ss_num_train_images": str(len(made.manifest.items)),
        "modelspec.description": "Stands on the negative half of guidance; it draws what raters rejected.",
    }
    weights = made.fitted.weights
    return Files(
        safetensors_bytes(diffusers_layout(weights), {"format": "pt"} | provenance),
        safetensors_bytes(kohya_layout(weights), common | provenance),
    )


def header_of(rank: int, title: str) -> dict[str, str]:
    """What other programs read in a kohya file's header. No date: the same training gives the same bytes."""
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


def publish_version(engine: Engine, layout: Layout, made: Made) -> Version:
    """The new version's row, once its files are in place and were read back by a pipeline.

    Raises BadExport when a file does not reload to the trained network, RetrainError when the very same bytes were
    published before.
    """
    files = render(made)
    sha256 = sha256_of(files.diffusers)
    final = layout.version_folder(sha256)
    if final.exists():
        raise RetrainError(
            f"this retrain gave the very file of an earlier version ({sha256[:12]}…); nothing to publish"
        )
    make_folder(layout.versions)
    staging = layout.versions / f".staging-{made.run.id}"
    remove_folder(staging)
    staging.mkdir()
    write_file(staging / DIFFUSERS_FILE, files.diffusers)
    write_file(staging / KOHYA_FILE, files.kohya)
    write_file(staging / "manifest.json", made.manifest.body.encode())
    check_files(made.base, staging)
    put_in_place(staging, final)
    return _record(engine, files, made)


def check_files(base: Base, folder: Path) -> None:
    """Reloads each file beside the base, without the trained adapter, and compares what the networks then give.

    One UNet forward, and one text where the text encoders were trained. Takes the trained adapter off.
    Raises BadExport.
    """
    has_text = reads_anew(base.pipe, TRAINED)
    wanted = _probes(base, TRAINED, has_text)
    detach(base.pipe, TRAINED)
    plain = _probes(base, "", has_text)
    for file in (DIFFUSERS_FILE, KOHYA_FILE):
        attach_file(base.pipe, folder / file, "check")
        base.pipe.unet.enable_adapters()
        found = _probes(base, "check", has_text)
        detach(base.pipe, "check")
        for name in wanted:
            # In half precision the UNet's forward is rough; what the file changes must still be the trained change.
            most = 0.5 if name == "UNet" and base.dtype != torch.float32 else 0.05
            error, strength = _compare(found[name] - plain[name], wanted[name] - plain[name])
            if not (error <= most and abs(strength - 1) <= 0.1):
                raise BadExport(
                    f"{file} reloads to another network than was trained (its change of the {name} differs by "
                    f"{error:.0%}, at {strength:.0%} of the strength); no version was made; check the versions of "
                    "diffusers and peft with `naysayer doctor`"
                )


def _probes(base: Base, name: str, has_text: bool) -> dict[str, Tensor]:
    """What the networks give as they are, the text encoders with the adapter `name`."""
    return {"UNet": probe(base)} | ({"text encoders": probe_text(base.pipe, name)} if has_text else {})


def _compare(found: Tensor, wanted: Tensor) -> tuple[float, float]:
    """Norm of the difference, and share of `wanted` that is in `found`, both relative to `wanted`."""
    norm = wanted.norm()
    return float((found - wanted).norm() / norm), float((found * wanted).sum() / norm**2)


def sweep(engine: Engine, layout: Layout) -> list[str]:
    """Removes what an interrupted publish left: staging folders and folders without a row. Needs the retrain lock."""
    if not layout.versions.exists():
        return []
    with reading(engine) as session:
        known = set(session.exec(select(Version.sha256)))
    left = [folder for folder in layout.versions.iterdir() if folder.name not in known]
    for folder in left:
        remove_folder(folder)
    return [folder.name for folder in left]


def _record(engine: Engine, files: Files, made: Made) -> Version:
    with writing(engine) as session:
        number = next_number(session)
        version = Version(
            number=number,
            parent=number - 1,
            sha256=sha256_of(files.diffusers),
            kohya_sha256=sha256_of(files.kohya),
            manifest_id=made.manifest.id,
            run_id=made.run.id,
            base_model=made.base.name,
            base_sha256=made.base.sha256,
            rule=made.settings.rule,
            strength=made.choice.strength,
            strength_curve=made.choice.curve,
            settings=training_settings(made.settings)
            | {name: getattr(made.settings, name) for name in RUNNING}
            | made.base.facts,
            libraries=libraries(),
            code_commit=made.commit,
            curve=made.fitted.curve,
            train_seconds=(utc_now() - made.run.started_at).total_seconds(),
        )
        publish(session, version, f"trained on manifest {made.manifest.id[:12]}")
        finished = session.get_one(Run, made.run.id)
        finished.status, finished.version, finished.updated_at = RunStatus.done, number, utc_now()
        finished.message = f"published v{number}"
        session.add(finished)
        return version


@torch.inference_mode()
def probe(base: Base) -> Tensor:
    """One UNet forward on fixed noise, text and time: float32, on the CPU."""
    unet, random = base.pipe.unet, torch.Generator().manual_seed(0)
    side = unet.config.sample_size
    width, pooled = unet.config.cross_attention_dim, base.pipe.text_encoder_2.config.projection_dim

    def noise(*shape: int) -> Tensor:
        return torch.randn(shape, generator=random).to(base.device, base.dtype)

    return (
        unet(
            noise(1, unet.config.in_channels, side, side),
            torch.tensor([700], device=base.device),
            encoder_hidden_states=noise(1, 77, width),
            added_cond_kwargs={
                "text_embeds": noise(1, pooled),
                "time_ids": torch.zeros(1, 6).to(base.device, base.dtype),
            },
            return_dict=False,
        )[0]
        .float()
        .cpu()
    )
