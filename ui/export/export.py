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
from store.migrate import read_store
from store.settings import Settings
from store.tables import Version
from ui.export.card import model_card
from ui.export.comfyui_workflow import (
    Example,
    Workflow,
    build_negative_half,
    build_same_prompt,
    build_with_trigger,
    number_nodes,
)

OPEN_RAIL = "stabilityai/stable-diffusion-xl-base-1.0"


class Format(StrEnum):
    """Who the files are for."""

    diffusers = "diffusers"
    kohya = "kohya"
    comfyui = "comfyui"


def export_lora(settings: Settings, number: int, form: Format, folder: Path) -> list[Path]:
    """The files written into `folder`, which is created if needed. No file is overwritten.

    Raises BadRequest for the plain base and for a file that exists already, DamagedStore when the store's own file is
    not the published one.
    """
    version, layout = get_version(read_store(settings), number), layout_of(settings)
    if version.sha256 is None:
        raise BadRequest(f"v{number} is the plain base, which has no LoRA; export another version")
    if wrong := failed_checks(layout, version):
        raise DamagedStore(f"v{number} was not exported: {'; '.join(wrong)}; restore its files from a backup")
    files = {"README.md": hub_card(version).encode()} | _weights(layout, version, form)
    if form is Format.comfyui:
        files |= {name: _json(workflows) for name, workflows in build_workflows(settings, version).items()}
    make_folder(folder)
    paths = {folder / name: data for name, data in files.items()}
    if existing := [path for path in paths if path.exists()]:
        raise BadRequest(f"{existing[0]} exists already; nothing was written; give another folder with --out")
    for path, data in paths.items():
        write_file(path, data)
    return list(paths)


def hub_card(version: Version) -> str:
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
        OPEN_RAIL: "The base's licence, CreativeML Open RAIL++-M, and its use restrictions apply to this LoRA too.",
        "builtin": "The base is the built-in model of Naysayer, Apache-2.0.",
    }.get(
        base, f"The licence of the base `{base}` may apply to this LoRA too; Naysayer does not know it, so look it up."
    )
    return "\n".join(["---", *front, "---", "", model_card(version), "## Licence", "", licence, ""])


def build_workflows(settings: Settings, version: Version) -> dict[str, Workflow]:
    """ComfyUI workflows by file name: the version's own rule, the negative half only, and the trigger word."""
    recipe, scale = Recipe.of(version), settings.guidance_scale or 6.0
    example = Example(
        lora=_kohya_name(version),
        checkpoint="sd_xl_base_1.0.safetensors",
        prompt="a photo of a red fox in the snow",
        guidance_scale=scale,
        num_inference_steps=settings.num_inference_steps or 30,
        width=settings.width_px or 1024,
        height=settings.height_px or 1024,
        has_text_encoders=recipe.lora_text_encoders,
    )
    strength = recipe.strength if recipe.rule in ("negative-half", "woolf") else 1.0
    workflows = {
        "workflow-negative-half.json": build_negative_half(example, strength, recipe.negative_prompt or ""),
        "workflow-trigger-word.json": build_with_trigger(example, strength, recipe.trigger_word),
    }
    if recipe.rule == "same-prompt":
        grown = scale + recipe.guidance_gain * recipe.strength
        workflows["workflow-same-prompt.json"] = build_same_prompt(
            example._replace(guidance_scale=grown), recipe.strength
        )
    return workflows


def _weights(layout: Layout, version: Version, form: Format) -> dict[str, bytes]:
    folder = layout.version_folder(version.sha256 or "")
    if form is Format.diffusers:
        return {"pytorch_lora_weights.safetensors": (folder / "pytorch_lora_weights.safetensors").read_bytes()}
    return {_kohya_name(version): (folder / "naysayer_kohya.safetensors").read_bytes()}


def _kohya_name(version: Version) -> str:
    return f"naysayer-v{version.number}-kohya.safetensors"


def _json(workflow: Workflow) -> bytes:
    return json.dumps(number_nodes(workflow), indent=1).encode()
