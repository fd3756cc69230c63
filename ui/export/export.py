"""`naysayer export lora N`: a version's files for another program, with its model card."""

import json
from enum import StrEnum
from pathlib import Path

from feedback.gate.evidence import failed_checks
from feedback.recipe import Recipe
from feedback.versions import get_version
from store.errors import BadRequest, DamagedStore
from store.files import make_folder, write_file
from store.layout import Layout, layout_of
from store.migrate import open_store
from store.settings import Settings
from store.tables import Version
from ui.export.card import model_card
from ui.export.comfyui import Shown, Workflow, negative_half, numbered, same_prompt, with_trigger

OPEN_RAIL = "stabilityai/stable-diffusion-xl-base-1.0"


class Format(StrEnum):
    """Who the files are for."""

    diffusers = "diffusers"
    kohya = "kohya"
    comfyui = "comfyui"


def export_lora(settings: Settings, number: int, form: Format, folder: Path) -> list[Path]:
    """The files written into `folder`, which is made where it is missing; a file that is there is not overwritten.

    Raises BadRequest for the plain base, DamagedStore when the store's own file is not the published one.
    """
    version, layout = get_version(open_store(settings), number), layout_of(settings)
    if version.sha256 is None:
        raise BadRequest(f"v{number} is the plain base, which has no LoRA; export another version")
    if wrong := failed_checks(layout, version):
        raise DamagedStore(f"v{number} was not exported: {'; '.join(wrong)}; restore its files from a backup")
    files = {"README.md": card(version).encode()} | _weights(layout, version, form)
    if form is Format.comfyui:
        files |= {name: _json(made) for name, made in workflows(settings, version).items()}
    make_folder(folder)
    paths = {folder / name: data for name, data in files.items()}
    if there := [path for path in paths if path.exists()]:
        raise BadRequest(f"{there[0]} exists already; nothing was written; give another folder with --out")
    for path, data in paths.items():
        write_file(path, data)
    return list(paths)


def card(version: Version) -> str:
    """The model card with the front matter that model hubs read: base, licence, tags."""
    base = version.base_model
    front = ["library_name: diffusers", "pipeline_tag: text-to-image"]
    front += ["tags:", *(f"- {tag}" for tag in ("lora", "stable-diffusion-xl", "negative-lora", "naysayer"))]
    if "/" in base and not Path(base).exists():
        front.append(f"base_model: {json.dumps(base)}")
    if base == OPEN_RAIL:
        front.append("license: openrail++")
    elif base == "builtin":
        front.append("license: apache-2.0")
    licence = {
        OPEN_RAIL: "The base's licence, CreativeML Open RAIL++-M, holds for this LoRA too, with its limits of use.",
        "builtin": "The base is the built-in model of Naysayer, Apache-2.0.",
    }.get(base, f"The licence of the base `{base}` may bind this LoRA too; Naysayer does not know it, so look it up.")
    return "\n".join(["---", *front, "---", "", model_card(version), "## Licence", "", licence, ""])


def workflows(settings: Settings, version: Version) -> dict[str, Workflow]:
    """ComfyUI workflows by file name: the version's own rule, the negative half alone, and the trigger word."""
    recipe, scale = Recipe.of(version), settings.guidance_scale or 6.0
    shown = Shown(
        lora=_kohya_name(version),
        checkpoint="sd_xl_base_1.0.safetensors",
        prompt="a photo of a red fox in the snow",
        guidance_scale=scale,
        num_inference_steps=settings.num_inference_steps or 30,
        width=settings.width_px or 1024,
        height=settings.height_px or 1024,
        reads_anew=recipe.lora_text_encoders,
    )
    strength = recipe.strength if recipe.rule in ("negative-half", "woolf") else 1.0
    made = {
        "workflow-negative-half.json": negative_half(shown, strength, recipe.negative_prompt or ""),
        "workflow-trigger-word.json": with_trigger(shown, strength, recipe.trigger_word),
    }
    if recipe.rule == "same-prompt":
        grown = scale + recipe.guidance_gain * recipe.strength
        made["workflow-same-prompt.json"] = same_prompt(shown._replace(guidance_scale=grown), recipe.strength)
    return made


def _weights(layout: Layout, version: Version, form: Format) -> dict[str, bytes]:
    folder = layout.version_folder(version.sha256 or "")
    if form is Format.diffusers:
        return {"pytorch_lora_weights.safetensors": (folder / "pytorch_lora_weights.safetensors").read_bytes()}
    return {_kohya_name(version): (folder / "naysayer_kohya.safetensors").read_bytes()}


def _kohya_name(version: Version) -> str:
    return f"naysayer-v{version.number}-kohya.safetensors"


def _json(workflow: Workflow) -> bytes:
    return json.dumps(numbered(workflow), indent=1).encode()
